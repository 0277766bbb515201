//! Who may use a cluster.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Kubernetes namespaces whose resources may use a cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("(has(self.from) && self.from == 'Selector') == has(self.selector)", "spec.allowedNamespaces: from: Selector and selector belong together; give both or neither"))]
pub struct AllowedNamespaces {
    /// `Same`: the cluster's own; `All`: all; `Selector`: those whose labels `selector` takes. Default `Same`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<From>,
    /// Selects namespaces by their labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// Which namespaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum From {
    /// The cluster's own.
    #[default]
    Same,
    /// All of them.
    All,
    /// Those that the selector takes.
    Selector,
}
