//! The status that a plan reports.

use crate::api::TemporalClusterStatus;
use crate::api::conditions::{self, Truth};
use crate::api::status::{Phase, ServiceStatus};
use crate::plan::health::Health;
use crate::plan::rollout::{Progress, Rollout};
use crate::plan::schema::SchemaPlan;
use crate::validate::{Invalid, ValidCluster};
use k8s_openapi::jiff::Timestamp;

/// The status of a cluster that is carried out.
pub(super) fn report(
    cluster: &ValidCluster,
    generation: Option<i64>,
    old: &TemporalClusterStatus,
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
    let (reason, message) = if health.reconciling {
        (health.overall.reason, health.overall.message.as_str())
    } else {
        ("Settled", "Nothing is left to do.")
    };
    set(conditions::RECONCILING, health.reconciling.into(), reason, message);
    set(conditions::STALLED, Truth::False, "NotStalled", "The operator can go on by itself.");
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
    TemporalClusterStatus {
        observed_generation: generation,
        phase: Some(health.phase),
        message: Some(health.overall.message.clone()),
        version: Some(version(cluster, schema, rollout, old)),
        services: services(cluster, rollout, old),
        persistence: Some(schema.stores.clone()),
        conditions,
    }
}

/// The version that all of the cluster runs. It moves when the last role has moved, so that a change that gets stuck can
/// be taken back; at first it is the version chosen.
fn version(cluster: &ValidCluster, schema: &SchemaPlan, rollout: &Rollout, old: &TemporalClusterStatus) -> String {
    let moved = schema.is_ready() && rollout.roles.iter().all(|r| r.progress == Progress::Complete);
    match &old.version {
        Some(present) if !moved => present.clone(),
        _ => cluster.version.to_string(),
    }
}

/// Roles that are made. One that waits for its turn still runs the version it had.
fn services(cluster: &ValidCluster, rollout: &Rollout, old: &TemporalClusterStatus) -> Vec<ServiceStatus> {
    rollout
        .roles
        .iter()
        .filter(|r| r.progress != Progress::Absent)
        .map(|r| {
            let name = r.role.name().to_owned();
            let before = old.services.iter().find(|s| s.name == name).map(|s| s.version.clone());
            let version = match r.progress {
                Progress::Outdated => before.unwrap_or_else(|| cluster.version.to_string()),
                _ => cluster.version.to_string(),
            };
            ServiceStatus { name, version, ready: r.progress == Progress::Complete }
        })
        .collect()
}

/// The status of a manifest that cannot be carried out; what is known of the cluster stays.
#[must_use]
pub fn refused(
    invalid: &Invalid,
    generation: Option<i64>,
    old: &TemporalClusterStatus,
    now: Timestamp,
) -> TemporalClusterStatus {
    let message = format!("The manifest cannot be carried out: {invalid}.");
    let mut status = old.clone();
    let mut set = |type_: &str, truth: Truth, reason: &str, text: &str| {
        conditions::set(&mut status.conditions, type_, truth, (reason, text), generation, now);
    };
    // a cluster that served may serve on; it is just not looked at
    let ready = if conditions::is_true(&old.conditions, conditions::READY) { Truth::Unknown } else { Truth::False };
    set(conditions::READY, ready, "InvalidSpec", &message);
    set(conditions::RECONCILING, Truth::False, "InvalidSpec", "Nothing is done until the manifest changes.");
    set(conditions::STALLED, Truth::True, "InvalidSpec", &message);
    TemporalClusterStatus {
        observed_generation: generation,
        phase: Some(Phase::Failed),
        message: Some(conditions::shorten(&message, 1024)),
        ..status
    }
}

/// The status of a cluster some object of which the API server refuses.
#[must_use]
pub fn obstructed(
    error: &str,
    planned: TemporalClusterStatus,
    old: &TemporalClusterStatus,
    now: Timestamp,
) -> TemporalClusterStatus {
    let message = format!("The operator is held up: {error}.");
    let mut status = planned;
    let was_ready = conditions::is_true(&old.conditions, conditions::READY);
    let generation = status.observed_generation;
    let mut set = |type_: &str, truth: Truth| {
        conditions::set(&mut status.conditions, type_, truth, ("ApplyFailed", &message), generation, now);
    };
    set(conditions::READY, was_ready.into());
    set(conditions::RECONCILING, Truth::True);
    TemporalClusterStatus {
        phase: Some(if was_ready { Phase::Degraded } else { Phase::Pending }),
        message: Some(conditions::shorten(&message, 1024)),
        ..status
    }
}
