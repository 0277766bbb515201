//! `spec.services`: the server's roles.

use super::overrides::Overrides;
use super::resources::resources;
use super::unsupported::{any_list, any_object};
use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The roles of a Temporal server, one Deployment each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.history) || !has(self.history.httpPort) || self.history.httpPort == 0", "services.history.httpPort: only frontends have an HTTP port; remove it"))]
#[x_kube(validation = ("!has(self.matching) || !has(self.matching.httpPort) || self.matching.httpPort == 0", "services.matching.httpPort: only frontends have an HTTP port; remove it"))]
#[x_kube(validation = ("!has(self.worker) || !has(self.worker.httpPort) || self.worker.httpPort == 0", "services.worker.httpPort: only frontends have an HTTP port; remove it"))]
#[x_kube(validation = ("!has(self.history) || !has(self.history.service)", "services.history.service: only frontends have a Service for clients; remove it"))]
#[x_kube(validation = ("!has(self.matching) || !has(self.matching.service)", "services.matching.service: only frontends have a Service for clients; remove it"))]
#[x_kube(validation = ("!has(self.worker) || !has(self.worker.service)", "services.worker.service: only frontends have a Service for clients; remove it"))]
pub struct ServicesSpec {
    /// Answers clients: gRPC on 7233, HTTP on 7243.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frontend: Option<Box<ServiceSpec>>,
    /// Owns the history shards and runs the timers and queues of workflows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Box<ServiceSpec>>,
    /// Hands tasks to workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matching: Option<Box<ServiceSpec>>,
    /// Runs Temporal's own system workflows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<Box<ServiceSpec>>,
    /// A frontend for the cluster's own calls, so that they need no authorization: gRPC on 7236, HTTP on 7246.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_frontend: Option<Box<InternalFrontendSpec>>,
    /// Changes to the generated Deployment of every role, before the role's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrides: Option<Overrides>,
}

/// Name of the server's container, which users' patches rely on; the Go operator's.
pub const SERVER_CONTAINER: &str = "service";

impl ServicesSpec {
    /// What the manifest says of a role.
    #[must_use]
    pub fn of(&self, role: Role) -> Option<&ServiceSpec> {
        match role {
            Role::Frontend => self.frontend.as_deref(),
            Role::InternalFrontend => self.internal_frontend.as_ref().map(|i| &i.service),
            Role::History => self.history.as_deref(),
            Role::Matching => self.matching.as_deref(),
            Role::Worker => self.worker.as_deref(),
        }
    }
}

/// The internal frontend: a role that may be switched off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InternalFrontendSpec {
    /// Whether to run it. Default false.
    #[serde(default)]
    pub enabled: bool,
    /// Its settings.
    #[serde(flatten)]
    pub service: ServiceSpec,
}

/// One role.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.autoscaling) || !has(self.replicas)", "replicas: autoscaling decides on the number of pods; remove one of them"))]
#[x_kube(validation = ("!has(self.service) || !has(self.service.httpNodePort) || !has(self.httpPort) || self.httpPort != 0", "service.httpNodePort: httpPort is 0; remove one of them"))]
pub struct ServiceSpec {
    /// gRPC port. Default: frontend 7233, history 7234, matching 7235, internal frontend 7236, worker 7239.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,
    /// Membership (gossip) port. Default: 300 below the default gRPC port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub membership_port: Option<i32>,
    /// HTTP API port, of frontends only; 0 switches it off. Default: frontend 7243, internal frontend 7246.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 65535))]
    pub http_port: Option<i32>,
    /// Number of pods. When unset, 1 at creation, and left alone afterwards (`kubectl scale` and an HPA may own it).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub replicas: Option<i32>,
    /// Compute resources of the server container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "resources")]
    pub resources: Option<ResourceRequirements>,
    /// Containers run before the server; one with `restartPolicy: Always` runs beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "init_containers")]
    pub init_containers: Option<Vec<Value>>,
    /// Changes to the generated Deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrides: Option<Overrides>,
    /// A HorizontalPodAutoscaler decides on the number of pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<AutoscalingSpec>,
    /// The Service that clients connect to; of frontends only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ClientServiceSpec>,
    /// Pod affinity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub affinity: Option<Map<String, Value>>,
    /// Pod tolerations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_list")]
    pub tolerations: Option<Vec<Value>>,
    /// Pod spread. One without a `labelSelector` counts the pods of the role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_list")]
    pub topology_spread_constraints: Option<Vec<Value>>,
    /// Pod priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,
}

/// How a HorizontalPodAutoscaler (`autoscaling/v2`) scales a role.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.minReplicas) || self.minReplicas <= self.maxReplicas", "autoscaling: minReplicas must not exceed maxReplicas; lower one or raise the other"))]
pub struct AutoscalingSpec {
    /// Fewest pods. Default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub min_replicas: Option<i32>,
    /// Most pods.
    #[schemars(range(min = 1, max = 1000))]
    pub max_replicas: i32,
    /// What is measured. Default: the pods use 70 % of the CPU they request, on average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_list")]
    pub metrics: Option<Vec<Value>>,
    /// How fast it scales; `scaleUp` and `scaleDown` each replace the operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub behavior: Option<Map<String, Value>>,
}

/// A list of containers, of which only what is checked has a schema.
fn init_containers(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 32,
        "items": {
            "type": "object",
            "required": ["name", "image"],
            "properties": {
                "name": {"type": "string", "minLength": 1, "maxLength": 63},
                "image": {"type": "string", "minLength": 1, "maxLength": 1024},
                "restartPolicy": {"type": "string", "enum": ["Always"]},
            },
            "x-kubernetes-preserve-unknown-fields": true,
        },
    })
}

/// A Service that clients connect to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("(!has(self.loadBalancerClass) && !has(self.loadBalancerSourceRanges)) || (has(self.type) && self.type == 'LoadBalancer')", "service: loadBalancerClass and loadBalancerSourceRanges need type LoadBalancer; set it or remove them"))]
#[x_kube(validation = ("(!has(self.externalTrafficPolicy) && !has(self.nodePort) && !has(self.httpNodePort)) || (has(self.type) && self.type != 'ClusterIP')", "service: externalTrafficPolicy, nodePort and httpNodePort need type NodePort or LoadBalancer; set it or remove them"))]
#[x_kube(validation = ("!has(self.nodePort) || !has(self.httpNodePort) || self.nodePort != self.httpNodePort", "service: nodePort and httpNodePort must differ"))]
pub struct ClientServiceSpec {
    /// Who can reach it. Default `ClusterIP`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<ServiceType>,
    /// Labels to add. Labels the operator sets itself win.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 64))]
    pub labels: Option<BTreeMap<String, String>>,
    /// Annotations to add.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 64))]
    pub annotations: Option<BTreeMap<String, String>>,
    /// Which implementation makes the load balancer. Cannot change while the type is `LoadBalancer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub load_balancer_class: Option<String>,
    /// Addresses the load balancer takes connections from, as CIDRs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(max = 64)))]
    #[x_kube(validation = ("self.all(r, r.matches('^[0-9a-fA-F.:]+/[0-9]{1,3}$'))", "loadBalancerSourceRanges: must be CIDRs such as 10.0.0.0/8"))]
    pub load_balancer_source_ranges: Option<Vec<String>>,
    /// Whether connections from outside stay on the node they come in at (`Local`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_traffic_policy: Option<TrafficPolicy>,
    /// Node port of gRPC. Default: chosen by Kubernetes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub node_port: Option<i32>,
    /// Node port of HTTP. Default: chosen by Kubernetes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub http_node_port: Option<i32>,
}

/// Who can reach a Service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum ServiceType {
    #[default]
    #[serde(rename = "ClusterIP")]
    ClusterIp,
    NodePort,
    LoadBalancer,
}

impl ServiceType {
    /// Kubernetes' word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClusterIp => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
        }
    }
}

/// Where connections from outside may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum TrafficPolicy {
    Cluster,
    Local,
}

impl TrafficPolicy {
    /// Kubernetes' word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cluster => "Cluster",
            Self::Local => "Local",
        }
    }
}

/// A role of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Role {
    Frontend,
    InternalFrontend,
    History,
    Matching,
    Worker,
}

impl Role {
    /// Every role, in the order the status lists them. A cluster has all but the internal frontend, which is a choice.
    pub const ALL: [Self; 5] = [Self::Frontend, Self::InternalFrontend, Self::History, Self::Matching, Self::Worker];

    /// Whether a cluster may do without it.
    #[must_use]
    pub const fn is_optional(self) -> bool {
        matches!(self, Self::InternalFrontend)
    }

    /// Whether its pods share work out by their number: history shards or task queues are a member's by its place in the
    /// ring, and each change of it moves some.
    #[must_use]
    pub const fn shares_out(self) -> bool {
        matches!(self, Self::History | Self::Matching)
    }

    /// The name Temporal gives it (`TEMPORAL_SERVICES`, ring name; server 1.31 `common/primitives/role.go`) and the
    /// value of the component label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Frontend => "frontend",
            Self::InternalFrontend => "internal-frontend",
            Self::History => "history",
            Self::Matching => "matching",
            Self::Worker => "worker",
        }
    }

    /// Its field below `spec.services`.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::InternalFrontend => "internalFrontend",
            _ => self.name(),
        }
    }

    /// The role of that name. A role of a later server is unknown here.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Default gRPC port.
    #[must_use]
    pub fn grpc_port(self) -> i32 {
        match self {
            Self::Frontend => 7233,
            Self::InternalFrontend => 7236,
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

    /// Default HTTP API port, of the roles that have one (server 1.31 `config/docker.yaml`).
    #[must_use]
    pub fn http_port(self) -> Option<i32> {
        match self {
            Self::Frontend => Some(7243),
            Self::InternalFrontend => Some(7246),
            _ => None,
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_have_the_servers_names() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.name()), Some(role));
        }
        assert_eq!(Role::parse("chasm"), None);
    }
}
