//! Two visibility stores: which of them is written and read while the manifest changes.

use super::*;
use crate::api::conditions::VISIBILITY_READY;
use crate::api::persistence::DatastoreSpec;

const WRITES_BOTH: &str = "secondaryVisibilityWritingMode";

impl World {
    fn lists(&mut self, first: &str, second: Option<&str>) {
        let store = |database: &str| -> DatastoreSpec {
            serde_json::from_value(json!({"sql": {"pluginName": "postgres12", "user": "t", "databaseName": database, "connectAddr": "db:5432"}}))
                .unwrap()
        };
        let stores = &mut self.resource.spec.persistence;
        (stores.visibility_store, stores.secondary_visibility_store) = (store(first), second.map(store).map(Box::new));
    }

    fn said_of_the_list(&self) -> &str {
        &conditions::get(&self.status.conditions, VISIBILITY_READY).unwrap().message
    }

    /// Serves with `b`, and writes `c` too.
    fn writing_both() -> Self {
        let mut world = Self::serving();
        world.lists("b", Some("c"));
        world.finish_job(StoreKind::Visibility, 1, "Complete");
        world.finish_job(StoreKind::SecondaryVisibility, 1, "Complete");
        world.roll();
        world
    }

    fn moving_into(&self) -> Option<(&str, bool)> {
        let moving = self.status.persistence.as_ref()?.visibility_move.as_ref()?;
        Some((&moving.into, moving.since.is_some()))
    }
}

fn dynamic(plan: &Plan) -> String {
    let found = plan.changes.objects.iter().find_map(|o| match o {
        Object::ConfigMap(map) if o.key().name == "c-dynamicconfig" => map.data.clone(),
        _ => None,
    });
    found.unwrap().into_values().collect()
}

#[test]
fn the_second_store_has_its_schema_before_a_server_hears_of_it() {
    let mut world = World::serving();
    world.lists("b", Some("c"));
    let plan = world.step();
    let valid = world.valid();
    let second = valid.secondary_visibility_store.as_ref().unwrap();
    assert_eq!(jobs(&plan), [job::name(&valid, second, &secret_versions(&world.seen), 1)]);
    assert!(jobs(&plan)[0].starts_with("c-schema-secondary-"), "{:?}", jobs(&plan));
    assert!(roles(&plan).is_empty(), "{:?}", roles(&plan));
    assert!(world.message().contains("secondary visibility store"), "{}", world.message());
    assert_eq!(world.condition(VISIBILITY_READY).0, "True", "the first store is listed meanwhile");
    assert_eq!(world.moving_into(), Some(("db:5432/c", false)));
    assert!(world.said_of_the_list().contains("the rollout brings"), "{}", world.said_of_the_list());
}

#[test]
fn when_all_pods_write_both_the_time_is_kept_and_what_is_left_is_said() {
    let mut world = World::writing_both();
    assert_eq!(world.moving_into(), Some(("db:5432/c", true)));
    let said = world.said_of_the_list().to_owned();
    assert!(said.contains("db:5432/c is written too since 1970-01-01T00:16:41Z"), "{said}");
    assert!(said.contains("the two blocks can change places"), "{said}");
    world.now += 1000;
    let plan = world.step();
    assert_eq!(world.said_of_the_list(), said, "idle is idle");
    assert!(dynamic(&plan).contains(WRITES_BOTH));
}

#[test]
fn stores_that_change_places_need_no_job_and_are_both_written_all_the_time() {
    let mut world = World::writing_both();
    world.lists("c", Some("b"));
    let plan = world.step();
    assert!(jobs(&plan).is_empty(), "{:?}", jobs(&plan));
    assert_eq!(roles(&plan), ["matching"]);
    assert!(dynamic(&plan).contains(WRITES_BOTH));
    world.roll();
    assert_eq!(world.moving_into(), Some(("db:5432/c", true)));
    assert!(world.said_of_the_list().contains("read from db:5432/c, written since"), "{}", world.said_of_the_list());
}

/// A pod that still knows both would write the older one alone, were it told so before it is replaced.
#[rstest]
#[case::as_it_should_be(true)]
#[case::without_reading_the_newer_first(false)]
fn both_are_written_until_no_pod_knows_two(#[case] swapped: bool) {
    let mut world = World::writing_both();
    if swapped {
        world.lists("c", Some("b"));
        world.roll();
    }
    world.lists("c", None);
    let plan = world.step();
    assert!(jobs(&plan).is_empty(), "{:?}", jobs(&plan));
    assert!(dynamic(&plan).contains(WRITES_BOTH), "old pods are there");
    world.roll();
    assert_eq!(world.moving_into(), None);
    let plan = world.step();
    assert!(!dynamic(&plan).contains(WRITES_BOTH));
    assert_eq!(world.said_of_the_list(), "Workflows can be listed.");
}

/// It works on what it has until its shards have left it.
#[test]
fn a_pod_of_before_that_still_ends_holds_the_move_up() {
    let pod = |role: Role, ip: &str, ends: Option<&str>| {
        let metadata = json!({"name": ip, "labels": {(labels::COMPONENT): role.name()}, "deletionTimestamp": ends});
        Arc::new(serde_json::from_value(json!({"metadata": metadata, "status": {"podIP": ip}})).unwrap())
    };
    let ends = |world: &mut World| {
        world.seen.pods = world.roles().into_iter().map(|role| pod(role, "10.0.0.0", None)).collect();
        world.seen.pods.push(pod(Role::History, "10.0.0.9", Some("1970-01-01T00:16:40Z")));
    };
    let waits = |world: &World| waits_for_pods(&world.valid(), world.status.persistence.as_ref());
    let mut world = World::serving();
    world.lists("b", Some("c"));
    world.finish_job(StoreKind::Visibility, 1, "Complete");
    world.finish_job(StoreKind::SecondaryVisibility, 1, "Complete");
    ends(&mut world);
    world.roll();
    assert_eq!(world.moving_into(), Some(("db:5432/c", false)), "it knows one store");
    assert_eq!(world.status.phase, Some(Phase::Ready), "{:?}", world.status.message);
    assert!(waits(&world));
    world.seen.pods.clear();
    world.step();
    assert_eq!(world.moving_into(), Some(("db:5432/c", true)));
    assert!(!waits(&world), "idle is idle");

    world.lists("c", Some("b"));
    world.roll();
    world.lists("c", None);
    world.step();
    ends(&mut world);
    world.roll();
    let plan = world.step();
    assert!(dynamic(&plan).contains(WRITES_BOTH), "it knows both, and would write the older one alone");
    assert!(waits(&world));
    world.seen.pods.clear();
    world.step();
    assert_eq!(world.moving_into(), None);
    assert!(!dynamic(&world.step()).contains(WRITES_BOTH));
}

#[test]
fn a_third_store_begins_another_move() {
    let mut world = World::writing_both();
    world.lists("c", Some("d"));
    world.step();
    assert_eq!(world.moving_into(), Some(("db:5432/d", false)));
}

#[test]
fn a_new_store_that_is_read_at_once_is_the_newer_one_all_the_same() {
    let mut world = World::serving();
    world.lists("c", Some("b"));
    world.step();
    assert_eq!(world.moving_into(), Some(("db:5432/c", false)));
}

#[test]
fn which_of_the_two_stores_fails_is_told() {
    let mut world = World::writing_both();
    let fails = |world: &mut World, first: Option<&str>, second: Option<&str>| {
        let TemporalView::Seen(seen) = &mut world.seen.temporal else { unreachable!() };
        (seen.visibility_failure, seen.secondary_failure) = (first.map(str::to_owned), second.map(str::to_owned));
        world.step();
    };
    fails(&mut world, None, Some("connection refused"));
    assert_eq!(world.condition(VISIBILITY_READY), ("False", "SecondaryVisibilityUnavailable"));
    assert!(
        world.message().contains("the secondary visibility store db:5432/c fails: connection refused"),
        "{}",
        world.message()
    );
    assert_eq!(world.condition(READY).0, "True");
    fails(&mut world, Some("connection refused"), None);
    assert_eq!(world.condition(VISIBILITY_READY), ("False", "VisibilityUnavailable"));
    assert!(world.message().contains("the visibility store db:5432/b fails"), "{}", world.message());
    world.lists("c", Some("d"));
    world.finish_job(StoreKind::SecondaryVisibility, 1, "Complete");
    fails(&mut world, Some("connection refused"), None);
    assert!(
        world.said_of_the_list().contains("one of the visibility stores db:5432/c and db:5432/d fails"),
        "{}",
        world.said_of_the_list()
    );
}
