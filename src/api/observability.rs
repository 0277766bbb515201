//! `spec.log`, `spec.metrics` and `spec.dynamicConfig`: how the server is watched and tuned.

use super::unsupported::{any_list, any_object, any_value};
use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The server's log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogSpec {
    /// Write to standard output. Default true, or false with an `outputFile`: the server writes to one of the two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<bool>,
    /// Least level written. Default `info`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<LogLevel>,
    /// A file to write to instead of standard output. Its directory is an empty one of each pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    #[x_kube(validation = (
        "self.matches('^(/[-A-Za-z0-9._]+){2,}$') && !self.matches('/[.][.]?(/|$)') && !self.matches('^/(proc|sys|dev|etc|bin|sbin|lib|lib64|usr)/')",
        "log.outputFile: must be the absolute path of a file in a directory that becomes the log's own, outside of /proc, /sys, /dev, /etc, /bin, /sbin, /lib, /lib64 and /usr; for example /var/log/temporal/server.log"
    ))]
    pub output_file: Option<String>,
    /// `json` (default) or `console`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<LogFormat>,
    /// zap's development mode: warnings carry stack traces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub development: Option<bool>,
}

/// Log levels of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
    Dpanic,
    Panic,
    Fatal,
}

/// Log formats of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum LogFormat {
    Json,
    Console,
}

/// Prometheus metrics of the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "!has(self.perUnitHistogramBoundaries) || self.perUnitHistogramBoundaries.all(u, u in ['dimensionless', 'milliseconds', 'bytes'])",
    "metrics.perUnitHistogramBoundaries: unknown unit; use dimensionless, milliseconds or bytes"
))]
#[x_kube(validation = (
    "!has(self.perUnitHistogramBoundaries) || self.perUnitHistogramBoundaries.all(u, self.perUnitHistogramBoundaries[u].all(t, t.matches('^-?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]+)?$')))",
    "metrics.perUnitHistogramBoundaries: every boundary must be a number written as a string"
))]
#[x_kube(validation = (
    "!has(self.perUnitHistogramBoundaries) || self.perUnitHistogramBoundaries.all(u, !self.perUnitHistogramBoundaries[u].all(t, t.matches('^-?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]+)?$')) || self.perUnitHistogramBoundaries[u].map(t, double(t)).isSorted())",
    "metrics.perUnitHistogramBoundaries: boundaries must ascend; sort them"
))]
pub struct MetricsSpec {
    /// Whether pods serve metrics. When `spec.metrics` is absent they do.
    pub enabled: bool,
    /// The listener.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<PrometheusSpec>,
    /// Tag values to leave out, by tag name (server key `global.metrics.excludeTags`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 64))]
    pub exclude_tags: Option<BTreeMap<String, Vec<String>>>,
    /// Histogram boundaries by unit (`dimensionless`, `milliseconds`, `bytes`), numbers written as strings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "boundaries_schema")]
    pub per_unit_histogram_boundaries: Option<BTreeMap<String, Vec<String>>>,
    /// Prefix of every metric's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub prefix: Option<String>,
}

/// Few and short lists, so that rules over all of them stay within CEL's cost.
fn boundaries_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 8,
        "additionalProperties": {"type": "array", "maxItems": 64, "items": {"type": "string", "maxLength": 32}},
    })
}

/// The metrics listener of each server pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "!has(self.listenAddress) || (self.listenAddress.matches(':[0-9]{1,5}$') && int(self.listenAddress.substring(self.listenAddress.lastIndexOf(':') + 1)) >= 1 && int(self.listenAddress.substring(self.listenAddress.lastIndexOf(':') + 1)) <= 65535)",
    "metrics.prometheus.listenAddress: must be host:port; better remove it and use listenPort"
))]
#[x_kube(validation = (
    "!has(self.listenAddress) || !has(self.listenPort) || !self.listenAddress.matches(':[0-9]{1,5}$') || int(self.listenAddress.substring(self.listenAddress.lastIndexOf(':') + 1)) == self.listenPort",
    "metrics.prometheus.listenAddress: names another port than listenPort; remove it, listenPort is enough"
))]
pub struct PrometheusSpec {
    /// Port on all pod addresses. Default 9090.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub listen_port: Option<i32>,
    /// Deprecated by the Go operator: `host:port`, of which only the port counts. Use `listenPort`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub listen_address: Option<String>,
    /// How Prometheus finds the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scrape_config: Option<ScrapeConfigSpec>,
}

/// How Prometheus finds the pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScrapeConfigSpec {
    /// Put `prometheus.io/scrape`, `scheme`, `path` and `port` annotations on the server pods. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<bool>,
    /// ServiceMonitors for Prometheus Operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_monitor: Option<ServiceMonitorSpec>,
}

/// A ServiceMonitor `<cluster>-<role>` for each role, where Prometheus Operator's kinds are installed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceMonitorSpec {
    /// Whether to make them. Default false.
    #[serde(default)]
    pub enabled: bool,
    /// Labels to add, by which a Prometheus finds them. Labels the operator sets itself win.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 64))]
    pub labels: Option<BTreeMap<String, String>>,
    /// Relabelings of the samples (`endpoints[].metricRelabelings`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_list")]
    pub metric_relabelings: Option<Vec<Value>>,
    /// Merged over the `spec` of each: maps are merged, everything else replaces. `endpoints`, `selector` and
    /// `namespaceSelector` stay as they are.
    #[serde(default, rename = "override", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub overrides: Option<Map<String, Value>>,
}

/// The server's dynamic config: settings that running pods take up within seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DynamicConfigSpec {
    /// How often pods look for a change, a Go duration of at least `5s`. Default `10s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = ("self.matches('^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$')", "dynamicConfig.pollInterval: must be a Go duration such as 10s"))]
    pub poll_interval: Option<String>,
    /// Values by key, for example `limit.blobSize.error`.
    #[schemars(extend("maxProperties" = 512))]
    pub values: BTreeMap<String, Vec<ConstrainedValue>>,
}

/// One value of a dynamic config key and where it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConstrainedValue {
    /// The value, of the type that the key wants.
    #[schemars(schema_with = "any_value")]
    pub value: Value,
    /// Where it holds. Absent: everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraints: Option<Constraints>,
}

/// Task queue types (`api/enums/v1/task_queue.proto` of server 1.30–1.32).
const TASK_QUEUE_TYPES: [&str; 3] = ["Workflow", "Activity", "Nexus"];

/// History task types (server 1.32 `api/enums/v1/task.go-helpers.pb.go`); the last ones are of newer servers, see
/// [`task_type_since`].
const TASK_TYPES: [&str; 33] = [
    "ReplicationHistory",
    "ReplicationSyncActivity",
    "TransferWorkflowTask",
    "TransferActivityTask",
    "TransferCloseExecution",
    "TransferCancelExecution",
    "TransferStartChildExecution",
    "TransferSignalExecution",
    "TransferResetWorkflow",
    "WorkflowTaskTimeout",
    "ActivityTimeout",
    "UserTimer",
    "WorkflowRunTimeout",
    "DeleteHistoryEvent",
    "ActivityRetryTimer",
    "WorkflowBackoffTimer",
    "VisibilityStartExecution",
    "VisibilityUpsertExecution",
    "VisibilityCloseExecution",
    "VisibilityDeleteExecution",
    "TransferDeleteExecution",
    "ReplicationSyncWorkflowState",
    "ArchivalArchiveExecution",
    "StateMachineOutbound",
    "StateMachineTimer",
    "WorkflowExecutionTimeout",
    "ReplicationSyncHsm",
    "ReplicationSyncVersionedTransition",
    "ChasmPure",
    "Chasm",
    "ReplicationDeleteExecution",
    "WorkerCommands",
    "TimeskippingTimer",
];

/// The minor version of the server that is the first to know a history task type, both as in [`TASK_TYPES`] and as in
/// `TASK_TYPE_USER_TIMER`; `None` when no server knows it.
#[must_use]
pub fn task_type_since(name: &str) -> Option<u64> {
    let known = TASK_TYPES.into_iter().find(|t| *t == name || upper("TASK_TYPE", t) == name)?;
    Some(match known {
        "ReplicationDeleteExecution" => 31,
        "WorkerCommands" | "TimeskippingTimer" => 32,
        _ => 30,
    })
}

/// Whether the server knows a task queue type.
#[must_use]
pub fn is_task_queue_type(name: &str) -> bool {
    TASK_QUEUE_TYPES.into_iter().any(|t| t == name || upper("TASK_QUEUE_TYPE", t) == name)
}

fn task_types() -> Vec<String> {
    both_forms("TASK_TYPE", &TASK_TYPES)
}

fn task_queue_types() -> Vec<String> {
    both_forms("TASK_QUEUE_TYPE", &TASK_QUEUE_TYPES)
}

/// The server takes the short form and that of its protos.
fn both_forms(prefix: &str, names: &[&str]) -> Vec<String> {
    let long = names.iter().map(|name| upper(prefix, name));
    names.iter().map(|name| (*name).to_owned()).chain(long).collect()
}

/// `PREFIX_USER_TIMER` from `UserTimer`.
fn upper(prefix: &str, name: &str) -> String {
    name.chars().fold(prefix.to_owned(), |mut text, c| {
        if c.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(c.to_ascii_uppercase());
        text
    })
}

/// Where a dynamic config value holds; the most specific match wins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Constraints {
    /// Temporal namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Temporal namespace id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_id: Option<String>,
    /// Task queue name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_queue_name: Option<String>,
    /// Task queue type: `Workflow`, `Activity` or `Nexus`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = task_queue_types()))]
    pub task_queue_type: Option<String>,
    /// History task type, such as `TransferActivityTask`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = task_types()))]
    pub task_type: Option<String>,
    /// History shard, counted from 1; 0 is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub shard_id: Option<i32>,
    /// Destination of outbound tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// CHASM task type; from server 1.31 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chasm_task_type: Option<String>,
    /// Keys that are none of these: refused.
    #[serde(flatten, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(skip)]
    pub unknown: BTreeMap<String, Value>,
}
