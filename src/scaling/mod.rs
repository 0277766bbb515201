//! How many pods a version needs, from what Temporal says of its work. Pure: figures in, a number and its reason out.
//!
//! There is one formula:
//!
//! ```text
//! pods = comes / (pace × u)  +  waits / borne
//! ```
//!
//! - *comes*: tasks that come, a second. Temporal averages it over 30 s; where that is few tasks, over more samples.
//! - *pace*: tasks that a pod works off, a second.
//!   - It is proven by a pod for which tasks were waiting during 30 s: what such pods had dispatched, the last three times.
//!   - With slots told it is what was dispatched in the last 15 minutes for each pod's worth of slots in use, and no more than
//!     what is proven. Where too few tasks come to tell, the first term is *pods' worth of slots in use / u* instead; it is
//!     never below the pods' worth of slots in use. Slots are told once a minute, so that they count as a mean of two minutes,
//!     and as all in use while tasks wait for every pod.
//!   - Else it is the most that a pod was seen to bear, and *u* is 1.5: a third fewer pods are tried, and again, until tasks
//!     wait and the pace is proven.
//! - *u*: `slotUtilization`.
//! - *waits*: tasks that wait.
//! - *borne*: `backlogPerPod`; without it, what a pod takes on within `maxBacklogAge`: its slots, or pace × that time. 10 until
//!   that is known, and at most four pods, or twice those that are ready.
//!
//! Around it:
//! - A number within a tenth of the ready pods is the ready pods.
//! - When the oldest task waits longer than `maxBacklogAge`, and not less long than before, the ready pods grow by as much as
//!   that is too long, at most twofold and by no more than the tasks that wait; unless the last pods that were added took
//!   nothing at all, or Temporal holds the tasks back by a rate limit.
//! - More pods at once; fewer when the most that was wanted of any sample in `scaleDownAfter` is fewer.
//! - From zero: at the first task that waits or comes (queries and Nexus tasks come and never wait). To zero: nothing came,
//!   waited, was dispatched or ran in any sample in `idleAfter`.
//! - Samples that are missing or old, or do not reach back over the time in question, never take a pod away.

mod decide;
mod formula;
mod rhythm;
#[cfg(test)]
mod tests;

pub use decide::decide;
pub use rhythm::{STALE, due};

use k8s_openapi::jiff::Timestamp;
use std::time::Duration;

/// What waits and runs at one time, over all task queues of a version that count.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// When it was asked.
    pub at: Timestamp,
    /// Pods that were ready then.
    pub ready: i32,
    /// Tasks that wait.
    pub backlog: u64,
    /// How long the oldest of them waits.
    pub backlog_age: Duration,
    /// Tasks that come, a second.
    pub add_rate: f64,
    /// Tasks that are given to workers, a second.
    pub dispatch_rate: f64,
    /// Temporal holds tasks back by a rate limit, so that more pods would not get more of them. Told from server 1.32 on.
    pub rate_limited: bool,
    /// Slots, when the SDK tells them.
    pub slots: Option<Slots>,
}

/// Slots of all pods of a version, of the kind of task that has the least left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slots {
    /// In use.
    pub used: u64,
    /// All there are; 0 where the workers set no number.
    pub all: u64,
    /// Processes that told theirs.
    pub workers: u64,
}

impl Slots {
    /// Slots of one pod.
    fn of_a_pod(self) -> Option<f64> {
        (self.all > 0 && self.workers > 0).then(|| self.all as f64 / self.workers as f64)
    }
}

impl Sample {
    /// This sample and a later one as one: the most of each figure, so that nothing seems less than it was.
    #[must_use]
    pub fn and(self, later: &Self) -> Self {
        let fuller = |a: Slots, b: Slots| if a.used > b.used { a } else { b };
        Self {
            at: later.at,
            ready: self.ready.max(later.ready),
            backlog: self.backlog.max(later.backlog),
            backlog_age: self.backlog_age.max(later.backlog_age),
            add_rate: self.add_rate.max(later.add_rate),
            dispatch_rate: self.dispatch_rate.max(later.dispatch_rate),
            rate_limited: self.rate_limited || later.rate_limited,
            slots: match (self.slots, later.slots) {
                (Some(a), Some(b)) => Some(fuller(a, b)),
                (a, b) => a.or(b),
            },
        }
    }

    /// Whether nothing came, waited, was given to a worker or ran.
    fn is_quiet(&self) -> bool {
        let used = self.slots.map_or(0, |slots| slots.used);
        self.backlog == 0 && used == 0 && self.add_rate < NOTHING && self.dispatch_rate < NOTHING
    }

    /// Pods that would be full of what runs. What slots tell is older than what waits: when tasks wait for all pods, all are full.
    fn full(&self) -> Option<f64> {
        let slots = self.slots?;
        let told = slots.used as f64 / slots.of_a_pod()?;
        Some(if self.is_saturated() { told.max(f64::from(self.ready)) } else { told })
    }

    /// Whether every pod has something waiting for it.
    fn is_saturated(&self) -> bool {
        let pods = u64::try_from(self.ready).unwrap_or(0);
        pods > 0 && self.backlog >= pods && self.backlog_age >= WAITING
    }
}

/// A rate below one task a day is none.
const NOTHING: f64 = 1e-5;
/// Tasks that are passed on are also seen waiting, for a moment.
const WAITING: Duration = Duration::from_secs(1);

/// What the manifest says of the number of pods, checked and with its defaults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// Fewest pods of a version that serves; 0: none while there is nothing to do.
    pub min: i32,
    /// Most pods.
    pub max: i32,
    /// Waiting tasks that are borne for each pod; none: as many as a pod is seen to take on within `max_backlog_age`.
    pub backlog_per_pod: Option<u32>,
    /// How long a task may wait.
    pub max_backlog_age: Duration,
    /// Share of its slots that a pod has in use when the number of pods is right.
    pub slot_utilization: f64,
    /// How long fewer pods must have been enough.
    pub scale_down_after: Duration,
    /// How long nothing must have come, waited or run before the last pod goes.
    pub idle_after: Duration,
}

/// What a version is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// New work goes to it.
    Serves,
    /// New work is to go to it: at least one pod, however little there is to do.
    Candidate,
    /// Old work is left for it: at least one pod, and no minimum beyond that.
    Drains,
}

/// How many pods there are to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The number.
    pub pods: i32,
    /// Why, in words without figures that move by themselves.
    pub why: String,
}

/// From one time to a later one; nothing when it is not later.
fn since(earlier: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(earlier)).unwrap_or_default()
}
