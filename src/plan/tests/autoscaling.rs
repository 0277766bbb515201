//! Who decides on the number of pods, and how that passes from one to the other.

use super::*;
use serde_json::Value;

impl World {
    fn set_history(&mut self, history: &Value) {
        self.resource.spec.services = Some(serde_json::from_value(json!({"history": history})).unwrap());
    }

    fn scale(&mut self, role: Role, pods: i32) {
        let mut live = self.seen.role_deployment(role).unwrap().clone();
        live.spec.as_mut().unwrap().replicas = Some(pods);
        let status = live.status.as_mut().unwrap();
        (status.replicas, status.updated_replicas, status.ready_replicas) = (Some(pods), Some(pods), Some(pods));
        self.see_deployment(live);
    }
}

fn given(plan: &Plan, role: Role) -> Option<i32> {
    let found =
        plan.changes.objects.iter().find(|o| o.kind() == Kind::Deployment && o.key().name == format!("c-{role}"))?;
    let Object::Deployment(deployment) = found else { return None };
    deployment.spec.as_ref()?.replicas
}

fn scaled() -> Value {
    json!({"autoscaling": {"minReplicas": 2, "maxReplicas": 5}, "resources": {"requests": {"cpu": "1"}}})
}

#[test]
fn a_cluster_that_is_made_begins_with_the_least_number_and_gives_it_up() {
    let mut world = World::new();
    world.set_history(&scaled());
    world.finish_job(StoreKind::Default, 1, "Complete");
    world.finish_job(StoreKind::Visibility, 1, "Complete");
    let plan = world.step();
    assert_eq!((given(&plan, Role::History), plan.changes.handovers.clone()), (Some(2), Vec::new()));
    assert!(plan.changes.objects.iter().any(|o| o.kind() == Kind::HorizontalPodAutoscaler));

    let Some(Object::Deployment(live)) =
        plan.changes.objects.into_iter().find(|o| o.key().name == "c-history" && o.kind() == Kind::Deployment)
    else {
        unreachable!()
    };
    world.see_deployment(*live);
    let plan = world.step();
    let key = ObjectKey { kind: Kind::Deployment, name: "c-history".to_owned() };
    assert_eq!((given(&plan, Role::History), plan.changes.handovers), (None, vec![Handover { key, replicas: 2 }]));
}

#[test]
fn a_number_that_is_not_given_any_more_is_handed_over_once() {
    let mut world = World::new();
    world.set_history(&json!({"replicas": 3, "resources": {"requests": {"cpu": "1"}}}));
    world.serve_with(3);
    assert!(world.step().changes.handovers.is_empty());

    world.set_history(&scaled());
    let plan = world.step();
    assert_eq!(plan.changes.handovers.iter().map(|h| h.replicas).collect::<Vec<_>>(), [3]);
    assert_eq!(given(&plan, Role::History), None);
    world.run_role(Role::History);
    world.scale(Role::History, 4);
    let plan = world.step();
    assert_eq!(
        (given(&plan, Role::History), plan.changes.handovers),
        (None, Vec::new()),
        "the autoscaler's number is left alone"
    );
    assert_eq!(conditions::get(&world.status.conditions, READY).unwrap().status, "True");

    // back: the number stays without one in the manifest, and is the manifest's with one
    world.set_history(&json!({"resources": {"requests": {"cpu": "1"}}}));
    world.see_child(ObjectKey { kind: Kind::HorizontalPodAutoscaler, name: "c-history".to_owned() }, None);
    let plan = world.step();
    assert_eq!((given(&plan, Role::History), plan.changes.handovers), (None, Vec::new()));
    assert_eq!(plan.changes.prune[0].kind, Kind::HorizontalPodAutoscaler);
    world.set_history(&json!({"replicas": 2, "resources": {"requests": {"cpu": "1"}}}));
    assert_eq!(given(&world.step(), Role::History), Some(2));
}

#[test]
fn an_autoscaler_that_does_not_act_is_said_after_a_while() {
    let mut world = World::serving();
    let broken = json!({"metadata": {"name": "c-history"}, "status": {"conditions": [{"type": "ScalingActive",
        "status": "False", "reason": "FailedGetResourceMetric", "lastTransitionTime": "1970-01-01T00:16:40Z"}]}});
    world.seen.autoscalers = vec![Arc::new(serde_json::from_value(broken).unwrap())];
    world.step();
    assert!(!world.message().contains("autoscaler"));
    world.now += 120;
    world.step();
    let said = "Note: the autoscaler c-history does not act (FailedGetResourceMetric), the number of pods stays";
    assert!(world.message().contains(said), "{}", world.message());
    assert_eq!(world.status.phase, Some(Phase::Ready));
}
