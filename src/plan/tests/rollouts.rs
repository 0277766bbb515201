//! The state machine of rollouts: whose turn it is, when a step has failed, and the way back.

use super::*;
use crate::api::annotations;
use crate::api::conditions::ROLLOUT_PROGRESSING;
use crate::api::rollout::RolloutStatus;
use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetSpec};
use serde_json::Value;

impl World {
    pub(super) fn restart(&mut self, at: &str) {
        let notes = self.resource.metadata.annotations.get_or_insert_default();
        notes.insert(annotations::RESTARTED_AT.to_owned(), at.to_owned());
    }

    fn set_rollout(&mut self, rollout: Value) {
        self.resource.spec.rollout = Some(serde_json::from_value(rollout).unwrap());
    }

    /// The role has its new template, and a new pod that does not turn ready.
    fn stick(&mut self, role: Role) {
        let before = self.seen.role_deployment(role).unwrap().clone();
        self.seen.revisions.push(ReplicaSet {
            metadata: before.metadata,
            spec: Some(ReplicaSetSpec { template: before.spec.map(|s| s.template), ..ReplicaSetSpec::default() }),
            ..ReplicaSet::default()
        });
        self.run_role(role);
        let mut stuck = self.seen.role_deployment(role).unwrap().clone();
        let status = stuck.status.as_mut().unwrap();
        (status.replicas, status.updated_replicas) = (Some(2), Some(1));
        self.see_deployment(stuck);
    }

    /// A pod of the role, made and ready then.
    fn see_ready_pod(&mut self, role: Role, ip: &str, made: Timestamp) {
        let pod = json!({
            "metadata": {"name": ip, "creationTimestamp": made, "labels": {labels::COMPONENT: role.name()}},
            "status": {"phase": "Running", "podIP": ip, "conditions": [{"type": "Ready", "status": "True"}]},
        });
        self.seen.pods.push(Arc::new(serde_json::from_value(pod).unwrap()));
    }

    pub(super) fn rollout(&self) -> RolloutStatus {
        self.status.rollout.clone().unwrap_or_default()
    }

    fn template_given(plan: &Plan, role: Role) -> Option<String> {
        let name = format!("c-{role}");
        let object = plan.changes.objects.iter().find(|o| o.kind() == Kind::Deployment && o.key().name == name)?;
        object.metadata().annotations.as_ref()?.get(annotations::TEMPLATE_HASH).cloned()
    }
}

#[test]
fn a_restart_goes_from_role_to_role() {
    let mut world = World::serving();
    world.restart("now");
    for (role, then) in [
        (Role::Matching, "; then history, frontend, worker"),
        (Role::History, "; then frontend, worker"),
        (Role::Frontend, "; then worker"),
        (Role::Worker, ""),
    ] {
        let plan = world.step();
        assert!(roles(&plan).contains(&role.name().to_owned()));
        assert_eq!(world.condition(ROLLOUT_PROGRESSING), ("True", "RollingRole"));
        let said = &conditions::get(&world.status.conditions, ROLLOUT_PROGRESSING).unwrap().message;
        assert_eq!(*said, format!("The pods of the {role} role are being replaced{then}."));
        assert_eq!(world.rollout().step.unwrap().role, role.name());
        assert_eq!(world.condition(READY).0, "True");
        world.run_role(role);
    }
    world.step();
    assert_eq!(world.condition(ROLLOUT_PROGRESSING), ("False", "RolloutComplete"));
    assert_eq!(world.status.phase, Some(Phase::Ready));
    assert_eq!(world.rollout().step, None);
}

#[test]
fn polls_are_short_before_the_first_task_queue_moves() {
    let mut world = World::serving();
    world.restart("now");
    assert_eq!(roles(&world.pass()).len(), 0);
    assert_eq!(world.condition(RECONCILING).0, "True", "{}", world.message());
    assert_eq!(world.message(), "The rollout begins in some seconds, when polls that workers began before have ended.");
    let said = &conditions::get(&world.status.conditions, ROLLOUT_PROGRESSING).unwrap().message;
    assert_eq!(said, "The pods of the matching role are replaced in some seconds; then history, frontend, worker.");
    let poll = |plan: &Plan| dynamic_config(plan)["matching.longPollExpirationInterval"][0]["value"].clone();
    assert_eq!(poll(&world.pass()), "5s");
    world.now += 11;
    let plan = world.pass();
    assert_eq!((roles(&plan).len(), plan.wake), (0, Duration::from_secs(1)), "it is back in time");
    world.now += 1;
    assert_eq!(roles(&world.pass()), ["matching"]);
    assert_eq!(world.rollout().step.unwrap().started_at.0, world.at(), "the time-out begins now");
}

#[test]
fn polls_that_are_a_users_to_set_are_not_waited_for() {
    let mut world = World::serving();
    let poll = json!({"values": {"Matching.longPollExpirationInterval": [{"value": "60s"}]}});
    world.resource.spec.dynamic_config = Some(serde_json::from_value(poll).unwrap());
    world.restart("now");
    assert_eq!(roles(&world.pass()), ["matching"]);
}

#[rstest]
#[case::owns_task_queues(Role::Matching, false)]
#[case::owns_shards(Role::History, false)]
#[case::owns_nothing(Role::Frontend, true)]
#[case::owns_nothing(Role::Worker, true)]
fn a_member_that_is_no_pod_any_more_is_waited_for_where_it_owns_something(#[case] role: Role, #[case] goes_on: bool) {
    let mut world = World::serving();
    Role::ALL.into_iter().for_each(|role| world.see_ready_pod(role, "10.0.0.0", Timestamp::UNIX_EPOCH));
    world.restart("now");
    world.step();
    world.run_role(Role::Matching);
    let TemporalView::Seen(membership) = &mut world.seen.temporal else { unreachable!() };
    membership.rings.get_mut(role.name()).unwrap().insert("10.0.0.9:1".to_owned());
    let plan = world.step();
    assert_eq!(roles(&plan).contains(&"history".to_owned()), goes_on, "{}", world.message());
    let said = &conditions::get(&world.status.conditions, conditions::MEMBERSHIP_HEALTHY).unwrap().message;
    if goes_on {
        assert_eq!(world.condition(conditions::MEMBERSHIP_HEALTHY), ("True", "MembersAgree"));
        assert!(said.ends_with(&format!("The ring of the {role} role still has 10.0.0.9, which is no pod any more.")));
    } else {
        assert_eq!(world.condition(conditions::MEMBERSHIP_HEALTHY), ("False", "RingDiffers"), "{said}");
        assert_eq!(plan.wake, Duration::from_secs(1), "the next role hangs on it");
    }
}

#[test]
fn a_new_pod_outside_its_ring_holds_the_deployment_even_if_it_is_the_last() {
    let mut world = World::serving();
    world.restart("now");
    world.step();
    world.stick(Role::Matching);
    world.see_ready_pod(Role::Matching, "10.0.0.9", world.at());
    let plan = world.step();
    let object =
        plan.changes.objects.into_iter().find(|o| o.kind() == Kind::Deployment && o.key().name == "c-matching");
    let Some(Object::Deployment(held)) = object else { panic!("{}", world.message()) };
    let spec = held.spec.unwrap();
    assert_eq!(spec.paused, Some(true));
    // paused alone would not do: Kubernetes takes the old pods away once all new ones are available
    assert!(spec.min_ready_seconds > Some(1_000_000) && spec.progress_deadline_seconds > spec.min_ready_seconds);
    assert_eq!(plan.wake, Duration::from_secs(1));
}

#[test]
fn a_role_that_was_held_is_let_go_before_the_next_begins() {
    let mut world = World::serving();
    world.restart("now");
    world.step();
    world.run_role(Role::Matching);
    let mut held = world.seen.role_deployment(Role::Matching).unwrap().clone();
    let notes = held.metadata.annotations.get_or_insert_default();
    notes.insert(annotations::HELD.to_owned(), "10.0.0.1".to_owned());
    world.see_deployment(held);
    let plan = world.step();
    assert!(!roles(&plan).contains(&"history".to_owned()), "{:?}", roles(&plan));
    assert!(World::template_given(&plan, Role::Matching).is_some(), "it is let go");
    world.run_role(Role::Matching);
    assert!(roles(&world.step()).contains(&"history".to_owned()));
}

#[test]
fn a_change_in_the_middle_turns_the_role_in_motion_first() {
    let mut world = World::serving();
    world.restart("first");
    world.run_role(Role::Matching);
    world.run_role(Role::History);
    world.stick(Role::Frontend);
    world.restart("second");
    assert_eq!(roles(&world.step()), ["frontend"], "never two roles in motion");
    world.run_role(Role::Frontend);
    assert_eq!(roles(&world.step()), ["matching", "frontend"]);
}

#[test]
fn nothing_begins_while_temporal_is_not_as_it_should_be() {
    let mut world = World::serving();
    world.see_temporal(2);
    world.step();
    world.restart("now");
    assert_eq!(roles(&world.step()).len(), 0);
    world.now += 599;
    assert_eq!(roles(&world.step()).len(), 0);
    world.now += 1;
    assert_eq!(roles(&world.step()), ["matching"], "after so long a change may be what heals it");
}

#[test]
fn a_step_that_is_not_proven_in_time_goes_back_and_the_rest_waits() {
    let mut world = World::serving();
    world.set_rollout(json!({"stepTimeout": "2m"}));
    let proven = world.rollout().proven["matching"].clone();
    world.restart("now");
    world.step();
    world.stick(Role::Matching);
    world.now += 119;
    assert_ne!(World::template_given(&world.step(), Role::Matching), Some(proven.clone()));
    world.now += 1;
    let plan = world.step();
    assert_eq!(World::template_given(&plan, Role::Matching), Some(proven.clone()));
    assert_eq!(roles(&plan), ["matching"], "the rest is left");
    assert_eq!(world.condition(STALLED), ("True", "RolloutStopped"));
    assert_eq!(world.condition(READY).0, "True", "an old pod serves on");
    let said = "The rollout to server 1.31.2 stopped at the matching role, which was not proven within 2 min: The matching role of server 1.31.2 has 1 of 1 pods ready. It gets back what was last proven; the rest serves on.";
    assert!(world.message().starts_with(said), "{}", world.message());
    // back at what was proven, the role stays there, and can be scaled
    let matching = ObjectKey { kind: Kind::Deployment, name: "c-matching".to_owned() };
    let Some(Object::Deployment(back)) = plan.changes.objects.into_iter().find(|o| o.key() == matching) else {
        unreachable!()
    };
    let mut back = *back;
    back.metadata.generation = Some(1);
    back.status = world.seen.role_deployment(Role::Frontend).unwrap().status.clone();
    world.see_deployment(back);
    assert_eq!(World::template_given(&world.step(), Role::Matching), Some(proven));
    assert_eq!(world.condition(STALLED), ("True", "RolloutStopped"));
    world.seen.revisions.clear();
    assert_eq!(World::template_given(&world.step(), Role::Matching), None, "it is left alone when that is gone");
    assert_eq!(world.condition(STALLED), ("True", "RolloutStopped"));
    world.restart("again");
    world.step();
    assert_eq!(world.condition(ROLLOUT_PROGRESSING), ("True", "RollingRole"), "another value is another try");
    assert_eq!(world.condition(STALLED).0, "False");
}

#[test]
fn a_step_that_failed_and_was_reached_after_all_is_forgotten() {
    let mut world = World::serving();
    world.set_rollout(json!({"onFailure": "Pause"}));
    world.restart("now");
    world.step();
    world.stick(Role::Matching);
    world.now += 600;
    world.step();
    assert!(
        world.message().contains("It is left as it is, since spec.rollout.onFailure is Pause"),
        "{}",
        world.message()
    );
    world.run_role(Role::Matching);
    world.step();
    assert_eq!(world.rollout().failed, None);
    assert_eq!(roles(&world.step()), ["matching", "history"]);
}

#[test]
fn pods_that_are_ready_without_being_in_the_ring_are_a_failure_too() {
    let mut world = World::serving();
    world.restart("now");
    world.step();
    let before = world.seen.role_deployment(Role::Matching).unwrap().clone();
    world.stick(Role::Matching);
    world.run_role(Role::Matching);
    world.see_temporal(2);
    world.step();
    world.now += 600;
    let plan = world.step();
    let proven = before.metadata.annotations.unwrap()[annotations::TEMPLATE_HASH].clone();
    assert_eq!(World::template_given(&plan, Role::Matching), Some(proven));
    assert!(world.message().contains("ring of the frontend role has 2 members"), "{}", world.message());
}

#[test]
fn history_of_a_newer_minor_is_not_taken_back() {
    let mut world = World::serving();
    world.resource.spec.version = Some("1.32.0".to_owned());
    world.finish_job(StoreKind::Default, 1, "Complete");
    world.finish_job(StoreKind::Visibility, 1, "Complete");
    world.step();
    world.run_role(Role::Matching);
    world.step();
    world.stick(Role::History);
    world.now += 600;
    let plan = world.step();
    assert_ne!(World::template_given(&plan, Role::History).as_ref(), world.rollout().proven.get("history"));
    assert!(world.message().contains("may not read what newer ones wrote"), "{}", world.message());
    assert_eq!(world.status.version.as_deref(), Some("1.31.2"));
    let versions: Vec<_> = world.status.services.iter().map(|s| s.version.as_str()).collect();
    assert_eq!(versions, ["1.31.2", "1.32.0", "1.32.0", "1.31.2"], "what each role gives to new pods");
}

#[test]
fn a_paused_rollout_begins_nothing_and_ends_what_is_under_way() {
    let mut world = World::serving();
    world.restart("now");
    world.step();
    world.stick(Role::Matching);
    world.set_rollout(json!({"paused": true}));
    assert_eq!(roles(&world.step()), ["matching"]);
    world.run_role(Role::Matching);
    assert_eq!(roles(&world.step()), ["matching"]);
    assert_eq!(
        world.message(),
        "The rollout is paused by spec.rollout.paused; history, frontend, worker waits. Set it to false to go on."
    );
    assert_eq!(world.condition(ROLLOUT_PROGRESSING), ("False", "RolloutPaused"));
    world.set_rollout(json!({}));
    assert_eq!(roles(&world.step()), ["matching", "history"]);
}

#[test]
fn a_paused_cluster_gets_no_schema_of_another_version() {
    let mut world = World::serving();
    world.set_rollout(json!({"paused": true}));
    world.resource.spec.version = Some("1.32.0".to_owned());
    assert!(jobs(&world.step()).is_empty());
    assert_eq!(world.condition(READY), ("True", "RolloutPaused"));
}

#[test]
fn an_upgrade_of_two_minors_goes_by_the_one_between() {
    let mut world = World::new();
    world.resource.spec.version = Some("1.30.8".to_owned());
    world.serve();
    world.resource.spec.version = Some("1.32.0".to_owned());
    let mut reached = vec![world.status.version.clone().unwrap()];
    for _ in 0..40 {
        world.step();
        for store in [StoreKind::Default, StoreKind::Visibility] {
            world.finish_job(store, 1, "Complete");
        }
        let step = world.rollout().step.and_then(|s| Role::parse(&s.role));
        if let Some(role) = step {
            world.run_role(role);
        }
        reached.push(world.status.version.clone().unwrap());
    }
    reached.dedup();
    assert_eq!(reached, ["1.30.8", "1.31.2", "1.32.0"]);
    assert_eq!(world.status.phase, Some(Phase::Ready), "{}", world.message());
    assert_eq!(world.rollout().target_version, None);
}

fn dynamic_config(plan: &Plan) -> Value {
    serde_yaml::from_str(&delivery::map(plan).data.as_ref().unwrap()["dynamic_config.yaml"]).unwrap()
}

#[test]
fn what_makes_pods_leave_gently_comes_with_the_first_proof() {
    let mut world = World::new();
    let drained = |plan: &Plan| dynamic_config(plan).get("history.alignMembershipChange").is_some();
    assert!(!drained(&world.step()), "the first pods do not wait for a common moment");
    world.serve();
    assert!(drained(&world.step()));
}

#[test]
fn callers_and_polls_follow_sooner_while_shards_move_and_less_is_done_again() {
    let mut world = World::new();
    world.resource.spec.num_history_shards = 512;
    let values = |plan: &Plan| {
        let keys = [
            "history.longPollExpirationInterval",
            "matching.membershipUnloadDelay",
            "matching.longPollExpirationInterval",
            "history.transferProcessorUpdateAckInterval",
        ];
        keys.map(|key| dynamic_config(plan)[key][0]["value"].clone())
    };
    assert_eq!(values(&world.step())[3], "24s", "the first pods take nothing over");
    world.serve();
    let (moving, at_rest) = (["1s", "200ms", "5s", "5s"], ["5s", "500ms", "20s", "24s"]);
    assert_eq!(values(&world.step()), at_rest);
    world.restart("now");
    for (role, expected) in
        [(Role::Matching, moving), (Role::History, moving), (Role::Frontend, at_rest), (Role::Worker, at_rest)]
    {
        world.step();
        assert_eq!(values(&world.step()), expected, "while the {role} role is replaced");
        world.run_role(role);
    }
}
