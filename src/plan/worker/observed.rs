//! What is seen of a worker, and what can be written to Temporal for it.

use crate::api::worker::{QueueType, VersionState};
use crate::build::ObjectKey;
use crate::build::worker::ConfigVersions;
use crate::scaling::Sample;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is seen of a worker. Versions go by build id; the one Deployment of unversioned workers by the empty one.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Its Deployments.
    pub deployments: BTreeMap<String, Deployment>,
    /// The templates of its versions, as kept in ControllerRevisions.
    pub revisions: BTreeMap<String, Revision>,
    /// What Temporal knows.
    pub temporal: InTemporal,
    /// Temporal was asked and did not answer.
    pub silence: Option<Silence>,
    /// All objects of the worker.
    pub children: Vec<ObjectKey>,
    /// Its pods; only while one of its Deployments is not as it should be.
    pub pods: Vec<Arc<Pod>>,
    /// Host and port of the frontend as pods reach it; none where that is not known, or not with which credentials.
    pub address: Option<String>,
    /// The Secret of the client certificate has the authorities of the server's as well.
    pub client_has_ca: bool,
    /// Versions of the Secrets and ConfigMaps that templates refer to.
    pub configs: ConfigVersions,
    /// Another resource that has the same Worker Deployment and was made first, as `namespace/name`.
    pub taken_by: Option<String>,
}

/// Since when Temporal does not answer, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// A sentence without its full stop.
    pub why: String,
    /// What kind of reason that is.
    pub why_not: WhyNot,
    /// Since when.
    pub since: Timestamp,
}

/// Why Temporal does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyNot {
    /// It may pass by itself.
    Silent,
    /// It says no.
    Refused,
    /// It does not take what the connection brings, or the other way round.
    Credentials,
}

impl Seen {
    /// What is known of the work of a version, the oldest first; of unversioned workers by the empty build id.
    #[must_use]
    pub fn load(&self, build_id: &str) -> &[Sample] {
        self.known(build_id).map_or(&[], |version| &version.load)
    }

    /// A version as Temporal has it.
    #[must_use]
    pub fn known(&self, build_id: &str) -> Option<&KnownVersion> {
        match &self.temporal {
            InTemporal::Known(routing) => routing.versions.get(build_id),
            InTemporal::Unknown | InTemporal::Absent => None,
        }
    }
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
    /// Since when that version has one.
    pub ramping_since: Option<Timestamp>,
    /// When the share last changed.
    pub percent_since: Option<Timestamp>,
    /// Who else alone may change it; empty: everybody, or the operator.
    pub manager: String,
    /// Who else changed it last; empty: the operator, Temporal itself, or nobody yet.
    pub last_modifier: String,
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
    /// Whether open workflows are pinned to this version.
    Pinned(String),
    /// Which workflows fail on a version.
    Failing(FailingOn),
}

/// Workflows that fail on a version: their workflow tasks there have failed again and again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FailingOn {
    /// The version.
    pub build_id: String,
    /// They did not fail before that.
    pub since: Timestamp,
    /// So many are enough.
    pub most: usize,
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
    /// By build id, whether open workflows are pinned to a version; none: Temporal could not tell.
    pub pinned: BTreeMap<String, Option<bool>>,
    /// By build id, ids of workflows that fail on a version, or why that cannot be told.
    pub failing: BTreeMap<String, Result<Vec<String>, String>>,
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
