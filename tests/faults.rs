//! Faults between objects, on the in-memory API server: said in the status, without spam, and over when their cause is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

mod fake_api;
mod world;

use k8s_openapi::api::core::v1::{Namespace, Service};
use serde_json::{Value, json};
use std::time::Duration;
use temporal_operator::api::{TemporalCluster, conditions};
use world::{CLUSTER, NAMESPACE, World, manifest};

fn from<K: serde::de::DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).unwrap()
}

/// Reason of a condition of a cluster here.
fn reason(world: &World, name: &str, type_: &str) -> Option<(String, String)> {
    let status = world.api.get::<TemporalCluster>(NAMESPACE, name)?.status?;
    conditions::get(&status.conditions, type_).map(|c| (c.status.clone(), c.reason.clone()))
}

async fn until(world: &World, name: &str, type_: &str, value: &str, because: &str) {
    let wanted = Some((value.to_owned(), because.to_owned()));
    let there = world.api.wait_until(|_| reason(world, name, type_) == wanted);
    if tokio::time::timeout(Duration::from_secs(900), there).await.is_err() {
        panic!("{type_} of {name} is {:?}, not {wanted:?}", reason(world, name, type_));
    }
}

#[tokio::test(start_paused = true)]
async fn the_younger_of_two_clusters_on_one_database_waits_for_the_other_to_go() {
    let world = World::new();
    let _operator = world.operator();
    world.api.put(&manifest());
    world.settled().await;
    let mut second = manifest();
    second.metadata.name = Some("second".to_owned());
    world.api.put(&second);
    until(&world, "second", conditions::STALLED, "True", "DatabaseTaken").await;
    assert_eq!(reason(&world, CLUSTER, conditions::READY), Some(("True".to_owned(), "ClusterReady".to_owned())));
    let jobs = world.api.list::<k8s_openapi::api::batch::v1::Job>(Some(NAMESPACE));
    assert!(!jobs.iter().any(|j| j.metadata.name.as_ref().unwrap().starts_with("second-")), "{jobs:?}");

    // it is woken by the other's end, long before it would look by itself
    let began = tokio::time::Instant::now();
    world.api.delete::<TemporalCluster>(NAMESPACE, CLUSTER);
    until(&world, "second", conditions::STALLED, "False", "NotStalled").await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    until(&world, "second", conditions::READY, "True", "ClusterReady").await;
}

#[tokio::test(start_paused = true)]
async fn an_object_of_somebody_else_is_named_and_left_alone() {
    let world = World::new();
    let foreign: Service = from(json!({"metadata": {"name": "c-frontend", "namespace": NAMESPACE},
        "spec": {"ports": [{"port": 80}]}}));
    world.api.put(&foreign);
    let _operator = world.operator();
    world.api.put(&manifest());
    until(&world, CLUSTER, conditions::READY, "False", "ApplyFailed").await;
    let message = world.cluster().status.unwrap().message.unwrap();
    let words =
        "The operator is held up: Service c-frontend exists and does not belong to this resource; delete or rename it";
    assert!(message.starts_with(words), "{message}");
    world.api.delete::<Service>(NAMESPACE, "c-frontend");
    world.settled().await;
}

#[tokio::test(start_paused = true)]
async fn an_absent_database_is_named_once_and_its_return_is_noticed() {
    let world = World::new();
    let _operator = world.operator();
    world.api.put(&manifest());
    world.settled().await;
    world.api.clear_audit();
    world.temporal.fail("DescribeNamespace (database)", "nothing within 3s");
    let words = "The frontend answers the operator, but the database does not answer the frontend: ";
    tokio::time::timeout(Duration::from_secs(15), world.says(words)).await.expect("it is told with the next look");
    let unreachable = Some(("True".to_owned(), "TemporalUnreachable".to_owned()));
    assert_eq!(reason(&world, CLUSTER, conditions::READY), unreachable, "the pods that run may serve on");
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(world.writes().len(), 1, "told once, and nothing else is touched: {:?}", world.writes());

    world.temporal.heal();
    let healed = tokio::time::Instant::now();
    until(&world, CLUSTER, conditions::READY, "True", "ClusterReady").await;
    assert!(healed.elapsed() < Duration::from_secs(15), "{:?}", healed.elapsed());
}

#[tokio::test(start_paused = true)]
async fn in_a_namespace_that_is_being_deleted_hardly_anything_is_tried() {
    let world = World::new();
    world.api.put::<Namespace>(&from(json!({"metadata": {"name": NAMESPACE, "finalizers": ["example.com/hold"]}})));
    world.api.put(&manifest());
    // its contents are deleted in any order: the cluster may be among the last
    world.api.hold_garbage_collector(true);
    world.api.delete::<Namespace>("", NAMESPACE);
    let operator = world.operator();
    until(&world, CLUSTER, conditions::STALLED, "True", "NamespaceTerminating").await;
    world.api.clear_audit();
    tokio::time::sleep(Duration::from_secs(600)).await;
    let writes = world.writes();
    assert!(writes.len() <= 11, "one try a minute: {writes:?}");
    drop(operator);
}
