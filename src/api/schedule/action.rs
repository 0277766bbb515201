//! `schedule.action`: what is started.

use super::words;
use crate::api::unsupported::any_object;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What is started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActionSpec {
    /// A workflow.
    pub workflow: WorkflowSpec,
}

/// The workflow that is started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowSpec {
    /// Its id, to which Temporal adds the time it was due at. Default: `metadata.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 900))]
    pub id: Option<String>,
    /// Its type, the name under which workers register it.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 1000))]
    pub type_: String,
    /// The task queue whose workers run it.
    #[schemars(length(min = 1, max = 1000))]
    #[x_kube(validation = (
        "!self.startsWith('/_sys/')",
        "workflow.taskQueue: names that begin with /_sys/ are Temporal's own; name the queue that your workers poll"
    ))]
    pub task_queue: String,
    /// Its arguments, one JSON value each, given to the worker as `json/plain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "words::inputs")]
    pub inputs: Option<Vec<Value>>,
    /// How long it may take with all its retries and continuations, a Go duration. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "words::duration")]
    pub execution_timeout: Option<String>,
    /// How long one run of it may take, a Go duration. Default: `executionTimeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "words::duration")]
    pub run_timeout: Option<String>,
    /// How long a worker may take for one step of it, a Go duration. Default `10s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "words::duration")]
    pub task_timeout: Option<String>,
    /// Whether and how it is started again when it fails. Default: it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_policy: Option<RetryPolicySpec>,
    /// Notes on each workflow, any JSON by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub memo: Option<Map<String, Value>>,
    /// Search attributes of each workflow: a string, a number, a boolean or a list of strings by name. They must be
    /// registered in the Temporal namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub search_attributes: Option<Map<String, Value>>,
}

/// How a workflow that fails is started again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "!has(self.maximumInterval) || duration(self.maximumInterval) == duration('0s') || duration(self.maximumInterval) >= (has(self.initialInterval) && duration(self.initialInterval) > duration('0s') ? duration(self.initialInterval) : duration('1s'))",
    "retryPolicy.maximumInterval: must not be less than initialInterval (default 1s), or no workflow would start; make it longer"
))]
pub struct RetryPolicySpec {
    /// How long after the first failure, a Go duration. Default `1s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "words::duration")]
    pub initial_interval: Option<String>,
    /// By how much the interval grows each time: a whole number, or a decimal one as a string (`"1.5"`). Default 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "words::decimal")]
    #[x_kube(validation = (
        "type(self) == int ? self >= 1 : (self.matches('^[0-9]{1,9}([.][0-9]{1,6})?$') && double(self) >= 1.0) || (self.matches('^[0-9]{1,9}m$') && int(self.substring(0, self.size() - 1)) >= 1000)",
        "retryPolicy.backoffCoefficient: must be a number of at least 1, such as 2 or \"1.5\"; 1 keeps the interval as it is"
    ))]
    pub backoff_coefficient: Option<IntOrString>,
    /// The longest interval, a Go duration. Default: 100 times `initialInterval`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "words::duration")]
    pub maximum_interval: Option<String>,
    /// How often it is started in all. 1: no retries; 0 (default): no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub maximum_attempts: Option<i32>,
    /// Types of errors after which it is not started again, whole names; `TemporalTimeout:` before `StartToClose`,
    /// `ScheduleToStart`, `ScheduleToClose` or `Heartbeat` means timeouts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 255)))]
    #[x_kube(validation = (
        "self.all(e, !e.startsWith('TemporalTimeout:') || e in ['TemporalTimeout:StartToClose', 'TemporalTimeout:ScheduleToStart', 'TemporalTimeout:ScheduleToClose', 'TemporalTimeout:Heartbeat'])",
        "retryPolicy.nonRetryableErrorTypes: behind TemporalTimeout: one of StartToClose, ScheduleToStart, ScheduleToClose, Heartbeat"
    ))]
    pub non_retryable_error_types: Option<Vec<String>>,
}
