//! The pod with Temporal's tools.

use super::config::frontend_address;
use super::metadata::{metadata, names, object_labels, selector};
use super::server::{literal, pull_secrets};
use super::{Object, overrides, security};
use crate::api::labels;
use crate::validate::{Invalid, ValidAdminTools, ValidCluster};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::api::core::v1::{Container, EmptyDirVolumeSource, PodSpec, PodTemplateSpec, Volume, VolumeMount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

/// The image's user (server 1.31 `docker/targets/admin-tools.Dockerfile`), and its home.
const USER: i64 = 1000;
const HOME: &str = "/home/temporal";
/// Ends at once when it is told to.
const WAIT: &str = "trap 'exit 0' TERM INT; sleep infinity & wait";

/// `<cluster>-admintools`.
pub(super) fn deployment(cluster: &ValidCluster, tools: &ValidAdminTools) -> Result<Object, Invalid> {
    let mut metadata = metadata(cluster, names::ADMIN_TOOLS, names::ADMIN_TOOLS);
    let version = (labels::VERSION.to_owned(), tools.version.clone());
    metadata.labels.get_or_insert_default().extend([version.clone()]);
    let mut pod_labels = object_labels(cluster, names::ADMIN_TOOLS);
    pod_labels.extend([version]);
    let match_labels = Some(selector(cluster, names::ADMIN_TOOLS));
    let generated = Deployment {
        metadata,
        spec: Some(DeploymentSpec {
            replicas: Some(1),
            selector: LabelSelector { match_labels, ..LabelSelector::default() },
            revision_history_limit: Some(1),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(pod_labels), ..ObjectMeta::default() }),
                spec: Some(PodSpec {
                    automount_service_account_token: Some(false),
                    enable_service_links: Some(false),
                    image_pull_secrets: pull_secrets(cluster),
                    security_context: Some(security::pod(USER)),
                    containers: vec![container(cluster, tools)],
                    volumes: Some(["home", "tmp"].map(empty_volume).to_vec()),
                    ..PodSpec::default()
                }),
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    };
    Ok(Object::Deployment(Box::new(overrides::apply(generated, names::ADMIN_TOOLS, &tools.overrides)?)))
}

fn container(cluster: &ValidCluster, tools: &ValidAdminTools) -> Container {
    let frontend = frontend_address(cluster);
    Container {
        name: names::ADMIN_TOOLS.to_owned(),
        image: Some(tools.image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: Some(["sh", "-c", WAIT].map(str::to_owned).to_vec()),
        env: Some(vec![
            // of temporal, and of tdbg (server 1.31 `tools/tdbg/app.go`)
            literal("TEMPORAL_ADDRESS", &frontend),
            literal("TEMPORAL_CLI_ADDRESS", &frontend),
            literal("HOME", HOME),
        ]),
        resources: tools.resources.clone(),
        security_context: Some(security::container()),
        volume_mounts: Some(vec![writable_mount("home", HOME), writable_mount("tmp", "/tmp")]),
        ..Container::default()
    }
}

/// A volume that begins empty with each pod.
pub(super) fn empty_volume(name: &str) -> Volume {
    Volume { name: name.to_owned(), empty_dir: Some(EmptyDirVolumeSource::default()), ..Volume::default() }
}

/// A volume that the container may write to.
pub(super) fn writable_mount(name: &str, path: &str) -> VolumeMount {
    VolumeMount { name: name.to_owned(), mount_path: path.to_owned(), ..VolumeMount::default() }
}
