//! Whether a version's pods are there and poll: before that it gets no traffic.

use super::{Question, Scene};
use crate::plan::rollout::{has_stalled, is_complete};

/// Whether a version can take traffic.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Readiness {
    /// Its pods are ready, and poll.
    Ready,
    /// Not yet, or not at the moment: why, as a clause.
    Waits(String),
    /// Its Deployment has run into its deadline: why, as a clause.
    Stuck(String),
    /// It must be asked first.
    Asks(Question),
}

/// For the first share all its pods must be ready; later one is enough, since their number changes with the work.
pub(super) fn of(scene: &Scene<'_>, build_id: &str) -> Readiness {
    let has_share = scene.routing.ramping.as_deref() == Some(build_id);
    let Some(deployment) = scene.deployment(build_id) else {
        return Readiness::Waits("its Deployment is being made".to_owned());
    };
    if has_stalled(deployment) {
        return Readiness::Stuck("its pods do not become ready".to_owned());
    }
    let ready = deployment.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0);
    if ready == 0 || !(has_share || is_complete(deployment)) {
        return Readiness::Waits("its pods are not ready".to_owned());
    }
    let Some(known) = scene.routing.versions.get(build_id) else {
        return Readiness::Waits("its workers do not poll yet".to_owned());
    };
    if known.queues.is_empty() || known.queues.iter().any(|queue| queue.pollers.is_none()) {
        return Readiness::Asks(Question::Pollers(build_id.to_owned()));
    }
    match known.queues.iter().find(|queue| queue.pollers == Some(0)) {
        Some(queue) => Readiness::Waits(format!("none of its workers polls task queue {}", queue.name)),
        None => Readiness::Ready,
    }
}
