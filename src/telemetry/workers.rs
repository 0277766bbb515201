//! Metrics of workers: the exact figures behind the rounded ones of their status.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Which version of which worker.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    namespace: String,
    name: String,
    build_id: String,
}

/// Figures of a version; those that are not known are not shown.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VersionFigures {
    /// Pods there should be.
    pub wanted: i32,
    /// Tasks that wait.
    pub backlog: Option<u64>,
    /// How long the oldest of them waits.
    pub backlog_age: Option<Duration>,
    /// Tasks that come, and tasks that are given to workers, a second.
    pub rates: Option<(f64, f64)>,
    /// Slots in use, and all slots.
    pub slots: Option<(u64, u64)>,
}

/// By namespace and name, the build ids that are shown.
type Shown = BTreeMap<(String, String), BTreeSet<String>>;

/// The families.
#[derive(Clone, Default)]
pub(super) struct WorkerMetrics {
    wanted: Family<Labels, Gauge>,
    backlog: Family<Labels, Gauge>,
    backlog_age: Family<Labels, Gauge<f64, AtomicU64>>,
    add_rate: Family<Labels, Gauge<f64, AtomicU64>>,
    dispatch_rate: Family<Labels, Gauge<f64, AtomicU64>>,
    slots_used: Family<Labels, Gauge>,
    slots: Family<Labels, Gauge>,
    shown: Arc<Mutex<Shown>>,
}

impl WorkerMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("worker_pods_wanted", "Pods that a version of a worker should have", self.wanted.clone());
        registry.register("worker_backlog", "Tasks that wait for a version of a worker", self.backlog.clone());
        let help = "How long the oldest task waits for a version of a worker";
        registry.register_with_unit("worker_backlog_age", help, Unit::Seconds, self.backlog_age.clone());
        let help = "Tasks a second that come for a version of a worker, as Temporal counts them";
        registry.register("worker_add_rate", help, self.add_rate.clone());
        let help = "Tasks a second that a version of a worker is given, as Temporal counts them";
        registry.register("worker_dispatch_rate", help, self.dispatch_rate.clone());
        let help = "Slots in use of the kind that is fullest, as the workers tell them";
        registry.register("worker_slots_used", help, self.slots_used.clone());
        let help = "Slots of the kind that is fullest, as the workers tell them";
        registry.register("worker_slots", help, self.slots.clone());
    }

    /// These are the versions of a worker; others that were shown are not any more.
    pub(super) fn set(&self, namespace: &str, name: &str, versions: &BTreeMap<String, VersionFigures>) {
        let key = (namespace.to_owned(), name.to_owned());
        let labels = |build_id: &str| {
            let (namespace, name) = key.clone();
            Labels { namespace, name, build_id: build_id.to_owned() }
        };
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        for gone in shown.remove(&key).unwrap_or_default().iter().filter(|id| !versions.contains_key(*id)) {
            self.remove(&labels(gone));
        }
        for (build_id, figures) in versions {
            self.show(&labels(build_id), figures);
        }
        if !versions.is_empty() {
            shown.insert(key, versions.keys().cloned().collect());
        }
    }

    fn show(&self, labels: &Labels, figures: &VersionFigures) {
        self.wanted.get_or_create(labels).set(figures.wanted.into());
        let whole = |family: &Family<Labels, Gauge>, value: Option<u64>| match value {
            Some(value) => drop(family.get_or_create(labels).set(i64::try_from(value).unwrap_or(i64::MAX))),
            None => drop(family.remove(labels)),
        };
        let real = |family: &Family<Labels, Gauge<f64, AtomicU64>>, value: Option<f64>| match value {
            Some(value) => drop(family.get_or_create(labels).set(value)),
            None => drop(family.remove(labels)),
        };
        whole(&self.backlog, figures.backlog);
        real(&self.backlog_age, figures.backlog_age.map(|age| age.as_secs_f64()));
        real(&self.add_rate, figures.rates.map(|(add, _)| add));
        real(&self.dispatch_rate, figures.rates.map(|(_, dispatch)| dispatch));
        whole(&self.slots_used, figures.slots.map(|(used, _)| used));
        whole(&self.slots, figures.slots.map(|(_, all)| all));
    }

    fn remove(&self, labels: &Labels) {
        for family in [&self.wanted, &self.backlog, &self.slots_used, &self.slots] {
            family.remove(labels);
        }
        for family in [&self.backlog_age, &self.add_rate, &self.dispatch_rate] {
            family.remove(labels);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::*;

    #[test]
    fn versions_that_are_gone_and_figures_that_are_not_known_are_not_shown() {
        let metrics = Metrics::new();
        let known = VersionFigures {
            wanted: 3,
            backlog: Some(17),
            backlog_age: Some(Duration::from_millis(2500)),
            rates: Some((1.5, 1.25)),
            slots: Some((7, 10)),
        };
        let versions = |all: &[(&str, VersionFigures)]| all.iter().map(|(id, f)| ((*id).to_owned(), *f)).collect();
        metrics.worker_versions("ns", "web", &versions(&[("v1", known), ("v2", known)]));
        let unknown = VersionFigures { wanted: 1, ..VersionFigures::default() };
        metrics.worker_versions("ns", "web", &versions(&[("v2", unknown), ("v3", known)]));
        let text = metrics.text().unwrap();
        let labels = |id: &str| format!(r#"{{namespace="ns",name="web",build_id="{id}"}}"#);
        for line in [
            format!("temporal_operator_worker_pods_wanted{} 1", labels("v2")),
            format!("temporal_operator_worker_pods_wanted{} 3", labels("v3")),
            format!("temporal_operator_worker_backlog{} 17", labels("v3")),
            format!("temporal_operator_worker_backlog_age_seconds{} 2.5", labels("v3")),
            format!("temporal_operator_worker_add_rate{} 1.5", labels("v3")),
            format!("temporal_operator_worker_dispatch_rate{} 1.25", labels("v3")),
            format!("temporal_operator_worker_slots_used{} 7", labels("v3")),
            format!("temporal_operator_worker_slots{} 10", labels("v3")),
        ] {
            assert!(text.contains(&line), "{line}\n{text}");
        }
        assert!(!text.contains("v1") && !text.contains(&format!("worker_backlog{}", labels("v2"))), "{text}");
        metrics.worker_versions("ns", "web", &BTreeMap::new());
        assert!(!metrics.text().unwrap().contains("build_id"));
    }
}
