//! `status` of a `TemporalCluster`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use kube::core::cel::MergeStrategy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conditions::Conditioned;
use super::rollout::RolloutStatus;

/// What the operator knows of a cluster. Times change only when a condition turns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemporalClusterStatus {
    /// The `metadata.generation` this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// One word: `Pending`, `Creating`, `Ready`, `Updating`, `Degraded` or `Failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// One sentence: what is happening, why, and what would help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The server version that all roles run; during an upgrade the one before. Chosen once when `spec.version` is unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The roles, in the order frontend, internal frontend, history, matching, worker.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceStatus>,
    /// The stores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistence: Option<PersistenceStatus>,
    /// How far a rollout is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutStatus>,
    /// `Ready`, `Reconciling`, `Stalled`, `SchemaReady`, `ServicesReady`, `MembershipHealthy`, `VisibilityReady`,
    /// `RolloutProgressing`.
    #[serde(default)]
    #[x_kube(merge_strategy = MergeStrategy::ListType(ListMerge::Map(vec!["type".into()])))]
    #[schemars(length(max = 32))]
    pub conditions: Vec<Condition>,
}

impl Conditioned for TemporalClusterStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
}

/// The phase of a cluster, a word for `kubectl get`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Something the user must bring is missing.
    Pending,
    /// Made for the first time.
    Creating,
    /// All of it serves, proven by Kubernetes and by Temporal.
    Ready,
    /// A change is on its way; the cluster serves.
    Updating,
    /// Made, but part of it does not serve.
    Degraded,
    /// The manifest cannot be carried out until it changes.
    Failed,
}

/// One role.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceStatus {
    /// Role name.
    pub name: String,
    /// Server version of its newest pods.
    pub version: String,
    /// Every pod it should have is new and ready.
    pub ready: bool,
}

/// The stores.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PersistenceStatus {
    /// The default store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_store: Option<DatastoreStatus>,
    /// The visibility store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visibility_store: Option<DatastoreStatus>,
    /// The second visibility store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secondary_visibility_store: Option<DatastoreStatus>,
    /// The list of workflows moves to another store; there until no pod knows two visibility stores any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visibility_move: Option<VisibilityMove>,
}

impl PersistenceStatus {
    /// Every store that something is known of.
    pub fn stores(&self) -> impl Iterator<Item = &DatastoreStatus> {
        self.default_store.iter().chain(self.visibility_stores())
    }

    /// The visibility stores, the one that is read first.
    pub fn visibility_stores(&self) -> impl Iterator<Item = &DatastoreStatus> {
        self.visibility_store.iter().chain(&self.secondary_visibility_store)
    }
}

/// A move of the list of workflows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct VisibilityMove {
    /// The newer of the two stores, `host:port/database` or `host:port/index`.
    pub into: String,
    /// Since when every server writes both. What ended earlier is in the older store alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
}

/// What is known of a store. Written when the Job that did it succeeds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DatastoreStatus {
    /// The database or index exists.
    pub created: bool,
    /// Its schema is set up.
    pub setup: bool,
    /// The server's plugin, for example `postgres12`, or `elasticsearch`.
    #[serde(rename = "type")]
    pub type_: String,
    /// The server version whose schema the store has at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_version: Option<String>,
    /// `host:port/database` or `host:port/index` the above was seen on; another one starts anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
}
