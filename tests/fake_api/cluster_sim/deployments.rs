//! Deployments: a ReplicaSet per pod template, pods, status.
//!
//! Faithful: label `pod-template-hash`, owner references, revisions (a template that comes back takes
//! its ReplicaSet up again), `revisionHistoryLimit`, paused Deployments, both strategies, counts and
//! the conditions Available and Progressing. Left out: the steps of maxSurge and maxUnavailable (a
//! rollout that is held has one new pod beside all old ones), other annotations on ReplicaSets.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

use super::super::write::text;
use super::{Rollout, Sim, conditions, controller_reference, is_ready, lock, truth};

const REVISION: &str = "deployment.kubernetes.io/revision";
const HASH: &str = "pod-template-hash";

/// The pods of a Deployment, counted.
#[derive(Default)]
struct Counts {
    all: u64,
    updated: u64,
    ready: u64,
    updated_ready: u64,
}

impl Sim {
    pub(super) fn step_deployments(&self) {
        for deployment in self.living("apps", "Deployment") {
            self.step_deployment(&deployment);
        }
    }

    fn step_deployment(&self, deployment: &Value) {
        let rollout = (lock(&self.knobs).rollout)(deployment);
        let hash = template_hash(deployment);
        let paused = deployment["spec"]["paused"] == true;
        if !paused {
            self.ensure_replica_set(deployment, &hash);
        }
        for (set, wanted) in self.wanted_sizes(deployment, &hash, rollout, paused) {
            self.scale(&set, wanted);
        }
        let mut counts = Counts::default();
        for set in self.controlled_by(deployment, "apps", "ReplicaSet") {
            let (all, ready) = self.run_pods(&set, rollout == Rollout::Completes);
            counts.all += all;
            counts.ready += ready;
            if set_hash(&set) == hash {
                counts.updated = all;
                counts.updated_ready = ready;
            }
        }
        self.report_deployment(deployment, rollout, paused, &counts);
        self.forget_old_replica_sets(deployment, &hash);
    }

    /// The ReplicaSet of the present template, with the highest revision.
    fn ensure_replica_set(&self, deployment: &Value, hash: &str) {
        let sets = self.controlled_by(deployment, "apps", "ReplicaSet");
        let highest = sets.iter().map(revision).max().unwrap_or_default();
        let present = sets.iter().find(|set| set_hash(set) == hash);
        let newest = match present {
            Some(set) if revision(set) == highest => highest,
            _ => highest + 1,
        };
        let annotation = json!({"metadata": {"annotations": {REVISION: newest.to_string()}}});
        match present {
            Some(set) => self.patch(set, None, annotation.clone()),
            None => drop(self.create(&new_replica_set(deployment, hash, newest))),
        }
        self.patch(deployment, None, annotation);
    }

    fn wanted_sizes(&self, deployment: &Value, hash: &str, rollout: Rollout, paused: bool) -> Vec<(Value, u64)> {
        let sets = self.controlled_by(deployment, "apps", "ReplicaSet");
        let wanted = deployment["spec"]["replicas"].as_u64().unwrap_or(1);
        let newest = sets.iter().map(revision).max().unwrap_or_default();
        let is_lead = |set: &Value| {
            if paused { revision(set) == newest } else { set_hash(set) == hash }
        };
        let old: u64 = sets.iter().filter(|set| !is_lead(set)).map(size).sum();
        let recreate = deployment["spec"]["strategy"]["type"] == "Recreate";
        let waits = rollout != Rollout::Completes && !recreate && old > 0;
        let size_of = |set: &Value| match (is_lead(set), paused) {
            (true, true) => wanted.saturating_sub(old),
            (false, true) => size(set),
            (true, false) if waits => wanted.min(1),
            (true, false) => wanted,
            (false, false) if waits => size(set).min(wanted),
            (false, false) => 0,
        };
        sets.iter().map(|set| (set.clone(), size_of(set))).collect()
    }

    fn scale(&self, set: &Value, replicas: u64) {
        self.patch(set, None, json!({"spec": {"replicas": replicas}}));
    }

    /// Brings the pods of a ReplicaSet to its size; how many there are and how many of them are ready.
    fn run_pods(&self, set: &Value, become_ready: bool) -> (u64, u64) {
        let names: Vec<String> = (0..size(set)).map(|index| format!("{}-{index}", text(set, "name"))).collect();
        for pod in self.controlled_by(set, "", "Pod") {
            if !names.iter().any(|name| name == text(&pod, "name")) {
                self.delete(&pod);
            }
        }
        let pods = names.iter().filter_map(|name| self.ensure_pod(set, name, &set["spec"]["template"]));
        let ready: Vec<bool> = pods
            .map(|pod| {
                let ready = become_ready || is_ready(&pod);
                self.report_running(&pod, ready);
                ready
            })
            .collect();
        let count = |number: usize| u64::try_from(number).unwrap_or_default();
        let (all, ready) = (count(ready.len()), count(ready.iter().filter(|ready| **ready).count()));
        let status = json!({
            "replicas": all,
            "fullyLabeledReplicas": positive(all),
            "readyReplicas": positive(ready),
            "availableReplicas": positive(ready),
            "observedGeneration": set["metadata"]["generation"],
        });
        self.patch(set, Some("status"), json!({"status": status}));
        (all, ready)
    }

    fn report_deployment(&self, deployment: &Value, rollout: Rollout, paused: bool, counts: &Counts) {
        let wanted = deployment["spec"]["replicas"].as_u64().unwrap_or(1);
        let complete = counts.updated_ready >= wanted && counts.all == counts.updated;
        let available = counts.ready >= wanted;
        let progressing = match (paused, complete, rollout) {
            (true, ..) => ("Unknown", "DeploymentPaused"),
            (false, true, _) => ("True", "NewReplicaSetAvailable"),
            (false, false, Rollout::Stuck) => ("False", "ProgressDeadlineExceeded"),
            (false, false, _) => ("True", "ReplicaSetUpdated"),
        };
        let reason = if available { "MinimumReplicasAvailable" } else { "MinimumReplicasUnavailable" };
        let status = json!({
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": positive(counts.all),
            "updatedReplicas": positive(counts.updated),
            "readyReplicas": positive(counts.ready),
            "availableReplicas": positive(counts.ready),
            "unavailableReplicas": positive(counts.all.max(wanted) - counts.ready),
            "conditions": conditions(deployment, &[
                ("Available", truth(available), reason, "simulated"),
                ("Progressing", progressing.0, progressing.1, "simulated"),
            ]),
        });
        self.patch(deployment, Some("status"), json!({"status": status}));
    }

    fn forget_old_replica_sets(&self, deployment: &Value, hash: &str) {
        let mut old = self.controlled_by(deployment, "apps", "ReplicaSet");
        old.retain(|set| set_hash(set) != hash && size(set) == 0);
        old.sort_by_key(|set| std::cmp::Reverse(revision(set)));
        let kept = deployment["spec"]["revisionHistoryLimit"].as_u64().unwrap_or(10);
        for set in old.iter().skip(usize::try_from(kept).unwrap_or(usize::MAX)) {
            self.delete(set);
        }
    }
}

fn new_replica_set(deployment: &Value, hash: &str, revision: u64) -> Value {
    let mut template = deployment["spec"]["template"].clone();
    template["metadata"]["labels"][HASH] = hash.into();
    let mut selector = deployment["spec"]["selector"].clone();
    selector["matchLabels"][HASH] = hash.into();
    json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": format!("{}-{hash}", text(deployment, "name")),
            "namespace": deployment["metadata"]["namespace"],
            "labels": template["metadata"]["labels"],
            "annotations": {REVISION: revision.to_string()},
            "ownerReferences": [controller_reference(deployment)],
        },
        "spec": {"replicas": 0, "selector": selector, "template": template},
    })
}

fn template_hash(deployment: &Value) -> String {
    let mut hasher = DefaultHasher::new();
    deployment["spec"]["template"].to_string().hash(&mut hasher);
    format!("{:010x}", hasher.finish() >> 24)
}

fn set_hash(set: &Value) -> &str {
    set["metadata"]["labels"][HASH].as_str().unwrap_or_default()
}

fn revision(set: &Value) -> u64 {
    let revision = set["metadata"]["annotations"][REVISION].as_str();
    revision.and_then(|revision| revision.parse().ok()).unwrap_or_default()
}

fn size(set: &Value) -> u64 {
    set["spec"]["replicas"].as_u64().unwrap_or_default()
}

/// Counts of zero are absent.
fn positive(count: u64) -> Option<u64> {
    (count > 0).then_some(count)
}
