//! The Job before an upgrade: its failure stops the upgrade, its success begins it, once.

use std::time::Instant;

use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};
use serde_json::{Value, json};
use temporal_operator::api::conditions::{READY, STALLED};
use temporal_operator::api::labels;

use super::bed::Bed;
use super::cluster::{Scene, hasty, manifest};
use super::wait::since;

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_waits_for_the_job_before_it() {
    let scene = Scene::open("before-upgrade").await;
    ["1.31.2", "1.32.0"].iter().for_each(|version| Bed::get().server_images(version));
    let (cluster, _) = scene.create("main", &hasty(manifest("1.31.2"))).await;
    cluster.workflow("before").await;
    let before = cluster.all_pods().await;

    let began = Instant::now();
    let full = "echo the backup disk is full >&2; exit 1";
    cluster.patch(json!({"version": "1.32.0", "rollout": backup(full)})).await;
    let (reason, said) = cluster.condition(STALLED, "True").await;
    let told = since(began);
    assert_eq!(reason, "BeforeUpgradeFailed");
    assert!(said.contains("failed at backup: the backup disk is full"), "{said}");
    assert_eq!(cluster.condition(READY, "True").await.0, "BeforeUpgradeFailed");
    let jobs: Api<Job> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let ours = format!("{}=before-upgrade", labels::COMPONENT);
    let all = async || jobs.list(&ListParams::default().labels(&ours)).await.unwrap().items;
    for job in all().await {
        jobs.delete(&job.name_any(), &DeleteParams::background()).await.unwrap();
    }
    // a pass of the operator later nothing has begun, and the Job has not come back
    cluster.patch(json!({"dynamicConfig": {"values": {"limit.maxIDLength": [{"value": 255}]}}})).await;
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert!(all().await.is_empty());
    assert_eq!(before, cluster.all_pods().await, "pods must be the same");
    let workflow = cluster.workflow("meanwhile").await;

    let began = Instant::now();
    cluster.patch(json!({"rollout": backup("echo done")})).await;
    let status = cluster.settled().await;
    assert_eq!(status.version.as_deref(), Some("1.32.0"));
    assert_eq!(all().await.len(), 1, "it ran once");
    let upgraded = since(began);
    cluster.lists("before").await;
    scene
        .close(&format!("told after {told}, workflow meanwhile {workflow:.2} s; run again and upgraded in {upgraded}"))
        .await;
}

/// A Job before an upgrade that runs this in a shell.
fn backup(script: &str) -> Value {
    let container = json!({"name": "backup", "image": "localhost/testbed/busybox:1", "command": ["sh", "-c", script]});
    json!({"beforeUpgrade": {"spec": {"template": {"spec": {"containers": [container]}}}}})
}
