//! What no golden file shows: limits, versions, hostile values.

use super::*;
use crate::api::TemporalCluster;
use crate::validate;
use rstest::rstest;
use serde_json::{Value, json};

mod autoscaler;
mod before_upgrade;
mod dual;
mod elasticsearch;
mod keepalive;

fn valid(change: impl FnOnce(&mut Value)) -> ValidCluster {
    try_valid(change).unwrap()
}

fn try_valid(change: impl FnOnce(&mut Value)) -> Result<ValidCluster, Invalid> {
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
    let all = everything(cluster, &SecretVersions::new()).unwrap();
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
    for object in everything(&cluster, &SecretVersions::new()).unwrap() {
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
    for object in everything(&valid(|_| ()), &SecretVersions::new()).unwrap() {
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

#[test]
fn an_internal_frontend_takes_the_place_of_the_public_address() {
    let cluster = valid(|m| m["spec"]["services"] = json!({"internalFrontend": {"enabled": true}}));
    let tree: Value = serde_yaml::from_str(
        &ServerConfig::render(&cluster).text.lines().filter(|l| !l.contains("{{")).collect::<Vec<_>>().join("\n"),
    )
    .unwrap();
    assert_eq!(tree["publicClient"], json!({}));
    let rpc = json!({"grpcPort": 7236, "membershipPort": 6936, "bindOnIP": "0.0.0.0", "httpPort": 7246});
    assert_eq!(tree["services"]["internal-frontend"]["rpc"], rpc);
    let deployment = body(&cluster, Kind::Deployment, "c-internal-frontend");
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    assert!(container["env"].to_string().contains(r#"{"name":"TEMPORAL_SERVICES","value":"internal-frontend"}"#));
    assert_eq!(container["readinessProbe"]["grpc"]["service"], "temporal.api.workflowservice.v1.WorkflowService");
    let service = body(&cluster, Kind::Service, "c-internal-frontend");
    assert_eq!(service["spec"]["ports"][1]["port"], 7246);
}

#[test]
fn pods_are_scheduled_and_prepared_as_the_role_says() {
    let cluster = valid(|m| {
        m["spec"]["services"] = json!({"matching": {
            "affinity": {"nodeAffinity": {}},
            "tolerations": [{"key": "a", "operator": "Exists"}],
            "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}],
            "priorityClassName": "high",
            "initContainers": [
                {"name": "plain", "image": "i"},
                {"name": "proxy", "image": "i", "restartPolicy": "Always", "securityContext": {"runAsUser": 7}},
            ],
        }});
    });
    let pod = body(&cluster, Kind::Deployment, "c-matching")["spec"]["template"]["spec"].clone();
    assert_eq!(pod["affinity"], json!({"nodeAffinity": {}}));
    assert_eq!(pod["tolerations"], json!([{"key": "a", "operator": "Exists"}]));
    assert_eq!(pod["priorityClassName"], "high");
    let counted = &pod["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"];
    assert_eq!(counted["app.kubernetes.io/component"], "matching");
    assert_eq!(pod["initContainers"][0]["securityContext"]["allowPrivilegeEscalation"], false);
    assert_eq!(pod["initContainers"][1]["securityContext"], json!({"runAsUser": 7}));
    assert!(body(&cluster, Kind::Deployment, "c-history")["spec"]["template"]["spec"].get("tolerations").is_none());
}

#[test]
fn the_frontends_service_is_as_the_manifest_says() {
    let cluster = valid(|m| {
        m["spec"]["services"] = json!({"frontend": {"service": {
            "type": "LoadBalancer", "labels": {"team": "a", "app.kubernetes.io/name": "theirs"}, "annotations": {"b": "c"},
            "loadBalancerClass": "lb", "loadBalancerSourceRanges": ["10.0.0.0/8"], "externalTrafficPolicy": "Local",
            "nodePort": 30233, "httpNodePort": 30243,
        }}});
    });
    let service = body(&cluster, Kind::Service, "c-frontend");
    assert_eq!(service["metadata"]["labels"]["team"], "a");
    assert_eq!(service["metadata"]["labels"]["app.kubernetes.io/name"], "c", "ours win");
    assert_eq!(service["metadata"]["annotations"]["b"], "c");
    let ports: Vec<_> = service["spec"]["ports"].as_array().unwrap().iter().map(|p| p["nodePort"].clone()).collect();
    assert_eq!(ports, [30233, 30243]);
    let spec = json!([
        service["spec"]["type"],
        service["spec"]["loadBalancerClass"],
        service["spec"]["loadBalancerSourceRanges"],
        service["spec"]["externalTrafficPolicy"],
    ]);
    assert_eq!(spec, json!(["LoadBalancer", "lb", ["10.0.0.0/8"], "Local"]));
}

#[test]
fn overrides_are_part_of_the_hash_that_rolls_a_role() {
    let hash = |overrides: Value| {
        let cluster = valid(|m| m["spec"]["services"] = json!({"overrides": {"deployment": overrides}}));
        body(&cluster, Kind::Deployment, "c-history")["metadata"]["annotations"]["temporal.io/template-hash"].clone()
    };
    let label = json!({"labels": {"team": "a"}});
    assert_ne!(hash(json!({"spec": {"template": {"metadata": label}}})), hash(json!({})));
    assert_eq!(hash(json!({"metadata": label})), hash(json!({})), "labels of the Deployment itself roll nothing");
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
    assert_eq!(
        env("SQL_CONNECT_ATTRIBUTES")["value"],
        "application_name=a%26b%3Dc+%24%28SQL_USER%29+%2541%2B&idle_in_transaction_session_timeout=5s"
    );
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
fn every_step_of_a_schema_job_has_the_files_of_its_store() {
    let cluster = valid(|m| {
        let tls = json!({"enabled": true, "caFileRef": {"name": "t"}});
        m["spec"]["persistence"]["defaultStore"]["tls"] = tls;
    });
    let name = job::name(&cluster, &cluster.default_store, &SecretVersions::new(), 1);
    let pod = body(&cluster, Kind::Job, &name)["spec"]["template"]["spec"].clone();
    let steps = ["initContainers", "containers"].iter().flat_map(|list| pod[*list].as_array().unwrap());
    let mut names = Vec::new();
    for step in steps {
        let mounts = step["volumeMounts"].as_array().unwrap();
        assert!(mounts.iter().any(|m| m["mountPath"] == "/etc/tls/datastores/ca/default"), "{step}");
        names.push(step["name"].as_str().unwrap());
    }
    assert_eq!(names, ["create-database", "check-owner", "setup-schema", "schema-script-runner"]);
    assert!(names.iter().all(|n| crate::api::jobs::STEPS.contains(n)));
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
    let accounts: Vec<_> =
        foundation(&cluster).unwrap().into_iter().filter(|o| o.kind() == Kind::ServiceAccount).collect();
    assert_eq!(accounts.len(), 5);
    for account in accounts {
        let annotations = account.metadata().annotations.clone().unwrap();
        assert_eq!(annotations["iam.gke.io/gcp-service-account"], google, "{}", account.key());
    }
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
    // how connections between servers are kept alive is a user's to set
    free.retain(|path| !path.contains(".rpc.clientConnectionConfig.") && !path.contains(".rpc.keepAliveServerConfig."));
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
