//! What is wrong, in the words of the status, and that it ends when the cause goes.

use super::*;
use crate::api::conditions::SCHEMA_READY;
use crate::api::persistence::PersistenceSpec;
use crate::plan::neighbours::Taken;
use crate::validate::{Invalid, Problem};
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

#[allow(clippy::needless_pass_by_value)] // values are written in place
impl World {
    /// A pod of a component; of a Job when one is named.
    fn see_pod(&mut self, component: &str, job: Option<&str>, status: Value) {
        let mut labels = json!({"app.kubernetes.io/component": component});
        if let Some(job) = job {
            labels["batch.kubernetes.io/job-name"] = json!(job);
        }
        let pod = json!({"metadata": {"name": "p", "labels": labels}, "status": status});
        self.seen.pods.push(Arc::new(serde_json::from_value::<Pod>(pod).unwrap()));
    }

    fn job_name(&self, store: StoreKind, attempt: u32) -> String {
        let valid = self.valid();
        let store = valid.stores().find(|s| s.kind == store).unwrap();
        job::name(&valid, store, &secret_versions(&self.seen), attempt)
    }

    /// The default store's Job of a try has ended so.
    fn fail_job(&mut self, attempt: u32, container: &str, said: &str) {
        self.finish_job(StoreKind::Default, attempt, "Failed");
        let name = self.job_name(StoreKind::Default, attempt);
        let ended = json!({"terminated": {"exitCode": 1, "message": said}});
        self.see_pod("schema", Some(&name), json!({"initContainerStatuses": [container_in(container, ended)]}));
    }

    /// A role one of whose pods is not available.
    fn see_lame(&mut self, deployment: &str, available: i32) {
        let lame = self.seen.deployments.iter().find(|d| d.metadata.name.as_deref() == Some(deployment)).unwrap();
        let mut lame = lame.as_ref().clone();
        lame.status.as_mut().unwrap().ready_replicas = Some(available);
        self.see_deployment(lame);
    }
}

#[allow(clippy::needless_pass_by_value)] // written in place
fn container_in(name: &str, state: Value) -> Value {
    json!({"name": name, "image": "i", "imageID": "", "ready": false, "restartCount": 3, "state": state,
        "lastState": {"terminated": {"exitCode": 1,
            "message": "{\"level\":\"info\",\"msg\":\"starting\"}\nUnable to start server. Error: pq: password authentication failed for user \"t\"\n"}}})
}

#[rstest]
#[case::password(
    "create-database",
    "t\tERROR\tx\t{\"error\": \"pq: password authentication failed for user \\\"t\\\"\"}\nt\tERROR\ty\t{\"error\": \"no usable database connection found\"}",
    "at create-database: pq: password authentication failed for user \"t\" (correct the password in the Secret"
)]
#[case::host(
    "create-database",
    "t\tERROR\tx\t{\"error\": \"dial tcp: lookup db: no such host\"}",
    "no such host (correct the host in connectAddr or url"
)]
#[case::owner(
    "check-owner",
    "t\tERROR\tx\t{\"error\": \"pq: this database belongs to the Temporal cluster \\\"one\\\", not to \\\"two\\\"\"}",
    "at check-owner: pq: this database belongs to the Temporal cluster \"one\", not to \"two\" (use the name"
)]
#[case::full(
    "schema-script-runner",
    "t\tERROR\tx\t{\"error\": \"pq: could not extend file \\\"base/1\\\": No space left on device\"}",
    "(make room on the database's disk)"
)]
#[case::extension(
    "schema-script-runner",
    "t\tERROR\tx\t{\"error\": \"pq: permission denied to create extension \\\"btree_gin\\\"\"}",
    "(let a superuser run CREATE EXTENSION btree_gin"
)]
#[case::mapping(
    "schema-script-runner",
    "  }\\n}\",\"FailSilently\":false}, \"logging-call-at\": \"tasks.go:144\"}\nt\tERROR\tindex mapping update failed\t{\"error\": \"elastic: Error 400 (Bad Request): mapper [ExecutionTime] cannot be changed from type [keyword] to [date_nanos] [type=illegal_argument_exception]\", \"logging-call-at\": \"tasks.go:205\"}",
    "[type=illegal_argument_exception] (the index has a field of that name and another type"
)]
#[case::search(
    "put-template",
    "t\tERROR\telastic: http://search:9200 is dead\t{\"logging-call-at\": \"logger.go:24\"}\nt\tERROR\tFailed to upgrade template.\t{\"error\": \"Put \\\"http://search:9200/_template/t\\\": dial tcp 10.0.0.1:9200: connect: connection refused\"}",
    "at put-template: Put \"http://search:9200/_template/t\": dial tcp 10.0.0.1:9200: connect: connection refused (see that"
)]
fn a_failed_job_says_why_and_what_would_help(#[case] step: &str, #[case] log: &str, #[case] said: &str) {
    let mut world = World::new();
    world.fail_job(1, step, log);
    world.step();
    assert!(world.message().contains(said), "{}", world.message());
    assert_eq!(world.condition(SCHEMA_READY), ("False", "SchemaFailed"));
    assert_eq!(world.condition(STALLED).0, "False", "it is tried again");
}

#[test]
fn the_next_try_does_not_make_a_failure_unsaid() {
    let mut world = World::new();
    world.fail_job(1, "create-database", "{\"error\": \"no such host\"}");
    world.step();
    let said = world.message().to_owned();
    world.now += 1;
    world.step();
    let valid = world.valid();
    let Object::Job(next) = job::schema(&valid, &valid.default_store, &secret_versions(&world.seen), 2) else {
        unreachable!()
    };
    world.seen.jobs.clear();
    world.seen.pods.clear();
    world.see_job(*next);
    world.step();
    assert_eq!((world.message(), world.condition(SCHEMA_READY).1), (said.as_str(), "SchemaFailed"));
    world.finish_job(StoreKind::Default, 2, "Complete");
    world.step();
    assert_eq!(world.condition(SCHEMA_READY), ("False", "SchemaPending"), "{}", world.message());
}

#[test]
fn the_store_named_is_the_one_whose_job_runs() {
    let mut world = World::serving();
    world.status.persistence.as_mut().unwrap().visibility_store = None;
    world.seen.jobs.clear();
    world.begin_job();
    world.step();
    assert_eq!(world.message(), "The schema Job of the default store is running.");
}

#[test]
fn a_job_without_a_pod_says_who_refuses_it() {
    let mut world = World::new();
    world.begin_job();
    let name = world.job_name(StoreKind::Default, 1);
    world.seen.refusals.insert(name, "Error creating: pods \"c\" is forbidden: exceeded quota: q".to_owned());
    world.step();
    assert_eq!(world.condition(READY), ("False", "SchemaHeldUp"));
    assert!(
        world
            .message()
            .contains("its pod cannot be made: Error creating: pods \"c\" is forbidden: exceeded quota: q (raise"),
        "{}",
        world.message()
    );
    world.seen.refusals.clear();
    world.step();
    assert_eq!(world.condition(READY), ("False", "SchemaPending"));
}

#[rstest]
#[case::key(json!({"waiting": {"reason": "CreateContainerConfigError", "message": "couldn't find key password in Secret ns/s"}}), "couldn't find key password in Secret ns/s (put that key")]
#[case::image(json!({"waiting": {"reason": "ErrImagePull", "message": "failed to pull and unpack image"}}), "cannot pull its image i: failed to pull and unpack image (correct the image")]
fn a_container_that_cannot_start_is_said_of_jobs_and_roles(#[case] state: Value, #[case] said: &str) {
    let mut world = World::new();
    world.begin_job();
    let name = world.job_name(StoreKind::Default, 1);
    world.see_pod(
        "schema",
        Some(&name),
        json!({"initContainerStatuses": [container_in("create-database", state.clone())]}),
    );
    world.step();
    assert!(world.message().contains(said), "{}", world.message());
    assert_eq!(world.condition(READY), ("False", "SchemaHeldUp"));

    let mut world = World::serving();
    world.see_lame("c-history", 0);
    world.see_pod("history", None, json!({"containerStatuses": [container_in("service", state)]}));
    world.step();
    assert!(world.message().contains(said), "{}", world.message());
    assert_eq!(world.condition(READY), ("False", "RoleNotReady"));
    world.run_role(Role::History);
    world.seen.pods.clear();
    world.step();
    assert_eq!(world.condition(READY), ("True", "ClusterReady"));
}

#[test]
fn a_crash_says_the_servers_last_words() {
    let mut world = World::serving();
    world.see_lame("c-history", 0);
    let waiting = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}});
    world.see_pod("history", None, json!({"containerStatuses": [container_in("service", waiting)]}));
    world.step();
    assert_eq!(
        world.message(),
        "The history role has 0 of 1 pods ready: container service of pod p ends with: pq: password authentication failed for user \"t\" (correct the password in the Secret, or the user in the manifest)."
    );
}

#[test]
fn the_role_that_is_held_up_speaks_before_one_that_waits_for_it() {
    let mut world = World::serving();
    world.see_lame("c-frontend", 0);
    world.see_lame("c-history", 0);
    let waiting = json!({"waiting": {"reason": "CrashLoopBackOff"}});
    world.see_pod("history", None, json!({"containerStatuses": [container_in("service", waiting)]}));
    world.step();
    assert!(world.message().starts_with("The history role"), "{}", world.message());
}

#[test]
fn a_quota_is_said_of_roles() {
    let mut world = World::serving();
    world.see_lame("c-worker", 0);
    let mut worker = world.seen.role_deployment(Role::Worker).unwrap().clone();
    let condition =
        json!({"type": "ReplicaFailure", "status": "True", "message": "pods \"w\" is forbidden: exceeded quota: q"});
    worker.status.as_mut().unwrap().conditions = Some(vec![serde_json::from_value(condition).unwrap()]);
    world.see_deployment(worker);
    world.step();
    assert!(
        world.message().contains("a pod cannot be made: pods \"w\" is forbidden: exceeded quota: q (raise"),
        "{}",
        world.message()
    );
}

#[test]
fn a_history_pod_without_a_shard_is_known() {
    let mut world = World::serving();
    world.resource.spec.num_history_shards = 4;
    world.run_role(Role::History);
    let mut many = world.seen.role_deployment(Role::History).unwrap().clone();
    many.spec.as_mut().unwrap().replicas = Some(3);
    world.see_deployment(many);
    world.see_lame("c-history", 2);
    let TemporalView::Seen(m) = &mut world.seen.temporal else { unreachable!() };
    (m.shards, m.owned_shards) = (4, 4);
    m.rings.insert("history".to_owned(), (0..3).map(|n| format!("10.0.0.{n}:1")).collect());
    world.step();
    assert_eq!(world.condition(conditions::SERVICES_READY), ("False", "TooFewShards"), "{}", world.message());
    assert!(world.message().contains("4 history shards are too few for 3 pods"), "{}", world.message());
}

#[test]
fn a_web_ui_that_does_not_start_is_said_and_the_cluster_is_ready_all_the_same() {
    let mut world = World::serving();
    world.resource.spec.ui = Some(serde_json::from_value(json!({"enabled": true})).unwrap());
    world.step();
    let status = json!({"metadata": {"name": "c-ui"}, "spec": {"replicas": 1, "selector": {}, "template": {}}, "status": {"replicas": 1}});
    world.see_deployment(serde_json::from_value(status).unwrap());
    let waiting = json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"ui\""}});
    world.see_pod("ui", None, json!({"containerStatuses": [container_in("ui", waiting)]}));
    world.step();
    assert_eq!(world.condition(READY), ("True", "UiNotReady"));
    assert_eq!(world.condition(RECONCILING).0, "True");
    assert!(
        world.message().starts_with("The Web UI has 0 of 1 pods ready: container ui of pod p cannot pull its image i"),
        "{}",
        world.message()
    );
}

fn taken() -> Option<Taken> {
    Some(Taken { database: "db.ns:5432/a".to_owned(), by: "ns/other".to_owned() })
}

#[test]
fn a_database_of_another_cluster_is_not_touched() {
    let mut world = World::new();
    world.seen.taken = taken();
    let plan = world.step();
    assert!(jobs(&plan).is_empty() && roles(&plan).is_empty());
    assert_eq!(world.condition(STALLED), ("True", "DatabaseTaken"));
    assert_eq!((world.condition(READY), world.condition(RECONCILING).0), (("False", "DatabaseTaken"), "False"));
    assert_eq!(world.status.phase, Some(Phase::Failed));
    assert!(
        world.message().starts_with("The database db.ns:5432/a belongs to the TemporalCluster ns/other;"),
        "{}",
        world.message()
    );
    world.seen.taken = None;
    let plan = world.step();
    assert_eq!(jobs(&plan).len(), 1, "it goes on by itself");
    assert_eq!(world.condition(STALLED).0, "False");
}

#[test]
fn a_serving_cluster_is_not_moved_onto_anothers_database() {
    let mut world = World::serving();
    let move_to = |spec: &mut PersistenceSpec| spec.default_store.sql.as_mut().unwrap().database_name = "x".to_owned();
    move_to(&mut world.resource.spec.persistence);
    world.seen.taken = taken();
    let plan = world.step();
    assert!(jobs(&plan).is_empty() && roles(&plan).is_empty());
    assert!(!plan.changes.prune.iter().any(|k| k.kind == Kind::Deployment), "{:?}", plan.changes.prune);
    assert_eq!(world.condition(READY), ("True", "DatabaseTaken"), "it serves where it was");
    assert_eq!(world.status.phase, Some(Phase::Degraded));
}

#[test]
fn another_number_of_shards_waits_for_somebody() {
    let mut world = World::serving();
    world.status = TemporalClusterStatus::default();
    let TemporalView::Seen(m) = &mut world.seen.temporal else { unreachable!() };
    m.shards = 16;
    let plan = world.step();
    assert_eq!(world.condition(STALLED), ("True", "ShardCountDiffers"));
    assert_eq!(plan.wake, Duration::from_secs(10));
}

#[test]
fn a_refused_manifest_does_not_hide_whether_the_cluster_serves() {
    let mut world = World::serving();
    let invalid = Invalid { problems: vec![Problem { field: "spec.x".to_owned(), message: "is wrong".to_owned() }] };
    let refuse = |world: &World| {
        let roles: Vec<_> = world.seen.deployments.iter().map(AsRef::as_ref).collect();
        refused(&invalid, Some(2), &world.status, &roles, world.at())
    };
    world.status = refuse(&world);
    assert_eq!(world.condition(READY), ("True", "InvalidSpec"));
    assert_eq!(world.condition(STALLED), ("True", "InvalidSpec"));
    world.see_lame("c-history", 0);
    world.status = refuse(&world);
    assert_eq!(world.condition(READY), ("False", "InvalidSpec"));
    world.run_role(Role::History);
    world.status = refuse(&world);
    assert_eq!(world.condition(READY).0, "True");
    world.seen.deployments.pop();
    world.status = refuse(&world);
    assert_eq!(world.condition(READY).0, "False", "a Deployment is gone");
}

#[rstest]
#[case(Obstacle::Apply, "ApplyFailed", "True", "False", "True")]
#[case(Obstacle::Work, "OperatorFailed", "True", "False", "True")]
#[case(Obstacle::Terminating, "NamespaceTerminating", "False", "True", "False")]
fn obstacles(
    #[case] obstacle: Obstacle,
    #[case] reason: &str,
    #[case] ready: &str,
    #[case] stalled: &str,
    #[case] reconciling: &str,
) {
    let mut world = World::serving();
    world.status = obstructed(obstacle, "it said no", world.status.clone(), &world.status, world.at());
    assert_eq!(world.condition(READY), (ready, reason));
    assert_eq!((world.condition(STALLED).0, world.condition(RECONCILING).0), (stalled, reconciling));
    world.step();
    assert_eq!(world.condition(READY).1, "ClusterReady");
    assert_eq!(world.condition(STALLED).0, "False");
}

#[rstest]
#[case::it_answers_and_reaches_nobody(Role::Frontend, true, 20)]
#[case::requests_pass_elsewhere(Role::Matching, false, 60)]
fn a_pod_in_a_ring_of_its_own_is_named_and_replaced(#[case] alone: Role, #[case] answers: bool, #[case] after: i64) {
    let mut world = World::serving();
    let mut rings = world.seen.temporal.rings().unwrap().clone();
    for role in world.roles() {
        let (ip, conditions) = (format!("10.0.0.{role}"), json!([{"type": "Ready", "status": "True"}]));
        let known = (role == alone) == answers;
        rings.insert(role.name().to_owned(), known.then(|| format!("{ip}:1")).into_iter().collect());
        world.see_pod(role.name(), None, json!({"podIP": ip, "conditions": conditions}));
        Arc::make_mut(world.seen.pods.last_mut().unwrap()).metadata.name = Some(format!("c-{role}"));
    }
    match &mut world.seen.temporal {
        TemporalView::Seen(membership) if !answers => membership.rings = rings,
        temporal => {
            let why = "Temporal does not answer DescribeWorkflowExecution (history): Not enough hosts".to_owned();
            *temporal = TemporalView::Silent { why, since: Timestamp::UNIX_EPOCH, rings: Some(rings) };
        }
    }
    let look = |world: &mut World, seconds: i64| {
        world.now += seconds;
        world.seen.apart = std::mem::take(&mut world.seen.apart).after(&world.seen, world.at());
        let plan = world.pass();
        assert!(plan.wake <= Duration::from_secs(5), "{:?}", plan.wake);
        plan.changes.replacement
    };
    look(&mut world, 0);
    look(&mut world, after - 11);
    assert_ne!(world.condition(conditions::MEMBERSHIP_HEALTHY).1, "RingSplit", "it may pass by itself");
    assert_eq!(look(&mut world, 1), None);
    assert_eq!(world.condition(READY), ("True", "RingSplit"), "{}", world.message());
    assert!(world.message().starts_with(&format!("The {alone} pod c-{alone} ")), "{}", world.message());
    assert_eq!(look(&mut world, 9), None);
    let split = look(&mut world, 1).unwrap();
    assert_eq!(split.pod, format!("c-{alone}"));
    assert!(split.news().note.contains("It was deleted"), "{}", split.news().note);
}
