//! The live objects of one cluster, as the watches know them.

use super::{Place, Stores};
use crate::api::services::Role;
use crate::api::{annotations, labels};
use crate::build::{Kind, ObjectKey};
use crate::plan::Child;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};
use serde_json::Value;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// Kubernetes' own note on a Deployment: what becomes of it is no change of what was applied.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// What is known of a live object without reading it whole.
#[derive(Clone, Debug)]
pub struct Found {
    /// How it was when it was seen.
    pub mark: Mark,
    /// Its uid.
    pub uid: Option<String>,
    /// Its hash annotation.
    pub applied_hash: Option<String>,
    /// Its config hash label.
    pub config_hash: Option<String>,
}

impl Found {
    pub(super) fn of(meta: &ObjectMeta) -> Self {
        let value = |map: &Option<BTreeMap<String, String>>, key: &str| map.as_ref()?.get(key).cloned();
        Self {
            mark: Mark::of(meta),
            uid: meta.uid.clone(),
            applied_hash: value(&meta.annotations, annotations::APPLIED_HASH),
            config_hash: value(&meta.labels, labels::CONFIG_HASH),
        }
    }
}

/// Tells whether an object is still as it was seen before, all but its status. By hashes: one is kept of each object, twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mark {
    /// Of its `resourceVersion`.
    version: u64,
    /// Moves with the spec. Not every kind has one.
    generation: Option<i64>,
    /// Hash of labels, annotations and owners, by which a change of them is seen where a generation is.
    labelling: u64,
}

impl Mark {
    /// The mark of an object with this metadata.
    #[must_use]
    pub fn of(meta: &ObjectMeta) -> Self {
        let mut hasher = DefaultHasher::new();
        meta.labels.hash(&mut hasher);
        for note in meta.annotations.iter().flatten().filter(|(key, _)| *key != REVISION) {
            note.hash(&mut hasher);
        }
        for owner in meta.owner_references.iter().flatten() {
            (&owner.uid, owner.controller, owner.block_owner_deletion).hash(&mut hasher);
        }
        Self {
            version: hash(meta.resource_version.as_deref().unwrap_or_default()),
            generation: meta.generation,
            labelling: hasher.finish(),
        }
    }

    /// The mark of an object of a kind without a generation, whose spec stands for one.
    #[must_use]
    pub fn with_spec(self, spec: &Value) -> Self {
        Self { generation: Some(hash(&spec.to_string()).cast_signed()), ..self }
    }

    /// The same, where only some changes are to be seen: those of `version`.
    pub(super) fn with_version(self, version: &str) -> Self {
        Self { version: hash(version), ..self }
    }

    /// Nothing has changed but the status, if anything. Where no generation tells that, any change counts.
    #[must_use]
    pub fn is_still(&self, before: &Self) -> bool {
        let same_spec = self.generation.is_some() && self.generation == before.generation;
        self.version == before.version || (same_spec && self.labelling == before.labelling)
    }
}

pub(super) fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// What is kept of an object whose status is read.
#[derive(Debug)]
pub struct Watched<T> {
    /// What is known of any kind.
    pub found: Found,
    /// What the plan reads of it.
    pub thin: Arc<T>,
}

impl<T> Clone for Watched<T> {
    fn clone(&self) -> Self {
        Self { found: self.found.clone(), thin: Arc::clone(&self.thin) }
    }
}

/// The live objects that carry our label and have one owner.
pub struct Live {
    found: BTreeMap<ObjectKey, Found>,
    /// Its Deployments, as far as the plan reads them.
    pub deployments: Vec<Arc<Deployment>>,
    /// Its Jobs, likewise.
    pub jobs: Vec<Arc<Job>>,
    /// Its autoscalers, likewise.
    pub autoscalers: Vec<Arc<HorizontalPodAutoscaler>>,
}

impl Live {
    /// What the owner with this uid has in the namespace.
    #[must_use]
    pub fn of(stores: &Stores, namespace: &str, owner: &str) -> Self {
        let owner = owner_key(namespace, owner);
        let (deployments, jobs) = (stores.deployments.of(&owner), stores.jobs.of(&owner));
        let autoscalers = stores.autoscalers.of(&owner);
        let mut live = Self {
            found: BTreeMap::new(),
            deployments: deployments.iter().map(|(_, d)| Arc::new(d.thin.whole())).collect(),
            jobs: jobs.iter().map(|(_, j)| Arc::new(j.thin.whole())).collect(),
            autoscalers: autoscalers.iter().map(|(_, a)| Arc::new(a.thin.whole())).collect(),
        };
        live.note(Kind::ServiceAccount, stores.service_accounts.of(&owner));
        live.note(Kind::ConfigMap, stores.config_maps.of(&owner));
        live.note(Kind::Service, stores.services.of(&owner));
        live.note(Kind::PodDisruptionBudget, stores.disruption_budgets.of(&owner));
        live.note(Kind::Ingress, stores.ingresses.of(&owner));
        live.note(Kind::ServiceMonitor, stores.service_monitors.of(&owner));
        let revisions = stores.revisions.of(&owner).into_iter().map(|(name, r)| (name, r.found));
        live.note(Kind::ControllerRevision, revisions);
        live.note(Kind::Deployment, deployments.into_iter().map(|(name, d)| (name, d.found)));
        live.note(Kind::Job, jobs.into_iter().map(|(name, j)| (name, j.found)));
        live.note(Kind::HorizontalPodAutoscaler, autoscalers.into_iter().map(|(name, a)| (name, a.found)));
        live
    }

    /// Its Deployments of server roles.
    #[must_use]
    pub fn role_deployments(&self) -> Vec<&Deployment> {
        let component = |d: &Deployment| d.labels().get(labels::COMPONENT).cloned().unwrap_or_default();
        let is_role = |d: &Deployment| Role::ALL.iter().any(|role| role.name() == component(d));
        self.deployments.iter().map(AsRef::as_ref).filter(|d| is_role(d)).collect()
    }

    fn note(&mut self, kind: Kind, objects: impl IntoIterator<Item = (Arc<str>, Found)>) {
        let key = |name: &str| ObjectKey { kind, name: name.to_owned() };
        self.found.extend(objects.into_iter().map(|(name, found)| (key(&name), found)));
    }

    /// The object of that key, if it lives and is not being deleted.
    #[must_use]
    pub fn find(&self, key: &ObjectKey) -> Option<&Found> {
        self.found.get(key)
    }

    /// What stays the same as long as no object comes, goes or changes.
    pub fn versions(&self) -> impl Iterator<Item = (&ObjectKey, u64)> {
        self.found.iter().map(|(key, found)| (key, found.mark.version))
    }

    /// All of them, for the plan.
    #[must_use]
    pub fn children(&self) -> Vec<Child> {
        let child = |(key, found): (&ObjectKey, &Found)| Child {
            key: key.clone(),
            config_hash: found.config_hash.clone(),
            applied_hash: found.applied_hash.clone(),
        };
        self.found.iter().map(child).collect()
    }
}

/// What owners are told apart by: an owner reference leads to an object of the same namespace.
pub(super) fn owner_key(namespace: &str, uid: &str) -> String {
    format!("{namespace}/{uid}")
}

/// Whose an object is: a TemporalCluster's or a TemporalWorker's, unless it is being deleted.
pub(super) fn owner_of<K: Resource>(object: &K) -> Option<String> {
    let owner = owner_reference(object, &["TemporalCluster", WORKER_KIND])?;
    let lives = object.meta().deletion_timestamp.is_none();
    lives.then(|| owner_key(&object.namespace().unwrap_or_default(), &owner.uid))
}

/// The worker that an object belongs to, also of one that is being deleted.
pub(super) fn worker_of<K: Resource>(object: &K) -> Option<Place> {
    Some((object.namespace()?, owner_reference(object, &[WORKER_KIND])?.name.clone()))
}

const WORKER_KIND: &str = "TemporalWorker";

fn owner_reference<'a, K: Resource>(object: &'a K, kinds: &[&str]) -> Option<&'a OwnerReference> {
    let is_ours = |o: &&OwnerReference| kinds.contains(&o.kind.as_str()) && o.api_version.starts_with("temporal.io/");
    object.owner_references().iter().find(is_ours)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    fn mark(change: &Value) -> Mark {
        let mut meta = json!({"name": "a", "resourceVersion": "1", "generation": 1, "labels": {"l": "1"},
            "annotations": {"a": "1"}});
        json_patch::merge(&mut meta, change);
        Mark::of(&serde_json::from_value(meta).unwrap())
    }

    #[rstest]
    #[case::the_same(json!({}), true)]
    #[case::a_status(json!({"resourceVersion": "2"}), true)]
    #[case::a_rollout(json!({"resourceVersion": "2", "annotations": {REVISION: "2"}}), true)]
    #[case::a_spec(json!({"resourceVersion": "2", "generation": 2}), false)]
    #[case::a_label(json!({"resourceVersion": "2", "labels": {"l": "2"}}), false)]
    #[case::an_annotation(json!({"resourceVersion": "2", "annotations": {"a": "2"}}), false)]
    #[case::an_owner(json!({"resourceVersion": "2",
        "ownerReferences": [{"apiVersion": "v1", "kind": "K", "name": "n", "uid": "u"}]}), false)]
    #[case::a_kind_without_generation(json!({"resourceVersion": "2", "generation": null}), false)]
    fn what_counts_as_a_change(#[case] change: Value, #[case] still: bool) {
        assert_eq!(mark(&change).is_still(&mark(&json!({}))), still);
    }
}
