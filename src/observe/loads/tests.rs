use super::*;
use crate::temporal::{FakeQueues, Stats};

fn key(queues: &[(&str, QueueType)]) -> LoadKey {
    let queue = |(name, type_): &(&str, QueueType)| known(name, *type_);
    LoadKey {
        cluster: Target::frontend("ns", "prod", 7233),
        namespace: "orders".to_owned(),
        deployment: Some("ns/web".to_owned()),
        build_id: "v1".to_owned(),
        queues: queues.iter().map(queue).collect(),
    }
}

fn known(name: &str, type_: QueueType) -> KnownQueue {
    KnownQueue { name: name.to_owned(), type_, pollers: None }
}

fn load(name: &str, type_: QueueType, backlog: u64, age: u64) -> QueueLoad {
    let stats =
        Stats { backlog, age: Duration::from_secs(age), add_rate: 2.0, dispatch_rate: 1.5, rate_limited: false };
    QueueLoad { queue: known(name, type_), stats }
}

fn worker(build_id: &str, pod: &str, kinds: [(u64, u64); 4]) -> WorkerSlots {
    let version = Some(("ns/web".to_owned(), build_id.to_owned()));
    WorkerSlots { version, queue: "a".to_owned(), process: pod.to_owned(), kinds }
}

fn fake() -> (Arc<FakeQueues>, Loads) {
    let fake = Arc::new(FakeQueues::default());
    fake.set_version(
        "ns/web",
        "v1",
        vec![
            load("a", QueueType::Workflow, 3, 2),
            load("a", QueueType::Activity, 10, 7),
            load("b", QueueType::Nexus, 1, 1),
        ],
    );
    (Arc::clone(&fake), Loads::new(fake))
}

const DUE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn the_queues_that_count_are_added_up() {
    let (_, loads) = fake();
    let all = loads.look(&key(&[]), 4, DUE).await.unwrap().pop().unwrap();
    assert_eq!((all.backlog, all.backlog_age.as_secs(), all.ready), (14, 7, 4));
    assert!((all.add_rate - 6.0).abs() < 1e-9 && (all.dispatch_rate - 4.5).abs() < 1e-9);
    let some = loads.look(&key(&[("a", QueueType::Workflow), ("c", QueueType::Activity)]), 4, DUE).await.unwrap();
    assert_eq!(some.last().unwrap().backlog, 3);
}

#[tokio::test(start_paused = true)]
async fn temporal_is_asked_when_it_is_due() {
    let (fake, loads) = fake();
    loads.look(&key(&[]), 1, DUE).await.unwrap();
    assert_eq!(fake.take_calls(), ["DescribeWorkerDeploymentVersion", "ListWorkers"]);
    loads.look(&key(&[]), 1, DUE).await.unwrap();
    assert!(fake.take_calls().is_empty());
    tokio::time::advance(DUE).await;
    assert_eq!(loads.look(&key(&[]), 1, DUE).await.unwrap().len(), 2);
    // a server without heartbeats is left alone for a while
    assert_eq!(fake.take_calls(), ["DescribeWorkerDeploymentVersion"]);
}

#[tokio::test(start_paused = true)]
async fn while_temporal_is_silent_the_history_stays() {
    let (fake, loads) = fake();
    let silent = || TemporalError::Unreachable { call: "X", reason: "away".to_owned() };
    fake.fail(Some(silent()));
    assert_eq!(loads.look(&key(&[]), 1, DUE).await, Err(silent()));
    fake.fail(None);
    assert_eq!(loads.look(&key(&[]), 1, DUE).await.unwrap().len(), 1);
    fake.fail(Some(silent()));
    tokio::time::advance(DUE).await;
    assert_eq!(loads.look(&key(&[]), 1, DUE).await.unwrap().len(), 1);
    loads.forget(&key(&[]).cluster.cluster);
    assert_eq!(loads.look(&key(&[]), 1, DUE).await, Err(silent()));
}

#[tokio::test(start_paused = true)]
async fn versions_that_are_gone_are_forgotten() {
    let (_, loads) = fake();
    loads.look(&key(&[]), 1, DUE).await.unwrap();
    tokio::time::advance(FORGOTTEN).await;
    let other = LoadKey { build_id: "v2".to_owned(), ..key(&[]) };
    loads.look(&other, 1, DUE).await.unwrap();
    assert_eq!(lock(&loads.versions).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn slots_are_listed_once_for_all_versions() {
    let (fake, loads) = fake();
    let idle = [(0, 100), (3, 4), (0, 0), (0, 0)];
    let busy = [(5, 100), (4, 4), (0, 0), (0, 0)];
    fake.set_slots(Some(vec![worker("v1", "p1", idle), worker("v1", "p2", busy), worker("v2", "p3", busy)]));
    let slots = loads.look(&key(&[]), 2, DUE).await.unwrap().pop().unwrap().slots;
    assert_eq!(slots, Some(Slots { used: 7, all: 8, workers: 2 }));
    let other = LoadKey { build_id: "v2".to_owned(), ..key(&[]) };
    fake.set_version("ns/web", "v2", vec![load("a", QueueType::Workflow, 0, 0)]);
    let slots = loads.look(&other, 2, DUE).await.unwrap().pop().unwrap().slots;
    // only its workflows count
    assert_eq!(slots, Some(Slots { used: 5, all: 100, workers: 1 }));
    assert_eq!(fake.take_calls().iter().filter(|call| **call == "ListWorkers").count(), 1);
}

#[test]
fn slots_without_a_set_number_are_in_use_all_the_same() {
    let workers = [worker("v1", "p1", [(2, 0), (0, 4), (0, 0), (0, 0)])];
    let loads = [load("a", QueueType::Workflow, 0, 0)];
    assert_eq!(fullest(workers.iter(), &loads), Some(Slots { used: 2, all: 0, workers: 1 }));
    assert_eq!(fullest(std::iter::empty(), &loads), None);
}

#[tokio::test]
async fn workers_without_versions_are_asked_by_their_queues() {
    let (fake, loads) = fake();
    fake.set_queues(vec![load("a", QueueType::Workflow, 3, 2)]);
    let plain = WorkerSlots { version: None, ..worker("", "p1", [(1, 5), (0, 0), (0, 0), (0, 0)]) };
    fake.set_slots(Some(vec![plain.clone(), WorkerSlots { queue: "other".to_owned(), ..plain }]));
    let key = LoadKey { deployment: None, build_id: String::new(), ..key(&[("a", QueueType::Workflow)]) };
    let sample = loads.look(&key, 1, DUE).await.unwrap().pop().unwrap();
    assert_eq!((sample.backlog, sample.slots), (3, Some(Slots { used: 1, all: 5, workers: 1 })));
}

#[test]
fn an_hour_of_samples_is_about_a_hundred_and_loses_no_peak() {
    let start = Timestamp::UNIX_EPOCH;
    let mut samples = Vec::new();
    for n in 0..800 {
        let at = start + SignedDuration::from_secs(10 * n);
        let backlog = u64::from(n == 600);
        samples.push(Sample { at, backlog, ..Sample::default() });
        thin(&mut samples, at);
    }
    assert!((100..130).contains(&samples.len()), "{}", samples.len());
    assert_eq!(samples.iter().map(|sample| sample.backlog).sum::<u64>(), 1);
    let gap = |pair: &[Sample]| pair[1].at.duration_since(pair[0].at);
    assert!(samples.windows(2).all(|pair| gap(pair).as_secs() < 2 * COARSE));
    assert!(samples[0].at >= start + SignedDuration::from_secs(7990) - KEPT);
}
