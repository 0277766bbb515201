//! How the worker stands, in one sentence.

use super::numbers::{Planned, present};
use super::{Decided, Seen, Sight, WhyNot};
use crate::api::conditions;
use crate::api::labels;
use crate::api::resident::Phase;
use crate::plan::pods::{held_back, not_made};
use crate::plan::resident::{Verdict, unseated};
use crate::plan::rollout::{has_stalled, is_complete};
use k8s_openapi::jiff::SignedDuration;
use kube::ResourceExt;

/// Temporal may be silent so long before it is told: for a worker that is ready, and for one that is not.
const PATIENCE: (SignedDuration, SignedDuration) = (SignedDuration::from_secs(30), SignedDuration::from_secs(3));

/// None: Temporal is silent, and that may pass.
pub(super) fn verdict(
    sight: &Sight<'_>,
    seen: &Seen,
    target: &str,
    decided: &Decided,
    versions: &[Planned<'_>],
) -> Option<Verdict> {
    if let Some(verdict) = unseated(sight.seat) {
        return Some(verdict);
    }
    if let Some(verdict) = silent(sight, seen) {
        return verdict;
    }
    let find = |id: &str| versions.iter().find(|v| v.build_id == id);
    if let Some(mut verdict) = decided.verdict.clone() {
        let trouble = find(target).and_then(|version| trouble(sight, seen, version));
        if let Some(words) = trouble.filter(|_| verdict.phase != Phase::Ready) {
            verdict.message = format!("{} {}.", verdict.message, capital(&words));
        }
        return Some(verdict);
    }
    find(target).map(|version| of_version(sight, seen, version))
}

/// Whether and how Temporal's silence is told; `Some(None)`: it is not, yet.
fn silent(sight: &Sight<'_>, seen: &Seen) -> Option<Option<Verdict>> {
    let silence = seen.silence.as_ref()?;
    let was_ready = conditions::is_true(&sight.old.conditions, conditions::READY);
    let patience = if was_ready { PATIENCE.0 } else { PATIENCE.1 };
    if silence.why_not == WhyNot::Silent && sight.now.duration_since(silence.since) < patience {
        return Some(None);
    }
    let (phase, reason) = match silence.why_not {
        WhyNot::Silent => (Phase::Pending, "TemporalUnreachable"),
        WhyNot::Refused => (Phase::Failed, "TemporalRefused"),
        WhyNot::Credentials => (Phase::Failed, "CredentialsRefused"),
    };
    let message = format!("The operator is held up: {}. It is tried again; the pods stay as they are.", silence.why);
    Some(Some(Verdict::new(phase, reason, message)))
}

/// How the version stands that new work goes to.
fn of_version(sight: &Sight<'_>, seen: &Seen, version: &Planned<'_>) -> Verdict {
    let Some(deployment) = version.deployment else {
        return Verdict::new(Phase::Pending, "WorkersStarting", "The Deployment of the pods is being made.");
    };
    let status = deployment.status.clone().unwrap_or_default();
    let wanted = present(Some(deployment)).unwrap_or(1);
    let serves = status.available_replicas.unwrap_or(0) > 0 || wanted == 0;
    if is_complete(deployment) && wanted == version.size() {
        return Verdict::new(Phase::Ready, "WorkersReady", ready(sight, version, wanted));
    }
    let ready = status.ready_replicas.unwrap_or(0);
    let far = format!("{ready} of {wanted} pods are ready.");
    let verdict = match (trouble(sight, seen, version), has_stalled(deployment)) {
        (words, true) => {
            let why = words.map_or_else(String::new, |words| format!(" {}.", capital(&words)));
            Verdict::new(Phase::Failed, "WorkersNotReady", format!("The pods make no progress: {far}{why}"))
        }
        (Some(words), false) => Verdict::new(Phase::Pending, "WorkersNotReady", format!("{far} {}.", capital(&words))),
        (None, false) => Verdict::new(Phase::Pending, "WorkersStarting", far),
    };
    if serves { verdict.serving() } else { verdict }
}

fn ready(sight: &Sight<'_>, version: &Planned<'_>, pods: i32) -> String {
    let namespace = sight.valid.home.namespace();
    let of = if version.build_id.is_empty() { String::new() } else { format!(" of version {}", version.build_id) };
    let message = match pods {
        0 => format!("No pods{of}"),
        1 => format!("1 pod{of} works for namespace {namespace}"),
        many => format!("{many} pods{of} work for namespace {namespace}"),
    };
    match &version.why {
        Some(why) => format!("{message}: {why}."),
        None => format!("{message}."),
    }
}

/// What holds the pods of a version back.
fn trouble(sight: &Sight<'_>, seen: &Seen, version: &Planned<'_>) -> Option<String> {
    let deployment = version.deployment?;
    let build_id = |id: Option<&String>| id.map(String::as_str).unwrap_or_default() == version.build_id;
    let pods = seen.pods.iter().filter(|pod| build_id(pod.labels().get(labels::BUILD_ID)));
    not_made(deployment).or_else(|| pods.into_iter().find_map(|pod| held_back(pod, sight.now)))
}

pub(super) fn capital(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    first + letters.as_str()
}
