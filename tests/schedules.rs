//! A schedule in the loop: it waits, is made and put right, ends, and comes to the same end when the operator is killed at
//! any write.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

mod fake_api;
mod world;

use fake_api::Call;
use serde_json::{Value, json};
use std::time::Duration;
use temporal_operator::api::resident::Phase;
use temporal_operator::api::{TemporalCluster, TemporalNamespace, TemporalSchedule};
use temporal_operator::temporal::ScheduleRef;
use world::{CLUSTER, NAMESPACE, World, killed, manifest};

const NAME: &str = "nightly";

fn which() -> ScheduleRef {
    ScheduleRef { namespace: "orders".to_owned(), id: NAME.to_owned() }
}

fn namespace() -> TemporalNamespace {
    serde_json::from_value(json!({
        "apiVersion": "temporal.io/v1beta1", "kind": "TemporalNamespace",
        "metadata": {"name": "orders", "namespace": NAMESPACE},
        "spec": {"clusterRef": {"name": CLUSTER}, "retentionPeriod": "24h"},
    }))
    .unwrap()
}

fn schedule(namespace: &str, spec: &Value) -> TemporalSchedule {
    let mut all = json!({
        "apiVersion": "temporal.io/v1beta1", "kind": "TemporalSchedule",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {
            "namespaceRef": {"name": "orders", "namespace": NAMESPACE},
            "allowDeletion": true,
            "schedule": {
                "action": {"workflow": {"type": "Report", "taskQueue": "reports"}},
                "spec": {"crons": ["0 3 * * *"]},
            },
        },
    });
    json_patch::merge(&mut all["spec"], spec);
    serde_json::from_value(all).unwrap()
}

fn get(world: &World) -> TemporalSchedule {
    world.api.get(NAMESPACE, NAME).expect("the schedule is there")
}

/// A cluster that serves, with a namespace.
async fn serving() -> World {
    let world = World::new();
    world.api.put(&manifest());
    world.api.put(&namespace());
    let operator = world.operator();
    world.settled().await;
    drop(operator);
    world.api.clear_audit();
    world
}

/// Waits until the schedule is ready as it is now, or gone, and the operator silent.
async fn done(world: &World) {
    let ready = |s: TemporalSchedule| {
        let status = s.status.clone().unwrap_or_default();
        status.phase == Some(Phase::Ready) && status.observed_generation == s.metadata.generation
    };
    let wait = world.api.wait_until(|api| api.get::<TemporalSchedule>(NAMESPACE, NAME).is_none_or(ready));
    let in_time = tokio::time::timeout(Duration::from_secs(900), wait).await;
    assert!(in_time.is_ok(), "never ready: {:?}", get(world).status);
    world.api.wait_quiet(Duration::from_secs(60)).await;
}

fn says(world: &World, words: &str) -> impl Future<Output = ()> {
    let said = move |api: &fake_api::FakeApi| {
        let status = api.get::<TemporalSchedule>(NAMESPACE, NAME).and_then(|s| s.status);
        status.and_then(|s| s.message).is_some_and(|m| m.contains(words))
    };
    let wait = world.api.wait_until(said);
    async move {
        tokio::time::timeout(Duration::from_secs(900), wait).await.expect("it is said");
    }
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_what_it_needs_and_is_then_left_alone() {
    let world = World::new();
    world.api.put(&schedule(NAMESPACE, &json!({})));
    let _operator = world.operator();
    says(&world, "There is no TemporalNamespace ns/orders").await;
    // its own status wakes it once
    world.api.wait_quiet(Duration::from_secs(60)).await;
    world.api.clear_audit();
    tokio::time::sleep(Duration::from_secs(600)).await;
    let looks = world.api.audit().into_iter().filter(|c| c.resource == "temporalnamespaces" && c.verb == "get");
    assert_eq!(looks.count(), 0, "it is told of a namespace, and does not look for one");
    world.api.put(&namespace());
    says(&world, "TemporalCluster ns/c").await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    world.api.put(&manifest());
    let known = |api: &fake_api::FakeApi| {
        let namespace = api.get::<TemporalNamespace>(NAMESPACE, "orders");
        namespace.and_then(|n| n.status).is_some_and(|s| s.namespace_id.is_some())
    };
    tokio::time::timeout(Duration::from_secs(900), world.api.wait_until(known)).await.expect("the namespace is ready");
    let began = tokio::time::Instant::now();
    says(&world, "The schedule is as declared").await;
    assert!(began.elapsed() < Duration::from_secs(1), "told at once: {:?}", began.elapsed());
    done(&world).await;
    assert_eq!(world.temporal.schedules.take_writes(), ["CreateSchedule"]);

    world.api.clear_audit();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(world.temporal.schedules.take_writes().is_empty());
    let writes: Vec<Call> = world.writes();
    assert!(writes.is_empty(), "{writes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pause_outlives_the_operator_and_drift_does_not() {
    let world = serving().await;
    world.api.put(&schedule(NAMESPACE, &json!({})));
    let first = world.operator();
    done(&world).await;
    drop(first);
    let schedules = &world.temporal.schedules;
    schedules.by_hand(&which(), |found| {
        found.definition.workflow.type_ = "Other".to_owned();
        found.state.paused = true;
    });
    let _second = world.operator();
    says(&world, "is paused").await;
    let found = schedules.get(&which()).unwrap();
    assert_eq!((found.definition.workflow.type_.as_str(), found.state.paused), ("Report", true));
    assert_eq!(schedules.take_writes(), ["CreateSchedule", "UpdateSchedule"]);
}

#[tokio::test(start_paused = true)]
async fn a_second_resource_for_the_same_schedule_is_told_whose_it_is() {
    let world = serving().await;
    world.api.edit(NAMESPACE, CLUSTER, |c: &mut TemporalCluster| {
        c.spec.allowed_namespaces = serde_json::from_value(json!({"from": "All"})).unwrap();
    });
    let _operator = world.operator();
    world.api.put(&schedule(NAMESPACE, &json!({})));
    done(&world).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.api.put(&schedule("other", &json!({"schedule": {"action": {"workflow": {"type": "Other"}}}})));
    let told = |api: &fake_api::FakeApi| {
        let status = api.get::<TemporalSchedule>("other", NAME).and_then(|s| s.status);
        status.is_some_and(|s| s.phase == Some(Phase::Failed))
    };
    tokio::time::timeout(Duration::from_secs(900), world.api.wait_until(told)).await.expect("it is told");
    let message = world.api.get::<TemporalSchedule>("other", NAME).unwrap().status.unwrap().message.unwrap();
    assert!(message.contains("ns/nightly"), "{message}");
    assert_eq!(world.temporal.schedules.take_writes(), ["CreateSchedule"]);
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Make,
    Alter,
    Delete,
}

impl killed::Change for Change {
    type End = (Option<String>, Option<(String, bool, String)>);

    async fn before(self) -> World {
        let world = serving().await;
        if self != Self::Make {
            world.api.put(&schedule(NAMESPACE, &json!({})));
            let operator = world.operator();
            done(&world).await;
            drop(operator);
            world.api.clear_audit();
        }
        world
    }

    fn make(self, world: &World) {
        match self {
            Self::Make => {
                world.api.put(&schedule(NAMESPACE, &json!({})));
            }
            Self::Alter => {
                world.api.edit(NAMESPACE, NAME, |s: &mut TemporalSchedule| {
                    s.spec.schedule.action.workflow.task_queue = "others".to_owned();
                    s.spec.schedule.state = serde_json::from_value(json!({"paused": true, "notes": "soon"})).unwrap();
                });
            }
            Self::Delete => {
                world.api.delete::<TemporalSchedule>(NAMESPACE, NAME);
            }
        }
    }

    async fn done(self, world: &World) {
        done(world).await;
    }

    /// Without times.
    fn end(self, world: &World) -> Self::End {
        let resource = world.api.get::<TemporalSchedule>(NAMESPACE, NAME);
        let message = resource.and_then(|s| s.status).and_then(|s| s.message);
        let found = world.temporal.schedules.get(&which());
        let found = found.map(|f| (f.definition.workflow.task_queue, f.state.paused, f.state.notes));
        (message, found)
    }
}

#[rstest::rstest]
#[case(Change::Make, 2)]
#[case(Change::Alter, 2)]
#[case(Change::Delete, 1)]
#[tokio::test(start_paused = true)]
async fn converges_after_a_crash_at_any_write(#[case] change: Change, #[case] least: usize) {
    let end = killed::converges(change, least).await;
    assert_eq!(end.1.is_none(), matches!(change, Change::Delete), "what Temporal has in the end");
}
