//! Secrets: which pods are made anew when one changes, and what is said when one is missing.

use super::*;
use crate::api::annotations;
use serde_json::Value;
use std::collections::BTreeMap;

/// A cluster that serves, with this change to both stores.
fn serving(change: &Value) -> World {
    let mut world = World::new();
    world.set_stores(change);
    for (name, version) in [("s", "1"), ("tls", "1"), ("owner", "1")] {
        world.seen.secrets.insert(name.to_owned(), Some(version.to_owned()));
    }
    world.serve();
    world
}

impl World {
    /// Sets the fields of both stores.
    fn set_stores(&mut self, change: &Value) {
        let mut spec = serde_json::to_value(&self.resource.spec).unwrap();
        for store in ["defaultStore", "visibilityStore"] {
            for (key, value) in change.as_object().unwrap() {
                match value.as_object().filter(|_| key == "sql") {
                    Some(fields) => fields.iter().for_each(|(k, v)| spec["persistence"][store]["sql"][k] = v.clone()),
                    None => spec["persistence"][store][key] = value.clone(),
                }
            }
        }
        self.resource.spec = serde_json::from_value(spec).unwrap();
    }

    /// The roles whose pods are wanted anew, one after the other as each gets ready.
    fn rolled(&mut self) -> Vec<String> {
        let mut rolled = Vec::new();
        for _ in 0..10 {
            let old: Vec<_> = ROLL_ORDER.into_iter().map(|r| (r, self.template(r))).collect();
            let plan = self.step();
            assert!(jobs(&plan).is_empty(), "no schema is due");
            let new = |role: Role| {
                plan.changes
                    .objects
                    .iter()
                    .find(|o| o.key().name == format!("c-{role}") && o.kind() == Kind::Deployment)
                    .cloned()
            };
            let changed: Vec<Role> = old
                .into_iter()
                .filter(|(role, old)| new(*role).is_some_and(|o| hash(&o) != *old))
                .map(|(role, _)| role)
                .collect();
            for role in &changed {
                rolled.push(role.to_string());
                self.run_role(*role);
            }
            if changed.is_empty() {
                break;
            }
        }
        rolled
    }

    fn template(&self, role: Role) -> Option<String> {
        self.seen.role_deployment(role)?.metadata.annotations.as_ref()?.get(annotations::TEMPLATE_HASH).cloned()
    }
}

fn hash(object: &Object) -> Option<String> {
    object.metadata().annotations.as_ref()?.get(annotations::TEMPLATE_HASH).cloned()
}

const ORDER: [&str; 4] = ["matching", "history", "frontend", "worker"];

fn tls() -> Value {
    json!({"tls": {
        "enabled": true, "caFileRef": {"name": "tls"}, "certFileRef": {"name": "tls"}, "keyFileRef": {"name": "tls"},
    }})
}

#[test]
fn a_changed_user_and_secret_together_roll_each_role_once() {
    let mut world = serving(&json!({}));
    world.set_stores(&json!({"sql": {"user": "other"}}));
    world.seen.secrets.insert("s".to_owned(), Some("2".to_owned()));
    assert_eq!(world.rolled(), ORDER);
}

#[test]
fn a_changed_tls_secret_rolls_the_roles_in_order() {
    let mut world = serving(&tls());
    assert!(world.rolled().is_empty());
    world.seen.secrets.insert("tls".to_owned(), Some("2".to_owned()));
    assert_eq!(world.rolled(), ORDER);
}

#[test]
fn tls_switched_on_rolls_the_roles_in_order() {
    let mut world = serving(&json!({}));
    world.set_stores(&tls());
    assert_eq!(world.rolled(), ORDER);
}

#[test]
fn the_secret_of_the_migration_user_is_no_business_of_server_pods() {
    let mut world = serving(&json!({"migration": {"user": "owner", "passwordSecretRef": {"name": "owner"}}}));
    world.seen.secrets.insert("owner".to_owned(), Some("2".to_owned()));
    assert!(world.rolled().is_empty());
}

#[test]
fn a_missing_tls_secret_is_named_with_all_its_keys() {
    let mut world = World::new();
    world.set_stores(&tls());
    world.seen.secrets = BTreeMap::from([("s".to_owned(), Some("1".to_owned())), ("tls".to_owned(), None)]);
    assert!(jobs(&world.step()).is_empty());
    assert_eq!(
        world.message(),
        "Waits for the Secret \"tls\" in namespace \"ns\"; create it with the keys \"ca.pem\", \"client.key\", \"client.pem\"."
    );
}

#[test]
fn another_version_of_a_tls_secret_is_another_try_at_the_schema() {
    let mut world = World::new();
    world.set_stores(&tls());
    let valid = world.valid();
    let name = |version: &str| {
        let secrets = SecretVersions::from([("tls".to_owned(), version.to_owned())]);
        job::name(&valid, &valid.default_store, &secrets, 1)
    };
    assert_ne!(name("1"), name("2"));
}
