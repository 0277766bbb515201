//! What the operator knows of a worker.

use crate::api::conditions::Conditioned;
use crate::api::resident::{Phase, Told};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use kube::core::cel::MergeStrategy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the operator knows of a worker. Times change only on transitions; numbers that move by themselves are rounded, and
/// written at most every 30 seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemporalWorkerStatus {
    /// The `metadata.generation` this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// One word: `Pending`, `Ready`, `Failed` or `Deleting`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// One sentence: what is happening, why, and what would help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Build id of the version that new workflows go to. Absent for unversioned workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// Build id of the manifest's template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// How far the target is on its way to become current.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<RampStatus>,
    /// The routes as they were last seen, so that a change that somebody else makes is known as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routes: Option<RouteStatus>,
    /// Who may move traffic in Temporal, when that is not the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager_identity: Option<String>,
    /// Pods of all versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Label selector of the pods of all versions, for the `scale` subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Every version that has a Deployment or that Temporal knows, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<VersionStatus>,
    /// When the numbers of `versions` were last written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured_at: Option<Time>,
    /// `Ready`, `Reconciling`, `Stalled`, `ScalingActive`.
    #[serde(default)]
    #[x_kube(merge_strategy = MergeStrategy::ListType(ListMerge::Map(vec!["type".into()])))]
    #[schemars(length(max = 32))]
    pub conditions: Vec<Condition>,
}

impl Conditioned for TemporalWorkerStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
}

impl Told for TemporalWorkerStatus {
    fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    fn tell(&mut self, generation: Option<i64>, phase: Phase, message: String, conditions: Vec<Condition>) {
        self.observed_generation = generation;
        self.phase = Some(phase);
        self.message = Some(message);
        self.conditions = conditions;
    }
}

/// How far a version is on its way to become current.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RampStatus {
    /// The version that is on its way, by build id.
    #[serde(rename = "buildID")]
    pub build_id: String,
    /// Percent of new workflows that it gets, as Temporal has it, rounded.
    pub percent: i32,
    /// The step, counted from 1; 0 before the first.
    pub step: i32,
    /// Number of steps.
    pub steps: i32,
    /// When the next step is due at the earliest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Time>,
    /// Since when it has a share and no pods that are ready or that poll.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub troubled_since: Option<Time>,
    /// Why it came back or waits: it failed, and stays so until the manifest changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// Where new workflows go.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteStatus {
    /// Build id of the current version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// Build id of the ramping version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ramping: Option<String>,
    /// Its share: percent with two digits after the point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<String>,
    /// A hash of the manifest's template and rollout when they were seen.
    pub manifest: String,
    /// Who has set them by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// A version of the worker.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct VersionStatus {
    /// Its build id.
    #[serde(rename = "buildID")]
    pub build_id: String,
    /// How Temporal sees it.
    pub state: VersionState,
    /// Its Deployment, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    /// Pods that it should have.
    pub replicas: i32,
    /// Pods that are ready.
    pub ready: i32,
    /// Waiting tasks, to two digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backlog: Option<i64>,
    /// Seconds that the oldest waiting task waits, to two digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backlog_age_seconds: Option<i64>,
    /// Percent of slots in use, in steps of 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots_used: Option<i32>,
    /// Since when no open workflow is pinned to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drained_since: Option<Time>,
    /// When its Deployment is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_at: Option<Time>,
}

/// How Temporal sees a version; its own words, and `NotRegistered` for one that has not polled yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum VersionState {
    #[default]
    NotRegistered,
    Inactive,
    Ramping,
    Current,
    Draining,
    Drained,
}
