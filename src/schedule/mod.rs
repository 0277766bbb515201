//! A schedule in a form that can be compared: what a manifest declares, and what Temporal gives back.
//!
//! Temporal does not give back what it was given. It turns cron strings into calendars and intervals, writes out defaults,
//! and adds types to search attributes. So both sides are brought to the same form: calendars are sets of numbers, times
//! are in nanoseconds, values are JSON. Pure.

mod calendar;
mod cron;
mod difference;
pub mod duration;

pub use calendar::{Calendar, Range};
pub use cron::{CronTimes, parse as parse_cron};
pub use difference::differences;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What a schedule does: everything that the manifest alone decides.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Definition {
    /// When.
    pub times: Times,
    /// What is started.
    pub workflow: Workflow,
    /// What may get in its way.
    pub policy: Policy,
    /// Search attributes of the schedule itself; `None` when the manifest leaves them open.
    pub search_attributes: Option<Map<String, Value>>,
}

/// When a schedule acts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// By the calendar.
    pub calendars: BTreeSet<Calendar>,
    /// At even distances.
    pub intervals: BTreeSet<Interval>,
    /// By the calendar, left out.
    pub excluded: BTreeSet<Calendar>,
    /// Not before.
    pub start: Option<Timestamp>,
    /// Not after.
    pub end: Option<Timestamp>,
    /// Up to how much later.
    pub jitter: Duration,
    /// IANA name; empty is UTC.
    pub time_zone: String,
}

impl Times {
    /// Whether the schedule is started by hand only.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calendars.is_empty() && self.intervals.is_empty()
    }
}

/// Times at even distances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval {
    /// The distance.
    pub every: Duration,
    /// How much later.
    pub offset: Duration,
}

/// The workflow that is started.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Workflow {
    /// Its id; `None` when the manifest leaves it open.
    pub id: Option<String>,
    /// Its type.
    pub type_: String,
    /// Its task queue.
    pub task_queue: String,
    /// Its arguments.
    pub inputs: Vec<Input>,
    /// Limit of all; zero is none.
    pub execution_timeout: Duration,
    /// Limit of a run.
    pub run_timeout: Duration,
    /// Limit of a step.
    pub task_timeout: Duration,
    /// How it is retried.
    pub retry: Option<Retry>,
    /// Notes on it.
    pub memo: BTreeMap<String, Input>,
    /// Its search attributes.
    pub search_attributes: Map<String, Value>,
}

/// A value of users.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// JSON in the clear, all that a manifest can say.
    Json(Value),
    /// Anything else, by its encoding.
    Other(String),
}

/// How a workflow is retried. Zero is Temporal's default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Retry {
    /// First interval.
    pub initial: Duration,
    /// Growth.
    pub coefficient: f64,
    /// Longest interval.
    pub maximum: Duration,
    /// Starts in all.
    pub attempts: i32,
    /// Errors that end it.
    pub fatal: Vec<String>,
}

/// What may get in the way of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Temporal's number of what happens when the last workflow still runs.
    pub overlap: i32,
    /// How late a workflow may be started.
    pub catchup_window: Duration,
    /// Whether a failure pauses.
    pub pause_on_failure: bool,
}

/// What Temporal takes when nothing is said (server 1.30 to 1.32 `service/worker/scheduler/workflow.go`).
impl Default for Policy {
    fn default() -> Self {
        Self { overlap: 1, catchup_window: Duration::from_secs(365 * 24 * 3600), pause_on_failure: false }
    }
}

/// Whether it acts: what people and Temporal change on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// A note.
    pub notes: String,
    /// Paused.
    pub paused: bool,
    /// Whether `remaining` counts.
    pub limited: bool,
    /// How often it still acts.
    pub remaining: i64,
}

/// A schedule as Temporal has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// What it does.
    pub definition: Definition,
    /// Whether it acts.
    pub state: State,
    /// Notes on the schedule itself.
    pub memo: BTreeMap<String, Input>,
    /// Temporal's mark of this very state; a change that names another one is not carried out.
    pub token: Vec<u8>,
    /// When it was last changed as a whole.
    pub updated: Option<Timestamp>,
    /// Whether there is a time at which it will act.
    pub has_future: bool,
    /// All of it as Temporal wrote it, for what no manifest can say to be handed back.
    pub raw: Vec<u8>,
}

/// What Temporal is told to make of a schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What it is to do.
    pub definition: Definition,
    /// Whether it is to act.
    pub state: State,
    /// What the change starts from.
    pub from: Found,
}
