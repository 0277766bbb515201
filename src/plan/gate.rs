//! The gate before an upgrade: the user's Job has to succeed before anything else is done.
//!
//! How it ended is recorded in `status.rollout.beforeUpgrade` before the upgrade begins, so that neither the Job's end of
//! life nor a restart of the operator makes it run again.

use crate::api::TemporalClusterStatus;
use crate::api::conditions::shorten;
use crate::api::labels;
use crate::api::rollout::BeforeUpgradeStatus;
use crate::build::{Object, before_upgrade, names};
use crate::plan::Observed;
use crate::plan::jobs::{failed_at, held_back, last_words, succeeded};
use crate::validate::{ValidBeforeUpgrade, ValidCluster};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use semver::Version;
use std::sync::Arc;

/// Whether an upgrade may begin.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    /// The Job to create now.
    pub job: Option<Object>,
    /// Name of the Job to leave alone.
    pub keep: Option<String>,
    /// What is to be remembered.
    pub record: Option<BeforeUpgradeStatus>,
    /// Why it is closed; `None` when it is open.
    pub closed: Option<Closed>,
}

/// Why an upgrade does not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The condition's reason.
    pub reason: &'static str,
    /// One sentence.
    pub message: String,
}

/// Reason of an upgrade whose Job failed.
pub(super) const FAILED: &str = "BeforeUpgradeFailed";

impl Gate {
    /// Nothing of the upgrade may be done.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// The Job has failed; somebody has to act.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.closed.as_ref().is_some_and(|c| c.reason == FAILED)
    }

    fn close(mut self, reason: &'static str, message: String) -> Self {
        self.closed = Some(Closed { reason, message });
        self
    }
}

/// Plans the gate. With `blocked` no Job is started.
#[must_use]
pub fn plan(
    cluster: &ValidCluster,
    old: &TemporalClusterStatus,
    seen: &Observed,
    blocked: bool,
    now: Timestamp,
) -> Gate {
    let target = cluster.target.to_string();
    let known = old.rollout.as_ref().and_then(|r| r.before_upgrade.clone()).filter(|k| k.target_version == target);
    let keep = known.as_ref().map(|k| k.job.clone());
    let present = old.version.as_deref().and_then(|v| Version::parse(v).ok());
    let from = present.filter(|p| *p < cluster.target);
    let (Some(users), Some(from)) = (&cluster.rollout.before_upgrade, from) else {
        return Gate { keep, record: known, ..Gate::default() };
    };
    match known {
        Some(passed) if passed.failure.is_none() => Gate { keep, record: Some(passed), ..Gate::default() },
        Some(failed) if failed.job == before_upgrade::name(cluster, users) => {
            let message = stopped(&target, failed.failure.as_deref().unwrap_or_default());
            Gate { keep, record: Some(failed), ..Gate::default() }.close(FAILED, message)
        }
        _ => attempt(cluster, users, &from, seen, blocked, now),
    }
}

/// The Job has not ended yet, as far as is recorded.
fn attempt(
    cluster: &ValidCluster,
    users: &ValidBeforeUpgrade,
    from: &Version,
    seen: &Observed,
    blocked: bool,
    now: Timestamp,
) -> Gate {
    let name = before_upgrade::name(cluster, users);
    let target = cluster.target.to_string();
    let gate = Gate { keep: Some(name.clone()), ..Gate::default() };
    let ended = |failure| BeforeUpgradeStatus { target_version: target.clone(), job: name.clone(), failure };
    match seen.jobs.iter().find(|job| job.name_any() == name) {
        Some(job) if succeeded(job) => {
            let message = format!("The Job before the upgrade to server {target} has succeeded; the upgrade begins.");
            Gate { record: Some(ended(None)), ..gate }.close("BeforeUpgrade", message)
        }
        Some(job) if failed_at(job).is_some() => {
            let why = shorten(&last_words(job, seen), 512);
            let message = stopped(&target, &why);
            Gate { record: Some(ended(Some(why))), ..gate }.close(FAILED, message)
        }
        Some(job) => match held_back(job, seen, now) {
            Some(why) => {
                let message = format!("The Job before the upgrade to server {target} waits: {why}.");
                gate.close("BeforeUpgradeHeldUp", message)
            }
            None => gate.close("BeforeUpgrade", format!("The Job before the upgrade to server {target} is running.")),
        },
        None => {
            // two at a time would be in each other's way; the other one is being deleted
            let free = !blocked && !seen.jobs.iter().any(is_of_gate);
            let job = free.then(|| before_upgrade::job(cluster, users, from));
            let message = format!("The upgrade to server {target} waits for the Job of spec.rollout.beforeUpgrade.");
            Gate { job, ..gate }.close("BeforeUpgrade", message)
        }
    }
}

fn is_of_gate(job: &Arc<Job>) -> bool {
    job.labels().get(labels::COMPONENT).is_some_and(|c| c == names::BEFORE_UPGRADE)
}

fn stopped(target: &str, why: &str) -> String {
    format!(
        "The upgrade to server {target} has not begun, since the Job before it failed {why}. The cluster runs on as it was. Correct spec.rollout.beforeUpgrade, or set the annotation temporal.io/restartedAt to another value to run it again; or put the old version back."
    )
}
