//! Services of the roles, and the disruption budget of all of them.

use super::Object;
use super::metadata::{metadata, names, selector, selector_of_all, under_ours};
use crate::api::labels;
use crate::api::services::Role;
use crate::validate::ValidCluster;
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// A TCP port of a Service that leads to a named container port.
pub(super) fn port(name: &str, port: i32, target: &str, protocol: Option<&str>) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port,
        target_port: Some(IntOrString::String(target.to_owned())),
        protocol: Some("TCP".to_owned()),
        app_protocol: protocol.map(str::to_owned),
        ..ServicePort::default()
    }
}

/// `<cluster>-frontend`: where clients connect; `<cluster>-internal-frontend` is the same for the cluster's own calls.
pub(super) fn client_service(cluster: &ValidCluster, role: Role) -> Object {
    let frontend = cluster.role(role);
    let settings = &frontend.service;
    let mut metadata = metadata(cluster, role.name(), role.name());
    metadata.labels = under_ours(settings.labels.as_ref(), metadata.labels.take());
    metadata.annotations.clone_from(&settings.annotations);
    let mut ports = vec![port("grpc-rpc", frontend.grpc_port, "rpc", Some("kubernetes.io/h2c"))];
    ports[0].node_port = settings.node_port;
    ports.extend(
        frontend
            .http_port
            .map(|p| ServicePort { node_port: settings.http_node_port, ..port("http", p, "http", Some("http")) }),
    );
    Object::Service(Box::new(Service {
        metadata,
        spec: Some(ServiceSpec {
            type_: Some(settings.type_.unwrap_or_default().name().into()),
            load_balancer_class: settings.load_balancer_class.clone(),
            load_balancer_source_ranges: settings.load_balancer_source_ranges.clone(),
            external_traffic_policy: settings.external_traffic_policy.map(|p| p.name().into()),
            selector: Some(selector(cluster, role.name())),
            ports: Some(ports),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }))
}

/// `<cluster>-<role>-headless`: the addresses of a role's pods, ready or not, for scraping and looking.
pub(super) fn headless_service(cluster: &ValidCluster, role: Role) -> Object {
    let settings = cluster.role(role);
    let mut metadata = metadata(cluster, &format!("{role}-headless"), role.name());
    metadata.labels.get_or_insert_default().insert(labels::HEADLESS.to_owned(), "true".to_owned());
    let mut ports = vec![
        port("tcp-rpc", settings.grpc_port, "rpc", None),
        port("tcp-membership", settings.membership_port, "membership", None),
    ];
    ports.extend(cluster.metrics.as_ref().map(|m| port("http-metrics", m.port, "metrics", Some("http"))));
    Object::Service(Box::new(Service {
        metadata,
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".into()),
            cluster_ip: Some("None".into()),
            publish_not_ready_addresses: Some(true),
            selector: Some(selector(cluster, role.name())),
            ports: Some(ports),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }))
}

/// As many server pods as that may be evicted at a time, of all roles together; an unhealthy one always, so that a node can
/// be drained while the cluster is broken. A pod may have one budget only, or it cannot be evicted at all.
#[must_use]
pub fn disruption_budget(cluster: &ValidCluster, evictable: i32) -> Object {
    let roles = LabelSelectorRequirement {
        key: labels::COMPONENT.to_owned(),
        operator: "In".to_owned(),
        values: Some(Role::ALL.iter().map(|role| role.name().to_owned()).collect()),
    };
    Object::PodDisruptionBudget(Box::new(PodDisruptionBudget {
        metadata: metadata(cluster, names::SERVER, names::SERVER),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(evictable)),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".into()),
            selector: Some(LabelSelector {
                match_labels: Some(selector_of_all(cluster)),
                match_expressions: Some(vec![roles]),
            }),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    }))
}
