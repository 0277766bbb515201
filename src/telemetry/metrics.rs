//! The operator's own metrics, served at `/metrics`.

use super::workers::{VersionFigures, WorkerMetrics};
use crate::error::Class;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Which error.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabels {
    class: &'static str,
}

/// Which cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClusterLabels {
    namespace: String,
    name: String,
}

/// Which resource that lives on a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResidentLabels {
    kind: String,
    namespace: String,
    name: String,
}

/// Which of the canary's calls to which cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    namespace: String,
    name: String,
    call: &'static str,
}

/// From an answer out of memory to the deadline of 3 s.
const CALL_SECONDS: [f64; 9] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

fn call_seconds() -> Histogram {
    Histogram::new(CALL_SECONDS)
}

/// Which version runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
}

/// Which action on which objects.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WriteLabels {
    action: &'static str,
}

/// The metrics and their registry.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    reconciles: Counter,
    seconds: Histogram,
    errors: Family<ErrorLabels, Counter>,
    objects: Family<WriteLabels, Counter>,
    status_writes: Counter,
    ready: Family<ClusterLabels, Gauge>,
    residents_ready: Family<ResidentLabels, Gauge>,
    leader: Gauge,
    workers: WorkerMetrics,
    calls: Family<CallLabels, Histogram, fn() -> Histogram>,
    call_failures: Family<CallLabels, Counter>,
    /// Every call there has been, so that those of a cluster can be forgotten.
    known_calls: Arc<Mutex<BTreeSet<&'static str>>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Registers every metric.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("temporal_operator");
        let reconciles = Counter::default();
        let seconds = Histogram::new(exponential_buckets(0.001, 4.0, 8));
        let errors = Family::<ErrorLabels, Counter>::default();
        let objects = Family::<WriteLabels, Counter>::default();
        let status_writes = Counter::default();
        let ready = Family::<ClusterLabels, Gauge>::default();
        let residents_ready = Family::<ResidentLabels, Gauge>::default();
        let leader = Gauge::default();
        let calls = Family::new_with_constructor(call_seconds as fn() -> Histogram);
        let call_failures = Family::<CallLabels, Counter>::default();
        let build = Family::<BuildLabels, Gauge>::default();
        build.get_or_create(&BuildLabels { version: env!("CARGO_PKG_VERSION") }).set(1);
        registry.register("build_info", "Version of the operator", build);
        registry.register("leader", "1 while this process is the leader", leader.clone());
        registry.register("reconciles", "Reconciles that ended", reconciles.clone());
        registry.register_with_unit("reconcile_duration", "Time of a reconcile", Unit::Seconds, seconds.clone());
        registry.register("reconcile_errors", "Reconciles that failed, by class", errors.clone());
        registry.register("objects", "Objects sent, found as wanted, or deleted", objects.clone());
        registry.register("status_writes", "Statuses written", status_writes.clone());
        registry.register("cluster_ready", "1 while a TemporalCluster is ready", ready.clone());
        let help = "1 while a resource that lives on a TemporalCluster is ready";
        registry.register("resource_ready", help, residents_ready.clone());
        let help = "Time until Temporal answered one of the operator's read-only calls";
        registry.register_with_unit("canary_duration", help, Unit::Seconds, calls.clone());
        let help = "Read-only calls of the operator that Temporal did not answer as it should";
        registry.register("canary_failures", help, call_failures.clone());
        let workers = WorkerMetrics::default();
        workers.register(&mut registry);
        let known_calls = Arc::default();
        let registry = Arc::new(registry);
        Self {
            registry,
            reconciles,
            seconds,
            errors,
            objects,
            status_writes,
            ready,
            residents_ready,
            leader,
            workers,
            calls,
            call_failures,
            known_calls,
        }
    }

    /// A reconcile ended after this time, with this class of error if any.
    pub fn reconciled(&self, took: Duration, error: Option<Class>) {
        self.reconciles.inc();
        self.seconds.observe(took.as_secs_f64());
        if let Some(class) = error {
            self.errors.get_or_create(&ErrorLabels { class: class.name() }).inc();
        }
    }

    /// Objects were sent, skipped and deleted.
    pub fn applied(&self, sent: u32, skipped: u32, deleted: u32) {
        for (action, count) in [("sent", sent), ("skipped", skipped), ("deleted", deleted)] {
            self.objects.get_or_create(&WriteLabels { action }).inc_by(u64::from(count));
        }
    }

    /// A status was written.
    pub fn status_written(&self) {
        self.status_writes.inc();
    }

    /// Whether a cluster is ready.
    pub fn cluster_ready(&self, namespace: &str, name: &str, ready: bool) {
        self.ready.get_or_create(&cluster(namespace, name)).set(i64::from(ready));
    }

    /// Whether a resource that lives on a cluster is ready.
    pub fn resident_ready(&self, kind: &str, namespace: &str, name: &str, ready: bool) {
        self.residents_ready.get_or_create(&resident(kind, namespace, name)).set(i64::from(ready));
    }

    /// Such a resource is gone.
    pub fn resident_gone(&self, kind: &str, namespace: &str, name: &str) {
        self.residents_ready.remove(&resident(kind, namespace, name));
    }

    /// The versions of a `TemporalWorker` by build id; none when it is gone.
    pub fn worker_versions(&self, namespace: &str, name: &str, versions: &BTreeMap<String, VersionFigures>) {
        self.workers.set(namespace, name, versions);
    }

    /// A cluster is gone.
    pub fn forget(&self, namespace: &str, name: &str) {
        self.ready.remove(&cluster(namespace, name));
        for call in self.known_calls().iter() {
            let labels = call_labels(namespace, name, call);
            self.calls.remove(&labels);
            self.call_failures.remove(&labels);
        }
    }

    /// One of the canary's calls ended. The time of a failure says nothing of Temporal's speed and is not counted.
    pub fn canary(&self, namespace: &str, name: &str, call: &'static str, took: Duration, answered: bool) {
        self.known_calls().insert(call);
        let labels = call_labels(namespace, name, call);
        if answered {
            self.calls.get_or_create(&labels).observe(took.as_secs_f64());
        } else {
            self.call_failures.get_or_create(&labels).inc();
        }
    }

    fn known_calls(&self) -> MutexGuard<'_, BTreeSet<&'static str>> {
        self.known_calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this process is the leader.
    pub fn leader(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// All of them in the OpenMetrics text format.
    ///
    /// # Errors
    /// Never in practice: writing to a string.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn cluster(namespace: &str, name: &str) -> ClusterLabels {
    ClusterLabels { namespace: namespace.to_owned(), name: name.to_owned() }
}

fn resident(kind: &str, namespace: &str, name: &str) -> ResidentLabels {
    ResidentLabels { kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
}

fn call_labels(namespace: &str, name: &str, call: &'static str) -> CallLabels {
    CallLabels { namespace: namespace.to_owned(), name: name.to_owned(), call }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_that_is_gone_is_not_shown() {
        let metrics = Metrics::new();
        metrics.resident_ready("TemporalNamespace", "ns", "kept", true);
        metrics.resident_ready("TemporalNamespace", "ns", "gone", false);
        metrics.resident_gone("TemporalNamespace", "ns", "gone");
        let text = metrics.text().unwrap();
        let line = r#"temporal_operator_resource_ready{kind="TemporalNamespace",namespace="ns",name="kept"} 1"#;
        assert!(text.contains(line) && !text.contains("gone"), "{text}");
    }

    #[test]
    fn what_was_measured_of_a_cluster_goes_with_it() {
        let metrics = Metrics::new();
        for name in ["gone", "kept"] {
            metrics.canary("ns", name, "GetSystemInfo", Duration::from_millis(7), true);
            metrics.canary("ns", name, "DescribeNamespace", Duration::from_secs(3), false);
        }
        metrics.forget("ns", "gone");
        let text = metrics.text().unwrap();
        let labels = r#"namespace="ns",name="kept""#;
        let bucket =
            format!(r#"temporal_operator_canary_duration_seconds_bucket{{le="0.01",{labels},call="GetSystemInfo"}} 1"#);
        let failures = format!(r#"temporal_operator_canary_failures_total{{{labels},call="DescribeNamespace"}} 1"#);
        assert!(text.contains(&bucket) && text.contains(&failures), "{text}");
        assert!(!text.contains("gone"), "{text}");
    }
}
