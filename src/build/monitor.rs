//! ServiceMonitors, a kind of Prometheus Operator that may not be installed.

use super::Object;
use super::config::merge;
use super::metadata::{metadata, selector, under_ours};
use crate::api::labels;
use crate::api::services::Role;
use crate::validate::{ValidCluster, ValidMonitors};
use kube::CustomResource;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// `spec` of a ServiceMonitor (`monitoring.coreos.com/v1`), as it is.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "monitoring.coreos.com",
    version = "v1",
    kind = "ServiceMonitor",
    namespaced,
    schema = "disabled",
    derive = "PartialEq",
    doc = "Which Services a Prometheus scrapes."
)]
pub struct ServiceMonitorSpec {
    /// Its fields.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// `<cluster>-<role>`: scrapes the role's headless Service, which has every pod.
pub(super) fn of_role(cluster: &ValidCluster, role: Role, monitors: &ValidMonitors) -> Object {
    let mut metadata = metadata(cluster, role.name(), role.name());
    metadata.labels = under_ours(Some(&monitors.labels), metadata.labels.take());
    let mut pods = selector(cluster, role.name());
    pods.insert(labels::HEADLESS.to_owned(), "true".to_owned());
    let mut endpoint = json!({"port": "http-metrics", "path": "/metrics"});
    if !monitors.relabelings.is_empty() {
        endpoint["metricRelabelings"] = json!(monitors.relabelings);
    }
    let mut spec = json!({
        "endpoints": [endpoint],
        "selector": {"matchLabels": pods},
        "namespaceSelector": {"matchNames": [cluster.namespace]},
    });
    merge(&mut spec, &Value::Object(monitors.overrides.clone()));
    let fields = match spec {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    Object::ServiceMonitor(Box::new(ServiceMonitor { metadata, spec: ServiceMonitorSpec { fields } }))
}
