//! What stands around a cluster: the Ingress of the Web UI, Temporal's tools, ServiceMonitors, a log file, config of the
//! user's own.

use std::time::Instant;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use kube::runtime::wait::{await_condition, conditions};
use serde_json::{Value, json};
use temporal_operator::build::ServiceMonitor;

use super::bed::Bed;
use super::cluster::{Cluster, Scene, VERSION, manifest};
use super::wait::{PATIENCE, since, until};

const MONITORS: &str = "servicemonitors.monitoring.coreos.com";
const LOG: &str = "/var/log/temporal/server.log";

#[tokio::test(flavor = "multi_thread")]
async fn surrounds_a_cluster_with_tools_ingress_and_monitors() {
    let scene = Scene::open("observed").await;
    let crds: Api<CustomResourceDefinition> = Api::all(scene.client.clone());
    remove_monitors(&crds).await;
    let (cluster, ready) = scene.create("main", &surrounded()).await;
    let message = cluster.get().await.unwrap().status.unwrap().message.unwrap();
    assert!(message.contains("Note: ServiceMonitors wait for the kind ServiceMonitor"), "{message}");

    let tools = works_with_tools(&cluster).await;
    let lines = serves_as_configured(&cluster).await;
    let ingresses: Api<Ingress> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let ingress = serde_json::to_value(ingresses.get("main-ui").await.unwrap()).unwrap();
    assert_eq!(ingress["spec"]["rules"][1]["host"], "example.com");
    assert_eq!(ingress["spec"]["rules"][1]["http"]["paths"][0]["path"], "/temporal");

    let installed = Instant::now();
    crds.create(&PostParams::default(), &serde_json::from_value(monitor_kind()).unwrap()).await.unwrap();
    await_condition(crds.clone(), MONITORS, conditions::is_crd_established()).await.unwrap();
    let monitors: Api<ServiceMonitor> = Api::namespaced(scene.client.clone(), &scene.namespace);
    until("every role has a ServiceMonitor", PATIENCE, async || {
        let found = monitors.list(&ListParams::default()).await.map_err(|e| e.to_string())?;
        if found.items.len() == 4 { Ok(()) } else { Err(format!("{} of 4", found.items.len())) }
    })
    .await;
    let taken_up = since(installed);
    let monitor = monitors.get("main-history").await.unwrap();
    assert_eq!(monitor.spec.fields["sampleLimit"], 5000);
    assert_eq!(monitor.metadata.labels.unwrap()["release"], "prometheus");
    until("the note is gone", PATIENCE, async || {
        let message = cluster.get().await?.status.and_then(|s| s.message).unwrap_or_default();
        if message.contains("Note") { Err(message) } else { Ok(()) }
    })
    .await;

    let pods = cluster.all_pods().await;
    let removed = Instant::now();
    cluster
        .patch(json!({
            "ui": {"ingress": null}, "admintools": null,
            "metrics": {"prometheus": {"scrapeConfig": {"serviceMonitor": {"enabled": false}}}},
        }))
        .await;
    let deployments: Api<Deployment> = Api::namespaced(scene.client.clone(), &scene.namespace);
    until("Ingress, tools and ServiceMonitors are gone", PATIENCE, async || {
        let ingress = ingresses.get_opt("main-ui").await.map_err(|e| e.to_string())?.is_some();
        let tools = deployments.get_opt("main-admintools").await.map_err(|e| e.to_string())?.is_some();
        let left = monitors.list(&ListParams::default()).await.map_err(|e| e.to_string())?.items.len();
        if ingress || tools || left > 0 { Err(format!("{ingress} {tools} {left}")) } else { Ok(()) }
    })
    .await;
    let gone = since(removed);
    cluster.settled().await;
    assert_eq!(pods, cluster.all_pods().await, "no server pod is touched by any of this");
    remove_monitors(&crds).await;
    scene
        .close(&format!(
            "ready in {ready:.1} s; tools say {tools}; {lines} log lines; ServiceMonitors {taken_up} after their kind; all gone in {gone}"
        ))
        .await;
}

/// `temporal` in the tools' pod finds the cluster without being told.
async fn works_with_tools(cluster: &Cluster) -> String {
    let health = ["exec", "deploy/main-admintools", "--", "temporal", "operator", "cluster", "health"];
    let said =
        until("the tools reach the frontend", PATIENCE, async || Bed::get().kubectl(&cluster.namespace, &health)).await;
    assert!(said.contains("SERVING"), "{said}");
    let write =
        ["exec", "deploy/main-admintools", "--", "sh", "-c", "touch $HOME/a /tmp/b && ! touch /etc/c 2>/dev/null"];
    Bed::get().kubectl(&cluster.namespace, &write).expect("home and /tmp are writable, the rest is not");
    said.trim().to_owned()
}

/// The log is in the file, and a tag of the user's own on the metrics.
async fn serves_as_configured(cluster: &Cluster) -> usize {
    let inside = |command: &str| {
        Bed::get().kubectl(&cluster.namespace, &["exec", "deploy/main-frontend", "--", "sh", "-c", command])
    };
    let log = inside(&format!("cat {LOG}")).unwrap();
    let line: Value = serde_json::from_str(log.lines().next().expect("the log has lines")).unwrap();
    assert!(line["level"].is_string(), "{line}");
    let metrics = inside("wget -qO- http://127.0.0.1:9090/metrics").unwrap();
    // the server writes _ for what a label may not have; a template would have failed
    assert!(metrics.contains("region=\"___eu___\""), "{metrics:.2000}");
    log.lines().count()
}

fn surrounded() -> Value {
    let mut spec = manifest(VERSION);
    spec["ui"] = json!({"enabled": true, "ingress": {"hosts": ["temporal.example.com", "example.com/temporal"]}});
    spec["admintools"] = json!({"enabled": true});
    spec["log"] = json!({"outputFile": LOG});
    spec["metrics"] = json!({"enabled": true, "prometheus": {"scrapeConfig": {"serviceMonitor": {
        "enabled": true, "labels": {"release": "prometheus"}, "override": {"sampleLimit": 5000},
    }}}});
    spec["serverConfig"] = json!({"global": {"metrics": {"tags": {"region": "{{ eu }}"}}}});
    spec
}

/// The least that is a ServiceMonitor to an API server.
fn monitor_kind() -> Value {
    json!({
        "metadata": {"name": MONITORS},
        "spec": {
            "group": "monitoring.coreos.com",
            "scope": "Namespaced",
            "names": {"kind": "ServiceMonitor", "plural": "servicemonitors", "singular": "servicemonitor"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object",
                "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }}}],
        },
    })
}

async fn remove_monitors(crds: &Api<CustomResourceDefinition>) {
    let _ = crds.delete(MONITORS, &DeleteParams::default()).await;
    until("the kind ServiceMonitor is gone", PATIENCE, async || {
        match crds.get_opt(MONITORS).await.map_err(|e| e.to_string())? {
            Some(_) => Err("still there".to_owned()),
            None => Ok(()),
        }
    })
    .await;
}
