//! `spec.ui.ingress`: the Web UI to the outside.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An Ingress `<cluster>-ui` that leads to the Web UI.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.hosts.size() > 0", "ui.ingress.hosts: name at least one host, such as temporal.example.com"))]
#[x_kube(validation = (
    "self.hosts.all(h, h.size() <= 320 && h.matches('^([*][.])?[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*(/[-A-Za-z0-9._~/]*)?$') && !h.matches('^[0-9.]+(/|$)'))",
    "ui.ingress.hosts: each must be a host name in lower case, with a path if wanted, such as temporal.example.com or example.com/temporal; without scheme, port or address"
))]
#[x_kube(validation = (
    "self.hosts.all(h, !h.contains('/') || h.substring(h.indexOf('/')) == self.hosts.filter(g, g.contains('/'))[0].substring(self.hosts.filter(g, g.contains('/'))[0].indexOf('/')))",
    "ui.ingress.hosts: the Web UI can be under one path only; give all hosts with a path the same"
))]
pub struct IngressSpec {
    /// Host names. `example.com/temporal` serves the Web UI below that path.
    #[schemars(length(max = 32), inner(length(max = 320)))]
    pub hosts: Vec<String>,
    /// Annotations of the Ingress, for its controller and for cert-manager.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 64))]
    pub annotations: Option<BTreeMap<String, String>>,
    /// Class of the Ingress. Default: the default class of the Kubernetes cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub ingress_class_name: Option<String>,
    /// Certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub tls: Option<Vec<IngressTls>>,
}

/// A certificate and the hosts it is for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IngressTls {
    /// The hosts. Absent: whichever the certificate names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), inner(length(max = 253)))]
    pub hosts: Option<Vec<String>>,
    /// Secret of type `kubernetes.io/tls` in the cluster's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: Option<String>,
}
