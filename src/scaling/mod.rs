//! How many pods a version needs, from what Temporal says of its work. Pure: figures in, a number and its reason out.

use k8s_openapi::jiff::Timestamp;
use std::time::Duration;

/// What waits and runs at one time, over all task queues of a version that count.
#[derive(Clone, Debug, PartialEq)]
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
    /// Slots, when the SDK tells them.
    pub slots: Option<Slots>,
}

/// Slots of all pods of a version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slots {
    /// In use.
    pub used: u64,
    /// All there are.
    pub all: u64,
}

/// What the manifest says of the number of pods.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// Fewest pods of a version that serves.
    pub min: i32,
    /// Most pods.
    pub max: i32,
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

/// How many pods a version is to have.
#[must_use]
pub fn decide(policy: &Policy, need: Need, present: i32, _: &[Sample], _: Timestamp) -> Decision {
    let least = if need == Need::Serves { policy.min } else { 1 };
    Decision { pods: present.clamp(least, policy.max), why: "Temporal has not told its work yet".to_owned() }
}

/// When a version with this history is to be asked about again, counted from its last sample.
#[must_use]
pub fn due(_: Need, _: i32, _: &[Sample]) -> Duration {
    Duration::from_secs(10)
}
