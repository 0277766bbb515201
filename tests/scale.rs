//! What a cluster costs does not grow with the number of clusters; on the in-memory API server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

mod fake_api;
mod world;

use fake_api::Call;
use std::time::Duration;
use temporal_operator::api::{TemporalCluster, conditions};
use world::{NAMESPACE, OPERATOR, Operator, World, manifest};

/// So long are the calls of settled clusters counted.
const WHILE: Duration = Duration::from_secs(120);

fn cluster(number: usize) -> TemporalCluster {
    let mut cluster = manifest();
    cluster.metadata.name = Some(format!("c{number}"));
    let stores = &mut cluster.spec.persistence;
    for (store, name) in [(&mut stores.default_store, "d"), (&mut stores.visibility_store, "v")] {
        store.sql.as_mut().unwrap().database_name = format!("{name}{number}");
    }
    cluster
}

/// So many clusters, Ready and silent.
async fn settled(count: usize) -> (World, Operator) {
    let world = World::new();
    let operator = world.operator();
    (1..=count).for_each(|number| drop(world.api.put(&cluster(number))));
    let ready =
        |c: &TemporalCluster| c.status.as_ref().is_some_and(|s| conditions::is_true(&s.conditions, conditions::READY));
    let all = world.api.wait_until(|api| api.list::<TemporalCluster>(Some(NAMESPACE)).iter().all(ready));
    tokio::time::timeout(Duration::from_secs(900), all).await.expect("never Ready");
    tokio::time::sleep(Duration::from_secs(60)).await;
    (world, operator)
}

/// The operator's calls since the log was cleared, but for watches, which end and begin again.
fn calls(world: &World) -> Vec<Call> {
    world.api.audit().into_iter().filter(|c| c.user == OPERATOR && c.verb != "watch").collect()
}

#[tokio::test(start_paused = true)]
async fn a_settled_cluster_costs_a_look_at_its_secret_whatever_the_number_of_clusters() {
    for count in [1, 5] {
        let (world, _operator) = settled(count).await;
        world.api.clear_audit();
        tokio::time::sleep(WHILE).await;
        let calls = calls(&world);
        let looks = calls.iter().filter(|c| (c.verb, c.resource.as_str()) == ("get", "secrets")).count();
        let others: Vec<&Call> = calls.iter().filter(|c| c.resource != "secrets").collect();
        assert!(others.is_empty(), "{count} clusters: {others:#?}");
        // every 30 to 60 s, with each cluster's own share of the spread
        assert!((2 * count..=4 * count).contains(&looks), "{count} clusters: {looks} looks at Secrets");
    }
}

#[tokio::test(start_paused = true)]
async fn creating_five_costs_five_times_as_much_as_creating_one() {
    let mut each = Vec::new();
    for count in [1, 5] {
        let (world, _operator) = settled(count).await;
        let calls = calls(&world);
        let writes = calls.iter().filter(|c| c.write && c.resource != "events").count();
        // the operator's start is not a cluster's cost
        let reads = calls.iter().filter(|c| !c.write && !c.name.is_empty()).count();
        each.push((reads as f64 / count as f64, writes as f64 / count as f64));
    }
    let [one, five] = each[..] else { unreachable!() };
    assert!(five.0 <= one.0 * 1.2 && five.1 <= one.1 * 1.2, "reads and writes of one: {one:?}, each of five: {five:?}");
}

#[tokio::test(start_paused = true)]
async fn whatever_changes_of_a_settled_cluster_is_seen() {
    use k8s_openapi::api::apps::v1::Deployment;
    use k8s_openapi::api::core::v1::Service;

    let (world, _operator) = settled(2).await;
    let selector = |s: &Service| s.spec.as_ref().and_then(|s| s.selector.clone());
    let right = selector(&world.api.get::<Service>(NAMESPACE, "c1-frontend").unwrap());
    world.api.edit::<Service>(NAMESPACE, "c1-frontend", |s| s.spec.as_mut().unwrap().selector = None);
    world.api.edit::<Deployment>(NAMESPACE, "c1-history", |d| {
        d.spec.as_mut().unwrap().template.spec.as_mut().unwrap().containers[0].image = Some("other".to_owned());
    });
    world.api.delete::<Service>(NAMESPACE, "c2-frontend");
    let wrong = || {
        let service = |name: &str| world.api.get::<Service>(NAMESPACE, name);
        let history =
            world.api.get::<Deployment>(NAMESPACE, "c1-history").unwrap().spec.unwrap().template.spec.unwrap();
        [
            ("a changed Service", service("c1-frontend").and_then(|s| selector(&s)) != right),
            ("a changed Deployment", history.containers[0].image.as_deref() == Some("other")),
            ("a deleted Service", service("c2-frontend").is_none()),
        ]
        .into_iter()
        .filter_map(|(what, is_wrong)| is_wrong.then_some(what))
        .collect::<Vec<_>>()
    };
    let back = world.api.wait_until(|_| wrong().is_empty());
    if tokio::time::timeout(Duration::from_secs(30), back).await.is_err() {
        panic!("not set right: {:?}", wrong());
    }
}
