//! TemporalWorkers on the in-memory API server and a Temporal in memory: from manifest to pods and routes, whatever is away,
//! and with the operator killed at any write.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

#[path = "workers/connections.rs"]
mod connections;
mod fake_api;
#[path = "workers/rollouts.rs"]
mod rollouts;
mod world;

use fake_api::{Call, FakeApi};
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use temporal_operator::api::resident::Phase;
use temporal_operator::api::worker::TemporalWorkerStatus;
use temporal_operator::api::{TemporalCluster, TemporalNamespace, TemporalWorker, labels};
use tokio::time::{sleep, timeout};
use world::{CLUSTER, NAMESPACE, World, killed, manifest};

const NAME: &str = "orders";

fn worker(spec: &Value) -> TemporalWorker {
    let mut all = json!({
        "apiVersion": "temporal.io/v1beta1", "kind": "TemporalWorker",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {
            "clusterRef": {"name": CLUSTER}, "namespace": "shop",
            "template": {"spec": {"containers": [{"name": "worker", "image": "orders:1.0"}]}},
        },
    });
    json_patch::merge(&mut all["spec"], spec);
    serde_json::from_value(all).unwrap()
}

fn unversioned(spec: &Value) -> TemporalWorker {
    let mut all = json!({"versioning": "Unversioned"});
    json_patch::merge(&mut all, spec);
    worker(&all)
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

fn get(world: &World) -> Option<TemporalWorker> {
    world.api.get(NAMESPACE, NAME)
}

fn status(world: &World) -> TemporalWorkerStatus {
    get(world).and_then(|w| w.status).unwrap_or_default()
}

async fn until(world: &World, what: &str, holds: impl Fn(&FakeApi) -> bool) {
    if timeout(Duration::from_secs(900), world.api.wait_until(holds)).await.is_err() {
        panic!("never {what}: {:#?}", status(world));
    }
}

/// Waits until the worker is in a phase as it is now, and says these words.
async fn says(world: &World, phase: Phase, words: &str) {
    let is = |w: TemporalWorker| {
        let generation = w.metadata.generation;
        w.status.is_some_and(|s| {
            s.phase == Some(phase)
                && s.observed_generation == generation
                && s.message.is_some_and(|m| m.contains(words))
        })
    };
    until(world, words, |api| api.get(NAMESPACE, NAME).is_some_and(is)).await;
}

async fn gone(world: &World) {
    until(world, "gone", |api| api.get::<TemporalWorker>(NAMESPACE, NAME).is_none()).await;
}

fn deployments(world: &World) -> Vec<Deployment> {
    let all = world.api.list::<Deployment>(Some(NAMESPACE));
    all.into_iter().filter(|d| d.labels().contains_key(labels::WORKER)).collect()
}

/// Numbers of pods that Deployments should have, by the image of the first container.
fn sizes(world: &World) -> BTreeMap<String, i32> {
    let image =
        |d: &Deployment| d.spec.as_ref().unwrap().template.spec.as_ref().unwrap().containers[0].image.clone().unwrap();
    deployments(world).iter().map(|d| (image(d), d.spec.as_ref().unwrap().replicas.unwrap())).collect()
}

fn edit(world: &World, change: &Value) {
    world.api.edit::<TemporalWorker>(NAMESPACE, NAME, |w| {
        let mut spec = serde_json::to_value(&w.spec).unwrap();
        json_patch::merge(&mut spec, change);
        w.spec = serde_json::from_value(spec).unwrap();
    });
}

fn image(tag: &str) -> Value {
    json!({"template": {"spec": {"containers": [{"name": "worker", "image": format!("orders:{tag}")}]}}})
}

#[tokio::test(start_paused = true)]
async fn unversioned_workers_are_one_deployment_with_a_rolling_update() {
    let world = World::new();
    world.api.put(&unversioned(&json!({"replicas": 2})));
    let _operator = world.operator();
    says(&world, Phase::Pending, "There is no TemporalCluster ns/c").await;
    assert!(deployments(&world).is_empty(), "there is nothing to poll yet");
    world.api.put(&manifest());
    says(&world, Phase::Ready, "2 pods work for namespace shop.").await;
    let deployment = deployments(&world).remove(0);
    assert_eq!(deployment.name_any(), NAME);
    let container = &deployment.spec.as_ref().unwrap().template.spec.as_ref().unwrap().containers[0];
    let env: Vec<_> = container.env.iter().flatten().map(|v| (v.name.as_str(), v.value.as_deref().unwrap())).collect();
    assert_eq!(env, [("TEMPORAL_ADDRESS", "c-frontend.ns.svc:7233"), ("TEMPORAL_NAMESPACE", "shop")]);
    assert_eq!(
        world.api.list::<PodDisruptionBudget>(Some(NAMESPACE)).iter().filter(|b| b.name_any() == NAME).count(),
        1
    );
    assert!(world.api.list::<ControllerRevision>(None).is_empty());
    let seen = status(&world);
    assert_eq!((seen.replicas, seen.selector.as_deref()), (Some(2), Some("worker.temporal.io/name=orders")));
    assert_eq!((seen.versions.len(), seen.versions[0].ready, seen.target), (1, 2, None));

    edit(&world, &image("2.0"));
    says(&world, Phase::Ready, "2 pods work").await;
    assert_eq!(sizes(&world), BTreeMap::from([("orders:2.0".to_owned(), 2)]));
}

#[tokio::test(start_paused = true)]
async fn a_settled_worker_is_never_written() {
    let world = ready().await;
    let operator = world.operator();
    world.api.put(&unversioned(&json!({"replicas": 2})));
    let mut other = worker(&json!({}));
    other.metadata.name = Some("bills".to_owned());
    world.api.put(&other);
    says(&world, Phase::Ready, "").await;
    world.api.wait_quiet(Duration::from_secs(120)).await;
    world.api.clear_audit();
    let _ = world.temporal.workers.take_writes();
    sleep(Duration::from_secs(600)).await;
    assert!(world.writes().is_empty(), "{:#?}", world.writes());
    drop(operator);
    let _operator = world.operator();
    sleep(Duration::from_secs(300)).await;
    assert!(world.writes().is_empty(), "{:#?}", world.writes());
    assert!(world.temporal.workers.take_writes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_number_that_nobody_gives_is_left_to_whoever_scales() {
    let world = ready().await;
    let _operator = world.operator();
    world.api.put(&unversioned(&json!({"replicas": 3})));
    says(&world, Phase::Ready, "3 pods work").await;
    edit(&world, &json!({"replicas": null}));
    world.api.wait_quiet(Duration::from_secs(60)).await;
    assert_eq!(sizes(&world)["orders:1.0"], 3, "it stays");
    world.api.edit::<Deployment>(NAMESPACE, NAME, |d| d.spec.as_mut().unwrap().replicas = Some(5));
    world.api.wait_quiet(Duration::from_secs(120)).await;
    assert_eq!(sizes(&world)["orders:1.0"], 5);
    says(&world, Phase::Ready, "5 pods work").await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_secret_restarts_the_pods_in_place() {
    let world = ready().await;
    let secret = |value: &str| -> Secret {
        serde_json::from_value(
            json!({"metadata": {"name": "keys", "namespace": NAMESPACE}, "stringData": {"a": value}}),
        )
        .unwrap()
    };
    world.api.put(&secret("1"));
    let _operator = world.operator();
    let from = json!({"name": "worker", "image": "orders:1.0", "envFrom": [{"secretRef": {"name": "keys"}}]});
    world.api.put(&worker(&json!({"template": {"spec": {"containers": [from]}}})));
    says(&world, Phase::Ready, "1 pod").await;
    let annotation = |world: &World| {
        let template = deployments(world).remove(0).spec.unwrap().template;
        template.metadata.unwrap().annotations.unwrap()["temporal.io/secret-versions"].clone()
    };
    let (before, target) = (annotation(&world), status(&world).target);
    world.api.edit::<Secret>(NAMESPACE, "keys", |s| s.string_data = Some([("a".to_owned(), "2".to_owned())].into()));
    sleep(Duration::from_secs(120)).await;
    assert_ne!(annotation(&world), before);
    assert_eq!((status(&world).target, deployments(&world).len()), (target, 1), "no new version");
    let gets: Vec<Call> = world.api.audit().into_iter().filter(|c| c.resource == "secrets").collect();
    assert!(!gets.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_version_takes_over_and_the_old_one_drains() {
    let world = ready().await;
    let _operator = world.operator();
    world.api.put(&worker(&json!({"replicas": 2})));
    says(&world, Phase::Ready, "2 pods of version 1.0-").await;
    edit(&world, &image("2.0"));
    says(&world, Phase::Ready, "2 pods of version 2.0-").await;
    assert_eq!(sizes(&world), BTreeMap::from([("orders:1.0".to_owned(), 2), ("orders:2.0".to_owned(), 2)]));
    let seen = status(&world);
    assert_eq!(seen.current, seen.target);
    let tags: Vec<&str> = seen.versions.iter().map(|v| &v.build_id[..4]).collect();
    assert_eq!(tags, ["2.0-", "1.0-"], "the newest first");
    let numbers = world.api.list::<ControllerRevision>(Some(NAMESPACE));
    assert_eq!(numbers.iter().map(|r| r.revision).collect::<std::collections::BTreeSet<_>>(), [1, 2].into());
}

#[tokio::test(start_paused = true)]
async fn a_version_that_somebody_pinned_workflows_to_stays_although_it_never_got_any() {
    let world = ready().await;
    let _operator = world.operator();
    world.api.put(&worker(&json!({})));
    says(&world, Phase::Ready, "1 pod of version 1.0-").await;
    edit(&world, &json!({"rollout": {"strategy": "Manual"}}));
    edit(&world, &image("2.0"));
    says(&world, Phase::Pending, "The rollout of version 2.0-").await;
    let second = status(&world).target.unwrap();
    world.temporal.workers.pinned.lock().unwrap().insert(second.clone());
    edit(&world, &image("3.0"));
    says(&world, Phase::Pending, "The rollout of version 3.0-").await;
    sleep(Duration::from_secs(600)).await;
    let all = |numbers: [i32; 3]| ["1.0", "2.0", "3.0"].map(|tag| format!("orders:{tag}")).into_iter().zip(numbers);
    assert_eq!(sizes(&world), all([1, 1, 1]).collect());
    world.temporal.workers.pinned.lock().unwrap().clear();
    until(&world, "without the second", |_| {
        let told = status(&world).versions.iter().any(|version| version.build_id == second);
        !told && !sizes(&world).contains_key("orders:2.0")
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn pods_are_kept_and_made_again_whatever_is_away() {
    let world = ready().await;
    let _operator = world.operator();
    world.api.put(&worker(&json!({"replicas": 2})));
    says(&world, Phase::Ready, "2 pods of version 1.0-").await;
    edit(&world, &image("2.0"));
    says(&world, Phase::Ready, "2 pods of version 2.0-").await;
    let both = sizes(&world);
    // the frontend does not answer: first the worker says so, then the cluster is not ready any more
    world.temporal.fail("DescribeNamespace (database)", "nothing within 3s");
    until(&world, "not ready", |api| {
        api.get::<TemporalWorker>(NAMESPACE, NAME).is_some_and(|w| w.status.unwrap().phase == Some(Phase::Pending))
    })
    .await;
    for deployment in deployments(&world) {
        world.api.delete::<Deployment>(NAMESPACE, &deployment.name_any());
    }
    until(&world, "made again", |_| sizes(&world) == both).await;
    sleep(Duration::from_secs(600)).await;
    assert_eq!(sizes(&world), both);
    // nor does a cluster that goes take the pods along
    world.api.delete::<TemporalCluster>(NAMESPACE, CLUSTER);
    says(&world, Phase::Pending, "There is no TemporalCluster").await;
    sleep(Duration::from_secs(120)).await;
    assert_eq!(sizes(&world), both);
}

#[tokio::test(start_paused = true)]
async fn a_deployment_of_somebody_else_is_not_touched() {
    let world = ready().await;
    let mut theirs = serde_json::to_value(deployments_of_cluster(&world)).unwrap();
    theirs["metadata"] = json!({"name": NAME, "namespace": NAMESPACE});
    world.api.put::<Deployment>(&serde_json::from_value(theirs).unwrap());
    let _operator = world.operator();
    world.api.put(&unversioned(&json!({})));
    says(&world, Phase::Failed, "Deployment orders exists and does not belong to this resource").await;
}

fn deployments_of_cluster(world: &World) -> Deployment {
    world.api.get(NAMESPACE, "c-frontend").unwrap()
}

#[tokio::test(start_paused = true)]
async fn one_on_a_namespace_waits_for_it() {
    let world = ready().await;
    let _operator = world.operator();
    let home = json!({"clusterRef": null, "namespace": null, "namespaceRef": {"name": "shop"}});
    let mut on = home.as_object().unwrap().clone();
    on.insert("versioning".to_owned(), json!("Unversioned"));
    world.api.put(&worker(&Value::Object(on)));
    says(&world, Phase::Pending, "There is no TemporalNamespace ns/shop").await;
    assert!(deployments(&world).is_empty());
    world.api.put::<TemporalNamespace>(&shop());
    says(&world, Phase::Ready, "1 pod works for namespace shop.").await;
}

fn shop() -> TemporalNamespace {
    serde_json::from_value(json!({
        "apiVersion": "temporal.io/v1beta1", "kind": "TemporalNamespace",
        "metadata": {"name": "shop", "namespace": NAMESPACE},
        "spec": {"clusterRef": {"name": CLUSTER}, "retentionPeriod": "24h"},
    }))
    .unwrap()
}

#[tokio::test(start_paused = true)]
async fn two_of_one_worker_deployment_are_rivals_however_they_name_their_temporal() {
    let world = ready().await;
    let _operator = world.operator();
    world.api.put::<TemporalNamespace>(&shop());
    world.api.put(&worker(&json!({"deploymentName": "shop/orders"})));
    says(&world, Phase::Ready, "1 pod of version 1.0-").await;
    let on_namespace = json!({"clusterRef": null, "namespace": null, "namespaceRef": {"name": "shop"}, "deploymentName": "shop/orders"});
    let mut younger = worker(&on_namespace);
    younger.metadata.name = Some("younger".to_owned());
    world.api.put(&younger);
    let told = |api: &FakeApi| {
        let message = api.get::<TemporalWorker>(NAMESPACE, "younger").and_then(|w| w.status?.message);
        message.is_some_and(|m| m.contains("shop/orders belongs to TemporalWorker ns/orders, which came first"))
    };
    until(&world, "told", told).await;
    assert_eq!(deployments(&world).len(), 1, "the younger has no pods");
    // when the elder is gone, the Worker Deployment is the other's
    world.api.delete::<TemporalWorker>(NAMESPACE, NAME);
    let is_ready = |w: TemporalWorker| w.status.is_some_and(|s| s.phase == Some(Phase::Ready));
    until(&world, "ready", |api| api.get(NAMESPACE, "younger").is_some_and(is_ready)).await;
}

#[tokio::test(start_paused = true)]
async fn its_worker_deployment_goes_along_when_that_is_allowed() {
    let world = ready().await;
    let _operator = world.operator();
    world.api.put(&worker(&json!({})));
    says(&world, Phase::Ready, "").await;
    assert!(get(&world).unwrap().metadata.finalizers.is_none());
    world.api.delete::<TemporalWorker>(NAMESPACE, NAME);
    gone(&world).await;
    until(&world, "no pods", |_| deployments(&world).is_empty()).await;
    assert_eq!(world.temporal.workers.known().len(), 1, "Temporal keeps it");

    world.api.put(&worker(&json!({"allowDeletion": true})));
    says(&world, Phase::Ready, "").await;
    assert_eq!(get(&world).unwrap().metadata.finalizers.unwrap(), ["temporal.io/deletion"]);
    let _ = world.temporal.workers.take_writes();
    world.api.delete::<TemporalWorker>(NAMESPACE, NAME);
    gone(&world).await;
    let writes = world.temporal.workers.take_writes();
    assert!(writes[0].starts_with("SetCurrent(\"\")") && writes[2] == "DeleteDeployment", "{writes:?}");
    assert!(world.temporal.workers.known().is_empty());
    assert!(world.api.list::<Pod>(Some(NAMESPACE)).iter().all(|p| !p.labels().contains_key(labels::WORKER)));
}

#[tokio::test(start_paused = true)]
async fn an_end_that_cannot_be_carried_out_says_how_to_let_go_and_does() {
    let world = ready().await;
    let _operator = world.operator();
    world.api.put(&worker(&json!({"allowDeletion": true})));
    says(&world, Phase::Ready, "").await;
    world.temporal.fail("DescribeNamespace (database)", "nothing within 3s");
    world.api.delete::<TemporalWorker>(NAMESPACE, NAME);
    until(&world, "told", |_| status(&world).message.is_some_and(|m| m.contains("temporal.io/let-go=true"))).await;
    sleep(Duration::from_secs(600)).await;
    assert!(get(&world).is_some(), "it waits");
    assert_eq!(sizes(&world).values().sum::<i32>(), 0, "its pods do not");
    world.api.edit::<TemporalWorker>(NAMESPACE, NAME, |w| {
        w.metadata.annotations.get_or_insert_default().insert("temporal.io/let-go".to_owned(), "true".to_owned());
    });
    gone(&world).await;
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Make,
    MakeUnversioned,
    Alter,
    Delete,
}

impl killed::Change for Change {
    type End = (BTreeMap<String, Value>, String);

    async fn before(self) -> World {
        let world = ready().await;
        if matches!(self, Self::Alter | Self::Delete) {
            world.api.put(&worker(&json!({"allowDeletion": self == Self::Delete})));
            let operator = world.operator();
            done(&world).await;
            drop(operator);
            world.api.clear_audit();
        }
        world
    }

    fn make(self, world: &World) {
        match self {
            Self::Make => drop(world.api.put(&worker(&json!({"replicas": 2, "allowDeletion": true})))),
            Self::MakeUnversioned => drop(world.api.put(&unversioned(&json!({})))),
            Self::Alter => edit(world, &image("2.0")),
            Self::Delete => drop(world.api.delete::<TemporalWorker>(NAMESPACE, NAME)),
        }
    }

    async fn done(self, world: &World) {
        done(world).await;
    }

    /// What there is of workers, of Kubernetes and of Temporal.
    fn end(self, world: &World) -> Self::End {
        let mut state = world.state();
        state.retain(|name, object| {
            name.contains("TemporalWorker") || object.to_string().contains("\"worker.temporal.io/name\"")
        });
        (state, format!("{:?}", world.temporal.workers.known()))
    }
}

/// Waits until the worker is ready as it is now, or gone, and the operator silent.
async fn done(world: &World) {
    let ready = |w: TemporalWorker| {
        let status = w.status.clone().unwrap_or_default();
        status.phase == Some(Phase::Ready) && status.observed_generation == w.metadata.generation
    };
    until(world, "done", |api| api.get::<TemporalWorker>(NAMESPACE, NAME).is_none_or(ready)).await;
    world.api.wait_quiet(Duration::from_secs(60)).await;
}

#[rstest::rstest]
#[case(Change::Make, 5)]
#[case(Change::MakeUnversioned, 4)]
#[case(Change::Alter, 4)]
#[case(Change::Delete, 2)]
#[tokio::test(start_paused = true)]
async fn an_operator_that_is_killed_at_any_write_converges(#[case] change: Change, #[case] least: usize) {
    killed::converges(change, least).await;
}
