//! Fields of the roles: an internal frontend, overrides, the Service for clients.

use std::time::Instant;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use kube::api::{Api, ListParams};
use serde_json::{Value, json};
use temporal_operator::api::conditions::{READY, STALLED};
use temporal_operator::api::services::Role;
use temporal_operator::api::{conditions, status::TemporalClusterStatus};

use super::cluster::{Cluster, Scene, VERSION, hasty, manifest};
use super::wait::{PATIENCE, since, until};

/// Runs beside the server: an image that is there, in a namespace that is restricted.
fn sidecar() -> Value {
    json!({"deployment": {"spec": {"template": {"spec": {"containers": [{
        "name": "sidecar",
        "image": "postgres:15",
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", "trap 'exit 0' TERM; while true; do sleep 1; done"],
        "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
    }]}}}}})
}

fn patch(path: &str, value: &Value) -> Value {
    json!({"deployment": {"jsonPatch": [{"op": "add", "path": path, "value": value}]}})
}

const ENV: &str = "/spec/template/spec/containers/0/env/-";

#[tokio::test(flavor = "multi_thread")]
async fn internal_frontend_and_overrides() {
    let scene = Scene::open("services").await;
    let mut spec = hasty(manifest(VERSION));
    spec["services"] = json!({
        "internalFrontend": {"enabled": true},
        "overrides": sidecar(),
        "frontend": {"overrides": patch(ENV, &json!({"name": "HTTP_PROXY", "value": "example.com"}))},
    });
    let (cluster, ready) = scene.create("main", &spec).await;
    cluster.ring_is_pods(Role::InternalFrontend, 1).await;
    let deployments: Api<Deployment> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let frontend = serde_json::to_value(deployments.get("main-frontend").await.unwrap()).unwrap();
    let containers = &frontend["spec"]["template"]["spec"]["containers"];
    assert_eq!((&containers[0]["name"], &containers[1]["name"]), (&json!("service"), &json!("sidecar")));
    assert!(containers[0]["env"].to_string().contains(r#"{"name":"HTTP_PROXY","value":"example.com"}"#));
    cluster.workflow("with-internal-frontend").await;

    let words = refusals(&cluster).await;
    let node_port = client_service(&scene, &cluster).await;

    let since_when = transition(&cluster.settled().await);
    let began = Instant::now();
    cluster.patch(json!({"services": {"internalFrontend": {"enabled": false}}})).await;
    let status = cluster.settled().await;
    let off = since(began);
    assert_eq!(transition(&status), since_when, "Ready all the time");
    assert!(status.services.iter().all(|s| s.name != "internal-frontend"), "{:?}", status.services);
    until("nothing of the internal frontend is left", PATIENCE, async || {
        let selector = "app.kubernetes.io/component=internal-frontend";
        let left = deployments.list(&ListParams::default().labels(selector)).await.map_err(|e| e.to_string())?;
        let services: Api<Service> = Api::namespaced(scene.client.clone(), &scene.namespace);
        let more = services.list(&ListParams::default().labels(selector)).await.map_err(|e| e.to_string())?;
        if left.items.is_empty() && more.items.is_empty() { Ok(()) } else { Err(format!("{left:?} {more:?}")) }
    })
    .await;
    cluster.workflow("without-internal-frontend").await;
    scene.close(&format!("ready in {ready:.1} s; {words}; node port {node_port} and gone; off in {off}")).await;
}

/// A patch that does not fit, and one that only the API server can refuse: both are told, and nothing else happens.
async fn refusals(cluster: &Cluster) -> String {
    let good = patch(ENV, &json!({"name": "HTTP_PROXY", "value": "example.com"}));
    let frontend = |overrides: &Value| json!({"services": {"frontend": {"overrides": overrides}}});
    cluster.patch(frontend(&patch("/spec/nowhere/at/all", &json!(1)))).await;
    let (reason, message) = cluster.condition(STALLED, "True").await;
    assert_eq!(reason, "InvalidSpec");
    assert!(message.contains("spec.services.frontend.overrides.deployment.jsonPatch[0]"), "{message}");
    assert!(message.contains("/spec/nowhere/at/all"), "{message}");

    let mount = json!({"name": "nowhere", "mountPath": "/nowhere"});
    cluster.patch(json!({"services": {"matching": {"overrides": patch("/spec/template/spec/containers/0/volumeMounts/-", &mount)}, "frontend": {"overrides": good}}})).await;
    let said = until("the API server's words are told", PATIENCE, async || {
        let status = cluster.get().await?.status.unwrap_or_default();
        let ready = conditions::get(&status.conditions, READY).cloned();
        match ready {
            Some(c) if c.reason == "ApplyFailed" && c.message.contains("volumeMounts") => Ok(c.message),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert!(said.contains("Not found: \"nowhere\""), "{said}");
    cluster.patch(json!({"services": {"matching": null}})).await;
    cluster.settled().await;
    "two refusals told".to_owned()
}

/// To a node port and back; the port that Kubernetes chose.
async fn client_service(scene: &Scene, cluster: &Cluster) -> i32 {
    let services: Api<Service> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let port = async || {
        let spec = services.get("main-frontend").await.unwrap().spec.unwrap();
        (spec.type_.unwrap_or_default(), spec.external_traffic_policy, spec.ports.unwrap()[0].node_port)
    };
    cluster
        .patch(json!({"services": {"frontend": {"service": {"type": "NodePort", "externalTrafficPolicy": "Local"}}}}))
        .await;
    cluster.settled().await;
    let (type_, policy, chosen) = port().await;
    assert_eq!((type_.as_str(), policy.as_deref()), ("NodePort", Some("Local")));
    cluster.patch(json!({"services": {"frontend": {"service": null}}})).await;
    cluster.settled().await;
    assert_eq!(port().await, ("ClusterIP".to_owned(), None, None));
    chosen.expect("Kubernetes chose a port")
}

fn transition(status: &TemporalClusterStatus) -> String {
    let ready = conditions::get(&status.conditions, READY).unwrap();
    format!("{} {}", ready.status, ready.last_transition_time.0)
}
