//! Which version gets which share of new workflows, and what becomes of each version's pods. Pure.

use crate::api::worker::RampStatus;
use crate::plan::resident::{News, Verdict};
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
    /// New workflows go to this build id; the ramp ends.
    SetCurrent(String),
    /// This share, in percent, of new workflows goes to this build id; no build id: the ramp ends.
    SetRamping(Option<String>, f32),
    /// The version is removed from Temporal.
    DeleteVersion(String),
}
