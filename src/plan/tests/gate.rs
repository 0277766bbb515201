//! The Job before an upgrade: once, first, and never again by itself.

use super::*;
use crate::api::annotations;
use crate::api::conditions::ROLLOUT_PROGRESSING;
use crate::build::before_upgrade;
use crate::plan::preview;
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

impl World {
    /// A cluster that serves and whose next version waits for a Job.
    fn gated() -> Self {
        let mut world = Self::serving();
        world.forget_jobs();
        world.gate(&json!({"containers": [{"name": "backup", "image": "postgres:17"}]}));
        world.resource.spec.version = Some("1.32.0".to_owned());
        world
    }

    fn gate(&mut self, pod: &Value) {
        let rollout = json!({"beforeUpgrade": {"spec": {"template": {"spec": pod}}}});
        self.resource.spec.rollout = Some(serde_json::from_value(rollout).unwrap());
    }

    fn gate_job(&self) -> Job {
        let valid = self.valid();
        let users = valid.rollout.before_upgrade.as_ref().unwrap();
        let Object::Job(job) = before_upgrade::job(&valid, users, &"1.31.2".parse().unwrap()) else { unreachable!() };
        *job
    }

    fn end_gate_job(&mut self, condition: &str) {
        let mut job = self.gate_job();
        job.status = serde_json::from_value(json!({"conditions": [{"type": condition, "status": "True"}]})).unwrap();
        self.see_job(job);
    }

    /// Kubernetes has removed every Job, or the operator has.
    fn forget_jobs(&mut self) {
        self.seen.jobs.clear();
        self.seen.children.retain(|c| c.key.kind != Kind::Job);
    }

    fn see_pod_of_gate(&mut self, status: &Value) {
        let labels = json!({"batch.kubernetes.io/job-name": self.gate_job().metadata.name});
        let pod = json!({"metadata": {"name": "backup", "labels": labels}, "status": status});
        self.seen.pods = vec![Arc::new(serde_json::from_value::<Pod>(pod).unwrap())];
    }
}

fn begun(plan: &Plan) -> bool {
    jobs(plan).iter().any(|name| name.contains("schema")) || !roles(plan).is_empty()
}

#[test]
fn it_runs_first_and_the_upgrade_follows_when_its_success_is_written() {
    let mut world = World::gated();
    let plan = world.step();
    assert_eq!(jobs(&plan), [world.gate_job().metadata.name.unwrap()]);
    assert!(!begun(&plan));
    assert_eq!((world.condition(READY), world.status.phase), (("True", "BeforeUpgrade"), Some(Phase::Updating)));
    assert_eq!(world.condition(ROLLOUT_PROGRESSING), ("True", "BeforeUpgrade"));

    world.see_job(world.gate_job());
    let plan = world.step();
    assert_eq!((jobs(&plan).len(), plan.changes.prune), (0, Vec::new()), "left alone while it runs");
    assert_eq!(world.message(), "The Job before the upgrade to server 1.32.0 is running.");

    world.end_gate_job("Complete");
    assert!(!begun(&world.step()), "what is not recorded might be done twice");
    world.forget_jobs();
    let plan = world.step();
    assert!(jobs(&plan)[0].starts_with("c-schema-default-"), "{:?}", jobs(&plan));
    assert_eq!(world.rollout().before_upgrade.unwrap().failure, None);
}

#[test]
fn the_tools_and_the_web_ui_wait_too() {
    let mut world = World::serving();
    world.resource.spec.ui = Some(serde_json::from_value(json!({"enabled": true})).unwrap());
    world.step();
    world.gate(&json!({"containers": [{"name": "backup", "image": "b"}]}));
    world.resource.spec.version = Some("1.32.0".to_owned());
    let plan = world.step();
    assert!(!plan.changes.objects.iter().any(|o| o.kind() == Kind::Deployment));
    assert!(!plan.changes.prune.iter().any(|key| key.kind == Kind::Deployment), "{:?}", plan.changes.prune);
}

#[test]
fn a_failure_is_said_and_stays_until_somebody_acts() {
    let mut world = World::gated();
    world.end_gate_job("Failed");
    let ended = json!({"exitCode": 1, "message": "pg_dump: error: connection refused"});
    world
        .see_pod_of_gate(&json!({"containerStatuses": [{"name": "backup", "image": "b", "imageID": "", "ready": false,
        "restartCount": 0, "state": {"terminated": ended}}]}));
    world.step();
    let said = "The upgrade to server 1.32.0 has not begun, since the Job before it failed at backup: pg_dump: error: connection refused";
    assert!(world.message().starts_with(said), "{}", world.message());
    assert_eq!(world.condition(STALLED), ("True", "BeforeUpgradeFailed"));
    assert_eq!(world.condition(READY).0, "True", "the cluster runs on");
    let message = world.message().to_owned();

    // the Job and its words are gone, the failure is not
    world.forget_jobs();
    world.seen.pods.clear();
    let plan = world.step();
    assert!(jobs(&plan).is_empty() && !begun(&plan));
    assert_eq!(world.message(), message);
}

#[rstest]
#[case::annotation(|world: &mut World| {
    world.resource.metadata.annotations = Some([(annotations::RESTARTED_AT.to_owned(), "now".to_owned())].into());
})]
#[case::template(|world: &mut World| world.gate(&json!({"containers": [{"name": "backup", "image": "postgres:18"}]})))]
#[case::version(|world: &mut World| world.resource.spec.version = Some("1.32.1".to_owned()))]
fn a_failure_is_tried_again(#[case] act: fn(&mut World)) {
    let mut world = World::gated();
    world.end_gate_job("Failed");
    world.step();
    let failed = world.gate_job().metadata.name.unwrap();
    act(&mut world);
    let plan = world.step();
    assert!(jobs(&plan).is_empty(), "not two at a time");
    assert_eq!(plan.changes.prune.iter().map(|key| key.name.clone()).collect::<Vec<_>>(), [failed]);
    world.forget_jobs();
    assert_eq!(jobs(&world.step()), [world.gate_job().metadata.name.unwrap()]);
    assert_eq!(world.condition(STALLED).0, "False");
}

#[test]
fn a_cluster_without_an_upgrade_has_no_gate() {
    let mut world = World::new();
    world.gate(&json!({"containers": [{"name": "backup", "image": "b"}]}));
    assert!(jobs(&world.step())[0].contains("schema"), "one that is made for the first time");
    world.serve();
    assert!(jobs(&world.step()).is_empty());
    world.resource.spec.version = Some("1.31.1".to_owned());
    assert!(jobs(&world.step()).iter().all(|name| name.contains("schema")), "a way back does not wait");
}

#[test]
fn turning_back_and_coming_again_is_another_upgrade() {
    let mut world = World::gated();
    world.end_gate_job("Complete");
    world.step();
    world.resource.spec.version = Some("1.31.2".to_owned());
    world.step();
    assert_eq!(world.rollout().before_upgrade, None);
    world.forget_jobs();
    world.resource.spec.version = Some("1.32.0".to_owned());
    assert_eq!(jobs(&world.step()), [world.gate_job().metadata.name.unwrap()]);
}

#[test]
fn a_pod_that_is_held_back_and_a_pause_are_said() {
    let mut world = World::gated();
    world.see_job(world.gate_job());
    world.see_pod_of_gate(&json!({"conditions": [{"type": "PodScheduled", "status": "False", "message": "no node"}]}));
    world.step();
    assert_eq!(world.condition(READY), ("True", "BeforeUpgradeHeldUp"));
    assert!(world.message().ends_with("waits: pod backup cannot be scheduled: no node."), "{}", world.message());

    let mut world = World::gated();
    world.resource.spec.rollout.as_mut().unwrap().paused = Some(true);
    assert!(jobs(&world.step()).is_empty());
    assert_eq!(world.condition(READY), ("True", "RolloutPaused"));
}

#[test]
fn a_way_of_several_versions_has_one_gate() {
    let mut world = World::new();
    world.resource.spec.version = Some("1.30.8".to_owned());
    world.serve();
    let old = world.valid();
    world.gate(&json!({"containers": [{"name": "backup", "image": "b"}]}));
    world.resource.spec.version = Some("1.32.0".to_owned());
    let mut made = 0;
    for _ in 0..40 {
        let plan = world.step();
        if jobs(&plan).iter().any(|name| name.contains("before-upgrade")) {
            made += 1;
            world.end_gate_job("Complete");
            continue;
        }
        world.forget_jobs();
        for store in [StoreKind::Default, StoreKind::Visibility] {
            world.finish_job(store, 1, "Complete");
        }
        let step = world.rollout().step.and_then(|s| Role::parse(&s.role));
        if let Some(role) = step {
            world.run_role(role);
        }
    }
    assert_eq!((world.status.version.as_deref(), made), (Some("1.32.0"), 1), "{}", world.message());
    let steps = preview::preview(&old, &[world.valid()]).unwrap().steps;
    assert_eq!(steps.iter().filter(|s| matches!(s, preview::Step::BeforeUpgrade(_))).count(), 1);
}
