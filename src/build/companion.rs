//! The frame of a Deployment beside the servers: the Web UI and the tools.

use super::metadata::{metadata, object_labels, selector};
use super::server::pull_secrets;
use super::{Object, overrides, security};
use crate::api::labels;
use crate::validate::{Invalid, ValidCluster, ValidOverride};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec, Volume};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

/// What differs from one to the other.
pub(super) struct Companion<'a> {
    /// Suffix of its name, value of the component label, and name of its container.
    pub component: &'a str,
    /// Image tag.
    pub version: &'a str,
    /// Number of pods; `None` leaves it alone.
    pub replicas: Option<i32>,
    /// User and group of its processes.
    pub user: i64,
    /// Its container.
    pub container: Container,
    /// What the container writes to.
    pub volumes: Option<Vec<Volume>>,
    /// Changes to the Deployment.
    pub overrides: &'a [ValidOverride],
}

/// `<cluster>-<component>`.
///
/// # Errors
/// When overrides do not fit the generated Deployment.
pub(super) fn deployment(cluster: &ValidCluster, of: Companion<'_>) -> Result<Object, Invalid> {
    let mut metadata = metadata(cluster, of.component, of.component);
    let version = (labels::VERSION.to_owned(), of.version.to_owned());
    metadata.labels.get_or_insert_default().extend([version.clone()]);
    let mut pod_labels = object_labels(cluster, of.component);
    pod_labels.extend([version]);
    let match_labels = Some(selector(cluster, of.component));
    let generated = Deployment {
        metadata,
        spec: Some(DeploymentSpec {
            replicas: of.replicas,
            selector: LabelSelector { match_labels, ..LabelSelector::default() },
            revision_history_limit: Some(1),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(pod_labels), ..ObjectMeta::default() }),
                spec: Some(PodSpec {
                    automount_service_account_token: Some(false),
                    enable_service_links: Some(false),
                    image_pull_secrets: pull_secrets(cluster),
                    security_context: Some(security::pod(of.user)),
                    containers: vec![of.container],
                    volumes: of.volumes,
                    ..PodSpec::default()
                }),
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    };
    Ok(Object::Deployment(Box::new(overrides::apply(generated, of.component, of.overrides)?)))
}
