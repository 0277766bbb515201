//! Rules and defaults of the roles.

use super::autoscaling;
use super::autoscaling::ValidAutoscaling;
use super::embedded::{list, typed};
use super::overrides;
use super::size;
use super::{Problems, ValidOverride};
use crate::api::resources::Size;
use crate::api::services::{ClientServiceSpec, Role, SERVER_CONTAINER, ServiceSpec, ServiceType, ServicesSpec};
use k8s_openapi::api::core::v1::{Affinity, Container, ResourceRequirements, Toleration, TopologySpreadConstraint};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// One role.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidRole {
    /// gRPC port.
    pub grpc_port: i32,
    /// Membership port.
    pub membership_port: i32,
    /// HTTP API port; frontends only.
    pub http_port: Option<i32>,
    /// Number of pods; `None` leaves it to whoever scales the Deployment.
    pub replicas: Option<i32>,
    /// How it is scaled, when an autoscaler decides on the number.
    pub autoscaling: Option<ValidAutoscaling>,
    /// Compute resources.
    pub resources: Option<ResourceRequirements>,
    /// Go's own limit of memory, below that of the container.
    pub go_memory_limit: Option<String>,
    /// Containers run before the server.
    pub init_containers: Vec<Container>,
    /// Pod affinity.
    pub affinity: Option<Affinity>,
    /// Pod tolerations.
    pub tolerations: Vec<Toleration>,
    /// Pod spread.
    pub topology_spread: Vec<TopologySpreadConstraint>,
    /// Pod priority class.
    pub priority_class: Option<String>,
    /// The Service for clients; frontends only.
    pub service: ClientServiceSpec,
    /// Changes to the Deployment, in the order they are made.
    pub overrides: Vec<ValidOverride>,
}

impl ValidRole {
    /// The role with nothing set.
    #[must_use]
    pub fn default_of(role: Role) -> Self {
        Self {
            grpc_port: role.grpc_port(),
            membership_port: role.membership_port(),
            http_port: role.http_port(),
            replicas: None,
            autoscaling: None,
            resources: None,
            go_memory_limit: None,
            init_containers: Vec::new(),
            affinity: None,
            tolerations: Vec::new(),
            topology_spread: Vec::new(),
            priority_class: None,
            service: ClientServiceSpec::default(),
            overrides: Vec::new(),
        }
    }

    /// The most pods it may have, as far as the manifest says.
    #[must_use]
    pub fn most_pods(&self) -> i32 {
        self.autoscaling.as_ref().map(|a| a.max).or(self.replicas).unwrap_or(1)
    }
}

/// The roles that are wanted.
pub(super) fn read(
    services: Option<&ServicesSpec>,
    size: Option<Size>,
    metrics: Option<i32>,
    problems: &mut Problems,
) -> BTreeMap<Role, ValidRole> {
    let common = services.and_then(|s| s.overrides.as_ref());
    let common = overrides::read("spec.services.overrides", common, problems);
    let internal = services.and_then(|s| s.internal_frontend.as_ref());
    let mut roles = BTreeMap::new();
    for role in Role::ALL {
        let service = services.and_then(|s| s.of(role));
        // one that is switched off is checked all the same, as the API server does
        let mut valid = read_role(role, service, metrics, common.as_ref(), problems);
        if let Some(size) = size.filter(|_| valid.resources.is_none()) {
            valid.resources = Some(size::resources(size, role));
            valid.go_memory_limit = Some(size::go_memory_limit(size, role));
        }
        if role != Role::InternalFrontend || internal.is_some_and(|i| i.enabled) {
            roles.insert(role, valid);
        }
    }
    roles
}

fn read_role(
    role: Role,
    service: Option<&ServiceSpec>,
    metrics: Option<i32>,
    common: Option<&ValidOverride>,
    problems: &mut Problems,
) -> ValidRole {
    let path = format!("spec.services.{}", role.field());
    let mut valid = ValidRole::default_of(role);
    valid.overrides.extend(common.cloned());
    if let Some(service) = service {
        read_ports(&path, role, service, &mut valid, problems);
        valid.replicas = service.replicas;
        let scaled = service.autoscaling.as_ref();
        valid.autoscaling = scaled.map(|a| autoscaling::read(&format!("{path}.autoscaling"), role, a, problems));
        valid.resources.clone_from(&service.resources);
        valid.overrides.extend(overrides::read(&format!("{path}.overrides"), service.overrides.as_ref(), problems));
        valid.init_containers = init_containers(&path, service, problems);
        let affinity = service.affinity.clone().map(Value::Object);
        valid.affinity = affinity.and_then(|a| typed(&format!("{path}.affinity"), &a, problems));
        valid.tolerations = list(&format!("{path}.tolerations"), service.tolerations.as_ref(), problems);
        valid.topology_spread =
            list(&format!("{path}.topologySpreadConstraints"), service.topology_spread_constraints.as_ref(), problems);
        valid.priority_class.clone_from(&service.priority_class_name);
        if let Some(client) = &service.service {
            let field = format!("{path}.service");
            problems.require(
                role.http_port().is_some(),
                &field,
                "only frontends have a Service for clients; remove it",
            );
            check_service(&field, client, valid.http_port.is_some(), problems);
            valid.service = client.clone();
        }
    }
    check_role(&path, &valid, metrics, problems);
    valid
}

fn read_ports(path: &str, role: Role, service: &ServiceSpec, valid: &mut ValidRole, problems: &mut Problems) {
    valid.grpc_port = service.port.unwrap_or(valid.grpc_port);
    valid.membership_port = service.membership_port.unwrap_or(valid.membership_port);
    if role.http_port().is_some() {
        // 0 is how the Go operator's manifests try to switch it off
        valid.http_port = service.http_port.map_or(valid.http_port, |p| (p > 0).then_some(p));
    } else if service.http_port.is_some_and(|p| p != 0) {
        problems.add(format!("{path}.httpPort"), "only frontends have an HTTP port; remove it");
    }
}

fn check_role(path: &str, valid: &ValidRole, metrics: Option<i32>, problems: &mut Problems) {
    problems.require(
        valid.replicas.is_none_or(|r| r >= 1),
        &format!("{path}.replicas"),
        "must be at least 1; delete the cluster to stop it",
    );
    problems.require(
        valid.replicas.is_none() || valid.autoscaling.is_none(),
        &format!("{path}.replicas"),
        "autoscaling decides on the number of pods; remove one of them",
    );
    let mut ports: Vec<i32> =
        [Some(valid.grpc_port), Some(valid.membership_port), valid.http_port, metrics].into_iter().flatten().collect();
    problems.require(ports.iter().all(|p| (1..=65535).contains(p)), path, "ports must be from 1 to 65535");
    let count = ports.len();
    ports.sort_unstable();
    ports.dedup();
    problems.require(
        ports.len() == count,
        path,
        "port, membershipPort, httpPort and the metrics port must differ; change one of them",
    );
}

fn init_containers(path: &str, service: &ServiceSpec, problems: &mut Problems) -> Vec<Container> {
    let path = format!("{path}.initContainers");
    let containers: Vec<Container> = list(&path, service.init_containers.as_ref(), problems);
    let mut names = BTreeSet::from([SERVER_CONTAINER]);
    for (i, container) in containers.iter().enumerate() {
        let image = container.image.as_deref().unwrap_or_default();
        problems.require(
            !container.name.is_empty() && !image.is_empty(),
            &format!("{path}[{i}]"),
            "name and image are required",
        );
        problems.require(
            names.insert(&container.name),
            &format!("{path}[{i}].name"),
            "another container has this name; choose a different one",
        );
        problems.require(
            container.restart_policy.as_deref().is_none_or(|p| p == "Always"),
            &format!("{path}[{i}].restartPolicy"),
            "must be Always (it then runs beside the server) or absent",
        );
    }
    containers
}

fn check_service(path: &str, service: &ClientServiceSpec, http: bool, problems: &mut Problems) {
    let type_ = service.type_.unwrap_or_default();
    problems.require(
        type_ == ServiceType::LoadBalancer
            || (service.load_balancer_class.is_none() && service.load_balancer_source_ranges.is_none()),
        path,
        "loadBalancerClass and loadBalancerSourceRanges need type LoadBalancer; set it or remove them",
    );
    problems.require(
        type_ != ServiceType::ClusterIp
            || (service.external_traffic_policy.is_none()
                && service.node_port.is_none()
                && service.http_node_port.is_none()),
        path,
        "externalTrafficPolicy, nodePort and httpNodePort need type NodePort or LoadBalancer; set it or remove them",
    );
    problems.require(
        service.node_port.is_none() || service.node_port != service.http_node_port,
        path,
        "nodePort and httpNodePort must differ",
    );
    for (name, port) in [("nodePort", service.node_port), ("httpNodePort", service.http_node_port)] {
        problems.require(
            port.is_none_or(|p| (1..=65535).contains(&p)),
            &format!("{path}.{name}"),
            "must be from 1 to 65535",
        );
    }
    problems.require(
        http || service.http_node_port.is_none(),
        &format!("{path}.httpNodePort"),
        "httpPort is 0; remove one of them",
    );
    for (i, range) in service.load_balancer_source_ranges.iter().flatten().enumerate() {
        problems.require(
            is_cidr(range),
            &format!("{path}.loadBalancerSourceRanges[{i}]"),
            "must be a CIDR such as 10.0.0.0/8",
        );
    }
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let longest = match address.parse() {
        Ok(std::net::IpAddr::V4(_)) => 32,
        Ok(std::net::IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    bits.parse::<u8>().is_ok_and(|b| b <= longest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("10.0.0.0/8", true)]
    #[case("fd00::/64", true)]
    #[case("10.0.0.0", false)]
    #[case("10.0.0.0/33", false)]
    #[case("10.0.0/8", false)]
    fn cidrs(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(is_cidr(text), expected);
    }
}
