//! The kind `TemporalSchedule`: a schedule in a Temporal namespace.
#![allow(clippy::duplicated_attributes, reason = "each column of `kubectl get` has its own")]

mod action;
mod times;
mod words;

pub use action::{ActionSpec, RetryPolicySpec, WorkflowSpec};
pub use times::{CalendarSpec, IntervalSpec, RangeSpec, TimesSpec};
pub use words::{DURATION, duration};

use super::conditions::Conditioned;
use super::reference::Reference;
use super::resident::{Phase, Told};
use super::unsupported::any_object;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::core::cel::MergeStrategy;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A schedule of Temporal: a workflow that is started again and again.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "temporal.io",
    version = "v1beta1",
    kind = "TemporalSchedule",
    plural = "temporalschedules",
    shortname = "tsch",
    category = "temporal",
    namespaced,
    doc = "A schedule of Temporal: a workflow that is started again and again. Its id is metadata.name.",
    derive = "PartialEq",
    status = "TemporalScheduleStatus",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Namespace", type_ = "string", json_path = ".spec.namespaceRef.name"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.namespaceRef == oldSelf.namespaceRef", "spec.namespaceRef: cannot change, since the schedule would stay behind in the old namespace; make another TemporalSchedule"))]
pub struct TemporalScheduleSpec {
    /// The `TemporalNamespace` whose Temporal namespace the schedule is in. Immutable.
    pub namespace_ref: Reference,
    /// What is started, when, and what may get in its way.
    pub schedule: ScheduleSpec,
    /// Notes on the schedule itself, which `temporal schedule describe` shows: any JSON by name. Given when the schedule is
    /// made; Temporal does not change them later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub memo: Option<Map<String, Value>>,
    /// Search attributes of the schedule itself, by which schedules are listed: a string, a number, a boolean or a list of
    /// strings by name. They must be registered in the Temporal namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub search_attributes: Option<Map<String, Value>>,
    /// Whether the schedule is deleted from Temporal with this resource. Default false: it goes on.
    #[serde(default)]
    pub allow_deletion: bool,
}

/// What is started, when, and what may get in its way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleSpec {
    /// What is started.
    pub action: ActionSpec,
    /// When. Without any times it is started by hand only (`temporal schedule trigger`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<TimesSpec>,
    /// What happens when the last one still runs, when Temporal was away, and when a workflow fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicySpec>,
    /// How the schedule begins: paused or not, and how often it acts. A value here is given to Temporal when the schedule is
    /// made and when the value itself changes; otherwise what was done by hand or by Temporal stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StateSpec>,
}

/// What happens when the last workflow still runs, when Temporal was away, and when a workflow fails.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicySpec {
    /// What happens when a workflow is due and the last one still runs. `skip` (default): it is left out. `bufferOne`: one
    /// waits for the end of the last. `bufferAll`: all wait, and run one after the other. `cancelOther`: the last is
    /// cancelled and waited for. `terminateOther`: the last is terminated. `allowAll`: they run side by side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<Overlap>,
    /// How late a workflow may be started that was due while Temporal was away: a Go duration of at least `10s`. Default
    /// `8760h`, a year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "words::duration")]
    #[x_kube(validation = (
        "duration(self) >= duration('10s')",
        "policy.catchupWindow: must be at least 10s, the least that Temporal keeps"
    ))]
    pub catchup_window: Option<String>,
    /// Whether the schedule is paused when a workflow has failed or timed out, its retries included. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_on_failure: Option<bool>,
}

/// What happens when a workflow is due and the last one still runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub enum Overlap {
    #[default]
    Skip,
    BufferOne,
    BufferAll,
    CancelOther,
    TerminateOther,
    AllowAll,
}

/// How a schedule begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "!has(self.remainingActions) || self.remainingActions == 0 || (has(self.limitedActions) && self.limitedActions)",
    "state.remainingActions: counts only with limitedActions: true; set that, or remove the number"
))]
pub struct StateSpec {
    /// A note, such as why it is paused. Temporal writes its own when it pauses a schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000))]
    pub notes: Option<String>,
    /// Whether it is paused. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// Whether it acts only `remainingActions` times. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limited_actions: Option<bool>,
    /// How often it still acts. What is triggered by hand does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub remaining_actions: Option<i64>,
}

/// What the operator knows of a schedule. Times change only when a condition turns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemporalScheduleStatus {
    /// The `metadata.generation` this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// One word: `Pending`, `Ready`, `Failed` or `Deleting`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// One sentence: what is happening, why, and what would help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The state of the manifest that Temporal was given last. There once Temporal is known to have the schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_state: Option<StateSpec>,
    /// The last change that was sent and has not been seen carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<SentUpdate>,
    /// Hash of the schedule that has nothing more to do. Temporal removes it some time later, and it is not made again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<String>,
    /// `Ready`, `Reconciling`, `Stalled`.
    #[serde(default)]
    #[x_kube(merge_strategy = MergeStrategy::ListType(ListMerge::Map(vec!["type".into()])))]
    #[schemars(length(max = 32))]
    pub conditions: Vec<Condition>,
}

impl Conditioned for TemporalScheduleStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
}

impl Told for TemporalScheduleStatus {
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

/// A change that was sent to Temporal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SentUpdate {
    /// Hash of what was declared.
    pub declared: String,
    /// When Temporal had last carried out a change like this one then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<String>,
    /// How often it was carried out and is not what Temporal gives back.
    pub times: i32,
}
