//! The operator, a simulated cluster and a simulated Temporal on the in-memory API server, in paused time.
#![allow(dead_code, reason = "each test binary uses its own part of it")]

mod ends;
pub mod killed;
mod schedules;
mod temporal;
mod workers;

pub use temporal::SimTemporal;

use crate::fake_api::cluster_sim::ClusterSim;
use crate::fake_api::{Call, FakeApi};
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use temporal_operator::api::status::Phase;
use temporal_operator::api::{self, TemporalCluster, annotations};
use temporal_operator::controller::{self, Settings};
use temporal_operator::lease::Leadership;
use temporal_operator::telemetry::Metrics;
use tokio::task::JoinHandle;

/// The operator's user.
pub const OPERATOR: &str = "operator";
/// Namespace of everything here.
pub const NAMESPACE: &str = "ns";
/// Name of the cluster.
pub const CLUSTER: &str = "c";

/// An API server with the simulated controllers of Kubernetes.
pub struct World {
    pub api: FakeApi,
    pub sim: ClusterSim,
    pub temporal: Arc<SimTemporal>,
}

impl World {
    /// With the CRDs and the Secret; no cluster yet.
    pub fn new() -> Self {
        let api = FakeApi::new();
        api.register_crds(&api::all_crds());
        api.put(&Secret {
            metadata: kube::core::ObjectMeta {
                name: Some("postgres".into()),
                namespace: Some(NAMESPACE.into()),
                ..Default::default()
            },
            ..Secret::default()
        });
        let sim = ClusterSim::start(&api);
        let temporal = Arc::new(SimTemporal::new(api.clone()));
        Self { api, sim, temporal }
    }

    /// A new operator process.
    pub fn operator(&self) -> Operator {
        self.operator_of(&[])
    }

    /// A new operator process that looks only at these namespaces.
    pub fn operator_of(&self, namespaces: &[&str]) -> Operator {
        let namespaces = namespaces.iter().map(|n| (*n).to_owned()).collect();
        let settings =
            Settings { namespaces, concurrency: 4, instance: "test".to_owned(), allow_cross_namespace: false };
        let temporal = self.temporal.clone();
        let client = self.api.client(OPERATOR);
        let run =
            controller::run(client, temporal, Leadership::always(), Metrics::new(), settings, std::future::pending());
        Operator(tokio::spawn(run))
    }

    pub fn cluster(&self) -> TemporalCluster {
        self.api.get(NAMESPACE, CLUSTER).expect("the cluster is there")
    }

    pub fn change(&self, change: impl FnOnce(&mut TemporalCluster)) {
        self.api.edit(NAMESPACE, CLUSTER, change);
    }

    /// Waits until the operator says that all of the present generation is done, and has been silent for a while.
    pub async fn settled(&self) {
        let done = self.api.wait_until(|api| {
            api.get::<TemporalCluster>(NAMESPACE, CLUSTER).is_some_and(|c| {
                let status = c.status.clone().unwrap_or_default();
                status.phase == Some(Phase::Ready) && status.observed_generation == c.metadata.generation
            })
        });
        if tokio::time::timeout(Duration::from_secs(900), done).await.is_err() {
            panic!("never settled: {:?}", self.cluster().status);
        }
        self.api.wait_quiet(Duration::from_secs(30)).await;
    }

    /// Waits until the status sentence contains these words.
    pub async fn says(&self, words: &str) {
        let said = |c: TemporalCluster| c.status.and_then(|s| s.message).is_some_and(|m| m.contains(words));
        self.api.wait_until(|api| api.get::<TemporalCluster>(NAMESPACE, CLUSTER).is_some_and(said)).await;
    }

    /// The end state: everything there is, without what differs from run to run.
    pub fn state(&self) -> BTreeMap<String, Value> {
        // whether a pod has been told of a change depends on when it was made, and it knows the config all the same
        self.api.dump(&["generation", "observedGeneration", annotations::DYNAMIC_CONFIG])
    }

    /// What the operator wrote, events left out.
    pub fn writes(&self) -> Vec<Call> {
        self.api.writes_by(OPERATOR).into_iter().filter(|c| c.resource != "events").collect()
    }
}

/// A running operator; dropping it ends it at once, as SIGKILL would.
pub struct Operator(JoinHandle<()>);

impl Drop for Operator {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The cluster that the tests make.
pub fn manifest() -> TemporalCluster {
    let store = |database: &str| {
        json!({
            "sql": {"pluginName": "postgres12", "user": "temporal", "databaseName": database, "connectAddr": "postgres:5432"},
            "passwordSecretRef": {"name": "postgres"},
        })
    };
    serde_json::from_value(json!({
        "apiVersion": "temporal.io/v1beta1",
        "kind": "TemporalCluster",
        "metadata": {"name": CLUSTER, "namespace": NAMESPACE},
        "spec": {
            "version": "1.31.2",
            "numHistoryShards": 64,
            "persistence": {"defaultStore": store("temporal"), "visibilityStore": store("temporal_visibility")},
            "ui": {"enabled": true},
            // the API server's clock is tokio's and runs fast, that of plans does not: nothing that waits for the latter
            "dynamicConfig": {"values": {"matching.longPollExpirationInterval": [{"value": "20s"}]}},
        },
    }))
    .expect("the manifest is well-formed")
}
