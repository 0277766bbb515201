//! What is seen of a worker, and what can be written to Temporal for it.

use crate::api::worker::{QueueType, VersionState};
use crate::scaling::Sample;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What is seen of a worker. Versions go by build id; the one Deployment of unversioned workers by the empty one.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Its Deployments.
    pub deployments: BTreeMap<String, Deployment>,
    /// The templates of its versions, as kept in ControllerRevisions.
    pub revisions: BTreeMap<String, Revision>,
    /// What Temporal knows.
    pub temporal: InTemporal,
}

/// A version's template, so that it can be made again.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    /// Counts up with each new version.
    pub number: i64,
    /// The PodTemplateSpec, as it was in the manifest.
    pub template: Map<String, Value>,
}

/// What Temporal knows of a worker.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum InTemporal {
    /// It was not asked, or did not answer: this is why. Nothing may be concluded from that.
    #[default]
    Unknown,
    /// It has no such Worker Deployment: no version has polled yet.
    Absent,
    /// It answered.
    Known(Box<Routing>),
}

/// A Worker Deployment as Temporal has it (`DescribeWorkerDeployment`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Routing {
    /// Build id that new workflows go to; none: to workers without a version.
    pub current: Option<String>,
    /// When that became so.
    pub current_since: Option<Timestamp>,
    /// Build id that a share of new workflows goes to.
    pub ramping: Option<String>,
    /// The share, percent.
    pub percent: f32,
    /// When the share last changed.
    pub percent_since: Option<Timestamp>,
    /// Who else alone may change it; empty: everybody, or the operator.
    pub manager: String,
    /// Who else changed it last; empty: the operator, Temporal itself, or nobody yet.
    pub last_modifier: String,
    /// Proves at a change that nobody else changed it since.
    pub conflict_token: Vec<u8>,
    /// Its versions by build id.
    pub versions: BTreeMap<String, KnownVersion>,
    /// What was asked besides.
    pub asked: Asked,
}

/// What is asked besides, when the next step hangs on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Who polls the task queues of this version. The answer is in its [`KnownVersion::queues`].
    Pollers(String),
    /// Whether workers without a version poll the task queues of this one.
    Unversioned(String),
    /// What became of so many runs of a gate's workflow.
    Runs(String, u32),
    /// What a Prometheus says.
    Query(Query),
}

/// A query for a version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Query {
    /// Where it is asked.
    pub url: String,
    /// As written: `$deployment`, `$build_id` and `$namespace` stand for the version's.
    pub query: String,
    /// The version.
    pub build_id: String,
}

/// The answers to [`Question`]s.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// Whether workers without a version poll the task queues.
    pub unversioned: Option<bool>,
    /// Runs of gates' workflows, by gate, the first run first; runs that were never started are left out.
    pub runs: BTreeMap<String, Vec<RunState>>,
    /// Values that queries gave, or why they gave none.
    pub queries: BTreeMap<Query, Result<Vec<f64>, String>>,
}

/// How a run of a gate's workflow stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunState {
    /// It is open.
    Open,
    /// It has completed.
    Completed,
    /// It has ended otherwise: with this word.
    Ended(String),
}

/// A version as Temporal has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KnownVersion {
    /// How Temporal sees it.
    pub state: VersionState,
    /// Since when no open workflow is pinned to it.
    pub drained_since: Option<Timestamp>,
    /// When it was last current, if it is not.
    pub last_current: Option<Timestamp>,
    /// The task queues that it has polled; only asked for where it matters (see `observe`).
    pub queues: Vec<KnownQueue>,
    /// What waits and runs, the oldest first; only of those that are scaled.
    pub load: Vec<Sample>,
}

/// A task queue of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownQueue {
    /// Its name.
    pub name: String,
    /// The kind of its tasks.
    pub type_: QueueType,
    /// Pods of this version that poll it now; none when that was not asked.
    pub pollers: Option<u32>,
}
