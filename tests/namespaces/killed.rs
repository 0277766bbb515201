//! The operator is killed at any write of a change of a namespace.

use super::world::{NAMESPACE, World, killed};
use super::{gone, namespace, ready, until};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use temporal_operator::api::TemporalNamespace;
use temporal_operator::api::resident::Phase;
use temporal_operator::plan::namespace::LiveNamespace;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Make,
    Alter,
    Delete,
}

impl killed::Change for Change {
    type End = (BTreeMap<String, Value>, String);

    async fn before(self) -> World {
        let world = ready().await;
        if self != Self::Make {
            let registered = LiveNamespace {
                name: "orders".to_owned(),
                id: "by-hand".to_owned(),
                columns: [("Int01".to_owned(), "Items".to_owned())].into(),
                ..LiveNamespace::default()
            };
            world.temporal.namespaces().insert("orders".to_owned(), registered);
            world.api.put(&namespace(&json!({"allowDeletion": true})));
            let declared = json!({"searchAttributes": {"Items": "Int"}});
            world.api.put_status::<TemporalNamespace>(NAMESPACE, "orders", &declared);
            let operator = world.operator();
            until(&world, NAMESPACE, Phase::Ready, "stay (Items)").await;
            world.api.wait_quiet(Duration::from_secs(3)).await;
            drop(operator);
            world.api.clear_audit();
        }
        world
    }

    fn make(self, world: &World) {
        let attributes = json!({"Customer": "Keyword"});
        match self {
            Self::Make => {
                let spec = json!({"allowDeletion": true, "customSearchAttributes": attributes});
                world.api.put(&namespace(&spec));
            }
            Self::Alter => {
                world.api.edit(NAMESPACE, "orders", |n: &mut TemporalNamespace| {
                    n.spec.description = Some("Orders".to_owned());
                    n.spec.custom_search_attributes = serde_json::from_value(attributes).unwrap();
                    n.spec.allow_search_attribute_deletion = true;
                });
            }
            Self::Delete => {
                world.api.delete::<TemporalNamespace>(NAMESPACE, "orders");
            }
        }
    }

    async fn done(self, world: &World) {
        match self {
            Self::Delete => gone(world, NAMESPACE).await,
            _ => until(world, NAMESPACE, Phase::Pending, "can be used in a moment").await,
        }
        world.api.wait_quiet(Duration::from_secs(3)).await;
    }

    /// Of Kubernetes and of Temporal, without times.
    fn end(self, world: &World) -> Self::End {
        let mut state = world.state();
        state.retain(|name, _| name.contains("TemporalNamespace"));
        for object in state.values_mut() {
            object["status"].as_object_mut().unwrap().remove("usableFrom");
        }
        (state, format!("{:?}", world.temporal.namespaces()))
    }
}

#[rstest::rstest]
#[case(Change::Make, 2)]
#[case(Change::Alter, 1)]
#[case(Change::Delete, 2)]
#[tokio::test(start_paused = true)]
async fn an_operator_that_is_killed_at_any_write_converges(#[case] change: Change, #[case] least: usize) {
    let end = killed::converges(change, least).await;
    assert_eq!(end.1 == "{}", matches!(change, Change::Delete), "what Temporal has in the end: {}", end.1);
}
