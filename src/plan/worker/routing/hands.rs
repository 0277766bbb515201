//! Routes that somebody else has set: they are left as they are until the manifest changes.
//!
//! Temporal tells who changed a Worker Deployment last, and not what. A deletion of a version counts as well, so a change of the
//! routes is one when they differ from those of the last look and the last one to change something was somebody else. It is
//! remembered, since the operator's own deletions hide it.

use super::Scene;
use crate::api::worker::RouteStatus;
use crate::build::hash_of;
use crate::validate::RolloutPolicy;

/// A hash of what the manifest says of the rollout. Whether it is paused does not count: that starts nothing anew.
pub(super) fn manifest(policy: &RolloutPolicy, target: &str) -> String {
    hash_of(&format!("{target} {:?}", RolloutPolicy { paused: false, ..policy.clone() }))
}

/// The routes as they are seen, with who has set them if that was somebody else and is to stay.
pub(super) fn routes(scene: &Scene<'_>) -> RouteStatus {
    let seen = plain(scene);
    RouteStatus { by: by(scene, &seen), ..seen }
}

fn plain(scene: &Scene<'_>) -> RouteStatus {
    let routing = scene.routing;
    RouteStatus {
        current: routing.current.clone(),
        ramping: routing.ramping.clone(),
        percent: routing.ramping.as_ref().map(|_| format!("{:.2}", routing.percent)),
        manifest: scene.manifest.clone(),
        by: None,
    }
}

fn by(scene: &Scene<'_>, seen: &RouteStatus) -> Option<String> {
    let (old, routing) = (scene.old.routes.as_ref()?, scene.routing);
    if scene.is_target(routing.current.as_ref()) && routing.ramping.is_none() {
        // whoever did it, it is as the manifest has it
        return None;
    }
    let same =
        |old: &RouteStatus| (&old.current, &old.ramping, &old.percent) == (&seen.current, &seen.ramping, &seen.percent);
    if same(old) {
        return old.by.clone().filter(|_| old.manifest == seen.manifest);
    }
    let newer = old.manifest == seen.manifest || !is_after(scene);
    (!routing.last_modifier.is_empty() && newer).then(|| routing.last_modifier.clone())
}

/// Whether the manifest's version was made after the routes were set.
fn is_after(scene: &Scene<'_>) -> bool {
    let Some(deployment) = scene.target.deployment else { return true };
    let set = [scene.routing.current_since, scene.routing.percent_since].into_iter().flatten().max();
    let made = deployment.metadata.creation_timestamp.as_ref().map(|time| time.0);
    made > set
}
