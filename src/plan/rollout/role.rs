//! One role: what is wanted of it, what is seen, how far it is.

use super::ring;
use crate::api::services::Role;
use crate::api::{annotations, labels};
use crate::build::{Object, SecretVersions, ServerConfig, server};
use crate::plan::{Observed, TemporalView};
use crate::validate::{Invalid, ValidCluster};
use k8s_openapi::api::apps::v1::Deployment;
use std::collections::BTreeMap;

/// How far a role is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleState {
    /// The role.
    pub role: Role,
    /// How far.
    pub progress: Progress,
    /// Pods it should have.
    pub wanted: i32,
    /// Pods that are ready, old ones included.
    pub ready: i32,
    /// Temporal agrees with what Kubernetes shows.
    pub proven: bool,
    /// Address of a new pod that is ready and not in its ring; no other is replaced before it is.
    pub outside: Option<String>,
    /// Server version that its Deployment gives to new pods.
    pub version: Option<String>,
}

/// How far a role is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// No Deployment yet.
    Absent,
    /// The Deployment is not yet as wanted.
    Outdated,
    /// As wanted; not all pods are new and ready.
    Rolling,
    /// As wanted, and all pods are new and ready.
    Complete,
}

/// A role as it is wanted and as it is.
pub(super) struct RoleView<'a> {
    pub role: Role,
    pub wanted: Object,
    /// Hash of the wanted pod template.
    pub wanted_hash: String,
    pub live: Option<&'a Deployment>,
    pub progress: Progress,
    /// Temporal agrees with what Kubernetes shows.
    pub proven: bool,
    /// Temporal was there to be asked.
    asked: bool,
    pods: i32,
}

impl<'a> RoleView<'a> {
    pub(super) fn of(
        cluster: &ValidCluster,
        role: Role,
        config: &ServerConfig,
        secrets: &SecretVersions,
        seen: &'a Observed,
    ) -> Result<Self, Invalid> {
        let live = seen.role_deployment(role);
        // an autoscaler takes over from its least number, not from 1
        let first = cluster.role(role).autoscaling.as_ref().filter(|_| live.is_none()).map(|a| a.min);
        let wanted = server::deployment(cluster, role, config, secrets, first)?;
        let wanted_hash = template_hash(wanted.metadata().annotations.as_ref()).unwrap_or_default();
        let live_hash = live.and_then(|d| template_hash(d.metadata.annotations.as_ref()));
        let progress = match live {
            None => Progress::Absent,
            Some(_) if live_hash.as_ref() != Some(&wanted_hash) => Progress::Outdated,
            Some(live) if is_complete(live) && !is_held(live) => Progress::Complete,
            Some(_) => Progress::Rolling,
        };
        let pods = live.and_then(|d| d.spec.as_ref()?.replicas).or(cluster.role(role).replicas).unwrap_or(1);
        let proven = ring::agrees(role, pods, seen);
        let asked = seen.temporal != TemporalView::NotAsked;
        Ok(Self { role, wanted, wanted_hash, live, progress, proven, asked, pods })
    }

    /// All of its pods are as wanted, by Kubernetes' and by Temporal's word.
    pub(super) fn is_proven_new(&self) -> bool {
        self.progress == Progress::Complete && self.proven && self.asked
    }

    /// It has been given what is wanted, and is not proven.
    pub(super) fn is_on_its_way(&self) -> bool {
        matches!(self.progress, Progress::Rolling | Progress::Complete) && !self.is_proven_new()
    }

    pub(super) fn state(&self) -> RoleState {
        let version = |d: &Deployment| {
            d.spec.as_ref()?.template.metadata.as_ref()?.labels.as_ref()?.get(labels::VERSION).cloned()
        };
        RoleState {
            role: self.role,
            progress: self.progress,
            wanted: self.pods,
            ready: self.live.and_then(|d| d.status.as_ref()?.ready_replicas).unwrap_or(0),
            proven: self.proven,
            outside: None,
            version: self.live.and_then(version),
        }
    }
}

pub(super) fn template_hash(notes: Option<&BTreeMap<String, String>>) -> Option<String> {
    notes?.get(annotations::TEMPLATE_HASH).cloned()
}

/// Kubernetes has seen the last change, and every pod is new and ready. That each new pod has also been ready for
/// `minReadySeconds` is known from the old ones being gone.
#[must_use]
pub fn is_complete(deployment: &Deployment) -> bool {
    let Some(status) = &deployment.status else { return false };
    let wanted = deployment.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1);
    status.observed_generation >= deployment.metadata.generation
        && status.replicas.unwrap_or(0) == wanted
        && status.updated_replicas.unwrap_or(0) == wanted
        && status.ready_replicas.unwrap_or(0) == wanted
}

/// Held by the operator; it is let go before another role begins. What a user has paused is not.
fn is_held(deployment: &Deployment) -> bool {
    deployment.metadata.annotations.as_ref().is_some_and(|notes| notes.contains_key(annotations::HELD))
}

/// The Deployment has run into its deadline.
#[must_use]
pub fn has_stalled(deployment: &Deployment) -> bool {
    let mut conditions = deployment.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.any(|condition| condition.type_ == "Progressing" && condition.status == "False")
}

/// Pods of two templates are there, or Kubernetes has not looked yet.
pub(super) fn is_mixed(deployment: &Deployment) -> bool {
    let Some(status) = &deployment.status else { return true };
    status.observed_generation < deployment.metadata.generation
        || status.updated_replicas.unwrap_or(0) != status.replicas.unwrap_or(0)
}
