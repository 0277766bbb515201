//! A changed dynamic config: what it touches, and who is told of it.

use super::*;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};

impl World {
    fn see_pods(&mut self, pods: &[(&str, &str, bool)]) {
        self.seen.pods.clear();
        for (name, component, ends) in pods {
            let mut metadata = json!({"name": name, "labels": {"app.kubernetes.io/component": component}});
            if *ends {
                metadata["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            }
            self.seen.pods.push(Arc::new(serde_json::from_value::<Pod>(json!({"metadata": metadata})).unwrap()));
        }
    }

    fn limit_blobs(&mut self, bytes: u32) {
        let values = json!({"values": {"limit.blobSize.error": [{"value": bytes}]}});
        self.resource.spec.dynamic_config = Some(serde_json::from_value(values).unwrap());
    }
}

/// The ConfigMap of the dynamic config.
pub(super) fn map(plan: &Plan) -> &ConfigMap {
    match plan.changes.objects.iter().find(|o| o.key().name == "c-dynamicconfig") {
        Some(Object::ConfigMap(map)) => map,
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn it_touches_one_object() {
    let mut world = World::serving();
    let before = world.step();
    world.limit_blobs(2_097_152);
    let after = world.step();
    let new = after.changes.objects.iter().filter(|o| !before.changes.objects.contains(o));
    assert_eq!(new.map(|o| o.key().to_string()).collect::<Vec<_>>(), ["ConfigMap c-dynamicconfig"]);
    let text = &map(&after).data.as_ref().unwrap()["dynamic_config.yaml"];
    assert!(text.contains("value: 2097152"), "integers stay integers: {text}");
}

#[test]
fn the_pods_that_serve_are_told_once() {
    let mut world = World::serving();
    world.see_pods(&[
        ("history-1", "history", false),
        ("history-0", "history", true),
        ("frontend-1", "frontend", false),
        ("ui-1", "ui", false),
        ("setup-1", "schema", false),
    ]);
    assert_eq!(world.step().changes.delivery, None, "nothing has changed");
    world.limit_blobs(1);
    let plan = world.step();
    let hash = Object::ConfigMap(Box::new(map(&plan).clone())).sealed().unwrap().hash;
    let pods = vec!["history-1".to_owned(), "frontend-1".to_owned()];
    assert_eq!(plan.changes.delivery, Some(Delivery { hash, pods }));
    assert_eq!(world.step().changes.delivery, None);
}

#[test]
fn a_rollout_has_its_settings_delivered_when_it_begins_and_when_shards_are_at_rest() {
    let mut world = World::serving();
    let told = |world: &mut World| (0..3).filter(|_| world.step().changes.delivery.is_some()).count();
    assert_eq!(told(&mut world), 0);
    world.restart("now");
    for (role, expected) in [(Role::Matching, 1), (Role::History, 0), (Role::Frontend, 1), (Role::Worker, 0)] {
        assert_eq!(told(&mut world), expected, "at the {role} role");
        world.run_role(role);
    }
}

/// The first pods are made one role after the other, and the settings of a cluster that serves come last.
#[test]
fn nobody_is_told_while_a_cluster_is_made() {
    let mut world = World::serving();
    world.see_pods(&[("matching-1", "matching", false)]);
    world.status.version = None;
    world.limit_blobs(1);
    assert_eq!(world.step().changes.delivery, None);
}
