//! Which role Deployments are applied now. A role is rolled only when the roles before it are proven; what is absent
//! is made at once.

use crate::api::annotations;
use crate::api::services::Role;
use crate::build::{Object, SecretVersions, ServerConfig, server};
use crate::plan::{Observed, ROLL_ORDER, TemporalView};
use crate::validate::{Invalid, ValidCluster};
use k8s_openapi::api::apps::v1::Deployment;

/// The roles, each in its state.
#[derive(Clone, Debug)]
pub struct Rollout {
    /// Deployments to apply now.
    pub objects: Vec<Object>,
    /// Roles whose live Deployment is left as it is until its turn comes.
    pub held: Vec<Role>,
    /// Every role's state, in the order of [`Role::ALL`].
    pub roles: Vec<RoleState>,
}

impl Rollout {
    /// Every role that is in use has at least one available pod. An internal frontend comes into use when the other
    /// roles get their new config; the worker, the last to be rolled, is its main client.
    #[must_use]
    pub fn every_role_available(&self) -> bool {
        let unused = self.state(Role::Worker).is_some_and(|w| w.progress == Progress::Outdated);
        self.roles.iter().all(|r| r.available > 0 || (r.role == Role::InternalFrontend && unused))
    }

    /// Every pod of every role is new and available.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.roles.iter().all(|r| r.progress == Progress::Complete)
    }

    /// The state of a role.
    #[must_use]
    pub fn state(&self, role: Role) -> Option<&RoleState> {
        self.roles.iter().find(|r| r.role == role)
    }
}

/// How far a role is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleState {
    /// The role.
    pub role: Role,
    /// How far.
    pub progress: Progress,
    /// Pods it should have.
    pub wanted: i32,
    /// Pods that are available, old ones included.
    pub available: i32,
}

/// How far a role is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// No Deployment yet.
    Absent,
    /// The Deployment is not yet as wanted.
    Outdated,
    /// As wanted; not all pods are new and available.
    Rolling,
    /// As wanted, and all pods are new and available.
    Complete,
}

/// Plans the roles. With `allowed` false (schema not ready, a Secret missing) nothing is touched.
///
/// # Errors
/// When overrides do not fit the generated Deployment.
pub fn plan(
    cluster: &ValidCluster,
    config: &ServerConfig,
    secrets: &SecretVersions,
    allowed: bool,
    seen: &Observed,
) -> Result<Rollout, Invalid> {
    let mut rollout = Rollout { objects: Vec::new(), held: Vec::new(), roles: Vec::new() };
    let mut earlier_proven = true;
    for role in ROLL_ORDER.into_iter().filter(|r| cluster.roles.contains_key(r)) {
        let live = seen.role_deployment(role);
        let wanted = server::deployment(cluster, role, config, secrets, live.and_then(given_up_replicas))?;
        let progress = progress(&wanted, live);
        let apply = allowed && (progress != Progress::Outdated || earlier_proven);
        if apply {
            rollout.objects.push(wanted);
        } else if live.is_some() {
            rollout.held.push(role);
        }
        let pods = live.and_then(|d| d.spec.as_ref()?.replicas).or(cluster.role(role).replicas).unwrap_or(1);
        earlier_proven &= progress == Progress::Complete && temporal_agrees(role, pods, &seen.temporal);
        rollout.roles.push(RoleState {
            role,
            progress,
            wanted: pods,
            available: live.and_then(|d| d.status.as_ref()?.available_replicas).unwrap_or(0),
        });
    }
    rollout.roles.sort_by_key(|s| s.role);
    Ok(rollout)
}

/// Temporal's part of a role's proof: its ring holds the pods that should be in it, and all shards are owned. Without
/// any frontend there is nobody to ask, and a rollout may be what brings one back. A frontend that is not rolled yet
/// does not know the ring of an internal frontend that is new.
fn temporal_agrees(role: Role, pods: i32, view: &TemporalView) -> bool {
    match view {
        TemporalView::NotAsked => true,
        TemporalView::Silent { .. } => false,
        TemporalView::Seen(m) => (m.members(role) == pods || !m.knows(role)) && m.owned_shards == m.shards,
    }
}

/// The present number of pods of a Deployment whose number the spec once gave. When the spec gives none any more, that
/// number stays until somebody scales: to give the field up would let Kubernetes fall back to 1.
fn given_up_replicas(live: &Deployment) -> Option<i32> {
    let given = live.metadata.annotations.as_ref()?.contains_key(annotations::REPLICAS);
    live.spec.as_ref()?.replicas.filter(|_| given)
}

fn progress(wanted: &Object, live: Option<&Deployment>) -> Progress {
    let Some(live) = live else { return Progress::Absent };
    let hash = |annotations: Option<&std::collections::BTreeMap<String, String>>| {
        annotations.and_then(|a| a.get(annotations::TEMPLATE_HASH).cloned())
    };
    if hash(wanted.metadata().annotations.as_ref()) != hash(live.metadata.annotations.as_ref()) {
        Progress::Outdated
    } else if is_complete(live) {
        Progress::Complete
    } else {
        Progress::Rolling
    }
}

/// Kubernetes has seen the last change, and every pod is new and available.
#[must_use]
pub fn is_complete(deployment: &Deployment) -> bool {
    let Some(status) = &deployment.status else { return false };
    let wanted = deployment.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1);
    status.observed_generation >= deployment.metadata.generation
        && status.replicas.unwrap_or(0) == wanted
        && status.updated_replicas.unwrap_or(0) == wanted
        && status.available_replicas.unwrap_or(0) == wanted
}
