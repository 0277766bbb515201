//! The API group `temporal.io/v1beta1`: what users write and what the operator answers in `status`.
//!
//! Types only. Defaults, cross-field rules and their messages live in [`crate::validate`]; the CEL rules beside the
//! fields are the same rules, evaluated by the API server at `kubectl apply`.

pub mod admintools;
pub mod allowed;
pub mod cluster;
pub mod conditions;
pub mod elasticsearch;
pub mod ingress;
pub mod jobs;
pub mod namespace;
pub mod observability;
pub mod overrides;
pub mod persistence;
pub mod redact;
pub mod reference;
pub mod resident;
pub mod resources;
pub mod rollout;
pub mod schedule;
pub mod server_config;
pub mod services;
pub mod status;
pub mod store_tls;
pub mod ui;
pub mod unsupported;
pub mod worker;

pub use cluster::{TemporalCluster, TemporalClusterSpec};
pub use namespace::{TemporalNamespace, TemporalNamespaceSpec, TemporalNamespaceStatus};
pub use schedule::{TemporalSchedule, TemporalScheduleSpec, TemporalScheduleStatus};
pub use status::TemporalClusterStatus;
pub use worker::{TemporalWorker, TemporalWorkerSpec, TemporalWorkerStatus};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// API group of every kind.
pub const GROUP: &str = "temporal.io";
/// The one served and stored version.
pub const VERSION: &str = "v1beta1";

/// Temporal's own namespace, which every server makes when it starts.
pub const SYSTEM_NAMESPACE: &str = "temporal-system";

/// Labels and annotations on the objects the operator makes.
pub mod labels {
    /// The name of the `TemporalCluster`; part of every selector, as in the Go operator.
    pub const NAME: &str = "app.kubernetes.io/name";
    /// Always [`PART_OF_VALUE`]; part of every selector.
    pub const PART_OF: &str = "app.kubernetes.io/part-of";
    /// The role (`frontend`, `history`, …, `ui`, `schema`); part of every selector.
    pub const COMPONENT: &str = "app.kubernetes.io/component";
    /// Server or UI version of the object.
    pub const VERSION: &str = "app.kubernetes.io/version";
    /// Namespace-unique instance, equal to [`NAME`].
    pub const INSTANCE: &str = "app.kubernetes.io/instance";
    /// Always [`MANAGED_BY_VALUE`]; the operator watches and prunes only objects that carry it.
    pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
    /// Value of [`PART_OF`].
    pub const PART_OF_VALUE: &str = "temporal";
    /// Value of [`MANAGED_BY`], and the field manager of every server-side apply.
    pub const MANAGED_BY_VALUE: &str = "temporal-operator";
    /// On Services that publish pod addresses only.
    pub const HEADLESS: &str = "app.kubernetes.io/headless";
    /// On server config maps, server pods and (through them) ReplicaSets: the hash that names the config map.
    pub const CONFIG_HASH: &str = "temporal.io/config-hash";
    /// Kubernetes' own, on the pods of Jobs: the Job's name.
    pub const JOB_NAME: &str = "batch.kubernetes.io/job-name";
    /// On schema Jobs: which store (`default`, `visibility`, `secondary`).
    pub const STORE: &str = "temporal.io/store";
    /// What all labels of workers begin with.
    pub const WORKER_PREFIX: &str = "worker.temporal.io/";
    /// On the objects and pods of a `TemporalWorker`: its name; part of their selectors.
    pub const WORKER: &str = "worker.temporal.io/name";
    /// On those of a version: its build id; part of their selectors.
    pub const BUILD_ID: &str = "worker.temporal.io/build-id";
    /// Value of [`COMPONENT`] on pods of a `TemporalWorker`: no role of a server, whose Services and budgets select by it.
    pub const WORKER_COMPONENT: &str = "application-worker";
}

/// Annotations on the objects the operator makes.
pub mod annotations {
    /// Hash of the object as last wanted; tells after an operator restart whether the live object came from it.
    pub const APPLIED_HASH: &str = "temporal.io/applied-hash";
    /// On server Deployments: hash of the pod template as last wanted; a difference means the role must be rolled.
    pub const TEMPLATE_HASH: &str = "temporal.io/template-hash";
    /// On server Deployments: the operator gives the number of pods.
    pub const REPLICAS: &str = "temporal.io/replicas";
    /// On server Deployments that are paused: the address of a new pod that is not in its ring. No further pod is replaced
    /// before it is.
    pub const HELD: &str = "temporal.io/held";
    /// On server pods: the metadata versions of the Secrets they read, so that a rotation restarts them.
    pub const SECRETS: &str = "temporal.io/secret-versions";
    /// On server pods that ran when the dynamic config changed: its hash. A pod that changes is looked at by its kubelet at
    /// once, and with it the ConfigMaps that it mounts.
    pub const DYNAMIC_CONFIG: &str = "temporal.io/dynamic-config";
    /// On schema Jobs: which try this is, counted from 1.
    pub const ATTEMPT: &str = "temporal.io/attempt";
    /// On schema Jobs: the server version whose schema they bring the store to.
    pub const SCHEMA_TARGET: &str = "temporal.io/schema-version";
    /// On the Job before an upgrade and its pod: the version that runs.
    pub const FROM_VERSION: &str = "temporal.io/from-version";
    /// On the Job before an upgrade and its pod: the version that is gone to.
    pub const TARGET_VERSION: &str = "temporal.io/target-version";
    /// On a `TemporalCluster`, written by users: a new value restarts every role, one after the other. On server pods: the
    /// value they were made for.
    pub const RESTARTED_AT: &str = "temporal.io/restartedAt";
    /// On the pods of the default store's schema Jobs: the statement that refuses another Temporal cluster's database.
    pub const OWNER_CHECK: &str = "temporal.io/owner-check";
    /// On a resource that lives on a cluster, written by users: `true` lets its deletion end at once and leaves what Temporal
    /// has.
    pub const LET_GO: &str = "temporal.io/let-go";
}

/// Every CustomResourceDefinition, in the order they are written to `crds/`.
#[must_use]
pub fn all_crds() -> Vec<CustomResourceDefinition> {
    vec![TemporalCluster::crd(), TemporalNamespace::crd(), TemporalSchedule::crd(), TemporalWorker::crd()]
}
