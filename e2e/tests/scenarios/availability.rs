//! Planned changes under load: nobody notices.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use serde_json::json;
use temporal_operator::api::annotations;
use temporal_operator::api::services::Role;
use tokio::time::sleep;

use super::bed::{Bed, OPERATOR_LIVES, full};
use super::cluster::{Cluster, ROLES, VERSION, manifest};
use super::crash;
use super::film::Film;
use super::load::{
    Flow, assert_no_errors, assert_nothing_gone, assert_nothing_lost, loaded, loaded_by, replicated, steady,
};
use super::wait::{PATIENCE, since, until};

/// Pods of each role.
fn replicas() -> usize {
    if full() { 3 } else { 2 }
}

#[tokio::test(flavor = "multi_thread")]
async fn rolling_restart_under_load() {
    let spec = replicated(manifest(VERSION), replicas());
    let (scene, cluster, mut load) = loaded("roll-load", &spec, "rolling restart").await;
    let before = cluster.all_pods().await;
    let deployments = Film::<Deployment>::start(&cluster).await;
    load.phase("one role at a time");
    let began = Instant::now();
    restart(&cluster).await;
    cluster.settled().await;
    let staged = since(began);
    let seen = deployments.seen();
    load.phase("after");
    sleep(steady()).await;
    let middle = cluster.all_pods().await;

    let mut summary = format!("one role at a time {staged}");
    if full() {
        load.phase("all Deployments at once");
        let began = Instant::now();
        restart_all_at_once(&cluster).await;
        summary = format!("{summary}, all at once {}", since(began));
        load.phase("after that");
        sleep(steady()).await;
    }
    let report = load.stop();
    for role in ROLES {
        assert!(before[role].is_disjoint(&middle[role]), "{role} one role at a time: {before:?}, then {middle:?}");
    }
    never_two_roles(&seen);
    // what all at once costs is the baseline, not a promise
    assert_no_errors(&report, &report.figures[..3]);
    assert_nothing_gone(&report);
    scene.close(&summary).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quiet_task_queues_in_a_rolling_restart() {
    if !full() {
        return; // it is about seconds, which other scenarios beside it would cost, too
    }
    let spec = replicated(manifest(VERSION), replicas());
    let title = "rolling restart, 20 task queues with a workflow every 5 s";
    let (scene, cluster, mut load) = loaded_by(Flow::quiet(), "roll-quiet", &spec, title).await;
    load.phase("one role at a time");
    let began = Instant::now();
    restart(&cluster).await;
    cluster.settled().await;
    let took = since(began);
    load.phase("after");
    sleep(steady()).await;
    let report = load.stop();
    assert_nothing_lost(&report);
    // polls that wait where no task comes end after 5 s, those begun before the restart after 20; without that it is 1 in 20
    let rolled = report.figures.iter().find(|f| f.phase == "one role at a time").unwrap();
    let long = rolled.over(Duration::from_millis(5500));
    assert!(long * 50 <= rolled.due, "{long} of {} took longer than 5.5 s", rolled.due);
    assert_eq!(rolled.over(Duration::from_secs(21)), 0, "{rolled:?}");
    scene.close(&took).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operator_killed_during_a_rolling_restart_under_load() {
    if !full() {
        return; // minutes in which no other scenario may run
    }
    let spec = replicated(manifest(VERSION), 2);
    let (mut scene, cluster, mut load) = loaded("roll-kill", &spec, "rolling restart, operator killed").await;
    load.phase("waiting for the others");
    scene.operator = None;
    let alone = OPERATOR_LIVES.write().await;
    let before = cluster.all_pods().await;
    let deployments = Film::<Deployment>::start(&cluster).await;
    let mut moments = Moments::new();
    load.phase("roll with kills");
    let began = Instant::now();
    restart(&cluster).await;
    let mut kills = Vec::new();
    for _ in 0..if full() { 10 } else { 3 } {
        sleep(moments.next()).await;
        kills.push(since(began));
        crash::kill(&scene).await;
    }
    cluster.settled().await;
    let took = since(began);
    let seen = deployments.seen();
    load.phase("after");
    sleep(steady()).await;
    let after = cluster.all_pods().await;
    let report = load.stop();
    drop(alone);
    for role in ROLES {
        assert!(before[role].is_disjoint(&after[role]), "{role}: {before:?}, then {after:?}");
    }
    never_two_roles(&seen);
    assert_nothing_lost(&report);
    scene.close(&format!("seed {}, killed after {}, done after {took}", moments.seed, kills.join(", "))).await;
}

/// Random moments that can be had again: `TEMPORAL_OPERATOR_E2E_SEED`.
struct Moments {
    seed: u64,
    random: fastrand::Rng,
}

impl Moments {
    fn new() -> Self {
        let given = std::env::var("TEMPORAL_OPERATOR_E2E_SEED").ok().and_then(|s| s.parse().ok());
        let seed = given.unwrap_or_else(|| u64::from(std::process::id()));
        println!("moments of seed {seed}");
        Self { seed, random: fastrand::Rng::with_seed(seed) }
    }

    /// The pause until the next one: up to 12 s.
    fn next(&mut self) -> Duration {
        Duration::from_millis(self.random.u64(..12_000))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn upgrade_under_load() {
    const PATH: [&str; 3] = ["1.30.8", "1.31.2", "1.32.0"];
    PATH.iter().for_each(|version| Bed::get().server_images(version));
    let (scene, cluster, mut load) = loaded("upgrade-load", &replicated(manifest(PATH[0]), 2), "upgrade").await;
    let open = open_workflows(&cluster, 5).await;
    let deployments = Film::<Deployment>::start(&cluster).await;
    let mut steps = Vec::new();
    // only the last version is written; the operator goes by the one between
    let began = Instant::now();
    load.phase(&format!("to {}", PATH[1]));
    cluster.patch(json!({"version": PATH[2]})).await;
    for version in &PATH[1..] {
        reaches(&cluster, version).await;
        steps.push(format!("at {version} after {}", since(began)));
        load.phase(if *version == PATH[1] { "to 1.32.0" } else { "after" });
    }
    cluster.settled().await;
    sleep(steady()).await;
    let seen = deployments.seen();
    complete(&cluster, &open).await;
    let report = load.stop();
    never_two_roles(&seen);
    assert_nothing_lost(&report);
    assert_eq!(cluster.view().await.unwrap().server_version, PATH[2]);
    scene.close(&format!("{}; {} workflows open across it completed", steps.join(", "), open.len())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn downgrade_under_load() {
    const PATH: [&str; 2] = ["1.32.0", "1.31.2"];
    PATH.iter().for_each(|version| Bed::get().server_images(version));
    let (scene, cluster, mut load) = loaded("downgrade-load", &replicated(manifest(PATH[0]), 2), "downgrade").await;
    let open = open_workflows(&cluster, 5).await;
    let deployments = Film::<Deployment>::start(&cluster).await;
    load.phase("to 1.31.2");
    let began = Instant::now();
    cluster.patch(json!({"version": PATH[1]})).await;
    reaches(&cluster, PATH[1]).await;
    cluster.settled().await;
    let took = since(began);
    let seen = deployments.seen();
    load.phase("after");
    sleep(steady()).await;
    complete(&cluster, &open).await;
    let report = load.stop();
    never_two_roles(&seen);
    assert_nothing_lost(&report);
    assert_eq!(cluster.view().await.unwrap().server_version, PATH[1]);
    scene
        .close(&format!("{} to {} in {took}; {} workflows open across it completed", PATH[0], PATH[1], open.len()))
        .await;
}

/// Workflows that are open until they are told to end.
pub async fn open_workflows(cluster: &Cluster, count: usize) -> Vec<String> {
    let open: Vec<String> = (0..count).map(|n| format!("open-{n}")).collect();
    let queue = format!("{}-{}", cluster.namespace, cluster.name);
    for id in &open {
        cluster.temporal(&["workflow", "start", "--type", "Open", "--task-queue", &queue, "-w", id]).await.unwrap();
    }
    open
}

/// Tells them to end, and waits until they have.
async fn complete(cluster: &Cluster, open: &[String]) {
    for id in open {
        cluster.temporal(&["workflow", "signal", "--name", "finish", "-w", id]).await.unwrap();
    }
    for id in open {
        let what = format!("workflow {id} completes");
        until(&what, PATIENCE, async || match cluster.workflow_status(id).await.as_deref() {
            Some("WORKFLOW_EXECUTION_STATUS_COMPLETED") => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    }
}

/// Waits until all roles run a version.
async fn reaches(cluster: &Cluster, version: &str) {
    until(&format!("{version} is reached"), PATIENCE, async || match cluster.get().await.unwrap().status {
        Some(status) if status.version.as_deref() == Some(version) => Ok(()),
        other => Err(other.and_then(|s| s.message).unwrap_or_default()),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_scaled_under_load() {
    if !full() {
        return;
    }
    let spec = replicated(manifest(VERSION), 2);
    let (scene, cluster, mut load) = loaded("scale-load", &spec, "history 2 to 4 to 2").await;
    let before = cluster.all_pods().await;
    let mut times = Vec::new();
    for count in [4, 2] {
        load.phase(&format!("to {count}"));
        let began = Instant::now();
        cluster.patch(json!({"services": {"history": {"replicas": count}}})).await;
        cluster.settled().await;
        cluster.ring_is_pods(Role::History, count).await;
        times.push(format!("to {count} in {}", since(began)));
        load.phase(&format!("with {count}"));
        sleep(steady()).await;
    }
    let after = cluster.all_pods().await;
    let report = load.stop();
    for role in ["frontend", "matching", "worker"] {
        assert_eq!(before[role], after[role], "pods of {role}");
    }
    assert_nothing_lost(&report);
    scene.close(&times.join(", ")).await;
}

/// Restarts every role of a cluster by the operator, as a user asks for it.
pub async fn restart(cluster: &Cluster) {
    let resource = format!("temporalcluster/{}", cluster.name);
    let at = format!("temporal.io/restartedAt={:?}", std::time::SystemTime::now());
    Bed::get().kubectl(&cluster.namespace, &["annotate", "--overwrite", &resource, &at]).unwrap();
    // an annotation is no new generation: what is waited for is the rollout's end, once it has begun
    until("the rollout has begun", PATIENCE, async || {
        match cluster.get().await.unwrap().status.and_then(|s| s.rollout) {
            Some(rollout) if rollout.step.is_some() => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

/// What a chart or a user in a hurry does: every Deployment at the same time.
async fn restart_all_at_once(cluster: &Cluster) {
    let names = ROLES.map(|role| format!("deployment/{}-{role}", cluster.name));
    let names = names.iter().map(String::as_str);
    let bed = Bed::get();
    let restart: Vec<&str> = ["rollout", "restart"].into_iter().chain(names).collect();
    bed.kubectl(&cluster.namespace, &restart).unwrap();
    for role in ROLES {
        let name = format!("deployment/{}-{role}", cluster.name);
        let status = ["rollout", "status", &name, "--timeout=50s"];
        until(&format!("{name} is new"), PATIENCE, async || bed.kubectl(&cluster.namespace, &status)).await;
    }
    cluster.settled().await;
}

/// Never two roles in motion, and each was.
pub fn never_two_roles(seen: &[Deployment]) {
    let mut open = BTreeSet::new();
    let mut states = Vec::new();
    let mut at_rest = BTreeMap::new();
    for deployment in seen {
        let name = deployment.name_any();
        let template = deployment.annotations().get(annotations::TEMPLATE_HASH);
        let changed = if moves(deployment, at_rest.get(&name) == Some(&template)) {
            open.insert(name)
        } else {
            at_rest.insert(name.clone(), template);
            open.remove(&name)
        };
        if changed {
            states.push(open.clone());
        }
    }
    let together = states.iter().find(|roles| roles.len() > 1);
    assert!(together.is_none(), "two roles at once: {states:?}");
    let rolled: BTreeSet<_> = states.iter().flatten().collect();
    assert_eq!(rolled.len(), ROLES.len(), "every role was seen to roll: {states:?}");
}

/// Its pods are not all new, or Kubernetes has not seen the template it has now. One that is only not ready for a moment,
/// on a machine with much to do, or that is let go from a pause with the template it rests on, is not in motion.
fn moves(deployment: &Deployment, same_template: bool) -> bool {
    let (Some(spec), Some(status)) = (&deployment.spec, &deployment.status) else { return true };
    let new = [status.replicas, status.updated_replicas].iter().all(|n| *n == spec.replicas);
    !new || (!same_template && status.observed_generation != deployment.metadata.generation)
}
