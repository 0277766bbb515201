//! What becomes of the pods of each version, and when a version is removed.
//!
//! Temporal says that a version is drained when no open workflow is pinned to it. It removes one only when nobody has polled for
//! it for five minutes, so pods go first, then the version in Temporal, then its Deployment. A workflow that somebody has pinned
//! by hand makes no version drain that never got traffic or is drained (servers 1.31 unless told otherwise), so Temporal is asked
//! for those before anything of a version goes. As long as it cannot tell, the version stays as it is.

use super::{Act, Fate, InTemporal, Question, Scene};
use crate::api::worker::VersionState;
use crate::plan::worker::KnownVersion;
use k8s_openapi::api::apps::v1::Deployment;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Versions that Temporal keeps of a Worker Deployment (`matching.maxVersionsInDeployment`). When there is one more, it removes
/// the oldest that is not used, and takes no more if there is none.
pub(super) const MOST_VERSIONS: usize = 100;

/// Whether Temporal still has work for a version that lost its share.
fn is_used(state: VersionState) -> bool {
    matches!(state, VersionState::Current | VersionState::Ramping | VersionState::Draining)
}

/// The target could not register, since all versions that Temporal keeps are in use.
pub(super) fn is_full(scene: &Scene<'_>) -> bool {
    let versions = &scene.routing.versions;
    !versions.contains_key(scene.target.build_id)
        && versions.values().filter(|version| is_used(version.state)).count() >= MOST_VERSIONS
}

/// What becomes of all versions.
#[derive(Default)]
pub(super) struct Sunset {
    /// By build id. One that must be asked about stays as it is.
    pub fates: BTreeMap<String, Fate>,
    /// The removals that are due in Temporal.
    pub deletions: Vec<Act>,
    /// What must be known first.
    pub questions: Vec<Question>,
}

pub(super) fn decide(scene: &Scene<'_>) -> Sunset {
    let (seen, versions) = (scene.seen, &scene.routing.versions);
    let ours = seen.deployments.keys().chain(seen.revisions.keys());
    let target = scene.target.build_id.to_owned();
    let all: BTreeSet<&String> = ours.chain(versions.keys()).chain([&target]).collect();
    let mut sunset = Sunset::default();
    for id in all {
        let fate = fate(scene, id);
        let deleted = fate == Fate::Rests && is_due(scene, id);
        if deleted || loses(scene, id, fate) {
            match scene.routing.asked.pinned.get(id) {
                None => sunset.questions.push(Question::Pinned(id.clone())),
                Some(None) => {}
                Some(Some(true)) => drop(sunset.fates.insert(id.clone(), Fate::Drains)),
                Some(Some(false)) => {
                    sunset.fates.insert(id.clone(), fate);
                    sunset.deletions.extend(deleted.then(|| Act::DeleteVersion(id.clone())));
                }
            }
        } else {
            sunset.fates.insert(id.clone(), fate);
        }
    }
    sunset
}

/// Whether a version loses pods or its template by that.
fn loses(scene: &Scene<'_>, build_id: &str, fate: Fate) -> bool {
    match fate {
        // who has no Worker Deployment has nothing that could be pinned to, nor has a target that could not register
        _ if scene.seen.temporal == InTemporal::Absent || build_id == scene.target.build_id => false,
        Fate::Rests => scene.deployment(build_id).is_some_and(|deployment| wanted(deployment) > 0),
        Fate::Goes => true,
        Fate::Serves | Fate::Candidate | Fate::Drains => false,
    }
}

/// Whether its record in Temporal is to go.
fn is_due(scene: &Scene<'_>, build_id: &str) -> bool {
    let over = scene.routing.versions.get(build_id).is_some_and(|version| is_over(scene, version));
    over && build_id != scene.target.build_id && scene.deployment(build_id).is_none_or(has_no_pods)
}

fn fate(scene: &Scene<'_>, build_id: &str) -> Fate {
    let routing = scene.routing;
    let is = |id: &Option<String>| id.as_deref() == Some(build_id);
    if is(&routing.current) {
        return Fate::Serves;
    }
    if build_id == scene.target.build_id {
        return if is_full(scene) { Fate::Rests } else { Fate::Candidate };
    }
    if is(&routing.ramping) || scene.promoted() == Some(build_id) {
        return Fate::Candidate;
    }
    match (routing.versions.get(build_id), &scene.seen.temporal) {
        (Some(version), _) => of_old(scene, version),
        // a Temporal that knows nothing at all of the Worker Deployment may be about to hear of it
        (None, InTemporal::Absent) if was_used(scene, build_id) => Fate::Drains,
        (None, _) => Fate::Goes,
    }
}

fn was_used(scene: &Scene<'_>, build_id: &str) -> bool {
    scene.old.versions.iter().any(|version| version.build_id == build_id && is_used(version.state))
}

fn of_old(scene: &Scene<'_>, version: &KnownVersion) -> Fate {
    match version.state {
        VersionState::Current | VersionState::Ramping | VersionState::Draining => Fate::Drains,
        VersionState::Drained if drained_for(scene, version) < Some(scene.policy.scale_down_after) => Fate::Drains,
        VersionState::Drained | VersionState::Inactive | VersionState::NotRegistered => Fate::Rests,
    }
}

/// None of one that may not be drained at all.
fn drained_for(scene: &Scene<'_>, version: &KnownVersion) -> Option<Duration> {
    let since = version.drained_since.filter(|_| version.state == VersionState::Drained)?;
    Some(Duration::try_from(scene.now.duration_since(since)).unwrap_or_default())
}

/// Its time in Temporal is over.
fn is_over(scene: &Scene<'_>, version: &KnownVersion) -> bool {
    match version.state {
        VersionState::Inactive | VersionState::NotRegistered => true,
        VersionState::Drained => drained_for(scene, version) >= Some(scene.policy.delete_after),
        VersionState::Current | VersionState::Ramping | VersionState::Draining => false,
    }
}

fn has_no_pods(deployment: &Deployment) -> bool {
    let present = deployment.status.as_ref().and_then(|status| status.replicas).unwrap_or(0);
    wanted(deployment) == 0 && present == 0
}

fn wanted(deployment: &Deployment) -> i32 {
    deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1)
}
