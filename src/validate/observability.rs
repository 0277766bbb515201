//! Rules and defaults of metrics.

use super::Problems;
use crate::api::observability::{MetricsSpec, PrometheusSpec, ServiceMonitorSpec};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The server's metrics.
#[derive(Clone, Debug)]
pub struct ValidMetrics {
    /// Listen port.
    pub port: i32,
    /// `prometheus.io/*` annotations on the pods.
    pub annotate: bool,
    /// ServiceMonitors, when wanted.
    pub monitors: Option<ValidMonitors>,
    /// Tag values left out, by tag.
    pub exclude_tags: BTreeMap<String, Vec<String>>,
    /// Histogram boundaries by unit.
    pub boundaries: BTreeMap<String, Vec<f64>>,
    /// Prefix of metric names.
    pub prefix: Option<String>,
}

/// Reads the metrics settings; absent means on.
pub(super) fn metrics(
    spec: Option<&MetricsSpec>,
    problems: &mut Problems,
    warnings: &mut Vec<String>,
) -> Option<ValidMetrics> {
    if spec.is_some_and(|m| !m.enabled) {
        return None;
    }
    let prometheus = spec.and_then(|m| m.prometheus.clone()).unwrap_or_default();
    let port = listen_port(&prometheus, problems);
    let scrape = prometheus.scrape_config.unwrap_or_default();
    Some(ValidMetrics {
        port,
        annotate: scrape.annotations.unwrap_or(false),
        monitors: scrape.service_monitor.filter(|m| m.enabled).map(|m| monitors(m, warnings)),
        exclude_tags: spec.and_then(|m| m.exclude_tags.clone()).unwrap_or_default(),
        boundaries: boundaries(spec.and_then(|m| m.per_unit_histogram_boundaries.as_ref()), problems),
        prefix: spec.and_then(|m| m.prefix.clone()),
    })
}

/// `listenPort`, else the port of the deprecated `listenAddress`; pods listen on all of their addresses.
fn listen_port(spec: &PrometheusSpec, problems: &mut Problems) -> i32 {
    let field = "spec.metrics.prometheus.listenAddress";
    let Some(address) = &spec.listen_address else { return spec.listen_port.unwrap_or(9090) };
    let port = address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok()).filter(|p| *p > 0);
    problems.require(port.is_some(), field, "must be host:port; better remove it and use listenPort");
    let port = i32::from(port.unwrap_or(9090));
    problems.require(
        spec.listen_port.is_none_or(|p| p == port),
        field,
        "names another port than listenPort; remove it, listenPort is enough",
    );
    port
}

/// What the ServiceMonitors of the roles have in common.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ValidMonitors {
    /// Labels to add.
    pub labels: BTreeMap<String, String>,
    /// Relabelings of the samples.
    pub relabelings: Vec<Value>,
    /// Merged over each spec.
    pub overrides: Map<String, Value>,
}

fn monitors(spec: ServiceMonitorSpec, warnings: &mut Vec<String>) -> ValidMonitors {
    let mut overrides = spec.overrides.unwrap_or_default();
    let fixed =
        ["endpoints", "selector", "namespaceSelector"].into_iter().filter(|key| overrides.remove(*key).is_some());
    let fixed: Vec<_> = fixed.collect();
    if !fixed.is_empty() {
        warnings.push(format!("serviceMonitor.override cannot change {}; it is left out", fixed.join(", ")));
    }
    ValidMonitors {
        labels: spec.labels.unwrap_or_default(),
        relabelings: spec.metric_relabelings.unwrap_or_default(),
        overrides,
    }
}

fn boundaries(units: Option<&BTreeMap<String, Vec<String>>>, problems: &mut Problems) -> BTreeMap<String, Vec<f64>> {
    let mut read = BTreeMap::new();
    for (unit, texts) in units.into_iter().flatten() {
        let field = format!("spec.metrics.perUnitHistogramBoundaries.{unit}");
        problems.require(
            ["dimensionless", "milliseconds", "bytes"].contains(&unit.as_str()),
            &field,
            "unknown unit; use dimensionless, milliseconds or bytes",
        );
        let numbers: Vec<f64> = texts.iter().filter_map(|t| t.parse().ok()).filter(|n: &f64| n.is_finite()).collect();
        problems.require(numbers.len() == texts.len(), &field, "every boundary must be a number written as a string");
        problems.require(numbers.is_sorted(), &field, "boundaries must ascend; sort them");
        read.insert(unit.clone(), numbers);
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deprecated_address_gives_the_port() {
        let read = |port, address: &str| {
            let spec = PrometheusSpec {
                listen_port: port,
                listen_address: Some(address.to_owned()),
                ..PrometheusSpec::default()
            };
            let mut problems = Problems::default();
            (listen_port(&spec, &mut problems), problems.0.len())
        };
        assert_eq!(read(None, "0.0.0.0:9095"), (9095, 0));
        assert_eq!(read(Some(9095), "[::]:9095"), (9095, 0));
        assert_eq!(read(Some(9090), "0.0.0.0:9095").1, 1);
        for bad in ["0.0.0.0", "0.0.0.0:0", "0.0.0.0:70000", ":x"] {
            assert_eq!(read(None, bad).1, 1, "{bad}");
        }
    }

    #[test]
    fn a_monitor_selects_what_it_must() {
        let spec = serde_json::from_value(serde_json::json!({
            "enabled": true, "override": {"selector": {}, "sampleLimit": 5},
        }));
        let mut warnings = Vec::new();
        let monitors = monitors(spec.unwrap(), &mut warnings);
        assert_eq!(Value::Object(monitors.overrides), serde_json::json!({"sampleLimit": 5}));
        assert!(warnings[0].contains("cannot change selector"), "{warnings:?}");
    }
}
