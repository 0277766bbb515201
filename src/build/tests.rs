//! What no golden file shows: limits, versions, hostile values.

use super::*;
use crate::api::TemporalCluster;
use crate::validate;
use rstest::rstest;
use serde_json::{Value, json};

fn valid(change: impl FnOnce(&mut Value)) -> ValidCluster {
    try_valid(change).unwrap()
}

fn try_valid(change: impl FnOnce(&mut Value)) -> Result<ValidCluster, validate::Invalid> {
    let store = |database: &str| {
        json!({
            "sql": {"pluginName": "postgres12", "user": "t", "databaseName": database, "connectAddr": "db:5432"},
            "passwordSecretRef": {"name": "s"},
        })
    };
    let mut manifest = json!({
        "apiVersion": "temporal.io/v1beta1", "kind": "TemporalCluster",
        "metadata": {"name": "c", "namespace": "ns", "uid": "u"},
        "spec": {
            "version": "1.31.2", "numHistoryShards": 64, "ui": {"enabled": true},
            "persistence": {"defaultStore": store("a"), "visibilityStore": store("b")},
        },
    });
    change(&mut manifest);
    let cluster: TemporalCluster = serde_json::from_value(manifest).unwrap();
    validate::cluster(&cluster)
}

fn body(cluster: &ValidCluster, kind: Kind, name: &str) -> Value {
    let all = everything(cluster, &SecretVersions::new());
    let key = ObjectKey { kind, name: name.to_owned() };
    all.iter().find(|o| o.key() == key).unwrap().sealed().unwrap().body
}

fn strings(value: &Value, all: &mut Vec<String>) {
    match value {
        Value::String(s) => all.push(s.clone()),
        Value::Array(items) => items.iter().for_each(|i| strings(i, all)),
        Value::Object(map) => map.values().for_each(|v| strings(v, all)),
        _ => {}
    }
}

#[test]
fn names_and_labels_of_the_longest_cluster_fit() {
    let cluster = valid(|m| m["metadata"]["name"] = json!("a".repeat(36)));
    for object in everything(&cluster, &SecretVersions::new()) {
        let metadata = object.metadata();
        assert!(metadata.name.as_ref().unwrap().len() <= 63, "{}", object.key());
        let mut labels = Vec::new();
        strings(&json!(metadata.labels), &mut labels);
        strings(&object.sealed().unwrap().body["spec"]["template"]["metadata"]["labels"], &mut labels);
        assert!(labels.iter().all(|l| l.len() <= 63), "{}: {labels:?}", object.key());
    }
}

#[test]
fn every_object_is_owned_and_carries_the_label_that_the_watches_look_for() {
    for object in everything(&valid(|_| ()), &SecretVersions::new()) {
        let metadata = object.metadata();
        let managed = metadata.labels.as_ref().unwrap().get("app.kubernetes.io/managed-by");
        assert_eq!(managed.map(String::as_str), Some("temporal-operator"), "{}", object.key());
        assert_eq!(metadata.owner_references.as_ref().unwrap()[0].uid, "u", "{}", object.key());
    }
}

#[rstest]
#[case("1.30.8", "/tcpSocket/port", json!(6939))]
#[case("1.31.2", "/grpc/service", json!("temporal.api.workflowservice.v1.WorkerService"))]
#[case("1.32.0", "/grpc/port", json!(7239))]
fn the_worker_is_probed_as_its_version_can_answer(#[case] version: &str, #[case] path: &str, #[case] expected: Value) {
    let worker = body(&valid(|m| m["spec"]["version"] = json!(version)), Kind::Deployment, "c-worker");
    let probe = &worker["spec"]["template"]["spec"]["containers"][0]["readinessProbe"];
    assert_eq!(probe.pointer(path), Some(&expected), "{probe}");
}

#[rstest]
#[case(64, 3, "1", "0")]
#[case(8, 1, "0", "1")]
fn history_surges_only_when_a_new_pod_can_own_shards(
    #[case] shards: i32,
    #[case] replicas: i32,
    #[case] surge: &str,
    #[case] unavailable: &str,
) {
    let cluster = valid(|m| {
        m["spec"]["numHistoryShards"] = json!(shards);
        m["spec"]["services"] = json!({"history": {"replicas": replicas}});
    });
    let strategy = body(&cluster, Kind::Deployment, "c-history")["spec"]["strategy"]["rollingUpdate"].clone();
    assert_eq!(strategy["maxSurge"].to_string(), surge);
    assert_eq!(strategy["maxUnavailable"].to_string(), unavailable);
}

#[test]
fn unset_replicas_are_left_to_whoever_scales() {
    assert!(body(&valid(|_| ()), Kind::Deployment, "c-history")["spec"].get("replicas").is_none());
}

#[test]
fn hostile_values_stay_values() {
    let attributes = json!({"search_path": "{{ env \"PATH\" }}", "application_name": "a: b # c\n- d"});
    let cluster = valid(|m| m["spec"]["persistence"]["defaultStore"]["sql"]["connectAttributes"] = attributes.clone());
    let text = ServerConfig::render(&cluster).text;
    // what the server's template engine prints: its actions on literals, and a password for the environment
    let printed = text
        .replace("{{ \"{{\" }}", "{{")
        .replace("{{ env \"TEMPORAL_DEFAULT_DATASTORE_PASSWORD\" | quote }}", "\"p\"");
    let printed: String =
        printed.lines().map(|l| if l.contains("| quote }}") { "" } else { l }).collect::<Vec<_>>().join("\n");
    let tree: Value = serde_yaml::from_str(&printed).unwrap();
    assert_eq!(tree.pointer("/persistence/datastores/default/sql/connectAttributes"), Some(&attributes));
}

#[test]
fn the_password_is_nowhere_but_in_a_reference() {
    let job = body(
        &valid(|_| ()),
        Kind::Job,
        &job::name(&valid(|_| ()), &valid(|_| ()).default_store, &SecretVersions::new(), 1),
    );
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    let password = container["env"].as_array().unwrap().iter().find(|e| e["name"] == "SQL_PASSWORD").unwrap();
    assert_eq!(password["valueFrom"]["secretKeyRef"], json!({"name": "s", "key": "password"}));
    assert!(!container["args"].to_string().contains("password"));
}

/// Every path that ends in a value, in a config with everything switched on.
fn leaves(value: &Value, path: &mut Vec<String>, all: &mut Vec<Vec<String>>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                path.push(key.clone());
                leaves(value, path, all);
                path.pop();
            }
        }
        _ => all.push(path.clone()),
    }
}

#[test]
fn no_generated_value_can_be_written_over_but_these() {
    let cluster = valid(|m| {
        m["spec"]["log"] = json!({"outputFile": "/a/b", "development": true});
        m["spec"]["metrics"] = json!({
            "enabled": true, "prefix": "p", "excludeTags": {"a": ["b"]}, "perUnitHistogramBoundaries": {"bytes": ["1"]},
        });
    });
    let mut all = Vec::new();
    leaves(&plain(&cluster), &mut Vec::new(), &mut all);
    assert!(all.len() > 40, "{all:?}");
    let mut free = Vec::new();
    for path in all {
        let config = path.iter().rev().fold(json!("x"), |inner, key| json!({key.as_str(): inner}));
        if try_valid(|m| m["spec"]["serverConfig"] = config).is_ok() {
            free.push(path.join("."));
        }
    }
    free.sort();
    let meant = [
        "clusterMetadata.enableGlobalNamespace",
        "clusterMetadata.failoverVersionIncrement",
        "dcRedirectionPolicy.policy",
    ];
    assert_eq!(free, meant);
}

/// The config as the server's template engine prints it, what comes from the environment left out.
fn plain(cluster: &ValidCluster) -> Value {
    let text = ServerConfig::render(cluster).text;
    let line = |l: &str| match l.strip_suffix("| quote }}") {
        Some(start) => start.split("{{").next().unwrap_or_default().to_owned(),
        None => l.replace("{{ \"{{\" }}", "{{"),
    };
    let text = text.lines().map(line).collect::<Vec<_>>().join("\n");
    serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn free_form_config_is_merged_and_stays_literal() {
    let cluster = valid(|m| {
        m["spec"]["serverConfig"] = json!({
            "global": {"metrics": {"tags": {"a": "{{ env \"PATH\" }}"}}},
            "services": {"frontend": {"rpc": {"httpAdditionalForwardedHeaders": ["x-*"]}}},
            "dcRedirectionPolicy": {"policy": "all-apis-forwarding"},
        });
    });
    let text = ServerConfig::render(&cluster).text;
    assert!(text.contains("{{ \"{{\" }} env"), "{text}");
    let tree = plain(&cluster);
    assert_eq!(tree["global"]["metrics"]["tags"]["a"], "{{ env \"PATH\" }}");
    assert_eq!(tree["dcRedirectionPolicy"]["policy"], "all-apis-forwarding");
    assert_eq!(tree["services"]["frontend"]["rpc"]["httpAdditionalForwardedHeaders"], json!(["x-*"]));
    assert_eq!(tree["services"]["frontend"]["rpc"]["grpcPort"], 7233);
    assert_eq!(tree["global"]["metrics"]["prometheus"]["listenAddress"], "0.0.0.0:9090");
}

#[test]
fn large_integers_of_dynamic_config_stay_integers() {
    let cluster = valid(|m| {
        m["spec"]["dynamicConfig"] = json!({"values": {"limit.blobSize.error": [
            {"value": 2_097_152}, {"value": 9_007_199_254_740_993_i64, "constraints": {"shardId": 0}},
            {"value": 1.5, "constraints": {"taskQueueType": "Nexus", "taskType": "UserTimer", "shardId": 3}},
        ]}});
    });
    let text = body(&cluster, Kind::ConfigMap, "c-dynamicconfig")["data"]["dynamic_config.yaml"].clone();
    let text = text.as_str().unwrap();
    for line in ["value: 2097152", "value: 9007199254740993", "value: 1.5", "tasktype: Nexus", "shardid: 3"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(text.contains("historytasktype: UserTimer") && !text.contains("shardid: 0"), "{text}");
}

#[test]
fn images_come_from_the_registry_or_by_digest() {
    let digest = format!("r/server@sha256:{}", "0".repeat(64));
    let cluster = valid(|m| {
        m["spec"]["imageRegistry"] = json!("registry.corp:5000/mirror");
        m["spec"]["image"] = json!(digest);
        m["spec"]["admintools"] = json!({"enabled": true, "version": "1.31.0"});
    });
    let image = |kind, name: &str| {
        body(&cluster, kind, name)["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
    };
    assert_eq!(image(Kind::Deployment, "c-history"), digest);
    assert_eq!(image(Kind::Deployment, "c-ui"), "registry.corp:5000/mirror/temporalio/ui:2.54.1");
    let tools = "registry.corp:5000/mirror/temporalio/admin-tools";
    assert_eq!(image(Kind::Deployment, "c-admintools"), format!("{tools}:1.31.0"));
    let job = job::name(&cluster, &cluster.default_store, &SecretVersions::new(), 1);
    assert_eq!(image(Kind::Job, &job), format!("{tools}:1.31.2"));
    assert!(cluster.warnings.iter().any(|w| w.contains("spec.image is a digest")), "{:?}", cluster.warnings);
}

#[test]
fn a_log_file_has_a_directory_of_its_own() {
    let cluster = valid(|m| m["spec"]["log"] = json!({"outputFile": "/var/log/temporal/server.log"}));
    let pod = &body(&cluster, Kind::Deployment, "c-worker")["spec"]["template"]["spec"];
    assert!(pod["volumes"].as_array().unwrap().contains(&json!({"name": "log", "emptyDir": {}})), "{pod}");
    let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
    assert!(mounts.contains(&json!({"name": "log", "mountPath": "/var/log/temporal"})), "{mounts:?}");
    let log: Value = plain(&cluster)["log"].clone();
    assert_eq!(log["outputFile"], "/var/log/temporal/server.log");
    assert_eq!(log["stdout"], false);
}

#[test]
fn a_path_of_the_ingress_is_the_path_of_the_web_ui() {
    let cluster = valid(|m| m["spec"]["ui"]["ingress"] = json!({"hosts": ["a.b", "c.d/temporal/"]}));
    let rules = body(&cluster, Kind::Ingress, "c-ui")["spec"]["rules"].clone();
    let paths: Vec<_> = rules.as_array().unwrap().iter().map(|r| &r["http"]["paths"][0]["path"]).collect();
    assert_eq!(paths, [&json!("/"), &json!("/temporal")]);
    let env = body(&cluster, Kind::Deployment, "c-ui")["spec"]["template"]["spec"]["containers"][0]["env"].clone();
    let path = env.as_array().unwrap().iter().find(|e| e["name"] == "TEMPORAL_UI_PUBLIC_PATH").unwrap();
    assert_eq!(path["value"], "/temporal");
}
