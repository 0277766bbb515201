//! The operator's own metrics, served at `/metrics`.

use crate::error::Class;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::sync::Arc;
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
    leader: Gauge,
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
        let leader = Gauge::default();
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
        Self { registry: Arc::new(registry), reconciles, seconds, errors, objects, status_writes, ready, leader }
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

    /// A cluster is gone.
    pub fn forget(&self, namespace: &str, name: &str) {
        self.ready.remove(&cluster(namespace, name));
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
