//! Two operators, the leader of which is killed or frozen: at any moment at most one of them writes.

use std::time::{Duration, Instant};

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use serde_json::json;
use tokio::task::JoinHandle;

use super::audit::{Call, Moment, calls};
use super::bed::OPERATOR_LIVES;
use super::cluster::{Cluster, Scene, VERSION, manifest};
use super::operator::{leader, scale, signal};
use super::wait::{PATIENCE, until};

/// A takeover takes the Lease's 15 s, the 3 s between two looks, and some.
const TAKEOVER: SignedDuration = SignedDuration::from_secs(25);

#[tokio::test(flavor = "multi_thread")]
async fn one_writer_while_leaders_are_killed_and_frozen() {
    let mut scene = Scene::open("one-writer").await;
    let (cluster, _) = scene.create("main", &manifest(VERSION)).await;
    scene.operator = None;
    let alone = OPERATOR_LIVES.write().await;
    scale(&scene.client, 2).await;
    let began = Moment::now();
    let restless = Restless::start(&cluster);

    writes_by_anyone(began, Timestamp::now()).await;
    let killed = leader(&scene.client).await;
    let at = Timestamp::now();
    signal(&killed, "SIGKILL").unwrap();
    // what was on its way has arrived by then
    tokio::time::sleep(Duration::from_millis(200)).await;
    let next = writes_by_anyone(began, Timestamp::now()).await;
    let after_kill = next.received.duration_since(at);
    let again = if next.pod == killed.name_any() { "the same pod, started again" } else { "the other pod" };

    // the pod of one that was killed may still name its old container
    let frozen = until("the leader is frozen", PATIENCE, async || {
        let pod = leader(&scene.client).await;
        signal(&pod, "SIGSTOP").map(|()| pod)
    })
    .await;
    let (at, stopped) = (Timestamp::now(), Instant::now());
    let name = frozen.name_any();
    let mut thaw = Thaw(Some(frozen));
    let next = writes_by(began, at, "another operator", |call| call.pod != name).await;
    let after_freeze = next.received.duration_since(at);
    tokio::time::sleep(Duration::from_secs(30).saturating_sub(stopped.elapsed())).await;
    let thawed = Timestamp::now();
    thaw.now();
    tokio::time::sleep(Duration::from_secs(10)).await;
    drop(restless);
    let writes = writes_since(began);
    let late: Vec<_> = writes.iter().filter(|c| c.pod == name && c.received > thawed).collect();
    assert!(late.is_empty(), "the frozen leader wrote after it went on: {late:?}");
    let handovers = handovers(&writes);

    // that the one that was frozen is a standby that works
    scale(&scene.client, 1).await;
    cluster.settled().await;
    drop(alone);
    let workflow = cluster.workflow("hello").await;
    assert!(after_kill < TAKEOVER && after_freeze < TAKEOVER, "takeovers took {after_kill} and {after_freeze}");
    let figures = format!(
        "{} writes; killed: {again} writes after {:.1} s; frozen for 30 s: another writes after {:.1} s, none by it later; \
         handovers: {}; workflow {workflow:.2} s",
        writes.len(),
        after_kill.as_secs_f64(),
        after_freeze.as_secs_f64(),
        handovers.join(", ")
    );
    scene.close(&figures).await;
}

/// Changes a cluster all the time, so that its operator writes all the time.
struct Restless(JoinHandle<()>);

impl Restless {
    fn start(cluster: &Cluster) -> Self {
        let cluster = cluster.clone();
        Self(tokio::spawn(async move {
            for n in 0.. {
                let values = json!({"limit.maxIDLength": [{"value": 200 + n % 100}]});
                cluster.patch(json!({"dynamicConfig": {"values": values}})).await;
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }))
    }
}

impl Drop for Restless {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Lets a frozen pod go on, in any case.
struct Thaw(Option<k8s_openapi::api::core::v1::Pod>);

impl Thaw {
    fn now(&mut self) {
        if let Some(pod) = self.0.take() {
            let _ = signal(&pod, "SIGCONT");
        }
    }
}

impl Drop for Thaw {
    fn drop(&mut self) {
        self.now();
    }
}

/// The operators' writes since then but those to the Lease, as the API server got them.
fn writes_since(began: Moment) -> Vec<Call> {
    let mut writes: Vec<_> = calls(began).into_iter().filter(|c| c.writes() && !c.is_lease()).collect();
    writes.sort_by_key(|c| c.received);
    writes
}

async fn writes_by_anyone(began: Moment, after: Timestamp) -> Call {
    writes_by(began, after, "an operator", |_| true).await
}

/// Waits for a write after this time.
async fn writes_by(began: Moment, after: Timestamp, who: &str, is: impl Fn(&Call) -> bool) -> Call {
    until(&format!("{who} writes"), PATIENCE, async || {
        let all = writes_since(began);
        let last = format!("last: {:?}", all.last());
        all.into_iter().find(|c| c.received > after && is(c)).ok_or(last)
    })
    .await
}

/// The changes of the writer, each with its pause. Fails when a writer's first write came before the answer to the last
/// one of its predecessor.
fn handovers(writes: &[Call]) -> Vec<String> {
    let mut told = Vec::new();
    let runs: Vec<&[Call]> = writes.chunk_by(|a, b| a.pod == b.pod).collect();
    assert!(writes.iter().all(|c| !c.pod.is_empty()), "the audit log names the pods");
    for pair in runs.windows(2) {
        let (before, after) = (pair[0], pair[1]);
        let end = before.iter().map(|c| c.answered).max().unwrap();
        let begin = after[0].received;
        assert!(end < begin, "{:?} was answered at {end}, {:?} came at {begin}", before.last(), after.first());
        told.push(format!("{:.1} s without a write", begin.duration_since(end).as_secs_f64()));
    }
    // killed and started again, or replaced; frozen and replaced
    assert!((1..=2).contains(&told.len()), "writers took turns: {told:?}");
    told
}
