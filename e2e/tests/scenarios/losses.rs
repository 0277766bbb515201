//! Losses under load: the SDK's retries carry callers over them.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use tokio::time::sleep;

use super::bed::{Bed, full};
use super::cluster::{Cluster, ROLES, VERSION, is_ready, manifest, restarts};
use super::load::{assert_nothing_gone, assert_nothing_lost, loaded, replicated, steady};
use super::operator::signal;
use super::wait::{PATIENCE, since, until};

/// The load after a loss that is counted as its consequence.
const AFTERMATH: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread")]
async fn pods_killed_under_load() {
    let spec = replicated(manifest(VERSION), 2);
    let (scene, cluster, mut load) = loaded("kill-load", &spec, "SIGKILL of one pod of each role").await;
    let mut back = Vec::new();
    for round in 0..if full() { 3 } else { 1 } {
        for role in ROLES {
            let victim = pod(&cluster, role, round).await;
            load.phase(&format!("{role} killed"));
            let began = Instant::now();
            signal(&victim, "SIGKILL").unwrap();
            until(&format!("{} runs again", victim.name_any()), PATIENCE, async || {
                let now = pod_named(&cluster, &victim.name_any()).await?;
                if is_ready(&now) && restarts(&now) > restarts(&victim) {
                    Ok(())
                } else {
                    Err(format!("{:?}", now.status))
                }
            })
            .await;
            back.push(format!("{role} {}", since(began)));
            sleep(AFTERMATH.saturating_sub(began.elapsed())).await;
        }
    }
    load.phase("after");
    sleep(steady()).await;
    let report = load.stop();
    assert_nothing_lost(&report);
    cluster.settled().await;
    scene.close(&format!("ready again: {}", back.join(", "))).await;
}

/// A pod of a role; another one each round.
async fn pod(cluster: &Cluster, role: &str, round: usize) -> Pod {
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let ours = format!("app.kubernetes.io/name={},app.kubernetes.io/component={role}", cluster.name);
    let mut all = pods.list(&ListParams::default().labels(&ours)).await.unwrap().items;
    assert!(all.len() > 1, "more than one pod of {role}");
    let n = round % all.len();
    all.remove(n)
}

async fn pod_named(cluster: &Cluster, name: &str) -> Result<Pod, String> {
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    pods.get(name).await.map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_restarted_under_load() {
    if !full() {
        return; // the scenario of PostgreSQL without load has a short form
    }
    let spec = replicated(manifest(VERSION), 2);
    let (scene, cluster, mut load) = loaded("postgres-load", &spec, "PostgreSQL killed").await;
    let before = scene.postgres_ready().await;
    load.phase("PostgreSQL killed");
    let began = Instant::now();
    // SIGQUIT: PostgreSQL ends at once, without a checkpoint, as in a crash
    let kill = Bed::get().kubectl(&scene.namespace, &["exec", "postgres-0", "--", "bash", "-c", "kill -QUIT 1"]);
    // the end of the container may come before the answer
    let said = kill.err().unwrap_or_default();
    until("PostgreSQL was started again", PATIENCE, async || {
        let now = scene.postgres_ready().await;
        if restarts(&now) > restarts(&before) { Ok(()) } else { Err(said.clone()) }
    })
    .await;
    let back = since(began);
    sleep(AFTERMATH.max(steady()).saturating_sub(began.elapsed())).await;
    load.phase("after");
    sleep(steady()).await;
    let report = load.stop();
    // a caller may be told of it; what was taken completes
    assert_nothing_gone(&report);
    cluster.settled().await;
    scene.close(&format!("PostgreSQL back after {back}")).await;
}
