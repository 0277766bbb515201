//! The HorizontalPodAutoscaler of a role.

use super::metadata::{child_name, metadata};
use super::{Kind, Object};
use crate::api::services::{Role, SERVER_CONTAINER};
use crate::validate::{Invalid, ValidAutoscaling, ValidCluster};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec,
};
use k8s_openapi::api::core::v1::Container;

/// `<cluster>-<role>`: scales the role's Deployment.
pub(super) fn of_role(cluster: &ValidCluster, role: Role, scaling: &ValidAutoscaling) -> Object {
    let deployment = Kind::Deployment.api_resource();
    Object::HorizontalPodAutoscaler(Box::new(HorizontalPodAutoscaler {
        metadata: metadata(cluster, role.name(), role.name()),
        spec: Some(HorizontalPodAutoscalerSpec {
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some(deployment.api_version),
                kind: deployment.kind,
                name: child_name(cluster, role.name()),
            },
            min_replicas: Some(scaling.min),
            max_replicas: scaling.max,
            metrics: Some(scaling.metrics.clone()),
            behavior: Some(scaling.behavior.clone()),
        }),
        ..HorizontalPodAutoscaler::default()
    }))
}

/// What is measured as a share of a request needs that request, of every container that runs: without one the autoscaler
/// never scales.
///
/// # Errors
/// When a container has none, overrides considered.
pub(super) fn check(role: Role, scaling: &ValidAutoscaling, deployment: &Deployment) -> Result<(), Invalid> {
    let pod = deployment.spec.as_ref().and_then(|s| s.template.spec.as_ref());
    let sidecars = pod.iter().flat_map(|p| p.init_containers.iter().flatten());
    let sidecars = sidecars.filter(|c| c.restart_policy.as_deref() == Some("Always"));
    let all: Vec<&Container> = pod.iter().flat_map(|p| &p.containers).chain(sidecars).collect();
    let by_share = scaling.metrics.iter().filter_map(|m| m.resource.as_ref());
    for resource in by_share.filter(|r| r.target.type_ == "Utilization").map(|r| r.name.as_str()) {
        if let Some(without) = all.iter().find(|c| !requests(c, resource)) {
            return Err(missing(role, &without.name, resource));
        }
    }
    Ok(())
}

/// Kubernetes takes a limit for the request where there is none.
fn requests(container: &Container, resource: &str) -> bool {
    let lists = container.resources.iter().flat_map(|r| [&r.requests, &r.limits]);
    lists.flatten().any(|list| list.contains_key(resource))
}

fn missing(role: Role, container: &str, resource: &str) -> Invalid {
    let path = format!("spec.services.{}", role.field());
    if container == SERVER_CONTAINER {
        let field = format!("{path}.resources.requests.{resource}");
        return Invalid::one(field, "autoscaling measures what is used as a share of it; set it");
    }
    let message = format!(
        "measures {resource} as a share of what is requested, and the container {container} requests none; give it resources.requests.{resource}"
    );
    Invalid::one(format!("{path}.autoscaling"), message)
}
