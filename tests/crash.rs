//! The operator may be killed at any moment: after each single write of each kind of change, before or after it heard
//! the answer, a new one converges to the same end state. And a second pass writes nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

mod fake_api;
mod world;

use fake_api::cluster_sim::Rollout;
use fake_api::{Call, Cut, FakeApi};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use rstest::rstest;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;
use temporal_operator::api::TemporalCluster;
use temporal_operator::api::services::{ServiceSpec, ServicesSpec};
use temporal_operator::build::ServiceMonitor;
use world::{CLUSTER, NAMESPACE, OPERATOR, World, manifest};

/// A change a user makes.
#[derive(Clone, Copy, Debug)]
enum Change {
    Create,
    Scale,
    Config,
    UiOff,
    Upgrade,
    Delete,
}

impl Change {
    /// The world as it is before the change, settled.
    async fn before(self) -> World {
        let world = World::new();
        if !matches!(self, Self::Create) {
            world.api.put(&manifest());
            let operator = world.operator();
            world.settled().await;
            drop(operator);
        }
        world.api.clear_audit();
        world
    }

    fn make(self, world: &World) {
        match self {
            Self::Create => {
                world.api.put(&manifest());
            }
            Self::Scale => world.change(|c| {
                let history = ServiceSpec { replicas: Some(3), ..ServiceSpec::default() };
                c.spec.services = Some(ServicesSpec { history: Some(Box::new(history)), ..ServicesSpec::default() });
            }),
            Self::Config => world.change(|c| c.spec.log = serde_json::from_value(json!({"level": "debug"})).unwrap()),
            Self::UiOff => world.change(|c| c.spec.ui = None),
            Self::Upgrade => upgrade_after_a_backup(world),
            Self::Delete => {
                world.api.delete::<TemporalCluster>(NAMESPACE, CLUSTER);
            }
        }
    }

    async fn settled(self, world: &World) {
        match self {
            Self::Delete => world.api.wait_quiet(Duration::from_secs(60)).await,
            _ => world.settled().await,
        }
    }
}

/// The next version, and a Job that must succeed before.
fn upgrade_after_a_backup(world: &World) {
    let pod = json!({"containers": [{"name": "backup", "image": "postgres:17"}]});
    let rollout = json!({"beforeUpgrade": {"spec": {"template": {"spec": pod}}}});
    world.change(|c| {
        c.spec.rollout = serde_json::from_value(rollout).unwrap();
        c.spec.version = Some("1.32.0".to_owned());
    });
}

fn counts(call: &Call) -> bool {
    call.resource != "events"
}

/// The end state and the number of writes of an undisturbed operator.
async fn undisturbed(change: Change) -> (BTreeMap<String, Value>, usize) {
    let world = change.before().await;
    let _operator = world.operator();
    change.make(&world);
    change.settled(&world).await;
    (world.state(), world.writes().iter().filter(|c| c.changed).count())
}

#[rstest]
#[case(Change::Create, 20, usize::MAX)]
#[case(Change::Scale, 2, usize::MAX)]
#[case(Change::Config, 5, usize::MAX)]
#[case(Change::UiOff, 2, usize::MAX)]
// the Job before it, its record, the first schema Job; the roles follow as after a change of config
#[case(Change::Upgrade, 20, 3)]
#[tokio::test(start_paused = true)]
async fn converges_after_a_crash_at_any_write(
    #[case] change: Change,
    #[case] least_writes: usize,
    #[case] first: usize,
) {
    let (expected, writes) = undisturbed(change).await;
    assert!(writes >= least_writes, "{change:?} takes only {writes} writes");
    for nth in 1..=writes.min(first) {
        for cut in [Cut::BeforeAnswer, Cut::AfterAnswer] {
            let world = change.before().await;
            let kill = world.api.kill_after_matching(OPERATOR, nth, cut, counts);
            let first = world.operator();
            change.make(&world);
            // status writes may come in another number; a run that ends earlier is as good as one that is killed
            let killed = tokio::time::timeout(Duration::from_secs(120), kill.fired()).await.is_ok();
            drop(first);
            assert!(killed || nth + 4 > writes, "{change:?}: write {nth} of {writes} never came");
            let _second = world.operator();
            change.settled(&world).await;
            assert_same(&world.state(), &expected, &format!("{change:?} killed {cut:?} write {nth} of {writes}"));
        }
    }
}

fn assert_same(found: &BTreeMap<String, Value>, expected: &BTreeMap<String, Value>, when: &str) {
    let names: Vec<_> = found.keys().collect();
    assert_eq!(names, expected.keys().collect::<Vec<_>>(), "{when}: other objects");
    for (name, object) in found {
        let mut differences = Vec::new();
        differing("", object, &expected[name], &mut differences);
        assert!(differences.is_empty(), "{when}: {name} differs: {differences:#?}");
    }
}

/// The paths at which two values differ, with both.
fn differing(path: &str, found: &Value, expected: &Value, all: &mut Vec<String>) {
    match (found, expected) {
        (Value::Object(f), Value::Object(e)) => {
            for key in f.keys().chain(e.keys().filter(|k| !f.contains_key(*k))) {
                let (f, e) = (f.get(key).unwrap_or(&Value::Null), e.get(key).unwrap_or(&Value::Null));
                differing(&format!("{path}.{key}"), f, e, all);
            }
        }
        (Value::Array(f), Value::Array(e)) if f.len() == e.len() => {
            for (i, (f, e)) in f.iter().zip(e).enumerate() {
                differing(&format!("{path}[{i}]"), f, e, all);
            }
        }
        _ if found != expected => all.push(format!("{path}: {found} instead of {expected}")),
        _ => {}
    }
}

#[tokio::test(start_paused = true)]
async fn deletion_leaves_nothing_whoever_is_killed() {
    let empty = World::new().state();
    let world = Change::Delete.before().await;
    assert!(world.state().len() > empty.len() + 20);
    let operator = world.operator();
    Change::Delete.make(&world);
    drop(operator);
    let _second = world.operator();
    Change::Delete.settled(&world).await;
    assert_same(&world.state(), &empty, "deleted");
    assert!(world.writes().is_empty(), "the garbage collector does it all: {:#?}", world.writes());
}

#[tokio::test(start_paused = true)]
async fn a_second_pass_writes_nothing() {
    let world = Change::Scale.before().await;
    let operator = world.operator();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(world.writes().is_empty(), "a new operator on a settled cluster: {:#?}", world.writes());
    // a label put on by somebody else costs nothing either
    world.api.edit::<Deployment>(NAMESPACE, "c-history", |d| {
        d.metadata.labels.get_or_insert_default().insert("theirs".into(), "1".into());
    });
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(world.writes().is_empty(), "a foreign label: {:#?}", world.writes());
    drop(operator);
}

#[tokio::test(start_paused = true)]
async fn hand_made_changes_are_put_right() {
    let world = Change::Scale.before().await;
    let before = world.state();
    let _operator = world.operator();
    world.api.delete::<Service>(NAMESPACE, "c-frontend");
    world.api.edit::<Deployment>(NAMESPACE, "c-matching", |d| {
        d.spec.as_mut().unwrap().template.spec.as_mut().unwrap().containers[0].image = Some("theirs".into());
    });
    world.api.edit::<ConfigMap>(NAMESPACE, "c-dynamicconfig", |c| {
        c.data.as_mut().unwrap().insert("dynamic_config.yaml".into(), "theirs".into());
    });
    world.settled().await;
    let after = world.state();
    for name in before.keys().filter(|n| n.contains("Service") || n.contains("ConfigMap")) {
        assert_eq!(after.get(name), before.get(name), "{name}");
    }
    let matching: Deployment = world.api.get(NAMESPACE, "c-matching").unwrap();
    let image = matching.spec.unwrap().template.spec.unwrap().containers[0].image.clone();
    assert_eq!(image.as_deref(), Some("temporalio/server:1.31.2"));
}

#[tokio::test(start_paused = true)]
async fn a_failed_schema_job_says_why_and_is_tried_again() {
    let world = World::new();
    world.sim.fail_jobs(|_| Some("pq: password authentication failed for user \"temporal\"".to_owned()));
    world.api.put(&manifest());
    let _operator = world.operator();
    world.says("password authentication failed").await;
    world.sim.fail_jobs(|_| None);
    world.settled().await;
}

/// How many history pods there should be.
fn history_pods(world: &World) -> i32 {
    let history: Deployment = world.api.get(NAMESPACE, "c-history").unwrap();
    history.spec.unwrap().replicas.unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_number_of_pods_passes_to_an_autoscaler_and_back_without_a_dip() {
    let world = Change::Scale.before().await;
    let _operator = world.operator();
    Change::Scale.make(&world);
    world.settled().await;
    let history = |spec: Value| {
        let services = json!({"history": spec});
        world.change(|c| c.spec.services = serde_json::from_value(services).unwrap());
    };
    let fewest = Arc::new(AtomicI32::new(i32::MAX));
    let watched = fewest.clone();
    world.sim.rollouts(move |deployment| {
        if deployment["metadata"]["name"] == "c-history" {
            let pods = deployment["spec"]["replicas"].as_i64().and_then(|n| i32::try_from(n).ok());
            watched.fetch_min(pods.unwrap_or(0), Ordering::Relaxed);
        }
        Rollout::Completes
    });
    let requests = json!({"requests": {"cpu": "1"}});
    history(json!({"resources": requests, "autoscaling": {"minReplicas": 2, "maxReplicas": 5}}));
    world.settled().await;
    assert!(world.api.get::<HorizontalPodAutoscaler>(NAMESPACE, "c-history").is_some());
    assert_eq!(history_pods(&world), 3);
    // the autoscaler's own write
    world.api.edit::<Deployment>(NAMESPACE, "c-history", |d| d.spec.as_mut().unwrap().replicas = Some(4));
    world.settled().await;
    assert_eq!(history_pods(&world), 4, "it is the autoscaler's");
    history(json!({"resources": requests}));
    world.settled().await;
    assert!(world.api.get::<HorizontalPodAutoscaler>(NAMESPACE, "c-history").is_none());
    assert_eq!(history_pods(&world), 4, "it stays");
    history(json!({"resources": requests, "replicas": 3}));
    world.settled().await;
    assert_eq!((history_pods(&world), fewest.load(Ordering::Relaxed)), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn a_backup_before_an_upgrade_runs_once_and_is_tried_again_only_when_asked() {
    let world = Change::Upgrade.before().await;
    let backups = |world: &World| {
        let made = |c: &&Call| c.resource == "jobs" && c.changed && c.name.contains("before-upgrade");
        world.writes().iter().filter(made).count()
    };
    let operator = world.operator();
    world.sim.fail_jobs(|_| Some("pg_dump: error: connection refused".to_owned()));
    upgrade_after_a_backup(&world);
    world.says("failed at backup: pg_dump: error: connection refused").await;
    // Kubernetes removes the Job, the operator is another: nothing is done until somebody acts
    world.sim.expire_jobs();
    drop(operator);
    let operator = world.operator();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(backups(&world), 1);
    assert_eq!(world.cluster().status.unwrap().version.as_deref(), Some("1.31.2"));

    world.sim.fail_jobs(|_| None);
    world.change(|c| {
        c.metadata.annotations.get_or_insert_default().insert("temporal.io/restartedAt".into(), "again".into());
    });
    let recorded = |c: TemporalCluster| c.status?.rollout?.before_upgrade.filter(|b| b.failure.is_none());
    world.api.wait_until(|api| api.get(NAMESPACE, CLUSTER).and_then(recorded).is_some()).await;
    world.sim.expire_jobs();
    drop(operator);
    let _operator = world.operator();
    world.settled().await;
    assert_eq!(world.cluster().status.unwrap().version.as_deref(), Some("1.32.0"));
    assert!(backups(&world) <= 3, "a failed one, its removal at most, a good one: {}", backups(&world));
}

#[tokio::test(start_paused = true)]
async fn an_object_of_somebody_else_is_not_taken() {
    let world = World::new();
    let theirs: Service = serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "c-frontend", "namespace": NAMESPACE},
        "spec": {"ports": [{"port": 1}]},
    }))
    .unwrap();
    world.api.put(&theirs);
    world.api.put(&manifest());
    let _operator = world.operator();
    world.says("Service c-frontend exists and does not belong").await;
    let still: Service = world.api.get(NAMESPACE, "c-frontend").unwrap();
    assert_eq!(still.spec.unwrap().ports.unwrap()[0].port, 1);
    world.api.delete::<Service>(NAMESPACE, "c-frontend");
    world.settled().await;
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_installed_later_is_taken_up_without_a_restart() {
    let world = World::new();
    let mut cluster = manifest();
    let metrics = json!({"enabled": true, "prometheus": {"scrapeConfig": {"serviceMonitor": {"enabled": true}}}});
    cluster.spec.metrics = serde_json::from_value(metrics).unwrap();
    world.api.put(&cluster);
    let _operator = world.operator();
    world.settled().await;
    world.says("Note: ServiceMonitors wait for the kind").await;
    assert!(!world.state().keys().any(|k| k.contains("ServiceMonitor")));

    world.api.register_crds(&[serde_json::from_value(json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "servicemonitors.monitoring.coreos.com"},
        "spec": {
            "group": "monitoring.coreos.com", "scope": "Namespaced",
            "names": {"kind": "ServiceMonitor", "plural": "servicemonitors"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            }}}],
        },
    }))
    .unwrap()]);
    let there = |api: &FakeApi, name: &str| api.get::<ServiceMonitor>(NAMESPACE, name).is_some();
    world.api.wait_until(|api| there(api, "c-frontend") && there(api, "c-worker")).await;
    world.settled().await;
    let message = world.cluster().status.unwrap().message.unwrap();
    assert!(!message.contains("ServiceMonitor"), "{message}");

    world.api.delete::<ServiceMonitor>(NAMESPACE, "c-history");
    world.api.wait_until(|api| there(api, "c-history")).await;
    world.change(|c| c.spec.metrics = None);
    world.api.wait_until(|api| api.list::<ServiceMonitor>(None).is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn looks_after_the_listed_namespaces_and_no_other() {
    let world = World::new();
    // the Secret of these two is missing: the operator says so
    for namespace in ["second", "other"] {
        let mut cluster = manifest();
        cluster.metadata.namespace = Some(namespace.to_owned());
        world.api.put(&cluster);
    }
    world.api.put(&manifest());
    let _operator = world.operator_of(&["second", NAMESPACE, "not-there"]);
    world.settled().await;
    let told = |namespace: &str| world.api.get::<TemporalCluster>(namespace, CLUSTER).unwrap().status.is_some();
    assert!(told("second"), "a cluster of the second namespace is looked after");
    assert!(!told("other"), "a cluster of a namespace that is not listed is left alone");
    let listed = |call: &Call| ["second", NAMESPACE, "not-there"].contains(&call.namespace.as_str());
    let outside: Vec<_> = world.api.audit().into_iter().filter(|c| c.user == OPERATOR && !listed(c)).collect();
    assert!(outside.is_empty(), "calls outside of the listed namespaces: {outside:#?}");

    let mut secret: Secret = world.api.get(NAMESPACE, "postgres").unwrap();
    secret.metadata =
        ObjectMeta { name: Some("postgres".to_owned()), namespace: Some("second".to_owned()), ..ObjectMeta::default() };
    world.api.put(&secret);
    let made = |api: &FakeApi| api.get::<Deployment>("second", "c-frontend").is_some();
    let made = tokio::time::timeout(Duration::from_secs(300), world.api.wait_until(made)).await;
    assert!(made.is_ok(), "the second cluster gets its roles beside the first");
    world.settled().await;
}
