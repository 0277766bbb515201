//! What is to be done for a worker: its Deployments, the routes of its versions, its numbers of pods.
//!
//! What Temporal has decides where it is known (`routing`). Where it is not, nothing is taken away: pods stay as they are, and
//! what is missing of them is made again.

mod credentials;
mod ending;
mod health;
mod numbers;
mod objects;
mod observed;
pub mod preview;
mod routing;
mod status;

pub use credentials::refusal;
pub use observed::{
    Asked, FailingOn, InTemporal, KnownQueue, KnownVersion, Query, Question, Revision, Routing, RunState, Seen,
    Silence, WhyNot,
};
pub use routing::{Act, Decided, Fate, GateRun, Target, decide};

use super::Changes;
use super::resident::{Finalizer, ResidentPlan, Verdict, Wake, unseated};
use super::seat::Seat;
use crate::api::TemporalWorkerStatus;
use crate::api::resident::Phase;
use crate::build::worker::build_id;
use crate::validate::ValidWorker;
use k8s_openapi::jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often a worker is looked at that is as it should be.
pub const CALM: Duration = Duration::from_secs(30);
/// How soon one is that is on its way; most of it is heard of by the watches.
const SOON: Duration = Duration::from_secs(5);

/// What one look at a worker leads to.
pub type WorkerPlan = ResidentPlan<Act, TemporalWorkerStatus>;

/// What a plan is made from.
struct Sight<'a> {
    valid: &'a ValidWorker,
    generation: Option<i64>,
    seat: &'a Seat,
    old: &'a TemporalWorkerStatus,
    now: Timestamp,
}

/// Plans the next step. `seen` is missing only before a first look at a resource that is being deleted.
#[must_use]
pub fn plan(
    valid: &ValidWorker,
    generation: Option<i64>,
    seat: &Seat,
    seen: Option<&Seen>,
    old: &TemporalWorkerStatus,
    now: Timestamp,
) -> WorkerPlan {
    let sight = Sight { valid, generation, seat, old, now };
    if valid.deleting {
        return ending::plan(&sight, seen);
    }
    let Some(seen) = seen else {
        let nothing = || Verdict::new(Phase::Pending, "ClusterNotReady", "Nothing is known of the cluster yet.");
        return sight.told(unseated(seat).unwrap_or_else(nothing), old.clone(), SOON);
    };
    if let Some(elder) = &seen.taken_by {
        let message = format!(
            "Worker Deployment {} belongs to TemporalWorker {elder}, which came first; delete one of the two, or give this one another spec.deploymentName.",
            valid.deployment_name
        );
        return sight.told(Verdict::new(Phase::Failed, "WorkerDeploymentTaken", message), old.clone(), CALM);
    }
    keep(&sight, seen)
}

/// The versions are kept, routed and scaled.
fn keep(sight: &Sight<'_>, seen: &Seen) -> WorkerPlan {
    let target = build_id(sight.valid);
    let decided = decided(sight, seen, &target);
    let versions = numbers::of(sight, seen, &target, &decided);
    let changes = objects::of(sight, seen, &versions);
    let status = status::of(sight, seen, &target, &decided, &versions);
    let Some(verdict) = health::verdict(sight, seen, &target, &decided, &versions) else {
        // it may pass: nothing is said of it yet
        let plan = sight.told(Verdict::new(Phase::Pending, "TemporalUnreachable", ""), status.clone(), SOON);
        return WorkerPlan { changes, status, ..plan };
    };
    let wake = wake(sight, seen, &decided, &versions, verdict.phase);
    // once its share is taken back, nothing but the status knows that the version has failed
    let tell_first = status.ramp.as_ref().is_some_and(|ramp| ramp.failed.is_some());
    let plan = sight.told(verdict, status, wake);
    WorkerPlan { changes, tell_first, acts: decided.acts, news: decided.news, ..plan }
}

/// What becomes of each version. Where Temporal is not known, what served is taken to serve still, and of the rest nothing is
/// decided.
fn decided(sight: &Sight<'_>, seen: &Seen, target: &str) -> Decided {
    if !sight.valid.versioned {
        return Decided { fates: BTreeMap::from([(target.to_owned(), Fate::Serves)]), ..Decided::default() };
    }
    if seen.temporal == InTemporal::Unknown {
        let served = sight.old.current.clone().map(|id| (id, Fate::Serves));
        let mut fates: BTreeMap<String, Fate> = served.into_iter().collect();
        fates.entry(target.to_owned()).or_insert(Fate::Candidate);
        return Decided { fates, ramp: sight.old.ramp.clone(), ..Decided::default() };
    }
    let target = Target { build_id: target, deployment: seen.deployments.get(target) };
    decide(&sight.valid.rollout, &target, seen, sight.old, sight.now)
}

fn wake(
    sight: &Sight<'_>,
    seen: &Seen,
    decided: &Decided,
    versions: &[numbers::Planned<'_>],
    phase: Phase,
) -> Duration {
    // credentials that are not taken are not tried again and again
    let denied = seen.silence.as_ref().is_some_and(|silence| silence.why_not == WhyNot::Credentials);
    let at_rest = if phase == Phase::Ready || denied { CALM } else { SOON };
    let scaled = versions.iter().filter_map(|version| numbers::due(sight, seen, version)).min();
    [Some(at_rest), scaled, decided.wake].into_iter().flatten().min().unwrap_or(at_rest)
}

impl Sight<'_> {
    /// A plan that changes nothing.
    fn told(&self, verdict: Verdict, mut status: TemporalWorkerStatus, wake: Duration) -> WorkerPlan {
        verdict.into_status(&mut status, self.generation, self.now);
        let finalizer = if self.valid.deletes { Finalizer::Hold } else { Finalizer::LetGo };
        ResidentPlan {
            changes: Changes::default(),
            acts: Vec::new(),
            tell_first: false,
            finalizer,
            status,
            news: Vec::new(),
            wake: Wake::After(wake),
        }
    }
}

#[cfg(test)]
mod tests;
