//! Deletion and garbage collection.
//!
//! Faithful: preconditions, finalizers, the three propagation policies (a Job deleted without one
//! orphans its pods, as batch/v1 does), dependents going with the last of their owners, references
//! to absent owners being dropped, namespaces taking their content along. Left out: grace periods
//! (a pod is gone at once); collecting happens right after each request unless it is held.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    errors::Failure,
    store::{ObjectKey, Store, now},
    write::{Target, bump_generation, check_uid, check_version, remove_fields, text},
};

/// `DeleteOptions`.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    pub propagation: Option<Propagation>,
    pub uid: String,
    pub resource_version: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Propagation {
    Background,
    Foreground,
    Orphan,
}

const FOREGROUND_FINALIZER: &str = "foregroundDeletion";

impl Store {
    pub fn delete(&mut self, target: &Target, options: &DeleteOptions) -> Result<Value, Failure> {
        let live = self.get(&target.kind, &target.namespace, &target.name)?.clone();
        check_uid(target, &live, &options.uid)?;
        check_version(target, &live, &options.resource_version)?;
        if target.dry_run {
            return Ok(deleted(target, &live));
        }
        let by_default = if target.kind.is("batch", "Job") { Propagation::Orphan } else { Propagation::Background };
        let propagation = options.propagation.unwrap_or(by_default);
        match self.start_deletion(&target.key(), propagation) {
            Some(terminating) => Ok(terminating),
            None => Ok(deleted(target, &live)),
        }
    }

    /// Deletes an object, or marks it when finalizers are left; what is left of it.
    fn start_deletion(&mut self, key: &ObjectKey, propagation: Propagation) -> Option<Value> {
        let mut object = self.objects.get(key)?.clone();
        if propagation == Propagation::Orphan {
            self.orphan_dependents(&object);
        }
        if object["metadata"].get("deletionTimestamp").is_some() {
            return Some(object);
        }
        let mut finalizers = object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
        if propagation == Propagation::Foreground {
            finalizers.push(FOREGROUND_FINALIZER.into());
        }
        if key.plural == "namespaces" {
            object["status"]["phase"] = "Terminating".into();
        } else if finalizers.is_empty() {
            self.commit_removal(key);
            return None;
        }
        object["metadata"]["deletionTimestamp"] = now().into();
        object["metadata"]["deletionGracePeriodSeconds"] = 0.into();
        if !finalizers.is_empty() {
            object["metadata"]["finalizers"] = finalizers.into();
        }
        bump_generation(&mut object);
        Some(self.commit(key.clone(), object))
    }

    fn orphan_dependents(&mut self, owner: &Value) {
        for (key, mut dependent) in self.dependents_of(text(owner, "uid")) {
            retain_owners(&mut dependent, |reference| reference["uid"] != owner["metadata"]["uid"]);
            self.commit(key, dependent);
        }
    }

    fn dependents_of(&self, uid: &str) -> Vec<(ObjectKey, Value)> {
        let refers = |object: &Value| owners(object).any(|reference| reference["uid"] == uid);
        let dependents = self.objects.iter().filter(|(_, object)| refers(object));
        dependents.map(|(key, object)| (key.clone(), object.clone())).collect()
    }

    /// Collects until nothing is left to collect.
    pub fn collect_garbage(&mut self) {
        if self.hold_garbage_collector {
            return;
        }
        loop {
            let before = self.version;
            self.collect_orphans();
            self.finish_foreground_deletions();
            self.empty_terminating_namespaces();
            if self.version == before {
                return;
            }
        }
    }

    fn collect_orphans(&mut self) {
        let present: BTreeMap<String, String> =
            self.objects.iter().map(|(key, object)| (text(object, "uid").to_owned(), key.namespace.clone())).collect();
        let exists = |reference: &Value, namespace: &str| {
            let owner = reference["uid"].as_str().and_then(|uid| present.get(uid));
            owner.is_some_and(|owner| owner.is_empty() || owner == namespace)
        };
        let absent =
            |key: &ObjectKey, object: &Value| owners(object).any(|reference| !exists(reference, &key.namespace));
        let affected: Vec<(ObjectKey, Value)> = self
            .objects
            .iter()
            .filter(|(key, object)| absent(key, object))
            .map(|(key, object)| (key.clone(), object.clone()))
            .collect();
        for (key, mut object) in affected {
            retain_owners(&mut object, |reference| exists(reference, &key.namespace));
            if owners(&object).next().is_some() {
                self.commit(key, object);
            } else {
                self.start_deletion(&key, Propagation::Background);
            }
        }
    }

    fn finish_foreground_deletions(&mut self) {
        let waiting = self.keys_where(|_, object| {
            let finalizers = object["metadata"]["finalizers"].as_array();
            finalizers.into_iter().flatten().any(|finalizer| finalizer == FOREGROUND_FINALIZER)
        });
        for key in waiting {
            let Some(mut owner) = self.objects.get(&key).cloned() else { continue };
            let dependents = self.dependents_of(text(&owner, "uid"));
            for (dependent, _) in &dependents {
                self.start_deletion(dependent, Propagation::Foreground);
            }
            let blocks = |object: &Value| {
                owners(object).any(|reference| {
                    reference["uid"] == owner["metadata"]["uid"] && reference["blockOwnerDeletion"] == true
                })
            };
            if !dependents.iter().any(|(_, dependent)| blocks(dependent)) {
                if let Some(finalizers) = owner["metadata"]["finalizers"].as_array_mut() {
                    finalizers.retain(|finalizer| finalizer != FOREGROUND_FINALIZER);
                }
                self.commit_or_finish_deletion(&key, owner);
            }
        }
    }

    fn empty_terminating_namespaces(&mut self) {
        let terminating = self.keys_where(|key, object| {
            key.plural == "namespaces" && object["metadata"].get("deletionTimestamp").is_some()
        });
        for namespace in terminating {
            let content = self.keys_where(|key, _| key.namespace == namespace.name);
            for key in &content {
                self.start_deletion(key, Propagation::Background);
            }
            if content.is_empty()
                && let Some(mut object) = self.objects.get(&namespace).cloned()
                && !object["spec"]["finalizers"].is_null()
            {
                remove_fields(&mut object["spec"], &["finalizers"]);
                self.commit_or_finish_deletion(&namespace, object);
            }
        }
    }

    fn keys_where(&self, wanted: impl Fn(&ObjectKey, &Value) -> bool) -> Vec<ObjectKey> {
        let found = self.objects.iter().filter(|(key, object)| wanted(key, object));
        found.map(|(key, _)| key.clone()).collect()
    }
}

fn owners(object: &Value) -> impl Iterator<Item = &Value> {
    object["metadata"]["ownerReferences"].as_array().into_iter().flatten()
}

fn retain_owners(object: &mut Value, keep: impl Fn(&Value) -> bool) {
    if let Some(references) = object["metadata"]["ownerReferences"].as_array_mut() {
        references.retain(keep);
    }
}

fn deleted(target: &Target, live: &Value) -> Value {
    let mut details = json!({"name": target.name, "kind": target.kind.plural, "uid": text(live, "uid")});
    if !target.kind.group.is_empty() {
        details["group"] = target.kind.group.as_str().into();
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}
