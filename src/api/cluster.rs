//! The kind `TemporalCluster`.

use super::admintools::AdminToolsSpec;
use super::allowed::AllowedNamespaces;
use super::jobs::{JobSchedulingSpec, containers};
use super::observability::{DynamicConfigSpec, LogSpec, MetricsSpec};
use super::persistence::PersistenceSpec;
use super::resources::{Size, resources};
use super::rollout::RolloutSpec;
use super::server_config;
use super::services::ServicesSpec;
use super::status::TemporalClusterStatus;
use super::ui::UiSpec;
use super::unsupported::{Disabled, any_object};
use k8s_openapi::api::core::v1::{LocalObjectReference, ResourceRequirements};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A Temporal server cluster: its roles, its stores, its Web UI.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "temporal.io",
    version = "v1beta1",
    kind = "TemporalCluster",
    plural = "temporalclusters",
    shortname = "tc",
    category = "temporal",
    namespaced,
    doc = "A Temporal server cluster: its roles, its stores, its Web UI.",
    derive = "PartialEq",
    status = "TemporalClusterStatus",
    validation = ("self.metadata.name.size() <= 36", "metadata.name: at most 36 characters, since names of its objects are made from it; choose a shorter one"),
    validation = ("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')", "metadata.name: must be a DNS label that begins with a letter, since Services are named after it"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.version"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.clusterName) == has(oldSelf.clusterName) && (!has(self.clusterName) || self.clusterName == oldSelf.clusterName)", "spec.clusterName: cannot change; Temporal keeps it in the database. Put the old name back"))]
#[x_kube(validation = ("!has(self.services) || !has(self.services.history) || !has(self.services.history.replicas) || self.services.history.replicas <= self.numHistoryShards", "spec.services.history.replicas: must not exceed spec.numHistoryShards, since a pod without a shard never turns ready; give fewer"))]
#[x_kube(validation = ("!has(self.services) || !has(self.services.history) || !has(self.services.history.autoscaling) || self.services.history.autoscaling.maxReplicas <= self.numHistoryShards", "spec.services.history.autoscaling.maxReplicas: must not exceed spec.numHistoryShards, since a pod without a shard never turns ready; give fewer"))]
#[x_kube(validation = ("!has(self.mTLS) || ((!has(self.mTLS.internode) || !has(self.mTLS.internode.enabled) || !self.mTLS.internode.enabled) && (!has(self.mTLS.frontend) || !has(self.mTLS.frontend.enabled) || !self.mTLS.frontend.enabled) && (!has(self.mTLS.provider) || self.mTLS.provider == 'cert-manager'))", "spec.mTLS: not supported yet; remove it or set internode.enabled and frontend.enabled to false"))]
#[x_kube(validation = ("!has(self.archival) || !has(self.archival.enabled) || !self.archival.enabled", "spec.archival: not supported yet; remove it or set enabled: false"))]
#[x_kube(validation = ("!has(self.authorization)", "spec.authorization: not supported yet; remove it"))]
#[x_kube(validation = ("!has(self.jobInitContainers) || self.jobInitContainers.all(c, !(c.name in ['create-database', 'check-owner', 'setup-schema', 'put-template', 'create-index', 'schema-script-runner']))", "spec.jobInitContainers: create-database, check-owner, setup-schema, put-template, create-index and schema-script-runner are the Job's own containers; choose another name"))]
// Blocks that are large and mostly unset are boxed, here and below: all clusters there are stay in memory.
pub struct TemporalClusterSpec {
    /// Server version, `1.31.2` or `1.31` for the newest tested patch. Unset: the newest tested version, chosen once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = ("self.matches('^v?1[.](30|31|32)([.][0-9]+)?$')", "spec.version: this operator runs Temporal servers 1.30, 1.31 and 1.32; write one of them, for example 1.31.2. Bring an older cluster to 1.30 with the tool that made it"))]
    pub version: Option<String>,
    /// Image repository of the server, without a tag: the tag is the version. Or an image by its digest
    /// (`repository@sha256:…`), used as it is. Default `temporalio/server`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = ("self.contains('@') ? self.matches('@sha256:[0-9a-f]{64}$') : !self.matches(':[^/]*$')", "spec.image: write the repository without a tag, the tag is spec.version; or a whole digest, repository@sha256:…"))]
    pub image: Option<String>,
    /// Registry, with a path if there is one, from which the default images are taken: `registry.corp:5000/mirror` makes
    /// `registry.corp:5000/mirror/temporalio/server` and so on. Images that are named in full stay as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    #[x_kube(validation = ("self.matches('^[a-zA-Z0-9]([-a-zA-Z0-9.]*[a-zA-Z0-9])?(:[0-9]+)?(/[a-z0-9]([-a-z0-9._]*[a-z0-9])?)*$')", "spec.imageRegistry: must be a registry with or without a path, such as registry.corp:5000/mirror; without scheme and without a slash at the end"))]
    pub image_registry: Option<String>,
    /// Secrets with which images are pulled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub image_pull_secrets: Option<Vec<LocalObjectReference>>,
    /// Temporal's own name of the cluster (`currentClusterName`), immutable. Default: `metadata.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"))]
    pub cluster_name: Option<String>,
    /// Number of history shards. Cannot change once the cluster is made.
    #[schemars(range(min = 1, max = 16384))]
    #[x_kube(validation = ("self == oldSelf", "spec.numHistoryShards: cannot change; the database keeps the first number. Put the old number back"))]
    pub num_history_shards: i32,
    /// What the server pods ask for, where a role's `resources` do not say it: `Dev`, `Small`, `Medium` or `Large`. Unset:
    /// nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// The roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<ServicesSpec>,
    /// The stores.
    pub persistence: PersistenceSpec,
    /// The Web UI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ui: Option<Box<UiSpec>>,
    /// The server's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogSpec>,
    /// The server's metrics. Absent: served on port 9090.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Box<MetricsSpec>>,
    /// Settings that running pods take up within seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dynamic_config: Option<DynamicConfigSpec>,
    /// How long finished schema Jobs stay, in seconds. Default 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 604800))]
    pub job_ttl_seconds_after_finished: Option<i32>,
    /// Compute resources of the schema Jobs' containers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "resources")]
    pub job_resources: Option<ResourceRequirements>,
    /// Containers that run before the schema tools, in this order; with `restartPolicy: Always` also beside them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "containers")]
    pub job_init_containers: Option<Vec<Value>>,
    /// Where the schema Jobs' pods run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_scheduling: Option<Box<JobSchedulingSpec>>,
    /// Mutual TLS. Not supported yet.
    #[serde(default, rename = "mTLS", skip_serializing_if = "Option::is_none")]
    pub mtls: Option<Box<MtlsSpec>>,
    /// A pod with Temporal's tools, and the image of the schema Jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admintools: Option<Box<AdminToolsSpec>>,
    /// Archival of closed workflows. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archival: Option<Disabled>,
    /// Authorization by JWT. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub authorization: Option<Map<String, Value>>,
    /// How changes that restart server pods are rolled out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Box<RolloutSpec>>,
    /// Keys of the server's config file that this API has no field for, merged over the generated file: maps are merged,
    /// everything else replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "server_config::schema")]
    pub server_config: Option<Map<String, Value>>,
    /// Kubernetes namespaces whose resources (`TemporalNamespace`) may use this cluster. Default: its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_namespaces: Option<AllowedNamespaces>,
}

/// Mutual TLS. Not supported yet: passes only with both sides off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MtlsSpec {
    /// `cert-manager`, `linkerd` or `istio`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub provider: Option<String>,
    /// Between the roles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internode: Option<Disabled>,
    /// Between clients and the frontend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frontend: Option<Disabled>,
    /// Lifetimes of the certificates.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub certificates_duration: Option<Map<String, Value>>,
    /// How often the server reads its certificates again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_interval: Option<String>,
    /// How long before expiry certificates are renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renew_before: Option<String>,
    /// Plain metrics under istio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissive_metrics: Option<bool>,
}
