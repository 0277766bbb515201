//! What is installed asks for little: rights without wildcards, pods that the *restricted* standard takes and that write
//! nowhere in their image.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

#[path = "admission/table.rs"]
mod table;

use serde::Deserialize;
use serde_json::{Value, json};
use std::path::Path;
use temporal_operator::api::TemporalCluster;
use temporal_operator::build::{self, SecretVersions};
use temporal_operator::validate;

const CLUSTER_ROLE: &str = "config/rbac/all-namespaces/role.yaml";
const LEASE_ROLE: &str = "config/rbac/account/leader_election_role.yaml";

fn documents(path: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(Path::new(path)).unwrap();
    serde_yaml::Deserializer::from_str(&text).map(|d| Value::deserialize(d).unwrap()).collect()
}

fn list(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect()
}

#[test]
fn rights_have_no_wildcards_and_secrets_are_not_listed() {
    let all: Vec<Value> = [CLUSTER_ROLE, LEASE_ROLE].iter().flat_map(|path| documents(path)).collect();
    let rules: Vec<&Value> = all.iter().filter_map(|d| d.get("rules")?.as_array()).flatten().collect();
    assert!(rules.len() > 10, "{rules:?}");
    for rule in rules {
        assert!(!rule.to_string().contains('*'), "{rule}");
        assert!(rule.get("nonResourceURLs").is_none(), "{rule}");
        if list(&rule["resources"]).contains(&"secrets") {
            assert_eq!(list(&rule["verbs"]), ["get"], "{rule}");
            assert_eq!(list(&rule["resources"]), ["secrets"], "{rule}");
        }
    }
}

#[test]
fn the_chart_has_the_version_of_the_operator() {
    let chart = &documents("charts/temporal-operator/Chart.yaml")[0];
    for key in ["version", "appVersion"] {
        assert_eq!(chart[key].as_str(), Some(env!("CARGO_PKG_VERSION")), "{key}");
    }
}

#[test]
fn the_pod_of_the_operator_is_restricted() {
    let deployment = &documents("config/operator/deployment.yaml")[0];
    assert_eq!(excesses(&deployment["spec"]["template"]["spec"]), Vec::<String>::new());
    let namespace = &documents("config/default/namespace.yaml")[0];
    assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
}

/// A pod without the containers that the manifest brings; what those may do is their author's choice.
fn only_ours(pod: &Value) -> Value {
    const OURS: [&str; 9] = [
        "service",
        "ui",
        "admintools",
        "create-database",
        "check-owner",
        "setup-schema",
        "put-template",
        "create-index",
        "schema-script-runner",
    ];
    let mut pod = pod.clone();
    for list in ["initContainers", "containers"] {
        if let Some(all) = pod[list].as_array_mut() {
            all.retain(|c| OURS.iter().any(|name| c["name"] == *name));
        }
    }
    pod
}

/// Every pod of every manifest that is taken, so that a new field cannot bring one that is not.
#[test]
fn every_pod_of_a_cluster_is_restricted() {
    let mut pods = 0;
    let mut wrong = Vec::new();
    for case in table::cases().into_iter().filter(|c| c.refusal.is_none()) {
        let mut manifest = table::base();
        table::merge(&mut manifest, &case.patch);
        manifest["metadata"]["namespace"] = json!("ns");
        let cluster: TemporalCluster = serde_json::from_value(manifest).unwrap();
        let valid = validate::cluster(&cluster).unwrap();
        // a patch may be well-formed and yet fit no generated Deployment
        for object in build::everything(&valid, &SecretVersions::new()).unwrap_or_default() {
            let body = object.sealed().unwrap().body;
            let Some(pod) = body.pointer("/spec/template/spec") else { continue };
            pods += 1;
            let excesses = excesses(&only_ours(pod));
            wrong.extend(excesses.iter().map(|e| format!("{}: {}: {e}", case.name, object.key())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(pods > 50, "{pods}");
}

#[test]
fn a_pod_that_is_not_restricted_is_found() {
    let good = documents("config/operator/deployment.yaml")[0]["spec"]["template"]["spec"].clone();
    let container = "/containers/0/securityContext";
    let changes = [
        ("/hostNetwork", json!(true)),
        ("/securityContext/runAsNonRoot", json!(false)),
        ("/securityContext/runAsUser", json!(0)),
        ("/securityContext/seccompProfile", json!({"type": "Unconfined"})),
        ("/volumes", json!([{"name": "host", "hostPath": {"path": "/"}}])),
        ("/initContainers", json!([{"name": "no-context"}])),
        (&format!("{container}/allowPrivilegeEscalation"), json!(true)),
        (&format!("{container}/readOnlyRootFilesystem"), json!(false)),
        (&format!("{container}/capabilities"), json!({"drop": ["ALL"], "add": ["SYS_ADMIN"]})),
        (&format!("{container}/privileged"), json!(true)),
        ("/containers/0/ports/0/hostPort", json!(80)),
    ];
    for (path, value) in changes {
        let mut pod = good.clone();
        let (parent, key) = path.rsplit_once('/').unwrap();
        pod.pointer_mut(parent).unwrap()[key] = value;
        assert!(!excesses(&pod).is_empty(), "{path} is not found");
    }
}

/// What the *restricted* standard forbids, and a root file system that can be written.
fn excesses(pod: &Value) -> Vec<String> {
    const VOLUMES: [&str; 8] =
        ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"];
    let mut found = Vec::new();
    let mut demand = |holds: bool, what: String| {
        if !holds {
            found.push(what);
        }
    };
    for host in ["hostNetwork", "hostPID", "hostIPC"] {
        demand(pod[host].as_bool() != Some(true), host.to_owned());
    }
    for volume in items(&pod["volumes"]) {
        let kinds: Vec<_> = volume.as_object().unwrap().keys().filter(|k| *k != "name").collect();
        demand(kinds.iter().all(|k| VOLUMES.contains(&k.as_str())), format!("volume {volume}"));
    }
    let of_pod = &pod["securityContext"];
    let containers: Vec<&Value> =
        ["initContainers", "containers", "ephemeralContainers"].iter().flat_map(|list| items(&pod[*list])).collect();
    demand(!containers.is_empty(), "no container".to_owned());
    for container in containers {
        let own = &container["securityContext"];
        let of = |key: &str| if own[key].is_null() { &of_pod[key] } else { &own[key] };
        let name = &container["name"];
        demand(of("runAsNonRoot") == true, format!("{name}: runAsNonRoot"));
        demand(of("runAsUser").as_i64().is_some_and(|user| user > 0), format!("{name}: runAsUser"));
        demand(of("seccompProfile")["type"] == "RuntimeDefault", format!("{name}: seccompProfile"));
        demand(own["allowPrivilegeEscalation"] == false, format!("{name}: allowPrivilegeEscalation"));
        demand(own["readOnlyRootFilesystem"] == true, format!("{name}: readOnlyRootFilesystem"));
        demand(own["privileged"] != true, format!("{name}: privileged"));
        demand(own["capabilities"] == json!({"drop": ["ALL"]}), format!("{name}: capabilities"));
        for port in items(&container["ports"]) {
            demand(port["hostPort"].is_null(), format!("{name}: hostPort"));
        }
    }
    found
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}
