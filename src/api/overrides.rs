//! `overrides`: a user's changes to a generated Deployment, in the shape of the Go operator.
//!
//! Keys that are not listed here are kept in `rest` for the operator to refuse by name; the API server knows no such
//! keys and refuses or drops them itself.

use super::unsupported::{any_object, any_value};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Labels that a user's change may not touch: the selector's, and those the operator finds its objects by.
pub const OWN_LABELS: [&str; 5] = [
    super::labels::NAME,
    super::labels::PART_OF,
    super::labels::COMPONENT,
    super::labels::INSTANCE,
    super::labels::MANAGED_BY,
];
/// Labels and annotations that begin so are the operator's.
pub const OWN_PREFIX: &str = "temporal.io/";

/// Changes to a generated Deployment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Overrides {
    /// The Deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<Box<DeploymentOverride>>,
    #[allow(missing_docs)]
    #[serde(flatten)]
    #[schemars(skip)]
    pub rest: Map<String, Value>,
}

/// Changes to a Deployment: `metadata`, then either `spec` or `jsonPatch`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.spec) || !has(self.jsonPatch)", "deployment: spec and jsonPatch exclude each other; write all of it as jsonPatch"))]
pub struct DeploymentOverride {
    /// Labels and annotations of the Deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<OverrideMetadata>,
    /// A strategic merge patch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<DeploymentSpecOverride>,
    /// A JSON patch (RFC 6902) of the whole Deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub json_patch: Option<Vec<JsonPatchOperation>>,
    #[allow(missing_docs)]
    #[serde(flatten)]
    #[schemars(skip)]
    pub rest: Map<String, Value>,
}

/// Labels and annotations to add or change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct OverrideMetadata {
    /// Labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 64))]
    #[x_kube(validation = ("self.all(k, !k.startsWith('temporal.io/')) && ['name', 'part-of', 'component', 'instance', 'managed-by'].all(k, !('app.kubernetes.io/' + k in self))", "labels: app.kubernetes.io/name, part-of, component, instance and managed-by and those of temporal.io/ are the operator's own; remove them"))]
    pub labels: Option<BTreeMap<String, String>>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 64))]
    #[x_kube(validation = ("self.all(k, !k.startsWith('temporal.io/'))", "annotations: those of temporal.io/ are the operator's own; remove them"))]
    pub annotations: Option<BTreeMap<String, String>>,
    #[allow(missing_docs)]
    #[serde(flatten)]
    #[schemars(skip)]
    pub rest: Map<String, Value>,
}

/// Changes to the Deployment's spec.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.replicas)", "deployment.spec.replicas: remove it and set replicas beside overrides"))]
#[x_kube(validation = ("!has(self.selector)", "deployment.spec.selector: cannot change; remove it"))]
#[x_kube(validation = ("!has(self.strategy)", "deployment.spec.strategy: only template is merged; change the strategy by jsonPatch"))]
pub struct DeploymentSpecOverride {
    /// The pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<PodTemplateOverride>,
    /// Refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub selector: Option<Map<String, Value>>,
    /// Refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub strategy: Option<Map<String, Value>>,
    #[allow(missing_docs)]
    #[serde(flatten)]
    #[schemars(skip)]
    pub rest: Map<String, Value>,
}

/// Changes to the pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodTemplateOverride {
    /// Labels and annotations of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<OverrideMetadata>,
    /// A strategic merge patch of the PodSpec, `$patch` included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub spec: Option<Map<String, Value>>,
    #[allow(missing_docs)]
    #[serde(flatten)]
    #[schemars(skip)]
    pub rest: Map<String, Value>,
}

/// One operation of a JSON patch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.op == 'test' || !self.path.matches('^/(apiVersion|kind|metadata/(name|namespace|ownerReferences)|spec/(selector|replicas)|status)(/|$)')", "jsonPatch: name, namespace, ownerReferences, selector, replicas and status of the Deployment are the operator's own; remove the operation (for the number of pods set replicas beside overrides)"))]
#[x_kube(validation = ("(self.op in ['move', 'copy']) == has(self.from)", "jsonPatch: move and copy need from, other operations have none"))]
pub struct JsonPatchOperation {
    /// What to do.
    pub op: JsonPatchOp,
    /// Where: a JSON pointer such as `/spec/template/spec/containers/0/env/-`.
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^/"))]
    pub path: String,
    /// The source of `move` and `copy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^/"))]
    pub from: Option<String>,
    /// The value of `add`, `replace` and `test`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_value")]
    pub value: Option<Value>,
}

/// The operations of RFC 6902.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum JsonPatchOp {
    Add,
    Remove,
    Replace,
    Move,
    Copy,
    Test,
}

impl JsonPatchOp {
    /// Whether it needs `value`.
    #[must_use]
    pub fn has_value(self) -> bool {
        matches!(self, Self::Add | Self::Replace | Self::Test)
    }
}
