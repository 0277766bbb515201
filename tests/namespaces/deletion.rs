//! The end of a namespace.

use super::fake_api::Call;
use super::world::{CLUSTER, NAMESPACE, World};
use super::{get, gone, in_namespace, namespace, ready, status, until};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use serde_json::json;
use std::time::Duration;
use temporal_operator::api::resident::Phase;
use temporal_operator::api::{TemporalCluster, TemporalNamespace, conditions};
use tokio::time::{Instant, sleep, timeout};

#[tokio::test(start_paused = true)]
async fn deletion_leaves_the_namespace_unless_the_manifest_says_otherwise() {
    let world = ready().await;
    let _operator = world.operator();
    world.api.put(&namespace(&json!({})));
    until(&world, NAMESPACE, Phase::Ready, "").await;
    assert!(get(&world, NAMESPACE).unwrap().metadata.finalizers.is_none(), "nothing to wait for");
    world.api.delete::<TemporalNamespace>(NAMESPACE, "orders");
    gone(&world, NAMESPACE).await;
    assert!(world.temporal.namespaces().contains_key("orders"));

    world.temporal.set_open(3);
    world.api.put(&namespace(&json!({"allowDeletion": true})));
    until(&world, NAMESPACE, Phase::Ready, "").await;
    assert_eq!(get(&world, NAMESPACE).unwrap().metadata.finalizers.unwrap(), ["temporal.io/deletion"]);
    let _ = world.temporal.take_writes();
    world.api.clear_audit();
    world.api.delete::<TemporalNamespace>(NAMESPACE, "orders");
    gone(&world, NAMESPACE).await;
    assert_eq!(world.temporal.take_writes(), ["DeleteNamespace orders"]);
    let told = world.writes();
    let status = |c: &Call| c.subresource.as_deref() == Some("status");
    assert!(status(&told[0]) && told.len() == 2, "how many workflows it has is said before it is let go: {told:#?}");
}

#[tokio::test(start_paused = true)]
async fn the_go_operators_finalizer_is_taken_away_as_ours_is() {
    let world = ready().await;
    let _operator = world.operator();
    let mut theirs = namespace(&json!({}));
    theirs.metadata.finalizers =
        Some(vec!["deletion.finalizers.temporal.io".to_owned(), "example.com/other".to_owned()]);
    world.api.put(&theirs);
    until(&world, NAMESPACE, Phase::Ready, "").await;
    assert_eq!(get(&world, NAMESPACE).unwrap().metadata.finalizers.unwrap(), ["example.com/other"]);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_cannot_be_carried_out_says_how_to_let_go_and_does() {
    let world = ready().await;
    let _operator = world.operator();
    world.api.put(&namespace(&json!({"allowDeletion": true})));
    until(&world, NAMESPACE, Phase::Ready, "").await;
    place(&world, NAMESPACE);
    world.temporal.fail("DescribeNamespace (database)", "nothing within 3s");
    world.api.delete::<TemporalNamespace>(NAMESPACE, "orders");
    until_says(&world, "temporal.io/let-go=true").await;
    sleep(Duration::from_secs(600)).await;
    assert!(get(&world, NAMESPACE).is_some(), "it waits");
    world.api.edit::<TemporalNamespace>(NAMESPACE, "orders", |n| {
        n.metadata.annotations.get_or_insert_default().insert("temporal.io/let-go".to_owned(), "true".to_owned());
    });
    gone(&world, NAMESPACE).await;
    world.temporal.heal();
    assert!(world.temporal.namespaces().contains_key("orders"), "it is left in Temporal");
}

/// A Kubernetes namespace that ends only when somebody lets it.
fn place(world: &World, name: &str) {
    let metadata = json!({"metadata": {"name": name, "finalizers": ["example.com/hold"]}});
    world.api.put::<Namespace>(&serde_json::from_value(metadata).unwrap());
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_whole_kubernetes_namespace_waits_neither_for_a_cluster_nor_for_temporal() {
    for cluster_is_ready in [true, false] {
        let world = ready().await;
        world.api.edit::<TemporalCluster>(NAMESPACE, CLUSTER, |c| {
            c.spec.allowed_namespaces = serde_json::from_value(json!({"from": "All"})).unwrap();
        });
        place(&world, "team");
        let _operator = world.operator();
        world.api.put(&in_namespace("team", &json!({"allowDeletion": true})));
        until(&world, "team", Phase::Ready, "").await;
        world.temporal.fail("DescribeNamespace (database)", "nothing within 3s");
        if !cluster_is_ready {
            world.sim.hold_deployments(true);
            world.api.delete::<Deployment>(NAMESPACE, "c-frontend");
        }
        // first the resource alone, which waits
        world.api.delete::<TemporalNamespace>("team", "orders");
        sleep(Duration::from_secs(300)).await;
        let conditions = world.cluster().status.unwrap().conditions;
        assert_eq!(conditions::is_true(&conditions, conditions::READY), cluster_is_ready);
        assert!(get(&world, "team").is_some(), "it waits");
        world.api.delete::<Namespace>("", "team");
        let began = Instant::now();
        gone(&world, "team").await;
        assert!(began.elapsed() < Duration::from_secs(90), "{:?}", began.elapsed());
        assert!(world.temporal.namespaces().contains_key("orders"), "it is left in Temporal");
    }
}

async fn until_says(world: &World, words: &str) {
    let said = world.api.wait_until(|_| status(world).message.is_some_and(|m| m.contains(words)));
    if timeout(Duration::from_secs(900), said).await.is_err() {
        panic!("never says {words:?}: {:?}", status(world));
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_gone_holds_nobody() {
    let world = ready().await;
    let _operator = world.operator();
    world.api.put(&namespace(&json!({"allowDeletion": true})));
    until(&world, NAMESPACE, Phase::Ready, "").await;
    world.temporal.fail("DescribeNamespace (database)", "nothing within 3s");
    world.api.delete::<TemporalNamespace>(NAMESPACE, "orders");
    until_says(&world, "temporal.io/let-go=true").await;
    let began = Instant::now();
    world.api.delete::<TemporalCluster>(NAMESPACE, CLUSTER);
    gone(&world, NAMESPACE).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}
