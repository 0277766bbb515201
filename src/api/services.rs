//! `spec.services`: the server's roles.

use super::unsupported::{Disabled, any_list, any_object};
use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The roles of a Temporal server, one Deployment each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "!has(self.internalFrontend) || !has(self.internalFrontend.enabled) || !self.internalFrontend.enabled",
    "services.internalFrontend: not supported yet; remove it or set enabled: false"
))]
#[x_kube(validation = ("!has(self.overrides)", "services.overrides: not supported yet; remove it"))]
#[x_kube(validation = ("!has(self.history) || !has(self.history.httpPort) || self.history.httpPort == 0", "services.history.httpPort: only the frontend has an HTTP port; remove it"))]
#[x_kube(validation = ("!has(self.matching) || !has(self.matching.httpPort) || self.matching.httpPort == 0", "services.matching.httpPort: only the frontend has an HTTP port; remove it"))]
#[x_kube(validation = ("!has(self.worker) || !has(self.worker.httpPort) || self.worker.httpPort == 0", "services.worker.httpPort: only the frontend has an HTTP port; remove it"))]
pub struct ServicesSpec {
    /// Answers clients: gRPC on 7233, HTTP on 7243.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frontend: Option<ServiceSpec>,
    /// Owns the history shards and runs the timers and queues of workflows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<ServiceSpec>,
    /// Hands tasks to workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matching: Option<ServiceSpec>,
    /// Runs Temporal's own system workflows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<ServiceSpec>,
    /// A frontend for the cluster itself. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_frontend: Option<Disabled>,
    /// Changes to all generated Deployments. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub overrides: Option<Map<String, Value>>,
}

/// One role.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.overrides)", "overrides: not supported yet; remove it"))]
#[x_kube(validation = ("!has(self.initContainers)", "initContainers: not supported yet; remove it"))]
#[x_kube(validation = ("!has(self.autoscaling)", "autoscaling: not supported yet; remove it"))]
#[x_kube(validation = ("!has(self.service)", "service: not supported yet; remove it"))]
#[x_kube(validation = (
    "!has(self.affinity) && !has(self.tolerations) && !has(self.topologySpreadConstraints) && !has(self.priorityClassName)",
    "affinity, tolerations, topologySpreadConstraints, priorityClassName: not supported yet; remove them"
))]
pub struct ServiceSpec {
    /// gRPC port. Default: frontend 7233, history 7234, matching 7235, worker 7239.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,
    /// Membership (gossip) port. Default: frontend 6933, history 6934, matching 6935, worker 6939.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub membership_port: Option<i32>,
    /// HTTP API port, of the frontend only. Default 7243.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 65535))]
    pub http_port: Option<i32>,
    /// Number of pods. When unset, 1 at creation, and left alone afterwards (`kubectl scale` and an HPA may own it).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub replicas: Option<i32>,
    /// Compute resources of the server container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub resources: Option<ResourceRequirements>,
    /// Containers run before the server. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_list")]
    pub init_containers: Option<Vec<Value>>,
    /// Changes to the generated Deployment. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub overrides: Option<Map<String, Value>>,
    /// Horizontal autoscaling. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub autoscaling: Option<Map<String, Value>>,
    /// The Service of the role (type, annotations). Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub service: Option<Map<String, Value>>,
    /// Pod affinity. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub affinity: Option<Map<String, Value>>,
    /// Pod tolerations. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_list")]
    pub tolerations: Option<Vec<Value>>,
    /// Pod spread. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_list")]
    pub topology_spread_constraints: Option<Vec<Value>>,
    /// Pod priority. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<String>,
}

/// A role of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Role {
    Frontend,
    History,
    Matching,
    Worker,
}

impl Role {
    /// Every role, in the order the status lists them.
    pub const ALL: [Self; 4] = [Self::Frontend, Self::History, Self::Matching, Self::Worker];

    /// The name Temporal gives it (`--service`, ring name) and the value of the component label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Frontend => "frontend",
            Self::History => "history",
            Self::Matching => "matching",
            Self::Worker => "worker",
        }
    }

    /// Default gRPC port.
    #[must_use]
    pub fn grpc_port(self) -> i32 {
        match self {
            Self::Frontend => 7233,
            Self::History => 7234,
            Self::Matching => 7235,
            Self::Worker => 7239,
        }
    }

    /// Default membership port.
    #[must_use]
    pub fn membership_port(self) -> i32 {
        self.grpc_port() - 300
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
