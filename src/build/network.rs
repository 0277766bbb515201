//! Services and disruption budgets of the roles.

use super::Object;
use super::metadata::{metadata, selector, under_ours};
use crate::api::labels;
use crate::api::services::Role;
use crate::validate::ValidCluster;
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
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

/// One pod of a role at a time may be evicted; an unhealthy one always, so that a node can be drained while the
/// cluster is broken.
pub(super) fn disruption_budget(cluster: &ValidCluster, role: Role) -> Object {
    Object::PodDisruptionBudget(Box::new(PodDisruptionBudget {
        metadata: metadata(cluster, role.name(), role.name()),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".into()),
            selector: Some(LabelSelector {
                match_labels: Some(selector(cluster, role.name())),
                ..LabelSelector::default()
            }),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    }))
}
