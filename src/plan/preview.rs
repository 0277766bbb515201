//! What a change of the manifest would do, offline: which objects differ, in what order they are touched, what restarts.

use crate::api::annotations;
use crate::api::services::Role;
use crate::build::{self, Kind, Object, ObjectKey, SecretVersions};
use crate::plan::ROLL_ORDER;
use crate::validate::{Invalid, StoreKind, ValidCluster, ValidStore};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The difference between two manifests of one cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// What is done, in the order it is done.
    pub steps: Vec<Step>,
    /// Objects that differ, in the order of their kinds.
    pub changes: Vec<Change>,
}

/// One step of the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Objects that no pod restarts for are made and changed.
    Apply(Vec<ObjectKey>),
    /// The user's Job runs before an upgrade to this version.
    BeforeUpgrade(String),
    /// A store is brought to the schema of the wanted version, by a Job.
    Schema {
        /// The store.
        store: StoreKind,
        /// `host:port/database`.
        database: String,
        /// The server version whose schema it gets.
        version: String,
    },
    /// Pods of a role that is new.
    Create(ObjectKey),
    /// The pods of a Deployment are replaced.
    Restart {
        /// Its role; `None` for what is not a server.
        role: Option<Role>,
        /// The Deployment.
        key: ObjectKey,
    },
    /// The number of pods changes, no pod restarts.
    Scale {
        /// The Deployment.
        key: ObjectKey,
        /// Pods before; `None`: left to others.
        from: Option<i64>,
        /// Pods afterwards.
        to: Option<i64>,
    },
    /// The list of workflows moves, when the roles are rolled.
    List {
        /// The store.
        database: String,
        /// What becomes of it.
        what: Listing,
    },
    /// What becomes of the versions of a worker, in words.
    Traffic(String),
    /// Objects that are not wanted any more are removed.
    Remove(Vec<ObjectKey>),
}

/// What becomes of a visibility store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// It is written beside the other.
    Written,
    /// Workflows are listed from it.
    Read,
    /// Nobody uses it any more.
    Left,
}

/// An object that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Which.
    pub key: ObjectKey,
    /// As it is applied before; `None`: it is new.
    pub before: Option<Value>,
    /// As it is applied afterwards; `None`: it goes.
    pub after: Option<Value>,
}

impl Preview {
    /// Nothing would be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether pods are replaced.
    #[must_use]
    pub fn restarts(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Restart { .. }))
    }

    /// Roles whose pods are replaced, in order; one on a way of several versions more than once.
    #[must_use]
    pub fn restarted_roles(&self) -> Vec<Role> {
        let role = |step: &Step| if let Step::Restart { role, .. } = step { *role } else { None };
        self.steps.iter().filter_map(role).collect()
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |keys: &[ObjectKey]| keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Self::Apply(keys) => write!(f, "Apply {}", names(keys)),
            Self::BeforeUpgrade(target) => {
                write!(
                    f,
                    "Run the Job of spec.rollout.beforeUpgrade; the upgrade to server {target} waits until it succeeds"
                )
            }
            Self::Schema { store, database, version } => {
                write!(f, "Bring the {} store ({database}) to the schema of server {version}, by a Job", store.title())
            }
            Self::Create(key) => write!(f, "Create {key}"),
            Self::Restart { role: Some(role), key } => {
                write!(f, "Roll {role} ({key}); the next step waits until Kubernetes and Temporal prove it")
            }
            Self::Restart { role: None, key } => write!(f, "Roll {key}"),
            Self::Scale { key, from, to } => {
                let pods = |n: &Option<i64>| n.map_or_else(|| "as it is".to_owned(), |n| n.to_string());
                write!(f, "Scale {key} from {} to {} pods, without a restart", pods(from), pods(to))
            }
            Self::List { database, what: Listing::Written } => {
                write!(f, "Then every change of a workflow is written to {database} too")
            }
            Self::List { database, what: Listing::Read } => write!(f, "Then workflows are listed from {database}"),
            Self::List { database, what: Listing::Left } => {
                write!(f, "Then {database} is neither written nor read any more; nothing is dropped there")
            }
            Self::Traffic(words) => f.write_str(words),
            Self::Remove(keys) => write!(f, "Remove {}", names(keys)),
        }
    }
}

/// What would be done to make of the one cluster the other, by way of what lies between: `way` is the versions in their
/// order, the cluster as wanted last.
///
/// # Errors
/// When overrides do not fit the generated Deployment.
pub fn preview(old: &ValidCluster, way: &[ValidCluster]) -> Result<Preview, Invalid> {
    let mut steps: Vec<Step> = way.last().and_then(|wanted| before_upgrade(old, wanted)).into_iter().collect();
    let mut from = old;
    for next in way {
        steps.extend(self::steps(from, next, &changes(from, next)?));
        from = next;
    }
    Ok(Preview { steps, changes: changes(old, from)? })
}

fn changes(old: &ValidCluster, new: &ValidCluster) -> Result<Vec<Change>, Invalid> {
    Ok(differ(&bodies(old)?, &bodies(new)?))
}

/// The objects of which one body is not the other.
pub(super) fn differ(before: &BTreeMap<ObjectKey, Value>, after: &BTreeMap<ObjectKey, Value>) -> Vec<Change> {
    let keys: BTreeSet<&ObjectKey> = before.keys().chain(after.keys()).collect();
    let differ = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
    differ
        .map(|key| Change { key: key.clone(), before: before.get(key).cloned(), after: after.get(key).cloned() })
        .collect()
}

/// Every object but the Jobs: those are made when a store needs one, which is a step and not a difference.
fn bodies(cluster: &ValidCluster) -> Result<BTreeMap<ObjectKey, Value>, Invalid> {
    let objects = build::everything(cluster, &SecretVersions::new())?;
    Ok(objects.iter().filter(|o| o.kind() != Kind::Job).filter_map(|o| Some((o.key(), body(o)?))).collect())
}

/// Without the hashes: they differ because something else does.
pub(super) fn body(object: &Object) -> Option<Value> {
    let mut body = object.sealed().ok()?.body;
    let notes = body["metadata"]["annotations"].as_object_mut()?;
    notes.remove(annotations::APPLIED_HASH);
    notes.remove(annotations::TEMPLATE_HASH);
    Some(body)
}

fn steps(old: &ValidCluster, new: &ValidCluster, changes: &[Change]) -> Vec<Step> {
    let mut steps = Vec::new();
    let is_deployment = |c: &&Change| c.key.kind == Kind::Deployment;
    let plain: Vec<ObjectKey> =
        changes.iter().filter(|c| !is_deployment(c) && c.after.is_some()).map(|c| c.key.clone()).collect();
    if !plain.is_empty() {
        steps.push(Step::Apply(plain));
    }
    steps.extend(new.stores().filter_map(|store| schema(old, new, store)));
    let turn = |change: &&Change| {
        let role = role_of(new, &change.key);
        // what is no server's waits for nobody
        role.map_or(0, |role| 1 + ROLL_ORDER.iter().position(|r| *r == role).unwrap_or_default())
    };
    let mut deployments: Vec<&Change> = changes.iter().filter(is_deployment).collect();
    deployments.sort_by_key(turn);
    steps.extend(deployments.into_iter().filter_map(|change| of_deployment(role_of(new, &change.key), change)));
    steps.extend(visibility(old, new));
    let gone: Vec<ObjectKey> = changes.iter().filter(|c| c.after.is_none()).map(|c| c.key.clone()).collect();
    if !gone.is_empty() {
        steps.push(Step::Remove(gone));
    }
    steps
}

fn before_upgrade(old: &ValidCluster, wanted: &ValidCluster) -> Option<Step> {
    let is_gated = wanted.rollout.before_upgrade.is_some() && wanted.target > old.version;
    is_gated.then(|| Step::BeforeUpgrade(wanted.target.to_string()))
}

/// A store gets a Job when it is another database or has the schema of an older server.
fn schema(old: &ValidCluster, new: &ValidCluster, store: &ValidStore) -> Option<Step> {
    // the two visibility stores may change places
    let alike = |s: &&ValidStore| (s.kind == StoreKind::Default) == (store.kind == StoreKind::Default);
    let same = old.stores().filter(alike).any(|s| s.identity() == store.identity());
    (!same || new.version > old.version).then(|| Step::Schema {
        store: store.kind,
        database: store.identity(),
        version: new.version.to_string(),
    })
}

/// What becomes of the list of workflows when the roles are rolled.
fn visibility(old: &ValidCluster, new: &ValidCluster) -> Vec<Step> {
    let lists = |c: &ValidCluster| -> Vec<String> { c.visibility_stores().map(ValidStore::identity).collect() };
    let (before, after) = (lists(old), lists(new));
    let listed = |database: &String, what| Step::List { database: database.clone(), what };
    let written = after.iter().skip(1).filter(|d| !before.contains(d)).map(|d| listed(d, Listing::Written));
    let read = after.first().filter(|d| before.first() != Some(d)).map(|d| listed(d, Listing::Read));
    let left = before.iter().filter(|d| !after.contains(d)).map(|d| listed(d, Listing::Left));
    written.chain(read).chain(left).collect()
}

pub(super) fn of_deployment(role: Option<Role>, change: &Change) -> Option<Step> {
    let key = change.key.clone();
    let after = change.after.as_ref()?;
    let Some(before) = &change.before else { return Some(Step::Create(key)) };
    let replicas = |body: &Value| body["spec"]["replicas"].as_i64();
    Some(if before["spec"]["template"] != after["spec"]["template"] {
        Step::Restart { role, key }
    } else if replicas(before) != replicas(after) {
        Step::Scale { key, from: replicas(before), to: replicas(after) }
    } else {
        Step::Apply(vec![key])
    })
}

fn role_of(cluster: &ValidCluster, key: &ObjectKey) -> Option<Role> {
    let suffix = key.name.strip_prefix(&cluster.name)?.strip_prefix('-')?;
    Role::ALL.into_iter().find(|r| key.kind == Kind::Deployment && r.name() == suffix)
}

/// Paths at which two values differ, each with the value before and afterwards.
#[must_use]
pub fn differences(before: &Value, after: &Value) -> Vec<(String, Option<Value>, Option<Value>)> {
    let mut found = Vec::new();
    compare("", Some(before), Some(after), &mut found);
    found
}

fn compare(
    path: &str,
    before: Option<&Value>,
    after: Option<&Value>,
    found: &mut Vec<(String, Option<Value>, Option<Value>)>,
) {
    match (before, after) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                compare(&child(path, key), a.get(key), b.get(key), found);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for i in 0..a.len().max(b.len()) {
                compare(&format!("{path}[{i}]"), a.get(i), b.get(i), found);
            }
        }
        (a, b) if a != b => found.push((path.to_owned(), a.cloned(), b.cloned())),
        _ => {}
    }
}

fn child(path: &str, key: &str) -> String {
    match (path, key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')) {
        ("", _) => key.to_owned(),
        (_, true) => format!("{path}.{key}"),
        (_, false) => format!("{path}[{key:?}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::TemporalCluster;
    use crate::validate;
    use rstest::rstest;
    use serde_json::json;

    fn valid(spec: Value) -> ValidCluster {
        let store = |database: &str| json!({"sql": {"pluginName": "postgres12", "user": "t", "databaseName": database, "connectAddr": "db:5432"}});
        let mut manifest = json!({
            "apiVersion": "temporal.io/v1beta1", "kind": "TemporalCluster",
            "metadata": {"name": "orders", "namespace": "prod"},
            "spec": {"version": "1.30.8", "numHistoryShards": 64, "persistence": {"defaultStore": store("main"), "visibilityStore": store("list")}},
        });
        json_patch_merge(&mut manifest["spec"], spec);
        let resource: TemporalCluster = serde_json::from_value(manifest).unwrap();
        validate::cluster(&resource).unwrap()
    }

    fn json_patch_merge(into: &mut Value, from: Value) {
        match (into, from) {
            (Value::Object(a), Value::Object(b)) => {
                for (key, value) in b {
                    json_patch_merge(a.entry(key).or_insert(Value::Null), value);
                }
            }
            (a, b) => *a = b,
        }
    }

    fn other(database: &str) -> Value {
        json!({"sql": {"pluginName": "postgres12", "user": "t", "databaseName": database, "connectAddr": "db:5432"}})
    }

    fn said(before: Value, after: Value) -> Vec<String> {
        preview(&valid(before), &[valid(after)]).unwrap().steps.iter().map(ToString::to_string).collect()
    }

    #[rstest]
    #[case::nothing(json!({}), json!({}), &[])]
    #[case::scale(json!({}), json!({"services": {"history": {"replicas": 3}}}),
        &["Scale Deployment orders-history from as it is to 3 pods"])]
    #[case::dynamic(json!({}), json!({"dynamicConfig": {"values": {"limit.maxIDLength": [{"value": 200}]}}}),
        &["Apply ConfigMap orders-dynamicconfig"])]
    #[case::upgrade(json!({}), json!({"version": "1.31.2"}),
        &["Bring the default store (db:5432/main) to the schema of server 1.31.2", "Bring the visibility store",
          "Roll matching", "Roll history", "Roll frontend", "Roll worker"])]
    #[case::gate(json!({}), json!({"version": "1.31.2", "rollout": {"beforeUpgrade": {"spec": {"template": {"spec":
            {"containers": [{"name": "backup", "image": "b"}]}}}}}}),
        &["Run the Job of spec.rollout.beforeUpgrade; the upgrade to server 1.31.2", "Bring the default store",
          "Bring the visibility store", "Roll matching", "Roll history", "Roll frontend", "Roll worker"])]
    #[case::resources(json!({}), json!({"services": {"worker": {"resources": {"requests": {"cpu": "1"}}}}}), &["Roll worker"])]
    #[case::other_database(json!({}), json!({"persistence": {"visibilityStore": {"sql": {"databaseName": "list2"}}}}),
        &["Apply ConfigMap", "Bring the visibility store (db:5432/list2)", "Roll matching", "Roll history", "Roll frontend", "Roll worker",
          "Then workflows are listed from db:5432/list2", "Then db:5432/list is neither written nor read any more", "Remove ConfigMap"])]
    #[case::second_list(json!({}), json!({"persistence": {"secondaryVisibilityStore": other("list2")}}),
        &["Apply ConfigMap", "Bring the secondary visibility store (db:5432/list2)", "Roll matching", "Roll history", "Roll frontend", "Roll worker",
          "Then every change of a workflow is written to db:5432/list2 too", "Remove ConfigMap"])]
    #[case::lists_change_places(json!({"persistence": {"secondaryVisibilityStore": other("list2")}}),
        json!({"persistence": {"visibilityStore": other("list2"), "secondaryVisibilityStore": other("list")}}),
        &["Apply ConfigMap", "Roll matching", "Roll history", "Roll frontend", "Roll worker", "Then workflows are listed from db:5432/list2", "Remove ConfigMap"])]
    #[case::ui_off(json!({"ui": {"enabled": true}}), json!({}), &["Remove Service orders-ui, Deployment orders-ui"])]
    #[case::ui_on(json!({}), json!({"ui": {"enabled": true}}), &["Apply Service orders-ui", "Create Deployment orders-ui"])]
    #[case::ui_version(json!({"ui": {"enabled": true}}), json!({"ui": {"enabled": true, "version": "2.50.0"}}), &["Roll Deployment orders-ui"])]
    fn steps_in_order(#[case] before: Value, #[case] after: Value, #[case] expected: &[&str]) {
        let said = said(before, after);
        assert_eq!(said.len(), expected.len(), "{said:#?}");
        for (said, expected) in said.iter().zip(expected) {
            assert!(said.starts_with(expected), "{said} does not begin with {expected}");
        }
    }

    #[test]
    fn differences_name_their_path() {
        let found = differences(&json!({"a": [1, {"b.c": 2}], "d": 1}), &json!({"a": [1, {"b.c": 3}, 4]}));
        let paths: Vec<_> = found.iter().map(|(path, ..)| path.as_str()).collect();
        assert_eq!(paths, ["a[1][\"b.c\"]", "a[2]", "d"]);
    }
}
