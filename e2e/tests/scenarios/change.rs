//! Changes that restart nothing: more history pods, dynamic config.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use temporal_operator::api::conditions::MEMBERSHIP_HEALTHY;
use temporal_operator::temporal::Role;

use super::cluster::{Cluster, Scene, VERSION, manifest};
use super::wait::{since, until};

#[tokio::test(flavor = "multi_thread")]
async fn scales_history_1_to_3_without_restarts() {
    let scene = Scene::open("scale-history").await;
    let (cluster, _) = scene.create("main", &manifest(VERSION)).await;
    cluster.ring_is_pods(Role::History, 1).await;
    cluster.workflow("before").await;
    let before = cluster.all_pods().await;

    let began = Instant::now();
    let up = scaled(&cluster, 3, began).await;
    let after = cluster.all_pods().await;
    assert!(before["history"].is_subset(&after["history"]), "history pods {before:?}, then {after:?}");
    for role in ["frontend", "matching", "worker"] {
        assert_eq!(before[role], after[role], "pods of {role}");
    }
    let workflow = cluster.workflow("with-three").await;
    cluster.workflow("before-2").await;

    let began = Instant::now();
    let down = scaled(&cluster, 1, began).await;
    let last = cluster.all_pods().await;
    assert!(last["history"].is_subset(&after["history"]), "history pods {after:?}, then {last:?}");
    assert_eq!(last["history"].iter().map(|p| p.restarts).sum::<i32>(), 0);
    for role in ["frontend", "matching", "worker"] {
        assert_eq!(before[role], last[role], "pods of {role}");
    }
    let again = cluster.workflow("with-one").await;
    cluster.lists("before").await;
    scene.close(&format!("1 to 3 in {up}, workflow {workflow:.2} s; back to 1 in {down}, workflow {again:.2} s")).await;
}

/// Asks for so many history pods and waits for them. When the operator says that it is done, it must be so.
async fn scaled(cluster: &Cluster, count: usize, began: Instant) -> String {
    cluster.patch(json!({"services": {"history": {"replicas": count}}})).await;
    cluster.settled().await;
    let seconds = since(began);
    let pods = cluster.pods("history").await;
    assert_eq!(pods.len(), count, "settled after {seconds}, but the history pods are {pods:?}");
    let view = cluster.view().await.unwrap();
    assert_eq!(
        view.members(Role::History).count(),
        count,
        "settled after {seconds}, but the rings are {:?}",
        view.rings
    );
    cluster.condition(MEMBERSHIP_HEALTHY, "True").await;
    cluster.ring_is_pods(Role::History, count).await;
    seconds
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_dynamic_config_live() {
    /// kubelet's sync of ConfigMaps plus the server's poll.
    const LIVE: Duration = Duration::from_secs(120);
    let long_id = |n: u32| format!("{n:060}");
    let scene = Scene::open("dynamic-config").await;
    let (cluster, _) = scene.create("main", &manifest(VERSION)).await;
    cluster.register_namespace().await;
    // a namespace that was just made is not known everywhere at once
    until("an id of 60 characters is taken at first", LIVE, async || start(&cluster, &long_id(0)).await).await;
    let before = cluster.all_pods().await;

    let mut n = 0;
    let began = Instant::now();
    cluster.patch(limit(&json!([{"value": 40}]))).await;
    until("an id of 60 characters is refused", LIVE, async || {
        n += 1;
        match start(&cluster, &long_id(n)).await {
            Err(error) if error.to_lowercase().contains("length exceeds limit") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let refused = since(began);
    start(&cluster, "a-short-id-is-still-taken").await.unwrap();

    let began = Instant::now();
    cluster.patch(limit(&Value::Null)).await;
    until("an id of 60 characters is taken again", LIVE, async || {
        n += 1;
        start(&cluster, &long_id(n)).await
    })
    .await;
    let taken = since(began);
    cluster.settled().await;
    assert_eq!(before, cluster.all_pods().await, "pods must be the same, with no restart");
    scene.close(&format!("limit.maxIDLength 40 holds after {refused}, gone after {taken}, no pod touched")).await;
}

fn limit(value: &Value) -> Value {
    json!({"dynamicConfig": {"values": {"limit.maxIDLength": value}}})
}

/// Starts a workflow that nobody works on.
async fn start(cluster: &Cluster, id: &str) -> Result<(), String> {
    let workflow = ["workflow", "start", "--type", "Idle", "--task-queue", "idle", "--workflow-id", id];
    cluster.temporal(&workflow).await.map(drop)
}
