//! `spec.log`, `spec.metrics` and `spec.dynamicConfig`: how the server is watched and tuned.

use super::unsupported::{Disabled, any_value};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The server's log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.outputFile)", "log.outputFile: not supported yet, pods cannot write to their file system; remove it, the log goes to standard output"))]
pub struct LogSpec {
    /// Write to standard output. Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<bool>,
    /// Least level written. Default `info`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<LogLevel>,
    /// A file to write to instead. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
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
    #[schemars(extend("maxProperties" = 8))]
    pub per_unit_histogram_boundaries: Option<BTreeMap<String, Vec<String>>>,
    /// Prefix of every metric's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub prefix: Option<String>,
}

/// The metrics listener of each server pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.listenAddress)", "metrics.prometheus.listenAddress: deprecated; use listenPort"))]
pub struct PrometheusSpec {
    /// Port on all pod addresses. Default 9090.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub listen_port: Option<i32>,
    /// Deprecated by the Go operator. Use `listenPort`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen_address: Option<String>,
    /// How Prometheus finds the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scrape_config: Option<ScrapeConfigSpec>,
}

/// How Prometheus finds the pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "!has(self.serviceMonitor) || !has(self.serviceMonitor.enabled) || !self.serviceMonitor.enabled",
    "metrics.prometheus.scrapeConfig.serviceMonitor: not supported yet; remove it or set enabled: false"
))]
pub struct ScrapeConfigSpec {
    /// Put `prometheus.io/scrape`, `scheme`, `path` and `port` annotations on the server pods. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<bool>,
    /// A ServiceMonitor. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_monitor: Option<Disabled>,
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

/// Where a dynamic config value holds; the most specific match wins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Constraints {
    /// Temporal namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Temporal namespace id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_id: Option<String>,
    /// Task queue name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_queue_name: Option<String>,
    /// Task queue type: `Workflow` or `Activity`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_queue_type: Option<String>,
    /// History task type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_type: Option<String>,
    /// History shard, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard_id: Option<i32>,
}
