//! Changes that restart nothing: more history pods, dynamic config.

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use serde_json::{Value, json};
use temporal_operator::api::conditions::MEMBERSHIP_HEALTHY;
use temporal_operator::api::services::Role;
use temporal_operator::api::{TemporalCluster, annotations};

use super::cluster::{Cluster, Scene, VERSION, is_settled, manifest};
use super::film::{Film, complete, written};
use super::wait::{since, until};

#[tokio::test(flavor = "multi_thread")]
async fn scales_history_1_to_3_without_restarts() {
    let scene = Scene::open("scale-history").await;
    let (cluster, _) = scene.create("main", &manifest(VERSION)).await;
    cluster.ring_is_pods(Role::History, 1).await;
    cluster.workflow("before").await;
    let before = cluster.all_pods().await;

    let up = scaled(&cluster, 3).await;
    let after = cluster.all_pods().await;
    assert!(before["history"].is_subset(&after["history"]), "history pods {before:?}, then {after:?}");
    for role in ["frontend", "matching", "worker"] {
        assert_eq!(before[role], after[role], "pods of {role}");
    }
    let workflow = cluster.workflow("with-three").await;
    cluster.workflow("before-2").await;

    let down = scaled(&cluster, 1).await;
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

/// Asks for so many history pods and waits for them. The operator must not say that it is done before it is.
async fn scaled(cluster: &Cluster, count: usize) -> String {
    let words = Film::<TemporalCluster>::start(cluster).await;
    let deployments = Film::<Deployment>::start(cluster).await;
    let began = Instant::now();
    cluster.patch(json!({"services": {"history": {"replicas": count}}})).await;
    cluster.settled().await;
    let seconds = since(began);
    cluster.ring_is_pods(Role::History, count).await;
    cluster.condition(MEMBERSHIP_HEALTHY, "True").await;

    let generation = cluster.get().await.unwrap().metadata.generation;
    let words = words.seen();
    let said = words.iter().find(|c| c.metadata.generation == generation && is_settled(c)).map(written);
    let deployments = deployments.seen();
    let wanted = |d: &&Deployment| d.spec.as_ref().and_then(|s| s.replicas) == i32::try_from(count).ok();
    let history = deployments.iter().filter(|d| d.name_any().ends_with("-history"));
    let done = history.filter(wanted).find(|d| complete(d)).map(written);
    assert!(
        said > done && done.is_some(),
        "settled for {count} history pods at {said:?} ({seconds}), done at {done:?}"
    );
    seconds
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_dynamic_config_live() {
    /// The server's poll, twice, and not the kubelet's minute.
    const LIVE: Duration = Duration::from_secs(25);
    let long_id = |n: u32| format!("{n:060}");
    let scene = Scene::open("dynamic-config").await;
    let (cluster, _) = scene.create("main", &manifest(VERSION)).await;
    cluster.register_namespace().await;
    // a namespace that was just made is not known everywhere at once
    until("an id of 60 characters is taken at first", Duration::from_secs(120), async || {
        start(&cluster, &long_id(0)).await
    })
    .await;
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
    for pod in cluster.pods_there("frontend,history,matching,worker").await {
        assert!(pod.annotations().contains_key(annotations::DYNAMIC_CONFIG), "{} was not told", pod.name_any());
    }
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
