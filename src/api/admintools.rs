//! `spec.admintools`: a pod with Temporal's tools.

use super::overrides::Overrides;
use super::resources::resources;
use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// A Deployment `<cluster>-admintools` of one pod in which `temporal` and `tdbg` find the cluster by themselves. Its image
/// is also the image of the schema Jobs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminToolsSpec {
    /// Whether to run the pod. Default false.
    #[serde(default)]
    pub enabled: bool,
    /// Image repository, without a tag, or an image by its digest. Default `temporalio/admin-tools`. The schema Jobs use it
    /// whether or not the pod runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = ("self.contains('@') ? self.matches('@sha256:[0-9a-f]{64}$') : !self.matches(':[^/]*$')", "admintools.image: write the repository without a tag, the tag is admintools.version; or a whole digest, repository@sha256:…"))]
    pub image: Option<String>,
    /// Image tag of the pod. Default: the tools that go with the server version, which the schema Jobs always use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"))]
    pub version: Option<String>,
    /// Compute resources of the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "resources")]
    pub resources: Option<ResourceRequirements>,
    /// Changes to the generated Deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrides: Option<Overrides>,
}
