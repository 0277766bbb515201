//! `spec.ui`: the Web UI.

use super::ingress::IngressSpec;
use super::overrides::Overrides;
use super::resources::resources;
use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Temporal's Web UI, a Deployment and a Service `<cluster>-ui` on port 8080.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct UiSpec {
    /// Whether to run it. Default false.
    #[serde(default)]
    pub enabled: bool,
    /// Image tag. Default: the UI tested with the server version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"))]
    pub version: Option<String>,
    /// Image repository, without a tag, or an image by its digest. Default `temporalio/ui`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = ("self.contains('@') ? self.matches('@sha256:[0-9a-f]{64}$') : !self.matches(':[^/]*$')", "ui.image: write the repository without a tag, the tag is ui.version; or a whole digest, repository@sha256:…"))]
    pub image: Option<String>,
    /// Number of pods. When unset, 1 at creation, and left alone afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub replicas: Option<i32>,
    /// Compute resources of the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "resources")]
    pub resources: Option<ResourceRequirements>,
    /// Labels and annotations of its Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ObjectMetadata>,
    /// An Ingress to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<IngressSpec>,
    /// Changes to the generated Deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrides: Option<Overrides>,
}

/// Labels and annotations to add to a generated object. Labels the operator sets itself win.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectMetadata {
    /// Labels to add.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 64))]
    pub labels: Option<BTreeMap<String, String>>,
    /// Annotations to add.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 64))]
    pub annotations: Option<BTreeMap<String, String>>,
}
