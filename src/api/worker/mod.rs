//! The kind `TemporalWorker`: the pods that run a team's workflows and activities.
#![allow(clippy::duplicated_attributes, reason = "each column of `kubectl get` has its own")]

mod connection;
mod rollout;
mod scaling;
mod status;

pub use connection::{
    CA_KEY, CA_VOLUME, CERTIFICATE_KEY, ConnectionSpec, ConnectionTls, PRIVATE_KEY, SecretName, TLS_VOLUME,
};
pub use rollout::{
    GateInput, GateQuery, GateSpec, GateWorkflow, KeyRef, OnFailure, RolloutSpec, Step, Strategy, SunsetSpec,
};
pub use scaling::{QueueType, ScalingSpec, TaskQueueSpec};
pub use status::{RampStatus, RouteStatus, TemporalWorkerStatus, VersionState, VersionStatus};

use super::reference::Reference;
use super::unsupported::any_object;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Workers of a Temporal namespace: pods that are rolled out by version and scaled by what Temporal knows of their work.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "temporal.io",
    version = "v1beta1",
    kind = "TemporalWorker",
    plural = "temporalworkers",
    shortname = "tw",
    category = "temporal",
    namespaced,
    doc = "Workers of a Temporal namespace: pods that are rolled out by version and scaled by what Temporal knows of their work.",
    derive = "PartialEq",
    status = "TemporalWorkerStatus",
    scale(spec_replicas_path = ".spec.replicas", status_replicas_path = ".status.replicas", label_selector_path = ".status.selector"),
    validation = ("self.metadata.name.size() <= 52 && !self.metadata.name.contains('.')", "metadata.name: at most 52 characters and no dot, since Deployments are named after it and Temporal takes no dot; choose another name"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Current", type_ = "string", json_path = ".status.current"),
    printcolumn(name = "Target", type_ = "string", json_path = ".status.target", priority = 1),
    printcolumn(name = "Ramp", type_ = "integer", json_path = ".status.ramp.percent"),
    printcolumn(name = "Pods", type_ = "integer", json_path = ".status.replicas"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("[has(self.clusterRef), has(self.namespaceRef), has(self.connection)].filter(given, given).size() == 1", "spec: exactly one of clusterRef, namespaceRef and connection is needed; name a TemporalCluster and spec.namespace, or a TemporalNamespace, or say where Temporal is"))]
#[x_kube(validation = ("has(self.namespaceRef) != has(self.namespace)", "spec.namespace: the Temporal namespace goes with clusterRef and connection, and namespaceRef has its own; set or remove it"))]
#[x_kube(validation = ("!has(self.connectionRef)", "spec.connectionRef: Connections of the official worker controller are not read; write what it says into spec.connection"))]
#[x_kube(validation = ("!has(self.replicas) || !has(self.scaling)", "spec.replicas: scaling decides on the number of pods; remove one of them"))]
#[x_kube(validation = ("has(self.versioning) && self.versioning == 'Unversioned' ? !has(self.rollout) && !has(self.sunset) && !has(self.buildID) && !has(self.deploymentName) : true", "spec: rollout, sunset, buildID and deploymentName go with versioning: Versioned; remove them or change it"))]
#[x_kube(validation = ("!has(self.scaling) || !has(self.versioning) || self.versioning != 'Unversioned' || (has(self.scaling.taskQueues) && self.scaling.taskQueues.size() > 0)", "spec.scaling.taskQueues: unversioned workers do not tell Temporal their task queues; name them"))]
#[x_kube(validation = ("(has(self.versioning) ? self.versioning : 'Versioned') == (has(oldSelf.versioning) ? oldSelf.versioning : 'Versioned')", "spec.versioning: cannot change, since the pods of the one would stay beside those of the other; make another TemporalWorker"))]
#[x_kube(validation = ("has(self.clusterRef) == has(oldSelf.clusterRef) && (!has(self.clusterRef) || self.clusterRef == oldSelf.clusterRef)", "spec.clusterRef: cannot change, since the versions would stay behind; make another TemporalWorker"))]
#[x_kube(validation = ("has(self.namespaceRef) == has(oldSelf.namespaceRef) && (!has(self.namespaceRef) || self.namespaceRef == oldSelf.namespaceRef)", "spec.namespaceRef: cannot change, since the versions would stay behind; make another TemporalWorker"))]
#[x_kube(validation = ("has(self.connection) == has(oldSelf.connection)", "spec.connection: cannot come or go, since the versions would stay behind; make another TemporalWorker"))]
#[x_kube(validation = ("!has(self.template.spec.restartPolicy) || self.template.spec.restartPolicy == 'Always'", "spec.template.spec.restartPolicy: must be Always, as in every Deployment; remove it"))]
#[x_kube(validation = ("self.template.spec.containers.all(c, !has(c.env) || c.env.all(e, !(e.name in ['TEMPORAL_ADDRESS', 'TEMPORAL_NAMESPACE', 'TEMPORAL_DEPLOYMENT_NAME', 'TEMPORAL_WORKER_BUILD_ID'])))", "spec.template.spec.containers: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID are given to each container by the operator; remove them from env"))]
#[x_kube(validation = ("!has(self.template.spec.initContainers) || self.template.spec.initContainers.all(c, !has(c.env) || c.env.all(e, !(e.name in ['TEMPORAL_ADDRESS', 'TEMPORAL_NAMESPACE', 'TEMPORAL_DEPLOYMENT_NAME', 'TEMPORAL_WORKER_BUILD_ID'])))", "spec.template.spec.initContainers: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID are given to each container by the operator; remove them from env"))]
#[x_kube(validation = ("!has(self.connection) || self.template.spec.containers.all(c, !has(c.env) || c.env.all(e, !e.name.startsWith('TEMPORAL_TLS') && e.name != 'TEMPORAL_API_KEY'))", "spec.template.spec.containers: with a connection, TEMPORAL_API_KEY and what begins with TEMPORAL_TLS is given to each container by the operator; remove it from env"))]
#[x_kube(validation = ("!has(self.connection) || !has(self.template.spec.initContainers) || self.template.spec.initContainers.all(c, !has(c.env) || c.env.all(e, !e.name.startsWith('TEMPORAL_TLS') && e.name != 'TEMPORAL_API_KEY'))", "spec.template.spec.initContainers: with a connection, TEMPORAL_API_KEY and what begins with TEMPORAL_TLS is given to each container by the operator; remove it from env"))]
#[x_kube(validation = ("!has(self.template.metadata) || !has(self.template.metadata.labels) || self.template.metadata.labels.all(k, !k.startsWith('worker.temporal.io/') && !k.startsWith('temporal.io/') && !(k in ['app.kubernetes.io/name', 'app.kubernetes.io/part-of', 'app.kubernetes.io/component', 'app.kubernetes.io/instance', 'app.kubernetes.io/managed-by']))", "spec.template.metadata.labels: app.kubernetes.io/name, part-of, component, instance and managed-by and those of temporal.io/ and worker.temporal.io/ are the operator's own; remove them"))]
#[x_kube(validation = ("!has(self.template.metadata) || !has(self.template.metadata.annotations) || self.template.metadata.annotations.all(k, !k.startsWith('worker.temporal.io/') && !k.startsWith('temporal.io/'))", "spec.template.metadata.annotations: those of temporal.io/ and worker.temporal.io/ are the operator's own; remove them"))]
#[x_kube(validation = ("!has(oldSelf.deploymentName) && !has(self.deploymentName) || has(oldSelf.deploymentName) && has(self.deploymentName) && self.deploymentName == oldSelf.deploymentName", "spec.deploymentName: cannot change, since the versions would stay behind; make another TemporalWorker"))]
pub struct TemporalWorkerSpec {
    /// The `TemporalCluster` that the workers poll, with `namespace`. Cannot change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_ref: Option<Reference>,
    /// The Temporal namespace, with `clusterRef` and with `connection`. Cannot change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = ("self == oldSelf", "spec.namespace: cannot change, since the versions would stay behind; make another TemporalWorker"))]
    #[x_kube(validation = ("self != 'temporal-system'", "spec.namespace: temporal-system is Temporal's own namespace; choose another one"))]
    pub namespace: Option<String>,
    /// The `TemporalNamespace` whose workers they are; it is waited for. Instead of `clusterRef` and `namespace`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_ref: Option<Reference>,
    /// A Temporal that no `TemporalCluster` describes, with `namespace`. It cannot come or go; what it says may change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionSpec>,
    /// A Connection of the official worker controller. Refused: write `connection`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub connection_ref: Option<Map<String, Value>>,
    /// `Versioned` (default): the pods of each build stay until the workflows that need them are done, and traffic moves from
    /// one build to the next as `rollout` says. `Unversioned`: one Deployment with a rolling update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versioning: Option<Versioning>,
    /// Name of the Worker Deployment in Temporal. Default: `<Kubernetes namespace>/<name>`. Cannot change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = ("!self.contains('.') && !self.contains(':')", "spec.deploymentName: Temporal takes no . and no : in it; choose another name"))]
    pub deployment_name: Option<String>,
    /// The build id. Default: the tag of the first container's image and ten characters of a hash of the template, so that
    /// each change of the template is a version of its own. When set, a change of the template under the same build id rolls
    /// its pods in place.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "buildID")]
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = ("self.matches('^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$')", "spec.buildID: letters, digits, '-', '_' and '.', a letter or digit at both ends; correct it"))]
    pub build_id: Option<String>,
    /// The pods: a PodTemplateSpec. Each container is given `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, and, when versioned,
    /// `TEMPORAL_DEPLOYMENT_NAME` and `TEMPORAL_WORKER_BUILD_ID`; with a `connection` what comes with it.
    #[schemars(schema_with = "template")]
    pub template: Map<String, Value>,
    /// How the Deployments replace pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<DeploymentSettings>,
    /// Number of pods of the current and of the coming version. Default 1 without `scaling`. `kubectl scale` writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: Option<i32>,
    /// Lets the work that waits in Temporal decide on the number of pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<ScalingSpec>,
    /// How a new version takes over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutSpec>,
    /// What becomes of versions that no workflow needs any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sunset: Option<SunsetSpec>,
    /// Whether the Worker Deployment and its versions are removed from Temporal with this resource. Default false: they stay,
    /// and count towards Temporal's limit of 100 Worker Deployments a namespace. Workflows stay in any case.
    #[serde(default)]
    pub allow_deletion: bool,
}

/// Whether versions are kept apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum Versioning {
    #[default]
    Versioned,
    Unversioned,
}

/// How the Deployments replace pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentSettings {
    /// A DeploymentStrategy. Default: `RollingUpdate` with maxSurge 1 and maxUnavailable 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub strategy: Option<Map<String, Value>>,
    /// Seconds a pod must be ready before it counts. Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3600))]
    pub min_ready_seconds: Option<i32>,
    /// Seconds without progress after which a rollout has failed. Default 600.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86400))]
    pub progress_deadline_seconds: Option<i32>,
}

/// A PodTemplateSpec, of which only what is checked has a schema; the loop reads it whole.
fn template(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let texts = |most: u32| {
        serde_json::json!({
            "type": "object", "maxProperties": most,
            "additionalProperties": {"type": "string"},
        })
    };
    schemars::json_schema!({
        "type": "object",
        "required": ["spec"],
        "properties": {
            "metadata": {
                "type": "object",
                "properties": {"labels": texts(64), "annotations": texts(64)},
                "x-kubernetes-preserve-unknown-fields": true,
            },
            "spec": {
                "type": "object",
                "required": ["containers"],
                "properties": {
                    "restartPolicy": {"type": "string", "maxLength": 16},
                    "containers": containers(1),
                    "initContainers": containers(0),
                },
                "x-kubernetes-preserve-unknown-fields": true,
            },
        },
    })
}

fn containers(least: u32) -> Value {
    serde_json::json!({
        "type": "array",
        "minItems": least,
        "maxItems": 16,
        "items": {
            "type": "object",
            "required": ["name", "image"],
            "properties": {
                "name": {"type": "string", "minLength": 1, "maxLength": 63},
                "image": {"type": "string", "minLength": 1, "maxLength": 1024},
                "env": {
                    "type": "array",
                    "maxItems": 256,
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {"name": {"type": "string", "minLength": 1, "maxLength": 256}},
                        "x-kubernetes-preserve-unknown-fields": true,
                    },
                },
            },
            "x-kubernetes-preserve-unknown-fields": true,
        },
    })
}
