//! A change that does not work stops at its first role, which goes back; a restart that does not is given up and tried again.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use temporal_operator::api::conditions;

use super::cluster::{Cluster, ROLES, Scene, VERSION, hasty, manifest};
use super::wait::{PATIENCE, since, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_does_not_get_ready_goes_back() {
    let scene = Scene::open("way-back").await;
    let mut spec = hasty(manifest(VERSION));
    spec["rollout"] = json!({"stepTimeout": "30s"});
    let (cluster, _) = scene.create("main", &spec).await;
    cluster.workflow("before").await;
    let before = cluster.all_pods().await;

    let began = Instant::now();
    cluster.patch(json!({"image": "localhost/nowhere/temporal-server"})).await;
    let said = stopped(&cluster).await;
    let told = since(began);
    for part in [
        "stopped at the matching role",
        "not proven within 30 s",
        "cannot pull its image",
        "gets back what was last proven",
    ] {
        assert!(said.contains(part), "{part:?} is not in {said:?}");
    }
    let (reason, _) = cluster.condition(conditions::READY, "True").await;
    assert_eq!(reason, "RolloutStopped");
    until("the new pod is gone", PATIENCE, async || match cluster.all_pods().await {
        now if now == before => Ok(()),
        now => Err(format!("{now:?}")),
    })
    .await;
    let back = since(began);
    let workflow = cluster.workflow("meanwhile").await;

    // it stays so, and says so, until somebody acts
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!(stopped(&cluster).await, said);
    assert_eq!(cluster.all_pods().await, before);
    cluster.patch(json!({"image": Value::Null, "log": {"level": "warn"}})).await;
    cluster.settled().await;
    let after = cluster.all_pods().await;
    for role in ROLES {
        assert!(before[role].is_disjoint(&after[role]), "role {role}: {before:?}, then {after:?}");
    }
    cluster.condition(conditions::STALLED, "False").await;
    scene.close(&format!("told after {told}, back after {back}, workflow meanwhile {workflow:.2} s")).await;
}

/// Waits until the rollout has stopped; what is said of it.
async fn stopped(cluster: &Cluster) -> String {
    until("the rollout has stopped", PATIENCE, async || {
        let status = cluster.get().await.unwrap().status.unwrap_or_default();
        let stalled = conditions::get(&status.conditions, conditions::STALLED);
        match stalled.filter(|c| c.status == "True" && c.reason == "RolloutStopped") {
            Some(condition) => Ok(condition.message.clone()),
            None => Err(status.message.unwrap_or_default()),
        }
    })
    .await
}
