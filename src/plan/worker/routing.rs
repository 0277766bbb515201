//! Which version gets which share of new workflows, and what becomes of each version's pods. Pure.

use super::Seen;
use crate::api::TemporalWorkerStatus;
use crate::api::resident::Phase;
use crate::api::worker::{RampStatus, VersionState};
use crate::plan::resident::{News, Verdict};
use crate::plan::rollout::is_complete;
use crate::validate::RolloutPolicy;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// What is decided of the versions of a worker.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decided {
    /// Writes to Temporal, in this order.
    pub acts: Vec<Act>,
    /// What is told in events once they are done.
    pub news: Vec<News>,
    /// What becomes of each version, by build id.
    pub fates: BTreeMap<String, Fate>,
    /// How far the target is.
    pub ramp: Option<RampStatus>,
    /// What is to be said; none: the target is current and nothing is under way.
    pub verdict: Option<Verdict>,
    /// When it must be looked at again, at the latest.
    pub wake: Option<Duration>,
}

/// What becomes of a version's pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// New workflows go to it: as many pods as the manifest or the scaling says.
    Serves,
    /// It is to serve: the same, and at least one.
    Candidate,
    /// Workflows are pinned to it, or may be: at least one pod, and as many as its work needs.
    Drains,
    /// Nothing needs it: no pods. Its Deployment stays.
    Rests,
    /// Nothing needs it, and its time is over: its Deployment and its template go.
    Goes,
}

/// A write to Temporal.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// New workflows go to this build id; the ramp ends. An empty one: to workers without a version.
    SetCurrent(String),
    /// This share, in percent, of new workflows goes to this build id; no build id: the ramp ends.
    SetRamping(Option<String>, f32),
    /// The version is removed from Temporal.
    DeleteVersion(String),
    /// The Worker Deployment, which has no versions any more, is removed from Temporal.
    DeleteDeployment,
}

/// The version of the manifest's template.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Its build id.
    pub build_id: &'a str,
    /// Its Deployment, if it is there.
    pub deployment: Option<&'a Deployment>,
}

/// The target becomes current once its pods are there and Temporal knows it.
#[must_use]
pub fn decide(
    _policy: &RolloutPolicy,
    target: &Target<'_>,
    seen: &Seen,
    _old: &TemporalWorkerStatus,
    _now: Timestamp,
) -> Decided {
    let known = seen.known(target.build_id);
    let current = known.is_some_and(|v| v.state == VersionState::Current);
    let mut fates: BTreeMap<String, Fate> = seen
        .deployments
        .keys()
        .chain(seen.revisions.keys())
        .map(|id| {
            let drained = seen.known(id).is_some_and(|v| v.state == VersionState::Drained);
            (id.clone(), if drained { Fate::Rests } else { Fate::Drains })
        })
        .collect();
    fates.insert(target.build_id.to_owned(), if current { Fate::Serves } else { Fate::Candidate });
    if current {
        return Decided { fates, ..Decided::default() };
    }
    let ready = target.deployment.is_some_and(is_complete) && known.is_some();
    let acts = ready.then(|| Act::SetCurrent(target.build_id.to_owned())).into_iter().collect();
    let message = format!("Version {} is to become current.", target.build_id);
    Decided {
        acts,
        fates,
        verdict: Some(Verdict::new(Phase::Pending, "VersionPending", message)),
        ..Decided::default()
    }
}
