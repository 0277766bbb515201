//! Planning tables: spec, what is seen and the clock in; objects, status and wake out.

use super::*;
use crate::api::TemporalCluster;
use crate::api::conditions::{self, READY, RECONCILING, STALLED};
use crate::api::labels;
use crate::api::status::Phase;
use crate::build::{Kind, job, server};
use crate::validate::{self, StoreKind};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus};
use k8s_openapi::api::batch::v1::{Job, JobCondition, JobStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use rstest::rstest;
use serde_json::json;
use std::sync::Arc;

mod autoscaling;
mod delivery;
mod dual;
mod faults;
mod gate;
mod rollouts;
mod secrets;
mod visibility;

/// A small world: a cluster, what is seen of it, its status and the time.
struct World {
    resource: TemporalCluster,
    seen: Observed,
    status: TemporalClusterStatus,
    now: i64,
}

impl World {
    fn new() -> Self {
        let resource: TemporalCluster = serde_json::from_value(json!({
            "apiVersion": "temporal.io/v1beta1", "kind": "TemporalCluster",
            "metadata": {"name": "c", "namespace": "ns", "uid": "u", "generation": 1},
            "spec": {
                "version": "1.31.2", "numHistoryShards": 64,
                "persistence": {
                    "defaultStore": {"sql": {"pluginName": "postgres12", "user": "t", "databaseName": "a", "connectAddr": "db:5432",
                        "maxServerConnections": 300},
                        "passwordSecretRef": {"name": "s"}},
                    "visibilityStore": {"sql": {"pluginName": "postgres12", "user": "t", "databaseName": "b", "connectAddr": "db:5432"},
                        "passwordSecretRef": {"name": "s"}},
                },
            },
        }))
        .unwrap();
        let seen = Observed {
            cluster: "c".to_owned(),
            secrets: [("s".to_owned(), Some("7".to_owned()))].into(),
            ..Observed::default()
        };
        Self { resource, seen, status: TemporalClusterStatus::default(), now: 1000 }
    }

    fn valid(&self) -> ValidCluster {
        let mut resource = self.resource.clone();
        resource.status = Some(self.status.clone());
        validate::cluster(&resource).unwrap()
    }

    fn at(&self) -> Timestamp {
        Timestamp::from_second(self.now).unwrap()
    }

    /// A pass, and another where the first one only makes polls short.
    fn step(&mut self) -> Plan {
        let plan = self.pass();
        if !self.message().starts_with("The rollout begins in some seconds") {
            return plan;
        }
        self.now += 12;
        self.pass()
    }

    /// Plans, and takes the status and the objects over as if they had been written.
    fn pass(&mut self) -> Plan {
        let plan = cluster(&self.valid(), Some(1), &self.status, &self.seen, self.at()).unwrap();
        self.status = plan.status.clone();
        for object in &plan.changes.objects {
            let key = object.key();
            let applied_hash = Some(object.sealed().unwrap().hash);
            self.seen.children.retain(|c| c.key != key);
            let config_hash = object.metadata().labels.as_ref().and_then(|l| l.get(labels::CONFIG_HASH).cloned());
            self.seen.children.push(Child { key, config_hash, applied_hash });
        }
        plan
    }

    fn finish_job(&mut self, store: StoreKind, attempt: u32, condition: &str) {
        let valid = self.valid();
        let store = valid.stores().find(|s| s.kind == store).unwrap();
        let Object::Job(mut job) = job::schema(&valid, store, &secret_versions(&self.seen), attempt) else {
            unreachable!()
        };
        job.status = Some(JobStatus {
            conditions: Some(vec![JobCondition {
                type_: condition.to_owned(),
                status: "True".to_owned(),
                last_transition_time: Some(Time(self.at())),
                ..JobCondition::default()
            }]),
            ..JobStatus::default()
        });
        self.see_job(*job);
    }

    /// The first Job of the default store, not ended yet.
    fn begin_job(&mut self) {
        let valid = self.valid();
        let running = job::schema(&valid, &valid.default_store, &secret_versions(&self.seen), 1);
        let Object::Job(running) = running else { unreachable!() };
        self.see_job(*running);
    }

    fn see_job(&mut self, job: Job) {
        let key = ObjectKey { kind: Kind::Job, name: job.metadata.name.clone().unwrap() };
        self.seen.jobs.retain(|j| j.metadata.name != job.metadata.name);
        self.seen.jobs.push(Arc::new(job));
        self.see_child(key, None);
    }

    fn see_child(&mut self, key: ObjectKey, config_hash: Option<&str>) {
        self.seen.children.retain(|c| c.key != key);
        self.seen.children.push(Child { key, config_hash: config_hash.map(str::to_owned), applied_hash: None });
    }

    /// The roles that the present spec wants.
    fn roles(&self) -> Vec<Role> {
        self.valid().roles.keys().copied().collect()
    }

    /// The role's Deployment as the present spec wants it, complete.
    fn run_role(&mut self, role: Role) {
        let valid = self.valid();
        let config = ServerConfig::render(&valid);
        let secrets = secret_versions(&self.seen);
        let Ok(Object::Deployment(mut live)) = server::deployment(&valid, role, &config, &secrets, None) else {
            unreachable!()
        };
        let wanted = live.spec.as_mut().unwrap().replicas.get_or_insert(1).to_owned();
        live.metadata.generation = Some(1);
        live.status = Some(DeploymentStatus {
            observed_generation: Some(1),
            replicas: Some(wanted),
            updated_replicas: Some(wanted),
            ready_replicas: Some(wanted),
            ..DeploymentStatus::default()
        });
        self.see_deployment(*live);
    }

    fn see_deployment(&mut self, live: Deployment) {
        let key = ObjectKey { kind: Kind::Deployment, name: live.metadata.name.clone().unwrap() };
        self.seen.deployments.retain(|d| d.metadata.name != live.metadata.name);
        self.seen.deployments.push(Arc::new(live));
        if !self.seen.children.iter().any(|c| c.key == key) {
            self.see_child(key, None);
        }
    }

    fn see_temporal(&mut self, members: i32) {
        let ring = |role: Role| (role.name().to_owned(), (0..members).map(|n| format!("10.0.0.{n}:1")).collect());
        let shards = u32::try_from(self.resource.spec.num_history_shards).unwrap();
        self.seen.temporal = TemporalView::Seen(Membership {
            rings: self.roles().into_iter().map(ring).collect(),
            shards,
            owned_shards: shards,
            cluster_name: "c".to_owned(),
            visibility_failure: None,
            secondary_failure: None,
        });
    }

    /// A cluster that has been made and serves.
    fn serving() -> Self {
        let mut world = Self::new();
        world.serve();
        world
    }

    /// Everything is made and serves, with one pod of each role.
    fn serve(&mut self) {
        self.serve_with(1);
    }

    /// The same with another number of history pods.
    fn serve_with(&mut self, history: i32) {
        self.finish_job(StoreKind::Default, 1, "Complete");
        self.finish_job(StoreKind::Visibility, 1, "Complete");
        self.roll_with(history);
        assert_eq!(self.status.phase, Some(Phase::Ready), "{:?}", self.status.message);
    }

    /// Every role runs as it is wanted now, proven.
    fn roll(&mut self) {
        self.roll_with(1);
    }

    fn roll_with(&mut self, history: i32) {
        for role in self.roles() {
            self.run_role(role);
        }
        self.see_temporal(1);
        if let TemporalView::Seen(membership) = &mut self.seen.temporal {
            let ring = (0..history).map(|n| format!("10.0.0.{n}:1")).collect();
            membership.rings.insert(Role::History.name().to_owned(), ring);
        }
        self.step();
        self.step();
    }

    fn message(&self) -> &str {
        self.status.message.as_deref().unwrap_or_default()
    }

    fn condition(&self, type_: &str) -> (&str, &str) {
        let c = conditions::get(&self.status.conditions, type_).unwrap();
        (&c.status, &c.reason)
    }
}

fn jobs(plan: &Plan) -> Vec<String> {
    plan.changes.objects.iter().filter(|o| o.kind() == Kind::Job).map(|o| o.key().name).collect()
}

fn roles(plan: &Plan) -> Vec<String> {
    let name = |o: &Object| o.key().name.trim_start_matches("c-").to_owned();
    plan.changes.objects.iter().filter(|o| o.kind() == Kind::Deployment).map(name).collect()
}

#[test]
fn a_new_cluster_begins_with_the_schema_of_the_default_store() {
    let mut world = World::new();
    let plan = world.step();
    assert_eq!(jobs(&plan).len(), 1);
    assert!(jobs(&plan)[0].starts_with("c-schema-default-"));
    assert!(roles(&plan).is_empty(), "no server before its schema");
    assert_eq!(world.status.phase, Some(Phase::Creating));
    assert_eq!(world.condition(READY), ("False", "SchemaPending"));
    assert_eq!(world.condition(RECONCILING).0, "True");
    assert_eq!(world.condition(STALLED).0, "False");
}

#[test]
fn the_second_store_waits_for_the_first() {
    let mut world = World::new();
    world.begin_job();
    assert!(jobs(&world.step()).is_empty(), "one Job at a time, and one that runs is left alone");
    world.finish_job(StoreKind::Default, 1, "Complete");
    let plan = world.step();
    assert!(jobs(&plan)[0].starts_with("c-schema-visibility-"));
    assert!(roles(&plan).is_empty());
}

#[test]
fn every_role_is_made_at_once_when_the_schema_is_there() {
    let mut world = World::new();
    world.finish_job(StoreKind::Default, 1, "Complete");
    world.finish_job(StoreKind::Visibility, 1, "Complete");
    let plan = world.step();
    assert_eq!(roles(&plan), ["matching", "history", "frontend", "worker"]);
    assert_eq!(
        world.status.persistence.as_ref().unwrap().default_store.as_ref().unwrap().schema_version.as_deref(),
        Some("1.31.2")
    );
    let kinds: Vec<_> = plan.changes.objects.iter().map(Object::kind).collect();
    assert!(kinds.is_sorted(), "what pods need is applied first: {kinds:?}");
}

#[test]
fn a_recorded_schema_outlives_its_jobs() {
    let mut world = World::serving();
    world.seen.jobs.clear();
    world.seen.children.retain(|c| c.key.kind != Kind::Job);
    assert!(jobs(&world.step()).is_empty());
    assert_eq!(world.status.phase, Some(Phase::Ready));
}

#[test]
fn a_store_that_moves_to_another_database_is_set_up_there() {
    let mut world = World::serving();
    world.resource.spec.persistence.default_store.sql.as_mut().unwrap().database_name = "other".to_owned();
    let plan = world.step();
    assert!(jobs(&plan)[0].starts_with("c-schema-default-"));
    assert!(roles(&plan).is_empty(), "the roles keep what they have until the new schema is there");
    assert!(!plan.changes.prune.iter().any(|k| k.kind == Kind::Deployment), "{:?}", plan.changes.prune);
}

#[test]
fn a_failed_job_is_tried_again_after_a_growing_delay_and_says_why() {
    let mut world = World::new();
    world.finish_job(StoreKind::Default, 1, "Failed");
    let plan = world.step();
    assert!(jobs(&plan).is_empty());
    assert_eq!(plan.wake, Duration::from_secs(1));
    assert_eq!(world.condition(READY), ("False", "SchemaFailed"));
    world.now += 1;
    let plan = world.step();
    assert_eq!(
        jobs(&plan),
        [job::name(&world.valid(), &world.valid().default_store, &secret_versions(&world.seen), 2)]
    );
    assert_eq!(plan.changes.prune.len(), 1, "the failed try goes: {:?}", plan.changes.prune);
}

#[test]
fn a_missing_secret_is_named_and_nothing_that_needs_it_is_made() {
    let mut world = World::new();
    world.seen.secrets.insert("s".to_owned(), None);
    let plan = world.step();
    assert!(jobs(&plan).is_empty() && roles(&plan).is_empty());
    assert_eq!(world.status.phase, Some(Phase::Pending));
    assert_eq!(world.message(), "Waits for the Secret \"s\" in namespace \"ns\"; create it with the key \"password\".");
}

#[test]
fn ready_needs_temporals_own_word() {
    let mut world = World::serving();
    world.status = TemporalClusterStatus::default();
    world.finish_job(StoreKind::Default, 1, "Complete");
    world.seen.temporal = TemporalView::Silent { why: "no answer".to_owned(), since: world.at(), rings: None };
    world.step();
    assert_eq!(world.condition(READY), ("False", "TemporalUnreachable"));
    world.see_temporal(2);
    world.step();
    assert_eq!(world.condition(READY), ("False", "RingDiffers"));
    world.see_temporal(1);
    world.step();
    assert_eq!(world.condition(READY), ("True", "ClusterReady"));
    assert_eq!(world.message(), "Temporal 1.31.2 serves with 64 history shards.");
}

#[test]
fn a_serving_cluster_is_patient_for_a_minute_when_temporal_falls_silent() {
    let mut world = World::serving();
    world.seen.temporal = TemporalView::Silent { why: "no answer".to_owned(), since: world.at(), rings: None };
    world.now += 10;
    world.step();
    assert_eq!(world.condition(READY), ("True", "TemporalUnreachable"));
    world.now += 59;
    world.step();
    assert_eq!(world.condition(READY).0, "True");
    world.now += 2;
    world.step();
    assert_eq!(world.condition(READY), ("False", "TemporalUnreachable"));
}

#[rstest]
#[case(0, 2)]
#[case(8, 2)]
#[case(20, 5)]
#[case(40, 10)]
#[case(3600, 10)]
fn the_longer_temporal_is_silent_the_less_often_it_is_asked(#[case] silent: i64, #[case] wake: u64) {
    let mut world = World::serving();
    world.seen.temporal = TemporalView::Silent { why: "no answer".to_owned(), since: world.at(), rings: None };
    world.now += silent;
    assert_eq!(world.step().wake.as_secs(), wake);
}

#[rstest]
#[case(0, 2)]
#[case(12, 3)]
#[case(40, 10)]
#[case(3600, 15)]
fn the_longer_pods_are_waited_for_the_less_often_they_are_looked_at(#[case] waited: i64, #[case] wake: u64) {
    let mut world = World::new();
    world.begin_job();
    Arc::make_mut(&mut world.seen.jobs[0]).metadata.creation_timestamp = Some(Time(world.at()));
    world.step();
    world.now += waited;
    assert_eq!(world.step().wake.as_secs(), wake);
}

#[test]
fn a_role_on_its_way_is_looked_at_often_although_temporal_is_silent() {
    let mut world = World::serving();
    world.seen.temporal = TemporalView::Silent { why: "no answer".to_owned(), since: world.at(), rings: None };
    world.resource.spec.log = Some(serde_json::from_value(json!({"level": "debug"})).unwrap());
    world.now += 3600;
    assert_eq!(world.step().wake.as_secs(), 2);
}

#[rstest]
#[case("Temporal does not answer GetSystemInfo (frontend): reset", "The frontend does not answer the operator: ")]
#[case(
    "Temporal does not answer DescribeNamespace (database): nothing within 3s",
    "The frontend answers the operator, but the database does not answer the frontend: "
)]
#[case(
    "Temporal refuses DescribeNamespace (database) with INTERNAL: x",
    "A check of the database through the frontend fails: "
)]
#[case(
    "Temporal does not answer GetSystemInfo (frontend): the name c-frontend.ns.svc:7233 cannot be looked up: x",
    "DNS does not lead the operator to the frontend: "
)]
#[case(
    "Temporal refuses DescribeWorkflowExecution (history) with INTERNAL: x",
    "A check of the history role through the frontend fails: "
)]
fn the_sentence_names_what_is_away(#[case] why: &str, #[case] begin: &str) {
    let mut world = World::serving();
    world.seen.temporal = TemporalView::Silent { why: why.to_owned(), since: world.at(), rings: None };
    world.step();
    assert!(world.message().starts_with(&format!("{begin}{why}")), "{}", world.message());
}

#[test]
fn a_servers_error_is_told_without_its_password() {
    let mut world = World::serving();
    let why =
        "Temporal refuses DescribeCluster with INTERNAL: cannot open postgres://temporal:s3cret@db:5432/t".to_owned();
    world.seen.temporal = TemporalView::Silent { why, since: world.at(), rings: None };
    world.step();
    assert!(world.message().contains("postgres://xxxxx@db:5432/t"), "{}", world.message());
}

#[test]
fn a_config_change_rolls_one_role_after_the_other() {
    let mut world = World::serving();
    world.resource.spec.log = Some(serde_json::from_value(json!({"level": "debug"})).unwrap());
    let mut order = Vec::new();
    for _ in 0..4 {
        let plan = world.step();
        assert_eq!(world.condition(READY).0, "True", "it serves on: {}", world.message());
        assert_eq!(world.status.phase, Some(Phase::Updating));
        let changed: Vec<_> = Role::ALL
            .into_iter()
            .filter(|r| roles(&plan).contains(&r.name().to_owned()) && !order.contains(r))
            .collect();
        assert_eq!(changed.len(), 1, "{changed:?}");
        order.push(changed[0]);
        world.run_role(changed[0]);
    }
    assert_eq!(order, [Role::Matching, Role::History, Role::Frontend, Role::Worker]);
    world.step();
    assert_eq!(world.status.phase, Some(Phase::Ready));
}

#[test]
fn a_role_that_does_not_get_ready_holds_the_others_back() {
    let mut world = World::serving();
    world.resource.spec.log = Some(serde_json::from_value(json!({"level": "debug"})).unwrap());
    world.run_role(Role::Matching);
    let mut stuck = world.seen.role_deployment(Role::Matching).unwrap().clone();
    stuck.status.as_mut().unwrap().updated_replicas = Some(0);
    world.see_deployment(stuck);
    let plan = world.step();
    assert_eq!(roles(&plan), ["matching"]);
    assert!(plan.changes.prune.is_empty(), "{:?}", plan.changes.prune);
    assert!(world.message().starts_with("The matching role"), "{}", world.message());
}

#[test]
fn scaling_does_not_roll_pods_and_is_not_held_back() {
    let mut world = World::serving();
    world.resource.spec.services = Some(serde_json::from_value(json!({"history": {"replicas": 3}})).unwrap());
    let plan = world.step();
    assert_eq!(roles(&plan), ["matching", "history", "frontend", "worker"]);
    let wanted = ObjectKey { kind: Kind::Deployment, name: "c-history".to_owned() };
    let Some(Object::Deployment(history)) = plan.changes.objects.iter().find(|o| o.key() == wanted) else {
        unreachable!()
    };
    assert_eq!(history.spec.as_ref().unwrap().replicas, Some(3));
}

#[test]
fn the_next_role_waits_for_temporals_proof_of_the_last() {
    let mut world = World::serving();
    world.resource.spec.log = Some(serde_json::from_value(json!({"level": "debug"})).unwrap());
    world.run_role(Role::Matching);
    world.see_temporal(2);
    assert_eq!(roles(&world.step()), ["matching"], "the old pod is still in the ring");
    assert!(world.message().contains("ring of the frontend role has 2 members"), "{}", world.message());
    world.see_temporal(1);
    assert_eq!(roles(&world.step()), ["matching", "history"]);
}

#[test]
fn the_version_moves_when_every_role_has_and_may_be_taken_back_before() {
    let mut world = World::serving();
    world.resource.spec.version = Some("1.32.0".to_owned());
    world.finish_job(StoreKind::Default, 1, "Complete");
    world.finish_job(StoreKind::Visibility, 1, "Complete");
    world.step();
    assert_eq!(world.status.version.as_deref(), Some("1.31.2"), "not all roles have moved");
    let services: Vec<_> = world.status.services.iter().map(|s| s.version.as_str()).collect();
    assert_eq!(services, ["1.31.2"; 4], "nor has any of them begun");
    world.resource.spec.version = Some("1.31.2".to_owned());
    world.step();
    world.step();
    assert_eq!(world.status.phase, Some(Phase::Ready), "taken back: {}", world.message());
    world.resource.spec.version = Some("1.32.0".to_owned());
    for role in world.roles() {
        world.run_role(role);
    }
    world.step();
    assert_eq!(world.status.version.as_deref(), Some("1.32.0"));
}

#[test]
fn a_lost_pod_is_no_update() {
    let mut world = World::serving();
    let mut lame = world.seen.role_deployment(Role::Matching).unwrap().clone();
    lame.status.as_mut().unwrap().ready_replicas = Some(0);
    world.see_deployment(lame);
    world.step();
    assert_eq!(world.status.phase, Some(Phase::Degraded));
    assert_eq!(world.condition(READY).0, "False", "no matching pod is left");
    world.step();
    assert_eq!(world.condition(READY).0, "False");
}

#[test]
fn a_secret_that_goes_does_not_stop_a_serving_cluster() {
    let mut world = World::serving();
    world.seen.secrets.insert("s".to_owned(), None);
    let plan = world.step();
    assert!(roles(&plan).is_empty(), "{:?}", roles(&plan));
    assert!(
        plan.changes.prune.iter().all(|k| k.kind == Kind::Job),
        "only Jobs that have ended may go: {:?}",
        plan.changes.prune
    );
    assert_eq!(world.condition(READY), ("True", "SecretMissing"));
    assert_eq!(world.status.phase, Some(Phase::Degraded));
}

#[test]
fn a_new_generation_is_not_settled_before_its_objects_are_sent() {
    let mut world = World::serving();
    world.resource.spec.services = Some(serde_json::from_value(json!({"history": {"replicas": 3}})).unwrap());
    world.step();
    assert_eq!(world.condition(RECONCILING), ("True", "Applying"), "{}", world.message());
    assert_eq!(world.condition(READY).0, "True");
}

#[test]
fn a_corrected_secret_is_tried_at_once() {
    let mut world = World::new();
    world.finish_job(StoreKind::Default, 7, "Failed");
    let plan = world.step();
    assert!(jobs(&plan).is_empty(), "a minute to wait");
    assert_eq!(plan.wake, Duration::from_secs(5), "but a look at the Secret before");
    world.seen.secrets.insert("s".to_owned(), Some("8".to_owned()));
    assert_eq!(jobs(&world.step()).len(), 1);
}

#[test]
fn a_job_at_work_is_waited_for_whatever_it_was_made_for() {
    let mut world = World::new();
    world.begin_job();
    world.resource.spec.version = Some("1.32.0".to_owned());
    let plan = world.step();
    assert!(jobs(&plan).is_empty() && plan.changes.prune.is_empty(), "{:?}", plan.changes.prune);
    assert!(world.message().contains("is running"), "{}", world.message());
}

#[test]
fn a_rotated_secret_restarts_the_roles() {
    let mut world = World::serving();
    world.seen.secrets.insert("s".to_owned(), Some("8".to_owned()));
    assert_eq!(roles(&world.step()), ["matching"], "one role after the other");
}

#[test]
fn what_is_no_longer_wanted_is_pruned_and_what_pods_still_need_is_not() {
    let mut world = World::serving();
    let config = ServerConfig::render(&world.valid());
    let map = |hash: &str| ObjectKey { kind: Kind::ConfigMap, name: format!("c-config-{hash}") };
    world.see_child(map(&config.hash), Some(&config.hash));
    world.see_child(map("used"), Some("used"));
    world.see_child(map("unused"), Some("unused"));
    world.seen.replica_set_configs.insert("used".to_owned());
    let ui = ObjectKey { kind: Kind::Deployment, name: "c-ui".to_owned() };
    world.see_child(ui.clone(), None);
    let plan = world.step();
    assert_eq!(plan.changes.prune, [ui, map("unused")]);
}

#[test]
fn a_settled_cluster_changes_nothing_in_its_status() {
    let mut world = World::serving();
    let before = world.status.clone();
    world.now += 3600;
    let plan = world.step();
    assert_eq!(world.status, before);
    assert_eq!(plan.wake, Duration::from_secs(10));
}

#[test]
fn an_upgrade_brings_the_schema_first() {
    let mut world = World::serving();
    world.resource.spec.version = Some("1.32.0".to_owned());
    let plan = world.step();
    assert_eq!(jobs(&plan).len(), 1);
    assert!(roles(&plan).is_empty());
    assert_eq!(world.condition(READY).0, "True", "the old servers serve on");
    assert_eq!(world.status.phase, Some(Phase::Updating));
}

#[rstest]
#[case(10, "The database was made with 10 history shards")]
#[case(64, "2 of 64 history shards are owned")]
fn shards_that_are_not_right_are_said(#[case] shards: u32, #[case] said: &str) {
    let mut world = World::serving();
    world.status = TemporalClusterStatus::default();
    let TemporalView::Seen(membership) = &mut world.seen.temporal else { unreachable!() };
    membership.shards = shards;
    membership.owned_shards = 2;
    world.step();
    assert!(world.message().starts_with(said), "{}", world.message());
}

fn with_internal_frontend(world: &mut World, enabled: bool) {
    world.resource.spec.services =
        Some(serde_json::from_value(json!({"internalFrontend": {"enabled": enabled}})).unwrap());
}

fn internal(keys: &[ObjectKey]) -> Vec<&ObjectKey> {
    keys.iter().filter(|k| k.name.contains("internal-frontend")).collect()
}

#[test]
fn an_internal_frontend_is_made_at_once_and_used_when_it_is_proven() {
    let mut world = World::serving();
    with_internal_frontend(&mut world, true);
    assert_eq!(roles(&world.step()), ["matching", "internal-frontend"]);
    assert_eq!(world.condition(READY).0, "True", "nothing uses it yet: {}", world.message());
    world.run_role(Role::Matching);
    world.run_role(Role::History);
    // the old frontend does not know of the new ring
    world.see_temporal(1);
    let TemporalView::Seen(seen) = &mut world.seen.temporal else { unreachable!() };
    seen.rings.remove("internal-frontend");
    assert_eq!(roles(&world.step()), ["matching", "history", "internal-frontend"], "the frontend waits for it");
    world.run_role(Role::InternalFrontend);
    assert_eq!(roles(&world.step()).len(), 4, "then the frontend is rolled");
    assert_ne!(world.condition(conditions::MEMBERSHIP_HEALTHY), ("False", "RingDiffers"), "{}", world.message());
    world.run_role(Role::Frontend);
    world.step();
    assert_eq!(
        world.condition(conditions::MEMBERSHIP_HEALTHY),
        ("False", "RingDiffers"),
        "a new frontend must know it"
    );
    world.see_temporal(1);
    world.step();
    world.run_role(Role::Worker);
    world.step();
    world.step();
    assert_eq!(world.status.phase, Some(Phase::Ready), "{}", world.message());
    let services: Vec<_> = world.status.services.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(services, ["frontend", "internal-frontend", "history", "matching", "worker"]);
}

#[test]
fn an_internal_frontend_that_is_switched_off_stays_until_no_role_uses_it() {
    let mut world = World::new();
    with_internal_frontend(&mut world, true);
    world.serve();
    with_internal_frontend(&mut world, false);
    for role in [Role::Matching, Role::History, Role::Frontend, Role::Worker] {
        let plan = world.step();
        assert!(internal(&plan.changes.prune).is_empty(), "{role} still uses it: {:?}", plan.changes.prune);
        assert_eq!(world.condition(READY).0, "True", "{}", world.message());
        assert_eq!(world.status.services.len(), 4);
        world.run_role(role);
    }
    let plan = world.step();
    let kinds: Vec<_> = internal(&plan.changes.prune).iter().map(|k| k.kind).collect();
    let all = [Kind::Deployment, Kind::Service, Kind::Service, Kind::ServiceAccount];
    assert_eq!(kinds, all, "pods go first");
    assert_eq!(world.status.phase, Some(Phase::Ready), "{}", world.message());
}

#[test]
fn overrides_roll_one_role_after_the_other() {
    let mut world = World::serving();
    let label = json!({"spec": {"template": {"metadata": {"labels": {"team": "a"}}}}});
    world.resource.spec.services = Some(serde_json::from_value(json!({"overrides": {"deployment": label}})).unwrap());
    assert_eq!(roles(&world.step()), ["matching"]);
    world.run_role(Role::Matching);
    assert_eq!(roles(&world.step()), ["matching", "history"]);
}

#[test]
fn a_patch_that_does_not_fit_refuses_the_manifest() {
    let mut world = World::serving();
    let patch = json!([{"op": "remove", "path": "/spec/nowhere"}]);
    let overrides = json!({"frontend": {"overrides": {"deployment": {"jsonPatch": patch}}}});
    world.resource.spec.services = Some(serde_json::from_value(overrides).unwrap());
    let refusal = cluster(&world.valid(), Some(2), &world.status, &world.seen, world.at()).unwrap_err();
    assert_eq!(refusal.problems[0].field, "spec.services.frontend.overrides.deployment.jsonPatch[0]");
    world.status = refused(&refusal, Some(2), &world.status, &[], world.at());
    assert_eq!(world.condition(STALLED), ("True", "InvalidSpec"));
    assert!(world.message().contains("/spec/nowhere"), "{}", world.message());
}

#[test]
fn monitors_wait_for_their_kind_and_hold_nothing_up() {
    let mut world = World::new();
    let monitors = json!({"enabled": true, "prometheus": {"scrapeConfig": {"serviceMonitor": {"enabled": true}}}});
    world.resource.spec.metrics = serde_json::from_value(monitors).unwrap();
    let made = |plan: &Plan| plan.changes.objects.iter().filter(|o| o.kind() == Kind::ServiceMonitor).count();
    assert_eq!(made(&world.step()), 0);
    let mut objects = build::foundation(&world.valid()).unwrap();
    assert!(leave_out_unserved(&mut objects, &world.seen)[0].contains("which is not installed"));
    world.seen.monitors_served = true;
    assert_eq!(made(&world.step()), 4);
    world.resource.spec.metrics = None;
    let pruned = world.step().changes.prune;
    assert_eq!(pruned.iter().filter(|k| k.kind == Kind::ServiceMonitor).count(), 4, "{pruned:?}");
}
