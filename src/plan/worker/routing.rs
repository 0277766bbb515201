//! Which version gets which share of new workflows, and what becomes of each version's pods. Pure.
//!
//! What Temporal has is the state: a step is known by the share that the version has there, and since when. Remembered in the
//! status is only what Temporal does not tell: that a version failed, and that somebody set the routes by hand.

mod gates;
mod hands;
mod readiness;
mod sunset;
mod traffic;
mod words;

use super::{InTemporal, Question, Routing, Seen};
use crate::api::TemporalWorkerStatus;
use crate::api::worker::{GateInput, RampStatus, RouteStatus};
use crate::plan::resident::{News, Verdict};
use crate::validate::RolloutPolicy;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What is decided of the versions of a worker.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decided {
    /// Writes to Temporal, in this order.
    pub acts: Vec<Act>,
    /// What is told in events once they are done.
    pub news: Vec<News>,
    /// What becomes of each version, by build id. One that is not here stays as it is.
    pub fates: BTreeMap<String, Fate>,
    /// How far the target is.
    pub ramp: Option<RampStatus>,
    /// The routes, for `status.routes`.
    pub routes: Option<RouteStatus>,
    /// What is to be said; none: the target is current and nothing is under way.
    pub verdict: Option<Verdict>,
    /// When it must be looked at again, at the latest.
    pub wake: Option<Duration>,
    /// What must be known for the next step and was not asked. Without an answer nothing is done.
    pub questions: Vec<Question>,
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
    /// New workflows go to this build id; the ramp ends if it is its. An empty one: to workers without a version.
    SetCurrent(String),
    /// This share, in percent, of new workflows goes to this build id; no build id: the ramp ends.
    SetRamping(Option<String>, f32),
    /// The version is removed from Temporal, unless it is still used; then it is asked again.
    DeleteVersion(String),
    /// The Worker Deployment, which has no versions any more, is removed from Temporal.
    DeleteDeployment,
    /// A gate's workflow is run on a version. One that was started before is left as it is.
    RunGate(Box<GateRun>),
}

/// A run of a gate's workflow.
#[derive(Clone, PartialEq)]
pub struct GateRun {
    /// The gate, as in [`Question::Runs`].
    pub gate: String,
    /// Which run of it, counted from 1.
    pub attempt: u32,
    /// The version.
    pub build_id: String,
    /// The workflow's type.
    pub type_: String,
    /// Its task queue.
    pub task_queue: String,
    /// Its one argument.
    pub input: Option<Value>,
    /// Where its one argument is; to be read before the run.
    pub input_from: Option<GateInput>,
    /// How long it may take.
    pub timeout: Duration,
}

/// Arguments of users have no place in a log.
impl fmt::Debug for GateRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {} of {} ({} on {})", self.attempt, self.gate, self.type_, self.task_queue)
    }
}

/// The version of the manifest's template.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Its build id.
    pub build_id: &'a str,
    /// Its Deployment, if it is there.
    pub deployment: Option<&'a Deployment>,
}

/// What is decided from.
struct Scene<'a> {
    policy: &'a RolloutPolicy,
    target: &'a Target<'a>,
    seen: &'a Seen,
    routing: &'a Routing,
    old: &'a TemporalWorkerStatus,
    now: Timestamp,
    /// A hash of what the manifest says of the rollout.
    manifest: String,
}

/// Decides what is to be done next.
///
/// Where Temporal is not known, nothing is: no version is in the fates.
#[must_use]
pub fn decide(
    policy: &RolloutPolicy,
    target: &Target<'_>,
    seen: &Seen,
    old: &TemporalWorkerStatus,
    now: Timestamp,
) -> Decided {
    let none = Routing::default();
    let routing = match &seen.temporal {
        InTemporal::Unknown => {
            return Decided { ramp: old.ramp.clone(), routes: old.routes.clone(), ..Decided::default() };
        }
        InTemporal::Absent => &none,
        InTemporal::Known(routing) => routing,
    };
    let scene = Scene { policy, target, seen, routing, old, now, manifest: hands::manifest(policy, target.build_id) };
    let mut decided = traffic::decide(&scene);
    let settled = decided.routes.as_ref().and_then(|routes| routes.by.as_ref())
        == old.routes.as_ref().and_then(|routes| routes.by.as_ref());
    let sunset = sunset::decide(&scene);
    decided.fates = sunset.fates;
    decided.questions.extend(sunset.questions);
    // a deletion makes the operator the last one who changed something: first it is remembered that somebody else did
    if settled && routing.manager.is_empty() && decided.acts.is_empty() {
        decided.acts = sunset.deletions;
    }
    decided
}

impl Scene<'_> {
    fn is_target(&self, build_id: Option<&String>) -> bool {
        build_id.is_some_and(|id| id == self.target.build_id)
    }

    /// How many steps the target's share has reached.
    fn reached(&self) -> usize {
        if !self.is_target(self.routing.ramping.as_ref()) {
            return 0;
        }
        self.policy.steps.iter().take_while(|step| step.percent <= self.routing.percent).count()
    }

    /// The build id that is to be current now, whatever the steps say.
    fn promoted(&self) -> Option<&str> {
        self.policy.promote.as_deref()
    }

    fn deployment(&self, build_id: &str) -> Option<&Deployment> {
        if build_id == self.target.build_id { self.target.deployment } else { self.seen.deployments.get(build_id) }
    }
}

#[cfg(test)]
mod tests;
