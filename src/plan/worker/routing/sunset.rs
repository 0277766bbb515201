//! What becomes of the pods of each version, and when a version is removed.
//!
//! Temporal says that a version is drained when no open workflow is pinned to it. It removes one only when nobody has polled for
//! it for five minutes, so pods go first, then the version in Temporal, then its Deployment.

use super::{Act, Fate, InTemporal, Scene};
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

/// Fates, and the removals that are due in Temporal.
pub(super) fn decide(scene: &Scene<'_>) -> (BTreeMap<String, Fate>, Vec<Act>) {
    let (seen, versions) = (scene.seen, &scene.routing.versions);
    let ours = seen.deployments.keys().chain(seen.revisions.keys());
    let target = scene.target.build_id.to_owned();
    let all: BTreeSet<&String> = ours.chain(versions.keys()).chain([&target]).collect();
    let fates: BTreeMap<String, Fate> = all.into_iter().map(|id| (id.clone(), fate(scene, id))).collect();
    let due = versions.iter().filter(|(id, version)| {
        let rests = fates.get(*id) == Some(&Fate::Rests) && scene.deployment(id).is_none_or(has_no_pods);
        rests && scene.target.build_id != id.as_str() && is_over(scene, version)
    });
    let deletions = due.map(|(id, _)| Act::DeleteVersion(id.clone())).collect();
    (fates, deletions)
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
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let present = deployment.status.as_ref().and_then(|status| status.replicas).unwrap_or(0);
    wanted == 0 && present == 0
}
