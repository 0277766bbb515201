//! Tables of plans: what is wanted and seen, and what is done about it.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::api::TemporalWorker;
use crate::api::conditions::{self, READY, SCALING_ACTIVE};
use crate::api::worker::VersionState;
use crate::build::worker::{object_name, revision};
use crate::build::{Kind, Object, ObjectKey};
use crate::plan::seat::{AttributeStore, Home, Host};
use crate::scaling::Sample;
use crate::validate;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::SignedDuration;
use rstest::rstest;
use serde_json::{Value, json};
use std::sync::Arc;

fn worker(spec: &Value) -> ValidWorker {
    let mut all = json!({
        "apiVersion": "temporal.io/v1beta1", "kind": "TemporalWorker",
        "metadata": {"name": "orders", "namespace": "ns"},
        "spec": {
            "clusterRef": {"name": "c"}, "namespace": "shop",
            "template": {"spec": {"containers": [{"name": "worker", "image": "orders:1.0"}]}},
        },
    });
    json_patch::merge(&mut all["spec"], spec);
    validate::worker(&serde_json::from_value::<TemporalWorker>(all).unwrap()).unwrap()
}

fn unversioned(mut spec: Value) -> ValidWorker {
    spec["versioning"] = json!("Unversioned");
    worker(&spec)
}

fn serving() -> Seat {
    let attributes = AttributeStore::Index;
    let host = Host { leaving: false, ready: true, port: 7233, allowed: None, attributes };
    let cluster = crate::api::reference::ClusterRef { namespace: "ns".to_owned(), name: "c".to_owned() };
    Seat::Serving(Home { cluster, host })
}

fn waiting() -> Seat {
    Seat::Waiting("Waits until TemporalCluster ns/c is ready; see its status.".to_owned())
}

/// A Deployment with `wanted` pods, of which so many are ready.
fn live(worker: &ValidWorker, build_id: &str, wanted: i32, ready: i32) -> Deployment {
    serde_json::from_value(json!({
        "metadata": {"name": object_name(worker, build_id), "generation": 1},
        "spec": {"replicas": wanted, "selector": {}, "template": {}},
        "status": {"observedGeneration": 1, "replicas": wanted, "updatedReplicas": wanted, "readyReplicas": ready,
            "availableReplicas": ready},
    }))
    .unwrap()
}

/// Versions of which Temporal knows how they are, each with its number of pods.
fn seen(worker: &ValidWorker, versions: &[(&str, VersionState, i32)]) -> Seen {
    let mut routing = Routing::default();
    let mut seen = Seen { address: Some("c-frontend.ns.svc:7233".to_owned()), ..Seen::default() };
    for (i, (id, state, pods)) in versions.iter().enumerate() {
        let number = i64::try_from(versions.len() - i).unwrap();
        let deployment = live(worker, id, *pods, *pods);
        seen.children.push(ObjectKey { kind: Kind::Deployment, name: deployment.metadata.name.clone().unwrap() });
        seen.deployments.insert((*id).to_owned(), deployment);
        if worker.versioned {
            seen.revisions.insert((*id).to_owned(), Revision { number, template: worker.template.clone() });
            seen.children.push(revision(worker, id, number, &worker.template).key());
        }
        if *state == VersionState::Current {
            routing.current = Some((*id).to_owned());
        }
        routing.versions.insert((*id).to_owned(), KnownVersion { state: *state, ..KnownVersion::default() });
    }
    seen.temporal = InTemporal::Known(Box::new(routing));
    seen
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn planned(worker: &ValidWorker, seat: &Seat, seen: &Seen, old: &TemporalWorkerStatus) -> WorkerPlan {
    plan(worker, Some(1), seat, Some(seen), old, at(1000))
}

/// Numbers of pods of the Deployments that are wanted, by name.
fn sizes(plan: &WorkerPlan) -> BTreeMap<String, Option<i32>> {
    let deployments = plan.changes.objects.iter().filter_map(|object| match object {
        Object::Deployment(d) => Some((d.metadata.name.clone().unwrap(), d.spec.as_ref().unwrap().replicas)),
        _ => None,
    });
    deployments.collect()
}

fn size(plan: &WorkerPlan, worker: &ValidWorker, build_id: &str) -> Option<i32> {
    sizes(plan).get(&object_name(worker, build_id)).copied().flatten()
}

fn reason(plan: &WorkerPlan, type_: &str) -> String {
    conditions::get(&plan.status.conditions, type_).map(|c| c.reason.clone()).unwrap_or_default()
}

fn message(plan: &WorkerPlan) -> &str {
    plan.status.message.as_deref().unwrap()
}

#[rstest]
#[case::given(json!({"replicas": 4}), None, Some(4))]
#[case::none_given_at_first(json!({}), None, Some(1))]
#[case::none_given(json!({}), Some(7), None)]
#[case::none(json!({"replicas": 0}), Some(7), Some(0))]
#[case::scaled_at_first(json!({"scaling": {"min": 3, "max": 5, "taskQueues": [{"name": "q"}]}}), None, Some(3))]
#[case::scaled_without_an_answer(json!({"scaling": {"min": 1, "max": 9, "taskQueues": [{"name": "q"}]}}), Some(7), Some(7))]
fn numbers_of_unversioned_workers(#[case] spec: Value, #[case] present: Option<i32>, #[case] expected: Option<i32>) {
    let worker = unversioned(spec);
    let mut seen = Seen { address: Some("a:1".to_owned()), ..Seen::default() };
    seen.deployments.extend(present.map(|pods| (String::new(), live(&worker, "", pods, pods))));
    let plan = planned(&worker, &serving(), &seen, &TemporalWorkerStatus::default());
    assert_eq!(sizes(&plan), BTreeMap::from([("orders".to_owned(), expected)]));
    let kinds: Vec<Kind> = plan.changes.objects.iter().map(Object::kind).collect();
    let budget = expected.or(present) != Some(0);
    let expected = if budget { vec![Kind::PodDisruptionBudget, Kind::Deployment] } else { vec![Kind::Deployment] };
    assert_eq!(kinds, expected);
}

#[rstest]
#[case::serving(serving(), false, true)]
#[case::a_cluster_that_is_not_ready_yet(waiting(), false, false)]
#[case::a_cluster_that_is_not_ready(waiting(), true, true)]
#[case::no_cluster(Seat::Absent("no".to_owned()), true, false)]
#[case::not_allowed(Seat::Refused("no".to_owned()), true, false)]
fn what_is_made_where(#[case] seat: Seat, #[case] begun: bool, #[case] made: bool) {
    let worker = worker(&json!({}));
    let versions = [("old", VersionState::Current, 2)];
    let mut seen = seen(&worker, if begun { &versions } else { &[] });
    if seat.home().is_none() {
        seen.temporal = InTemporal::Unknown;
    }
    seen.deployments.clear();
    let plan = planned(&worker, &seat, &seen, &TemporalWorkerStatus::default());
    assert_eq!(!plan.changes.objects.is_empty(), made, "{:?}", plan.status);
    assert!(plan.changes.prune.is_empty());
    assert!(!conditions::is_true(&plan.status.conditions, READY));
}

/// Before it takes a share of the work, a candidate has that share of the pods; its own work does not ask for them yet.
#[rstest]
#[case::at_once(json!({"strategy": "AllAtOnce"}), 8)]
#[case::first_step(json!({"strategy": "Progressive", "steps": [{"percent": 20, "pause": "1m"}]}), 2)]
#[case::no_more_than_max(json!({"strategy": "Manual"}), 8)]
fn a_candidate_has_the_pods_for_its_next_share(#[case] rollout: Value, #[case] expected: i32) {
    let worker = worker(&json!({"scaling": {"min": 1, "max": 8}, "rollout": rollout}));
    let target = build_id(&worker);
    let seen = seen(&worker, &[("old", VersionState::Current, 10), (target.as_str(), VersionState::Inactive, 1)]);
    let plan = planned(&worker, &serving(), &seen, &TemporalWorkerStatus::default());
    assert_eq!(size(&plan, &worker, &target), Some(expected));
}

/// Whatever served, drained and rested before Temporal was silent does so after.
#[test]
fn nothing_changes_while_temporal_is_silent() {
    let worker = worker(&json!({"replicas": 2}));
    let target = build_id(&worker);
    let known = [
        (target.as_str(), VersionState::Current, 2),
        ("draining", VersionState::Draining, 3),
        ("drained", VersionState::Drained, 0),
    ];
    let mut seen = seen(&worker, &known);
    let old = planned(&worker, &serving(), &seen, &TemporalWorkerStatus::default()).status;
    seen.temporal = InTemporal::Unknown;
    seen.silence = Some(Silence { why: "nothing".to_owned(), why_not: WhyNot::Silent, since: at(990) });
    seen.deployments.remove("draining");
    let plan = planned(&worker, &serving(), &seen, &old);
    assert_eq!(size(&plan, &worker, &target), Some(2));
    assert_eq!(size(&plan, &worker, "draining"), Some(2), "made again with the number that the status has");
    assert_eq!(size(&plan, &worker, "drained"), Some(0));
    let lost: Vec<_> = plan.changes.prune.iter().filter(|k| k.kind != Kind::PodDisruptionBudget).collect();
    assert!(lost.is_empty() && plan.acts.is_empty(), "{lost:?}");
    assert_eq!(plan.status.current, old.current);
    assert_eq!(plan.status.message, old.message, "it may pass");
    // after half a minute it is told
    seen.silence = Some(Silence { why: "nothing".to_owned(), why_not: WhyNot::Silent, since: at(960) });
    let plan = planned(&worker, &serving(), &seen, &old);
    assert_eq!(reason(&plan, READY), "TemporalUnreachable");
    assert_eq!(
        plan.status.versions.iter().map(|v| v.state).collect::<Vec<_>>(),
        old.versions.iter().map(|v| v.state).collect::<Vec<_>>()
    );
}

#[test]
fn a_refusal_of_temporals_is_told_at_once() {
    let worker = worker(&json!({}));
    let mut seen = seen(&worker, &[]);
    seen.temporal = InTemporal::Unknown;
    seen.silence = Some(Silence { why: "no".to_owned(), why_not: WhyNot::Refused, since: at(1000) });
    let plan = planned(&worker, &serving(), &seen, &TemporalWorkerStatus::default());
    assert_eq!(reason(&plan, READY), "TemporalRefused");
    assert!(!plan.changes.objects.is_empty(), "the pods are made all the same");
}

fn outside() -> ValidWorker {
    let connection = json!({"hostPort": "h:7233", "apiKeySecretRef": {"name": "keys", "key": "k"}});
    worker(&json!({"clusterRef": null, "connection": connection, "replicas": 2}))
}

/// Whatever is wrong with credentials, the pods that are there stay, and none is made that could not work.
#[rstest]
#[case::missing(Seat::NoCredentials("There is no Secret.".to_owned()), "SecretMissing", Phase::Pending)]
#[case::wrong(Seat::BadCredentials("It is no key.".to_owned()), "CredentialsInvalid", Phase::Failed)]
fn nothing_is_made_or_taken_away_without_credentials(#[case] seat: Seat, #[case] expected: &str, #[case] phase: Phase) {
    let worker = outside();
    let mut seen = seen(&worker, &[(build_id(&worker).as_str(), VersionState::Current, 2)]);
    (seen.temporal, seen.address) = (InTemporal::Unknown, None);
    let plan = planned(&worker, &seat, &seen, &TemporalWorkerStatus::default());
    assert_eq!((reason(&plan, READY).as_str(), plan.status.phase), (expected, Some(phase)));
    assert_eq!(plan.changes, Changes::default());
}

#[test]
fn credentials_that_are_not_taken_are_told_at_once_and_seldom_tried() {
    let worker = outside();
    let target = build_id(&worker);
    let mut seen = seen(&worker, &[(target.as_str(), VersionState::Current, 2)]);
    let old = planned(&worker, &Seat::outside("h:7233"), &seen, &TemporalWorkerStatus::default()).status;
    seen.temporal = InTemporal::Unknown;
    let why = "Temporal denies the operator X: no (do this)".to_owned();
    seen.silence = Some(Silence { why, why_not: WhyNot::Credentials, since: at(1000) });
    let plan = planned(&worker, &Seat::outside("h:7233"), &seen, &old);
    assert_eq!((reason(&plan, READY).as_str(), plan.wake), ("CredentialsRefused", Wake::After(CALM)));
    assert_eq!(size(&plan, &worker, &target), Some(2), "the pods stay");
    assert!(plan.status.message.unwrap().contains("no (do this). It is tried again; the pods stay as they are."));
}

#[rstest]
#[case::starting(2, 0, None, "WorkersStarting", "0 of 2 pods are ready.", false)]
#[case::some(2, 1, None, "WorkersStarting", "1 of 2 pods are ready.", true)]
#[case::ready(2, 2, None, "WorkersReady", "2 pods work for namespace shop.", true)]
#[case::held_back(
    2,
    1,
    Some("True"),
    "WorkersNotReady",
    "1 of 2 pods are ready. Pod p cannot be scheduled: no room.",
    true
)]
#[case::late(2, 0, Some("False"), "WorkersNotReady", "The pods make no progress: 0 of 2 pods are ready. Pod p", false)]
fn how_it_stands(
    #[case] wanted: i32,
    #[case] ready: i32,
    #[case] progressing: Option<&str>,
    #[case] expected: &str,
    #[case] words: &str,
    #[case] serves: bool,
) {
    let worker = unversioned(json!({"replicas": wanted}));
    let mut seen = Seen { address: Some("a:1".to_owned()), ..Seen::default() };
    let mut deployment = live(&worker, "", wanted, ready);
    if let Some(status) = progressing {
        let all = json!([{"type": "Progressing", "status": status}]);
        deployment.status.as_mut().unwrap().conditions = serde_json::from_value(all).unwrap();
        let unscheduled = json!([{"type": "PodScheduled", "status": "False", "message": "no room"}]);
        let pod: Pod =
            serde_json::from_value(json!({"metadata": {"name": "p"}, "status": {"conditions": unscheduled}})).unwrap();
        seen.pods = vec![Arc::new(pod)];
    }
    seen.deployments.insert(String::new(), deployment);
    let plan = planned(&worker, &serving(), &seen, &TemporalWorkerStatus::default());
    assert_eq!(reason(&plan, READY), expected);
    assert!(message(&plan).starts_with(words), "{}", message(&plan));
    assert_eq!(conditions::is_true(&plan.status.conditions, READY), serves);
}

#[test]
fn a_version_that_nothing_needs_goes_with_its_template_and_another_does_not() {
    let worker = worker(&json!({}));
    let target = build_id(&worker);
    let seen = seen(&worker, &[(&target, VersionState::Current, 1), ("b", VersionState::Drained, 0)]);
    let sight = Sight {
        valid: &worker,
        generation: Some(1),
        seat: &serving(),
        old: &TemporalWorkerStatus::default(),
        now: at(1000),
    };
    let fates = |fate: Fate| BTreeMap::from([(target.clone(), Fate::Serves), ("b".to_owned(), fate)]);
    let prune = |fate: Fate| {
        let versions = numbers::of(&sight, &seen, &target, &Decided { fates: fates(fate), ..Decided::default() });
        objects::of(&sight, &seen, &versions).prune
    };
    assert!(prune(Fate::Rests).is_empty());
    let gone: Vec<Kind> = prune(Fate::Goes).iter().map(|k| k.kind).collect();
    assert_eq!(gone, [Kind::Deployment, Kind::ControllerRevision]);
}

fn sample(second: i64, backlog: u64) -> Sample {
    Sample {
        at: at(second),
        ready: 1,
        backlog,
        backlog_age: Duration::from_secs(backlog / 10),
        add_rate: 1.0,
        dispatch_rate: 1.0,
        ..Sample::default()
    }
}

#[test]
fn numbers_that_move_are_written_every_half_a_minute_at_most() {
    let worker = worker(&json!({"scaling": {"max": 5}}));
    let target = build_id(&worker);
    let mut seen = seen(&worker, &[(&target, VersionState::Current, 1)]);
    let mut old = TemporalWorkerStatus::default();
    let mut written = Vec::new();
    for second in (1000..1100).step_by(10) {
        let InTemporal::Known(routing) = &mut seen.temporal else { panic!("it is known") };
        let version = routing.versions.get_mut(&target).unwrap();
        version.load.push(sample(second, 1000 + u64::try_from(second).unwrap()));
        let new = plan(&worker, Some(1), &serving(), Some(&seen), &old, at(second)).status;
        if new != old {
            written.push((second, new.versions[0].backlog.unwrap()));
        }
        old = new;
    }
    assert_eq!(written, [(1000, 2000)], "2000 and 2090 are both 2000");
    let InTemporal::Known(routing) = &mut seen.temporal else { panic!("it is known") };
    routing.versions.get_mut(&target).unwrap().load.push(sample(1101, 9999));
    let new = plan(&worker, Some(1), &serving(), Some(&seen), &old, at(1029)).status;
    assert_eq!(new.versions[0].backlog, Some(2000), "not yet");
    let new = plan(&worker, Some(1), &serving(), Some(&seen), &old, at(1031)).status;
    assert_eq!((new.versions[0].backlog, new.measured_at.map(|t| t.0)), (Some(9900), Some(at(1031))));
}

#[test]
fn scaling_says_whether_it_acts() {
    let worker = worker(&json!({"scaling": {"max": 5}}));
    let target = build_id(&worker);
    let mut seen = seen(&worker, &[(&target, VersionState::Current, 1)]);
    let status = planned(&worker, &serving(), &seen, &TemporalWorkerStatus::default());
    assert_eq!(reason(&status, SCALING_ACTIVE), "WorkUnknown");
    let InTemporal::Known(routing) = &mut seen.temporal else { panic!("it is known") };
    routing.versions.get_mut(&target).unwrap().load.push(sample(999, 5));
    let status = planned(&worker, &serving(), &seen, &TemporalWorkerStatus::default());
    assert_eq!(reason(&status, SCALING_ACTIVE), "ScalingByWork");
    let fixed = self::worker(&json!({"replicas": 2}));
    let status = planned(&fixed, &serving(), &seen, &status.status);
    assert_eq!(reason(&status, SCALING_ACTIVE), "", "it is gone with spec.scaling");
}

#[rstest]
#[case::stays(json!({}), serving(), true, Finalizer::LetGo, &[])]
#[case::pods_first(json!({"allowDeletion": true}), serving(), true, Finalizer::Hold, &[])]
#[case::then_temporal(json!({"allowDeletion": true}), serving(), false, Finalizer::Hold,
    &[Act::SetCurrent(String::new()), Act::DeleteVersion("a".to_owned()), Act::DeleteDeployment])]
#[case::waits(json!({"allowDeletion": true}), waiting(), false, Finalizer::Hold, &[])]
#[case::no_cluster(json!({"allowDeletion": true}), Seat::Absent("no".to_owned()), true, Finalizer::LetGo, &[])]
fn its_end(#[case] spec: Value, #[case] seat: Seat, #[case] pods: bool, #[case] hold: Finalizer, #[case] acts: &[Act]) {
    let mut worker = worker(&spec);
    worker.deleting = true;
    let seen = seen(&worker, &[("a", VersionState::Current, i32::from(pods))]);
    let plan = planned(&worker, &seat, &seen, &TemporalWorkerStatus::default());
    assert_eq!((plan.finalizer, plan.acts.as_slice()), (hold, acts));
    if hold == Finalizer::Hold {
        assert_eq!(size(&plan, &worker, "a"), Some(0));
        assert!(message(&plan).contains("temporal.io/let-go=true"));
    }
}

#[test]
fn a_plan_for_what_is_settled_changes_nothing_later() {
    let worker = worker(&json!({}));
    let target = build_id(&worker);
    let seen = seen(&worker, &[(&target, VersionState::Current, 1), ("b", VersionState::Drained, 0)]);
    let status = planned(&worker, &serving(), &seen, &TemporalWorkerStatus::default()).status;
    let later = at(1000) + SignedDuration::from_hours(24);
    assert_eq!(plan(&worker, Some(1), &serving(), Some(&seen), &status, later).status, status);
}
