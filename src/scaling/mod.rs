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
