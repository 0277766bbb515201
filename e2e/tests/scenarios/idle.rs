//! What the operator does when there is nothing to do.

use std::time::{Duration, Instant};

use super::audit::{Call, Moment, calls, rates};
use super::bed::full;
use super::cluster::{Scene, VERSION, manifest};
use super::wait::{PATIENCE, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_settled_cluster_costs_no_write() {
    let scene = Scene::open("settled").await;
    let made = Moment::now();
    let (cluster, _) = scene.create("main", &manifest(VERSION)).await;
    let namespace = scene.namespace.clone();
    let ours = |call: &Call| call.namespace.as_ref().is_none_or(|n| *n == namespace);
    // the event that it is ready comes after the status that says so
    until("the operator has told of a ready cluster", PATIENCE, async || {
        let calls = calls(made);
        let last = calls.iter().rfind(|c| c.writes() && ours(c));
        last.filter(|c| c.resource == "events").map(|_| ()).ok_or(format!("last write: {last:?}"))
    })
    .await;

    // 600 s see the schema Jobs end by their time to live
    let wanted = Duration::from_secs(if full() { 600 } else { 60 });
    let (moment, began) = (Moment::now(), Instant::now());
    let before = cluster.get().await.unwrap();
    tokio::time::sleep(wanted).await;
    let seconds = began.elapsed().as_secs_f64();
    let all = calls(moment);
    let (leases, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(Call::is_lease);
    assert!(!leases.is_empty(), "the audit log shows the operator at its Lease, so that it would show the rest");
    let writes: Vec<_> = rest.iter().filter(|c| c.writes() && ours(c)).collect();
    assert!(writes.is_empty(), "writes of a settled cluster in {seconds:.0} s: {writes:?}");
    let after = cluster.get().await.unwrap();
    assert_eq!(before.metadata.resource_version, after.metadata.resource_version, "the resource is as it was");
    let reads: Vec<_> = rest.iter().filter(|c| ours(c)).collect();
    let per_minute = reads.len() as f64 * 60.0 / seconds;
    scene
        .close(&format!(
            "no write in {seconds:.0} s; {per_minute:.1} reads a minute ({}); its Lease: {}",
            rates(reads, seconds),
            rates(&leases, seconds)
        ))
        .await;
}
