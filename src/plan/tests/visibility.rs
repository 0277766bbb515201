//! Whether workflows can be listed, beside whether they run.

use super::*;
use crate::api::conditions::VISIBILITY_READY;

const REFUSED: &str = "Temporal does not answer ListWorkflowExecutions (visibility): elastic: Error 401 (Unauthorized)";

impl World {
    fn visibility_fails(&mut self, why: Option<&str>) {
        let TemporalView::Seen(seen) = &mut self.seen.temporal else { unreachable!() };
        seen.visibility_failure = why.map(str::to_owned);
    }
}

#[test]
fn without_visibility_the_cluster_stays_ready_and_says_what_is_away() {
    let mut world = World::serving();
    assert_eq!(world.condition(VISIBILITY_READY), ("True", "WorkflowsListed"));
    world.visibility_fails(Some(REFUSED));
    let plan = world.step();
    assert_eq!(world.condition(VISIBILITY_READY), ("False", "VisibilityUnavailable"));
    assert_eq!((world.condition(READY), world.condition(RECONCILING).0), (("True", "ClusterReady"), "False"));
    for words in ["visibility store db:5432/b fails", "Error 401", "correct the password in the Secret"] {
        assert!(world.message().contains(words), "{words}: {}", world.message());
    }
    assert_eq!(plan.wake, Duration::from_secs(10), "nothing is on its way");
    world.visibility_fails(None);
    world.step();
    assert_eq!(world.condition(VISIBILITY_READY).0, "True");
    assert!(!world.message().contains("visibility"), "{}", world.message());
}

#[test]
fn visibility_waits_for_its_first_schema_and_not_for_an_update() {
    let mut world = World::new();
    world.step();
    assert_eq!(world.condition(VISIBILITY_READY), ("False", "SchemaPending"));
    let mut world = World::serving();
    world.resource.spec.version = Some("1.32.0".to_owned());
    world.step();
    assert_eq!(world.condition(conditions::SCHEMA_READY).0, "False");
    assert_eq!(world.condition(VISIBILITY_READY).0, "True");
}

#[test]
fn nobody_knows_of_visibility_while_the_frontend_is_silent() {
    let mut world = World::serving();
    world.seen.temporal = TemporalView::Silent { why: "no answer".to_owned(), since: world.at(), rings: None };
    world.step();
    assert_eq!(world.condition(VISIBILITY_READY), ("Unknown", "TemporalUnreachable"));
}

#[test]
fn an_elasticsearch_store_is_recorded_by_address_and_index() {
    let mut world = World::new();
    let search = json!({"elasticsearch": {"url": "http://search:9200"}});
    world.resource.spec.persistence.visibility_store = serde_json::from_value(search).unwrap();
    world.serve();
    let stores = world.status.persistence.clone().unwrap();
    let recorded = stores.visibility_store.unwrap();
    assert_eq!(recorded.type_, "elasticsearch");
    assert_eq!(recorded.database.as_deref(), Some("search:9200/temporal_visibility_v1"));
}
