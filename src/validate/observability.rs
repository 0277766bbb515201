//! Rules and defaults of log, metrics and dynamic config.

use super::Problems;
use super::cluster::{ValidLog, ValidMetrics};
use crate::api::observability::{DynamicConfigSpec, LogFormat, LogLevel, LogSpec, MetricsSpec};
use crate::api::unsupported::Disabled;
use std::collections::BTreeMap;
use std::time::Duration;

/// The server refuses a shorter poll interval (server 1.30 `dynamicconfig/file_based_client.go`).
const LEAST_POLL: Duration = Duration::from_secs(5);
const DEFAULT_POLL: Duration = Duration::from_secs(10);

/// A Go duration such as `1h30m`; `None` when malformed or negative.
pub(super) fn go_duration(text: &str) -> Option<Duration> {
    let parsed: kube::core::Duration = text.parse().ok()?;
    (!text.is_empty() && !parsed.is_negative()).then(|| Duration::from(parsed))
}

/// Reads the log settings.
pub(super) fn log(spec: Option<&LogSpec>) -> ValidLog {
    let spec = spec.cloned().unwrap_or_default();
    ValidLog {
        stdout: spec.stdout.unwrap_or(true),
        level: spec.level.unwrap_or(LogLevel::Info),
        format: spec.format.unwrap_or(LogFormat::Json),
        development: spec.development.unwrap_or(false),
    }
}

/// Reads the metrics settings; absent means on.
pub(super) fn metrics(spec: Option<&MetricsSpec>, problems: &mut Problems) -> Option<ValidMetrics> {
    if spec.is_some_and(|m| !m.enabled) {
        return None;
    }
    let prometheus = spec.and_then(|m| m.prometheus.clone()).unwrap_or_default();
    problems.require(
        prometheus.listen_address.is_none(),
        "spec.metrics.prometheus.listenAddress",
        "deprecated; use listenPort",
    );
    let scrape = prometheus.scrape_config.unwrap_or_default();
    problems.require(
        !scrape.service_monitor.as_ref().is_some_and(Disabled::is_used),
        "spec.metrics.prometheus.scrapeConfig.serviceMonitor",
        "not supported yet; remove it or set enabled: false",
    );
    Some(ValidMetrics {
        port: prometheus.listen_port.unwrap_or(9090),
        annotate: scrape.annotations.unwrap_or(false),
        exclude_tags: spec.and_then(|m| m.exclude_tags.clone()).unwrap_or_default(),
        boundaries: boundaries(spec.and_then(|m| m.per_unit_histogram_boundaries.as_ref()), problems),
        prefix: spec.and_then(|m| m.prefix.clone()),
    })
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
        read.insert(unit.clone(), numbers);
    }
    read
}

/// Reads the poll interval and checks the constraints of dynamic config.
pub(super) fn dynamic_config_poll(spec: Option<&DynamicConfigSpec>, problems: &mut Problems) -> Duration {
    for (key, values) in spec.iter().flat_map(|s| &s.values) {
        let field = format!("spec.dynamicConfig.values[{key}]");
        problems.require(!key.trim().is_empty(), &field, "a key must have a name");
        problems.require(!values.is_empty(), &field, "must have at least one value; remove the key instead");
    }
    let Some(text) = spec.and_then(|s| s.poll_interval.as_deref()) else { return DEFAULT_POLL };
    match go_duration(text) {
        Some(poll) if poll >= LEAST_POLL => poll,
        _ => {
            problems.add("spec.dynamicConfig.pollInterval", "must be a Go duration of at least 5s, for example 10s");
            DEFAULT_POLL
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations() {
        assert_eq!(go_duration("1h30m"), Some(Duration::from_secs(5400)));
        for bad in ["", "1d", "-1s", "ten"] {
            assert_eq!(go_duration(bad), None, "{bad}");
        }
    }
}
