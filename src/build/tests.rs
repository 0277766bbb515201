//! What no golden file shows: limits, versions, hostile values.

use super::*;
use crate::api::TemporalCluster;
use crate::validate;
use rstest::rstest;
use serde_json::{Value, json};

fn valid(change: impl FnOnce(&mut Value)) -> ValidCluster {
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
    validate::cluster(&cluster).unwrap()
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

/// A sidecar before the Job's own steps, where the pod runs, TLS, and another user.
fn with_everything_of_a_job() -> ValidCluster {
    valid(|m| {
        m["spec"]["jobInitContainers"] = json!([
            {"name": "proxy", "image": "proxy:1", "restartPolicy": "Always", "resources": {"limits": {"cpu": "1"}}},
        ]);
        m["spec"]["jobScheduling"] = json!({
            "nodeSelector": {"a": "b"}, "tolerations": [{"key": "k", "operator": "Exists"}], "priorityClassName": "high",
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}},
        });
        let store = &mut m["spec"]["persistence"]["visibilityStore"];
        store["migration"] = json!({"user": "owner", "passwordSecretRef": {"name": "o", "key": "k"}});
        store["tls"] = json!({
            "enabled": true, "enableHostVerification": false, "caFileRef": {"name": "t", "key": "ca.crt"},
            "certFileRef": {"name": "t"}, "keyFileRef": {"name": "t"},
        });
        store["sql"]["connectAttributes"] = json!({"application_name": "a&b=c $(SQL_USER) %41+"});
        store["sql"]["connectAddr"] = json!("[fd00::1]:5432");
    })
}

#[test]
fn a_schema_job_begins_with_the_users_containers_and_runs_where_they_say() {
    let cluster = with_everything_of_a_job();
    let name = job::name(&cluster, &cluster.visibility_store, &SecretVersions::new(), 1);
    let job = body(&cluster, Kind::Job, &name);
    let pod = &job["spec"]["template"]["spec"];
    let names: Vec<_> = pod["initContainers"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["proxy", "create-database", "setup-schema"]);
    assert_eq!(pod["initContainers"][0]["restartPolicy"], "Always");
    assert_eq!(pod["containers"].as_array().unwrap().len(), 1);
    assert_eq!(pod["nodeSelector"], json!({"a": "b"}));
    assert_eq!(pod["tolerations"][0]["operator"], "Exists");
    assert_eq!(pod["priorityClassName"], "high");
    assert!(pod["affinity"]["nodeAffinity"].is_object());
}

#[test]
fn the_tool_gets_tls_attributes_and_the_migration_user_by_environment() {
    let cluster = with_everything_of_a_job();
    let name = job::name(&cluster, &cluster.visibility_store, &SecretVersions::new(), 1);
    let job = body(&cluster, Kind::Job, &name);
    let pod = &job["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let env = |name: &str| {
        let all = container["env"].as_array().unwrap();
        all.iter().find(|e| e["name"] == name).cloned().unwrap_or_default()
    };
    assert_eq!(env("SQL_HOST")["value"], "[fd00::1]");
    assert_eq!(env("SQL_USER")["value"], "owner");
    assert_eq!(env("SQL_PASSWORD")["valueFrom"]["secretKeyRef"], json!({"name": "o", "key": "k"}));
    assert_eq!(env("SQL_CONNECT_ATTRIBUTES")["value"], "application_name=a%26b%3Dc+%24%28SQL_USER%29+%2541%2B");
    assert_eq!(env("SQL_TLS")["value"], "true");
    assert_eq!(env("SQL_TLS_DISABLE_HOST_VERIFICATION")["value"], "true");
    assert_eq!(env("SQL_TLS_CA_FILE")["value"], "/etc/tls/datastores/ca/visibility/ca.pem");
    assert_eq!(env("SQL_TLS_KEY_FILE")["value"], "/etc/tls/datastores/key/visibility/client.key");
    let volume = &pod["volumes"][0];
    assert_eq!(volume["name"], "visibility-tls-ca-file");
    assert_eq!(volume["secret"]["items"], json!([{"key": "ca.crt", "path": "ca.pem"}]));
    assert_eq!(container["volumeMounts"].as_array().unwrap().len(), 3);
}

#[test]
fn server_pods_have_the_files_of_a_store_and_log_in_as_the_ordinary_user() {
    let cluster = with_everything_of_a_job();
    let pod = body(&cluster, Kind::Deployment, "c-history")["spec"]["template"]["spec"].clone();
    let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap().clone();
    let paths: Vec<_> = mounts.iter().filter_map(|m| m["mountPath"].as_str()).filter(|p| p.contains("tls")).collect();
    let directories = ["ca", "cert", "key"].map(|what| format!("/etc/tls/datastores/{what}/visibility"));
    assert_eq!(paths, directories);
    let text = ServerConfig::render(&cluster).text;
    assert!(text.contains("keyFile: /etc/tls/datastores/key/visibility/client.key"), "{text}");
    assert!(!text.contains("owner"), "{text}");
}

#[rstest]
#[case(json!({}), Some("150 in all, more than PostgreSQL's default of 100"))]
#[case(json!({"maxServerConnections": 150}), None)]
#[case(json!({"maxServerConnections": 149}), Some("grants 149"))]
#[case(json!({"connectAddr": "elsewhere:5432"}), None)]
#[case(json!({"maxConns": 0}), Some("any number of connections"))]
fn more_connections_than_the_database_grants_are_noted(#[case] sql: Value, #[case] words: Option<&str>) {
    let cluster = valid(|m| {
        for (key, value) in sql.as_object().unwrap() {
            m["spec"]["persistence"]["defaultStore"]["sql"][key] = value.clone();
        }
    });
    match words {
        Some(words) => assert!(cluster.warnings.iter().any(|w| w.contains(words)), "{:?}", cluster.warnings),
        None => assert!(cluster.warnings.is_empty(), "{:?}", cluster.warnings),
    }
}

#[test]
fn every_account_acts_as_the_google_service_account() {
    let google = "temporal@project.iam.gserviceaccount.com";
    let cluster = valid(|m| m["spec"]["persistence"]["visibilityStore"]["sql"]["gcpServiceAccount"] = json!(google));
    let accounts: Vec<_> = foundation(&cluster).into_iter().filter(|o| o.kind() == Kind::ServiceAccount).collect();
    assert_eq!(accounts.len(), 5);
    for account in accounts {
        let annotations = account.metadata().annotations.clone().unwrap();
        assert_eq!(annotations["iam.gke.io/gcp-service-account"], google, "{}", account.key());
    }
}
