//! The Web UI.

use super::companion::{self, Companion};
use super::config::frontend_address;
use super::metadata::{metadata, names, selector, under_ours};
use super::network::port;
use super::server::{container_port, literal};
use super::{Object, security};
use crate::validate::{Invalid, ValidCluster, ValidUi};
use k8s_openapi::api::core::v1::{Container, HTTPGetAction, Probe, Service, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Port of pods and Service.
const PORT: i32 = 8080;
/// The UI image's user.
const USER: i64 = 5000;

/// `<cluster>-ui`.
pub(super) fn service(cluster: &ValidCluster, ui: &ValidUi) -> Object {
    let mut metadata = metadata(cluster, names::UI, names::UI);
    metadata.labels = under_ours(ui.service.labels.as_ref(), metadata.labels.take());
    metadata.annotations.clone_from(&ui.service.annotations);
    Object::Service(Box::new(Service {
        metadata,
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".into()),
            selector: Some(selector(cluster, names::UI)),
            ports: Some(vec![port("http", PORT, "http", Some("http"))]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }))
}

/// Its Deployment.
pub(super) fn deployment(cluster: &ValidCluster, ui: &ValidUi) -> Result<Object, Invalid> {
    let companion = Companion {
        component: names::UI,
        version: &ui.version,
        replicas: ui.replicas,
        user: USER,
        container: container(cluster, ui),
        volumes: None,
        overrides: &ui.overrides,
    };
    companion::deployment(cluster, companion)
}

fn container(cluster: &ValidCluster, ui: &ValidUi) -> Container {
    let healthy = Probe {
        http_get: Some(HTTPGetAction {
            path: Some("/healthz".to_owned()),
            port: IntOrString::Int(PORT),
            ..HTTPGetAction::default()
        }),
        ..Probe::default()
    };
    let mut env =
        vec![literal("TEMPORAL_ADDRESS", &frontend_address(cluster)), literal("TEMPORAL_UI_PORT", &PORT.to_string())];
    // the UI takes this path off requests and puts it before its links
    let path = ui.ingress.as_ref().and_then(|i| i.public_path());
    env.extend(path.map(|path| literal("TEMPORAL_UI_PUBLIC_PATH", path)));
    Container {
        name: names::UI.to_owned(),
        image: Some(ui.image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        env: Some(env),
        ports: Some(vec![container_port("http", PORT)]),
        resources: ui.resources.clone(),
        security_context: Some(security::container()),
        readiness_probe: Some(Probe { period_seconds: Some(2), timeout_seconds: Some(2), ..healthy.clone() }),
        liveness_probe: Some(Probe {
            period_seconds: Some(20),
            timeout_seconds: Some(5),
            failure_threshold: Some(6),
            ..healthy
        }),
        ..Container::default()
    }
}
