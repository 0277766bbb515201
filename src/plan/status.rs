//! The status that a plan reports.

use crate::api::TemporalClusterStatus;
use crate::api::conditions::{self, Truth};
use crate::api::rollout::RolloutStatus;
use crate::api::services::Role;
use crate::api::status::{Phase, ServiceStatus};
use crate::plan::gate::Gate;
use crate::plan::health::{Health, ROLLOUT_STOPPED};
use crate::plan::remedies::with_remedy;
use crate::plan::rollout::{Progress, Rollout};
use crate::plan::schema::SchemaPlan;
use crate::validate::{Invalid, ValidCluster};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::jiff::Timestamp;

/// The status of a cluster that is carried out.
#[allow(clippy::too_many_arguments)] // all that a status tells
pub(super) fn report(
    cluster: &ValidCluster,
    generation: Option<i64>,
    old: &TemporalClusterStatus,
    gate: &Gate,
    schema: &SchemaPlan,
    rollout: &Rollout,
    health: &Health,
    now: Timestamp,
) -> TemporalClusterStatus {
    let mut conditions = old.conditions.clone();
    let mut set = |type_: &str, truth: Truth, reason: &str, message: &str| {
        conditions::set(&mut conditions, type_, truth, (reason, message), generation, now);
    };
    set(conditions::READY, health.overall.truth, health.overall.reason, &health.overall.message);
    let overall = (health.overall.reason, health.overall.message.as_str());
    let (reason, message) = match (health.reconciling, health.stalled) {
        (true, _) => overall,
        (false, true) => (overall.0, "Nothing is done until somebody acts."),
        (false, false) => ("Settled", "Nothing is left to do."),
    };
    set(conditions::RECONCILING, health.reconciling.into(), reason, message);
    let (reason, message) = if health.stalled { overall } else { ("NotStalled", "The operator can go on by itself.") };
    set(conditions::STALLED, health.stalled.into(), reason, message);
    match &schema.pending {
        None => set(
            conditions::SCHEMA_READY,
            Truth::True,
            "SchemaUpToDate",
            &format!("Every store has the schema of server {}.", cluster.version),
        ),
        Some(pending) => set(conditions::SCHEMA_READY, Truth::False, pending.reason(), &pending.message),
    }
    set(conditions::SERVICES_READY, health.services.truth, health.services.reason, &health.services.message);
    set(conditions::MEMBERSHIP_HEALTHY, health.membership.truth, health.membership.reason, &health.membership.message);
    let (truth, reason, message) = progress(cluster, gate, rollout);
    set(conditions::ROLLOUT_PROGRESSING, truth, reason, &message);
    let visibility = &health.visibility;
    set(conditions::VISIBILITY_READY, visibility.truth, visibility.reason, &visibility.message);
    TemporalClusterStatus {
        observed_generation: generation,
        phase: Some(health.phase),
        message: Some(health.overall.message.clone()),
        version: Some(version(cluster, schema, rollout, old)),
        services: services(rollout),
        rollout: Some(rollout.record.clone()).filter(|r| *r != RolloutStatus::default()),
        persistence: Some(schema.stores.clone()),
        conditions,
    }
}

/// The version that all of the cluster runs. It moves when the last role has moved, so that a change that gets stuck can
/// be taken back; at first it is the version chosen.
fn version(cluster: &ValidCluster, schema: &SchemaPlan, rollout: &Rollout, old: &TemporalClusterStatus) -> String {
    // on a way of several versions, pods of the last must be gone before the schema of the next comes
    let drained = cluster.version == cluster.target || !rollout.draining;
    let moved = schema.is_ready() && rollout.is_proven() && drained;
    match &old.version {
        Some(present) if !moved => present.clone(),
        _ => cluster.version.to_string(),
    }
}

/// Roles that are made, each with the version that its Deployment gives to new pods.
fn services(rollout: &Rollout) -> Vec<ServiceStatus> {
    let made = rollout.roles.iter().filter(|r| r.progress != Progress::Absent);
    made.map(|r| ServiceStatus {
        name: r.role.name().to_owned(),
        version: r.version.clone().unwrap_or_default(),
        ready: r.progress == Progress::Complete,
    })
    .collect()
}

/// Whether server pods are being replaced.
fn progress(cluster: &ValidCluster, gate: &Gate, rollout: &Rollout) -> (Truth, &'static str, String) {
    let waiting = rollout.waiting();
    let then = |rest: &[&str]| if rest.is_empty() { String::new() } else { format!("; then {}", rest.join(", ")) };
    if let Some(failed) = &rollout.record.failed {
        return (Truth::False, ROLLOUT_STOPPED, failed.message.clone());
    }
    if rollout.paused && !waiting.is_empty() {
        return (
            Truth::False,
            "RolloutPaused",
            format!("Paused by spec.rollout.paused: {} waits.", waiting.join(", ")),
        );
    }
    if let Some(closed) = &gate.closed {
        return ((!gate.has_failed()).into(), closed.reason, closed.message.clone());
    }
    if let Some(step) = &rollout.record.step {
        let rest: Vec<&str> = waiting.into_iter().filter(|role| *role != step.role).collect();
        let when = rollout.begins_at.map_or("are being replaced", |_| "are replaced in some seconds");
        let text = format!("The pods of the {} role {when}{}.", step.role, then(&rest));
        return (Truth::True, "RollingRole", text);
    }
    if !waiting.is_empty() || cluster.version != cluster.target {
        let text = format!("On the way to server {}{}.", cluster.target, then(&waiting));
        return (Truth::True, "RolloutPending", text);
    }
    (Truth::False, "RolloutComplete", "No rollout is under way.".to_owned())
}

/// The status of a manifest that cannot be carried out; what is known of the cluster stays. A cluster that served counts
/// as serving while each role has a ready pod: it is not changed, but still looked at.
#[must_use]
pub fn refused(
    invalid: &Invalid,
    generation: Option<i64>,
    old: &TemporalClusterStatus,
    roles: &[&Deployment],
    now: Timestamp,
) -> TemporalClusterStatus {
    let message = format!("The manifest cannot be carried out: {invalid}.");
    let mut status = old.clone();
    let ready = |d: &Deployment| d.status.as_ref().and_then(|s| s.ready_replicas).unwrap_or(0) > 0;
    let required = Role::ALL.iter().filter(|r| !r.is_optional()).count();
    let was_proven = conditions::is_true(&old.conditions, conditions::MEMBERSHIP_HEALTHY);
    let serves = was_proven && roles.len() >= required && roles.iter().all(|d| ready(d));
    let mut set = |type_: &str, truth: Truth, reason: &str, text: &str| {
        conditions::set(&mut status.conditions, type_, truth, (reason, text), generation, now);
    };
    set(conditions::READY, serves.into(), "InvalidSpec", &message);
    set(conditions::RECONCILING, Truth::False, "InvalidSpec", "Nothing is done until the manifest changes.");
    set(conditions::STALLED, Truth::True, "InvalidSpec", &message);
    TemporalClusterStatus {
        observed_generation: generation,
        phase: Some(Phase::Failed),
        message: Some(conditions::shorten(&message, 1024)),
        ..status
    }
}

/// What keeps the operator from its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// An object is refused.
    Apply,
    /// Something cannot be read, or the work on the cluster does not end.
    Work,
    /// The namespace is being deleted; nothing can be made in it any more.
    Terminating,
}

/// The status of a cluster that the operator cannot work on; `planned` is what would be said without the obstacle.
#[must_use]
pub fn obstructed(
    obstacle: Obstacle,
    error: &str,
    planned: TemporalClusterStatus,
    old: &TemporalClusterStatus,
    now: Timestamp,
) -> TemporalClusterStatus {
    let was_ready = conditions::is_true(&old.conditions, conditions::READY);
    let over = obstacle == Obstacle::Terminating;
    let (reason, message) = match obstacle {
        Obstacle::Apply => ("ApplyFailed", format!("The operator is held up: {}.", with_remedy(error))),
        Obstacle::Work => ("OperatorFailed", format!("The operator cannot look after this cluster: {error}.")),
        Obstacle::Terminating => (
            "NamespaceTerminating",
            "The namespace is being deleted and takes no new objects; nothing is done any more. Make the cluster in another one."
                .to_owned(),
        ),
    };
    let mut status = planned;
    let generation = status.observed_generation;
    let mut set = |type_: &str, truth: Truth| {
        conditions::set(&mut status.conditions, type_, truth, (reason, &message), generation, now);
    };
    set(conditions::READY, (was_ready && !over).into());
    set(conditions::RECONCILING, (!over).into());
    if over {
        set(conditions::STALLED, Truth::True);
    }
    let phase = match (over, was_ready) {
        (true, _) => Phase::Failed,
        (false, true) => Phase::Degraded,
        (false, false) => Phase::Pending,
    };
    TemporalClusterStatus { phase: Some(phase), message: Some(conditions::shorten(&message, 1024)), ..status }
}
