//! The status of a worker, but for its verdict.

use super::numbers::Planned;
use super::{Decided, InTemporal, Seen, Sight};
use crate::api::TemporalWorkerStatus;
use crate::api::conditions::{self, SCALING_ACTIVE, Truth, whole_seconds};
use crate::api::worker::{VersionState, VersionStatus};
use crate::build::worker::selector;
use crate::scaling::Sample;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::SignedDuration;
use std::collections::BTreeSet;

/// Numbers that move by themselves are written at most so often.
const MEASURED: SignedDuration = SignedDuration::from_secs(30);

pub(super) fn of(
    sight: &Sight<'_>,
    seen: &Seen,
    target: &str,
    decided: &Decided,
    versions: &[Planned<'_>],
) -> TemporalWorkerStatus {
    let (valid, old) = (sight.valid, sight.old);
    let mut status = TemporalWorkerStatus { conditions: old.conditions.clone(), ..TemporalWorkerStatus::default() };
    (status.observed_generation, status.phase, status.message) =
        (old.observed_generation, old.phase, old.message.clone());
    if valid.versioned {
        status.target = Some(target.to_owned());
        status.ramp.clone_from(&decided.ramp);
        status.routes.clone_from(&decided.routes);
        (status.current, status.manager_identity) = match &seen.temporal {
            InTemporal::Known(routing) => {
                (routing.current.clone(), Some(routing.manager.clone()).filter(|m| !m.is_empty()))
            }
            InTemporal::Absent => (None, None),
            InTemporal::Unknown => (old.current.clone(), old.manager_identity.clone()),
        };
    }
    status.versions = list(sight, seen, versions);
    measure(sight, seen, &mut status);
    status.replicas = Some(versions.iter().filter_map(|v| v.deployment?.status.as_ref()?.replicas).sum());
    status.selector = Some(selector(valid));
    scaling_active(sight, seen, versions, &mut status);
    status
}

/// Every version that has a Deployment or that Temporal knows.
fn list(sight: &Sight<'_>, seen: &Seen, versions: &[Planned<'_>]) -> Vec<VersionStatus> {
    let there = |v: &&Planned<'_>| !v.goes() || v.deployment.is_some() || seen.known(v.build_id).is_some();
    let mut all: Vec<VersionStatus> = versions.iter().filter(there).map(|v| of_version(sight, seen, v)).collect();
    let listed: BTreeSet<&str> = versions.iter().map(|v| v.build_id).collect();
    if let InTemporal::Known(routing) = &seen.temporal {
        let others = routing.versions.iter().filter(|(id, _)| !listed.contains(id.as_str()));
        all.extend(others.map(|(id, known)| VersionStatus {
            build_id: id.clone(),
            state: known.state,
            drained_since: known.drained_since.map(whole_seconds).map(Time),
            ..VersionStatus::default()
        }));
    }
    all
}

fn of_version(sight: &Sight<'_>, seen: &Seen, version: &Planned<'_>) -> VersionStatus {
    let old = sight.old.versions.iter().find(|v| v.build_id == version.build_id).cloned().unwrap_or_default();
    let known = seen.known(version.build_id);
    let ready = version.deployment.and_then(|d| d.status.as_ref()?.ready_replicas);
    let (state, drained_since) = match (&seen.temporal, known) {
        (InTemporal::Unknown, _) => (old.state, old.drained_since),
        (_, Some(known)) => (known.state, known.drained_since.map(whole_seconds).map(Time)),
        (_, None) => (VersionState::NotRegistered, None),
    };
    VersionStatus {
        build_id: version.build_id.to_owned(),
        state,
        deployment: version.deployment.and_then(|d| d.metadata.name.clone()),
        replicas: version.size(),
        ready: ready.unwrap_or(0),
        drained_since,
        ..VersionStatus::default()
    }
}

/// The numbers that move by themselves: the old ones, until they may be written again and are others.
fn measure(sight: &Sight<'_>, seen: &Seen, status: &mut TemporalWorkerStatus) {
    let fresh = sight.old.measured_at.as_ref().is_some_and(|at| sight.now.duration_since(at.0) < MEASURED);
    let mut changed = false;
    for version in &mut status.versions {
        let old = sight.old.versions.iter().find(|v| v.build_id == version.build_id);
        let before = old.map(|v| (v.backlog, v.backlog_age_seconds, v.slots_used));
        let last = seen.load(&version.build_id).last();
        let now = if fresh && before.is_some() { None } else { last.map(rounded) };
        let numbers = now.or(before).unwrap_or_default();
        changed |= before.unwrap_or_default() != numbers;
        (version.backlog, version.backlog_age_seconds, version.slots_used) = numbers;
    }
    let now = Some(Time(whole_seconds(sight.now)));
    status.measured_at = if changed { now } else { sight.old.measured_at.clone() };
}

type Numbers = (Option<i64>, Option<i64>, Option<i32>);

fn rounded(sample: &Sample) -> Numbers {
    let backlog = i64::try_from(sample.backlog).unwrap_or(i64::MAX);
    let age = i64::try_from(sample.backlog_age.as_secs()).unwrap_or(i64::MAX);
    let used = sample.slots.filter(|s| s.all > 0).map(|s| s.used.saturating_mul(100) / s.all);
    let used = used.and_then(|percent| i32::try_from((percent + 2) / 5 * 5).ok());
    (Some(two_digits(backlog)), Some(two_digits(age)), used)
}

/// To two digits: 1234 becomes 1200.
fn two_digits(number: i64) -> i64 {
    let mut unit = 1;
    while number / unit >= 100 {
        unit *= 10;
    }
    number / unit * unit
}

/// Whether the work that waits decides on the number of pods; nothing where it is not to.
fn scaling_active(sight: &Sight<'_>, seen: &Seen, versions: &[Planned<'_>], status: &mut TemporalWorkerStatus) {
    if sight.valid.scaling.is_none() {
        status.conditions.retain(|c| c.type_ != SCALING_ACTIVE);
        return;
    }
    let scaled = versions.iter().find(|v| v.why.is_some());
    let known = scaled.is_some_and(|v| !seen.load(v.build_id).is_empty());
    let why = scaled.and_then(|v| v.why.as_deref()).unwrap_or("no version has pods");
    let (truth, reason) = if known { (Truth::True, "ScalingByWork") } else { (Truth::False, "WorkUnknown") };
    let message = format!("{}.", super::health::capital(why));
    let said = (reason, message.as_str());
    conditions::set(&mut status.conditions, SCALING_ACTIVE, truth, said, sight.generation, sight.now);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded() {
        for (number, expected) in [(0, 0), (9, 9), (99, 99), (101, 100), (1234, 1200), (999_999, 990_000)] {
            assert_eq!(two_digits(number), expected);
        }
    }
}
