//! The sentences on the routes.

use super::Scene;
use crate::api::worker::{OnFailure, RampStatus};
use k8s_openapi::jiff::Timestamp;

/// What becomes of new workflows when the target is not good.
pub(super) fn consequence(scene: &Scene<'_>) -> String {
    let share = scene.is_target(scene.routing.ramping.as_ref());
    match (scene.policy.on_failure, share) {
        (OnFailure::Pause, true) => format!("It keeps its share of {} %.", number(scene.routing.percent)),
        _ => match &scene.routing.current {
            Some(current) => format!("New workflows go to version {current}."),
            None => "New workflows go to no version.".to_owned(),
        },
    }
}

/// A sentence on how far the target is.
pub(super) fn steps(scene: &Scene<'_>, ramp: &RampStatus) -> String {
    let then = match scene.policy.steps.get(scene.reached()) {
        Some(next) => format!("{} %", number(next.percent)),
        None => "all of them".to_owned(),
    };
    let at = ramp.next.as_ref().map_or_else(String::new, |at| format!(" after {}", clock(at.0)));
    format!("Step {} of {}; it gets {then}{at}.", ramp.step, ramp.steps)
}

fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%S UTC").to_string()
}

/// A sentence on the routes as they are.
pub(super) fn where_they_go(scene: &Scene<'_>) -> String {
    let routing = scene.routing;
    let current = routing.current.as_ref().map_or_else(|| "no version".to_owned(), |id| format!("version {id}"));
    match &routing.ramping {
        Some(ramping) => {
            format!("New workflows go to {current}, {} % of them to version {ramping}.", number(routing.percent))
        }
        None => format!("New workflows go to {current}."),
    }
}

/// A percentage without a point that says nothing.
pub(super) fn number(percent: f32) -> String {
    let text = format!("{percent:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
