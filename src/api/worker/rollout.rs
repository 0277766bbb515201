//! How a new version of a worker takes over, and what becomes of the old ones.

use crate::api::schedule::duration;
use crate::api::unsupported::any_value;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a new version takes over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.strategy) || self.strategy != 'Progressive' || (has(self.steps) && self.steps.size() > 0)", "spec.rollout.steps: strategy Progressive needs at least one step; add one, or choose AllAtOnce"))]
#[x_kube(validation = ("!has(self.steps) || self.steps.size() == 0 || (has(self.strategy) && self.strategy == 'Progressive')", "spec.rollout.steps: go with strategy Progressive; set it or remove them"))]
pub struct RolloutSpec {
    /// `AllAtOnce` (default): new workflows go to the new version as soon as it polls and its gate has passed.
    /// `Progressive`: they do step by step. `Manual`: the operator runs the pods and moves no traffic; `promote`, the CLI or
    /// the UI do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// Whether no traffic is moved for the time being. Default false.
    #[serde(default)]
    pub paused: bool,
    /// The build id that is to be current now, without the steps and gates that are left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub promote: Option<String>,
    /// The steps of `Progressive`; after the last one the version becomes current.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    #[x_kube(validation = ("self.map(s, s.percent).isSorted() && self.all(s, self.exists_one(t, t.percent == s.percent))", "spec.rollout.steps: each step's percent must be more than that of the one before; put them in order"))]
    pub steps: Option<Vec<Step>>,
    /// What must pass before the version gets any traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateSpec>,
    /// How many workflows may fail on the version while it has a share; with one more it has failed. A workflow fails when its
    /// workflow tasks have failed or timed out five times in a row (Temporal's `TemporalReportedProblems`), the first time after
    /// the version got its share. Default 0. -1: they are not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1, max = 20))]
    pub max_failing_workflows: Option<i32>,
    /// What is done when a gate or workflows fail, pods do not become ready or nobody polls: `Rollback` (default) takes all
    /// traffic back to the current version, `Pause` leaves it as it is and waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// A version that was current so recently becomes current again at once, without gates and steps: a Go duration, `0s` for
    /// never. Default `1h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "duration")]
    pub rollback_window: Option<String>,
}

/// How traffic moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum Strategy {
    #[default]
    AllAtOnce,
    Progressive,
    Manual,
}

/// What is done when a version is not good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum OnFailure {
    #[default]
    Rollback,
    Pause,
}

/// A share of new workflows for a time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Percent of new workflows, and of those that move by themselves, that the new version gets.
    #[schemars(range(min = 1, max = 99))]
    pub percent: i32,
    /// How long at least: a Go duration.
    #[schemars(schema_with = "duration")]
    pub pause: String,
    /// What must pass before the next step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateSpec>,
}

/// What must pass before a version gets more traffic. Everything that is named must.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.workflow) || has(self.prometheus)", "gate: needs a workflow or a prometheus query; add one, or remove the gate"))]
pub struct GateSpec {
    /// A workflow that is run on the new version and must complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<GateWorkflow>,
    /// A query whose every result must be in bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<GateQuery>,
}

/// A workflow that is run pinned to the new version, once for each version and step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct GateWorkflow {
    /// Its type, which the new version must know.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 255))]
    pub type_: String,
    /// Its task queue. Default: the one workflow queue that the version polls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub task_queue: Option<String>,
    /// Its one argument: any JSON value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_value")]
    pub input: Option<Value>,
    /// Its one argument, from a ConfigMap or Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_from: Option<GateInput>,
    /// How long it may take: a Go duration. Default `1h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "duration")]
    pub timeout: Option<String>,
    /// How often it is run again when it fails. Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10))]
    pub retries: Option<i32>,
}

/// Where the argument of a gate's workflow is: JSON, in the resource's own namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.configMapKeyRef) != has(self.secretKeyRef)", "inputFrom: exactly one of configMapKeyRef and secretKeyRef is needed"))]
pub struct GateInput {
    /// A key of a ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<KeyRef>,
    /// A key of a Secret. Its value is not shown by the operator; Temporal keeps it in the workflow's history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<KeyRef>,
}

/// A key of a ConfigMap or Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyRef {
    /// The object's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key in it.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// A query whose every result must be in bounds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.min) || has(self.max)", "gate.prometheus: needs min or max, or nothing could fail; set one of them"))]
pub struct GateQuery {
    /// URL of the Prometheus, such as `http://prometheus.monitoring:9090`.
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^https?://"))]
    pub url: String,
    /// An instant query in PromQL. `$deployment`, `$build_id` and `$namespace` stand for the version's. No result fails.
    #[schemars(length(min = 1, max = 4096))]
    pub query: String,
    /// The least that is good: a decimal number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = r"^-?[0-9]+([.][0-9]+)?$"))]
    pub min: Option<String>,
    /// The most that is good: a decimal number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = r"^-?[0-9]+([.][0-9]+)?$"))]
    pub max: Option<String>,
}

/// What becomes of versions that no workflow needs any more. A version with open workflows pinned to it is never touched.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SunsetSpec {
    /// How long its pods stay once it is drained: a Go duration. Default `1h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "duration")]
    pub scale_down_after: Option<String>,
    /// How long after it is drained its Deployment, and the version in Temporal, stay: a Go duration, at least
    /// `scaleDownAfter`. Default `24h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "duration")]
    pub delete_after: Option<String>,
}
