//! TemporalNamespaces on the in-memory API server and a Temporal in memory: from manifest to Temporal and back, with the
//! operator killed at any write.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

mod fake_api;
mod world;

#[path = "namespaces/deletion.rs"]
mod deletion;
#[path = "namespaces/killed.rs"]
mod killed;

use fake_api::Call;
use k8s_openapi::api::core::v1::Namespace;
use serde_json::{Value, json};
use std::time::Duration;
use temporal_operator::api::resident::Phase;
use temporal_operator::api::{TemporalCluster, TemporalNamespace, TemporalNamespaceStatus, conditions};
use temporal_operator::plan::namespace::LiveNamespace;
use tokio::time::{Instant, sleep, timeout};
use world::{CLUSTER, NAMESPACE, OPERATOR, World, manifest};

fn namespace(spec: &Value) -> TemporalNamespace {
    in_namespace(NAMESPACE, spec)
}

fn in_namespace(namespace: &str, spec: &Value) -> TemporalNamespace {
    let mut all = json!({"clusterRef": {"name": CLUSTER, "namespace": NAMESPACE}, "retentionPeriod": "168h"});
    for (key, value) in spec.as_object().unwrap() {
        all[key] = value.clone();
    }
    serde_json::from_value(json!({
        "apiVersion": "temporal.io/v1beta1", "kind": "TemporalNamespace",
        "metadata": {"name": "orders", "namespace": namespace}, "spec": all,
    }))
    .unwrap()
}

/// A world whose cluster is ready.
async fn ready() -> World {
    let world = World::new();
    world.api.put(&manifest());
    let operator = world.operator();
    world.settled().await;
    drop(operator);
    world.api.clear_audit();
    world
}

fn get(world: &World, namespace: &str) -> Option<TemporalNamespace> {
    world.api.get(namespace, "orders")
}

fn status(world: &World) -> TemporalNamespaceStatus {
    get(world, NAMESPACE).and_then(|n| n.status).unwrap_or_default()
}

async fn until(world: &World, namespace: &str, phase: Phase, words: &str) {
    let is = |n: TemporalNamespace| {
        let generation = n.metadata.generation;
        n.status.is_some_and(|s| {
            s.phase == Some(phase)
                && s.observed_generation == generation
                && s.message.is_some_and(|m| m.contains(words))
        })
    };
    let there = world.api.wait_until(|_| get(world, namespace).is_some_and(is));
    if timeout(Duration::from_secs(900), there).await.is_err() {
        panic!(
            "orders in {namespace} is never {phase:?} with {words:?}: {:?}",
            get(world, namespace).and_then(|n| n.status)
        );
    }
}

async fn gone(world: &World, namespace: &str) {
    let gone = world.api.wait_until(|_| get(world, namespace).is_none());
    if timeout(Duration::from_secs(900), gone).await.is_err() {
        panic!("orders in {namespace} stays: {:?}", get(world, namespace));
    }
}

fn reason(world: &World, type_: &str) -> String {
    conditions::get(&status(world).conditions, type_).map(|c| c.reason.clone()).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn one_made_before_its_cluster_waits_and_is_registered_with_it() {
    let world = World::new();
    world.api.put(&namespace(&json!({"customSearchAttributes": {"Customer": "Keyword"}, "data": {"team": "a"}})));
    let _operator = world.operator();
    until(&world, NAMESPACE, Phase::Pending, "There is no TemporalCluster ns/c").await;
    world.api.put(&manifest());
    until(&world, NAMESPACE, Phase::Pending, "Waits until TemporalCluster ns/c is ready").await;
    until(&world, NAMESPACE, Phase::Pending, "can be used in a moment").await;
    tokio::time::resume();
    until(&world, NAMESPACE, Phase::Ready, "retention of 168h and 1 search attribute").await;
    assert_eq!(world.temporal.take_writes(), ["RegisterNamespace orders", "AddSearchAttributes orders"]);
    let status = status(&world);
    assert_eq!(status.namespace_id.as_deref(), Some("id-of-orders"));
    assert_eq!(status.search_attributes_left["Keyword"], 9);
    assert_eq!(world.temporal.namespaces()["orders"].columns["Keyword01"], "Customer");
}

#[tokio::test(start_paused = true)]
async fn attributes_are_ready_only_when_every_server_knows_them() {
    let world = ready().await;
    tokio::time::resume(); // the time is in the status, so it is the real one
    let _operator = world.operator();
    world.api.put(&namespace(&json!({"customSearchAttributes": {"Customer": "Keyword"}})));
    until(&world, NAMESPACE, Phase::Pending, "can be used in a moment").await;
    let began = Instant::now();
    until(&world, NAMESPACE, Phase::Ready, "").await;
    assert!(began.elapsed() >= Duration::from_secs(4), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_settled_namespace_is_read_with_a_list_a_minute_and_never_written() {
    let world = ready().await;
    let operator = world.operator();
    for name in ["orders", "bills", "mails"] {
        let mut one = namespace(&json!({"data": {"team": "a"}}));
        one.metadata.name = Some(name.to_owned());
        world.api.put(&one);
    }
    until(&world, NAMESPACE, Phase::Ready, "").await;
    world.api.wait_quiet(Duration::from_secs(120)).await;
    world.api.clear_audit();
    let _ = (world.temporal.take_writes(), world.temporal.take_reads());
    sleep(Duration::from_secs(600)).await;
    assert!(world.writes().is_empty(), "{:#?}", world.writes());
    assert!(world.temporal.take_writes().is_empty());
    let reads = world.temporal.take_reads();
    assert!(reads.iter().all(|read| read == "ListNamespaces"), "{reads:?}");
    assert!((8..=14).contains(&reads.len()), "one list for all three: {}", reads.len());
    // nor does a new operator write
    drop(operator);
    let _operator = world.operator();
    sleep(Duration::from_secs(300)).await;
    assert!(world.writes().is_empty(), "{:#?}", world.writes());
    assert!(world.temporal.take_writes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn drift_is_put_right_within_a_minute_and_told() {
    let world = ready().await;
    let _operator = world.operator();
    world.api.put(&namespace(&json!({"description": "Orders"})));
    until(&world, NAMESPACE, Phase::Ready, "").await;
    sleep(Duration::from_secs(100)).await;
    world.temporal.namespaces().get_mut("orders").unwrap().retention = Duration::from_secs(3600);
    let changed = Instant::now();
    world.api.clear_audit();
    let right = || world.temporal.namespaces()["orders"].retention == Duration::from_secs(168 * 3600);
    while !right() {
        assert!(changed.elapsed() < Duration::from_secs(60), "not within a minute");
        sleep(Duration::from_secs(1)).await;
    }
    world.api.wait_quiet(Duration::from_secs(10)).await;
    let told: Vec<Call> = world.api.writes_by(OPERATOR);
    assert!(told.iter().any(|c| c.resource == "events"), "{told:#?}");
    assert!(told.iter().all(|c| c.resource == "events"), "it is ready all the time: {told:#?}");
}

#[tokio::test(start_paused = true)]
async fn an_existing_one_is_adopted_and_what_cannot_be_undone_is_told() {
    let world = ready().await;
    let by_hand = LiveNamespace {
        name: "orders".to_owned(),
        id: "by-hand".to_owned(),
        description: "By hand".to_owned(),
        data: [("team".to_owned(), "old".to_owned()), ("more".to_owned(), "x".to_owned())].into(),
        columns: [("Int01".to_owned(), "Customer".to_owned())].into(),
        ..LiveNamespace::default()
    };
    world.temporal.namespaces().insert("orders".to_owned(), by_hand);
    let _operator = world.operator();
    world.api.put(&namespace(&json!({"description": "", "data": {"team": "new"}})));
    until(&world, NAMESPACE, Phase::Ready, "Temporal cannot remove them: more").await;
    let message = status(&world).message.unwrap();
    assert!(message.contains("The description that Temporal has stays"), "{message}");
    assert_eq!(world.temporal.take_writes(), ["UpdateNamespace orders"], "once, and never again");
    assert_eq!(world.temporal.namespaces()["orders"].data["team"], "new");
    sleep(Duration::from_secs(300)).await;
    assert!(world.temporal.take_writes().is_empty());

    world.api.edit::<TemporalNamespace>(NAMESPACE, "orders", |n| {
        n.spec.custom_search_attributes = serde_json::from_value(json!({"Customer": "Keyword"})).unwrap();
    });
    until(&world, NAMESPACE, Phase::Failed, "Customer is Int in Temporal and Keyword in the manifest").await;
    assert_eq!(reason(&world, conditions::STALLED), "SearchAttributeConflict");
    assert!(world.temporal.take_writes().is_empty(), "Temporal would take it in silence");
}

#[tokio::test(start_paused = true)]
async fn attributes_go_only_when_that_is_allowed() {
    let world = ready().await;
    tokio::time::resume();
    let _operator = world.operator();
    world.api.put(&namespace(&json!({"customSearchAttributes": {"Customer": "Keyword", "Items": "Int"}})));
    until(&world, NAMESPACE, Phase::Ready, "2 search attributes").await;
    // one that nobody declared is nobody's to remove
    world.temporal.namespaces().get_mut("orders").unwrap().columns.insert("Text01".to_owned(), "Byhand".to_owned());
    let edit = |change: fn(&mut TemporalNamespace)| world.api.edit(NAMESPACE, "orders", change);
    edit(|n| n.spec.custom_search_attributes.as_mut().unwrap().retain(|name, _| name != "Items"));
    until(&world, NAMESPACE, Phase::Ready, "declared no longer stay (Items)").await;
    let _ = world.temporal.take_writes();
    edit(|n| n.spec.allow_search_attribute_deletion = true);
    until(&world, NAMESPACE, Phase::Ready, "1 search attribute.").await;
    assert_eq!(world.temporal.take_writes(), ["RemoveSearchAttributes orders"]);
    let columns = world.temporal.namespaces()["orders"].columns.clone();
    assert_eq!(columns.into_values().collect::<Vec<_>>(), ["Customer", "Byhand"]);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_is_registered_where_search_attributes_are_in_an_index() {
    let world = World::new();
    let mut cluster = manifest();
    let store = json!({"elasticsearch": {"url": "http://search:9200"}});
    cluster.spec.persistence.visibility_store = serde_json::from_value(store).unwrap();
    world.api.put(&cluster);
    let _operator = world.operator();
    world.settled().await;
    world.api.put(&namespace(&json!({})));
    until(&world, NAMESPACE, Phase::Ready, "").await;
}

#[tokio::test(start_paused = true)]
async fn more_attributes_than_columns_are_named_and_the_rest_is_added() {
    let world = ready().await;
    let _operator = world.operator();
    let four = json!({"A": "Int", "B": "Int", "C": "Int", "D": "Int", "E": "Bool"});
    world.api.put(&namespace(&json!({"customSearchAttributes": four})));
    until(&world, NAMESPACE, Phase::Failed, "no room for search attribute D (Int)").await;
    assert_eq!(reason(&world, conditions::STALLED), "SearchAttributesExhausted");
    assert_eq!(world.temporal.namespaces()["orders"].columns.len(), 4);
    assert_eq!(status(&world).search_attributes_left["Int"], 0);
}

#[tokio::test(start_paused = true)]
async fn the_younger_of_two_is_told_whose_it_is_and_follows() {
    let world = ready().await;
    world.api.edit::<TemporalCluster>(NAMESPACE, CLUSTER, |c| {
        c.spec.allowed_namespaces = serde_json::from_value(json!({"from": "All"})).unwrap();
    });
    let _operator = world.operator();
    world.api.put(&namespace(&json!({})));
    until(&world, NAMESPACE, Phase::Ready, "").await;
    sleep(Duration::from_secs(2)).await;
    world.api.put(&in_namespace("team", &json!({"retentionPeriod": "24h", "allowDeletion": true})));
    until(&world, "team", Phase::Failed, "belongs to TemporalNamespace ns/orders").await;
    assert_eq!(world.temporal.take_writes(), ["RegisterNamespace orders"]);
    // nor does it delete what is not its own
    world.api.delete::<TemporalNamespace>("team", "orders");
    gone(&world, "team").await;
    assert!(world.temporal.take_writes().is_empty());

    world.api.put(&in_namespace("team", &json!({"retentionPeriod": "24h"})));
    until(&world, "team", Phase::Failed, "belongs to").await;
    world.api.delete::<TemporalNamespace>(NAMESPACE, "orders");
    until(&world, "team", Phase::Ready, "retention of 24h").await;
}

#[tokio::test(start_paused = true)]
async fn another_teams_manifest_is_refused_until_the_cluster_allows_it() {
    let world = ready().await;
    let labels = json!({"metadata": {"name": "team", "labels": {"temporal": "yes"}}});
    world.api.put::<Namespace>(&serde_json::from_value(labels).unwrap());
    let _operator = world.operator();
    world.api.put(&in_namespace("team", &json!({"allowDeletion": true})));
    until(&world, "team", Phase::Failed, "may not be used from namespace team").await;
    assert!(world.temporal.take_writes().is_empty() && world.temporal.take_reads().is_empty());
    let allow = |allowed: Value| {
        world.api.edit::<TemporalCluster>(NAMESPACE, CLUSTER, |c| {
            c.spec.allowed_namespaces = serde_json::from_value(allowed).unwrap();
        });
    };
    allow(json!({"from": "Selector", "selector": {"matchLabels": {"temporal": "yes"}}}));
    until(&world, "team", Phase::Ready, "").await;
    // the permission is taken away: nothing can be deleted any more, and nothing waits
    allow(json!({"from": "Same"}));
    until(&world, "team", Phase::Failed, "may not be used").await;
    let _ = world.temporal.take_writes();
    world.api.delete::<TemporalNamespace>("team", "orders");
    gone(&world, "team").await;
    assert!(world.temporal.take_writes().is_empty());
}
