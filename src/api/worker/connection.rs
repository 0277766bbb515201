//! `spec.connection`: a Temporal that no `TemporalCluster` describes.

use super::KeyRef;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Keys of a Secret of type `kubernetes.io/tls`: the certificate,
pub const CERTIFICATE_KEY: &str = "tls.crt";
/// and its private key.
pub const PRIVATE_KEY: &str = "tls.key";
/// The key, and the name of the file, of authorities.
pub const CA_KEY: &str = "ca.crt";
/// Volume of the pods that has the client certificate.
pub const TLS_VOLUME: &str = "temporal-tls";
/// Volume of the pods that has the authorities of the server's certificate.
pub const CA_VOLUME: &str = "temporal-ca";

/// Where a Temporal is, and as whom to come there. Secrets and ConfigMaps are those of the worker's Kubernetes namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.mutualTLSSecretRef) || !has(self.apiKeySecretRef)", "spec.connection: a caller has a client certificate or an API key; remove mutualTLSSecretRef or apiKeySecretRef"))]
pub struct ConnectionSpec {
    /// Host and port of the frontend, such as `temporal.example.com:7233`.
    #[schemars(length(min = 3, max = 261))]
    #[x_kube(validation = ("self.matches('^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\\\\[[0-9A-Fa-f:.]+\\\\]):([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$')", "spec.connection.hostPort: must be a host and a port, such as temporal.example.com:7233, without scheme and path; correct it"))]
    pub host_port: String,
    /// How the server's certificate is checked. Connections are encrypted with this, even if it is empty, and with a client
    /// certificate or an API key; without any of them they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ConnectionTls>,
    /// The client certificate, in a Secret of type `kubernetes.io/tls`: `tls.crt` and `tls.key`. A `ca.crt` in it is
    /// taken for the authorities of the server's certificate, unless there is `tls`.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "mutualTLSSecretRef")]
    pub mutual_tls_secret_ref: Option<SecretName>,
    /// The API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_secret_ref: Option<KeyRef>,
}

/// How the server's certificate is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.caCertSecretRef) || !has(self.caCertConfigMapRef)", "spec.connection.tls: the authorities are in one place; remove caCertSecretRef or caCertConfigMapRef"))]
pub struct ConnectionTls {
    /// The name in the server's certificate. Default: the host of `hostPort`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = ("self.matches('^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$')", "spec.connection.tls.serverName: must be the name of a host, without port; correct it"))]
    pub server_name: Option<String>,
    /// The authorities of the server's certificate, PEM. Without any, the public ones count that the operator's and
    /// the workers' images bring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_cert_secret_ref: Option<KeyRef>,
    /// The same in a ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_cert_config_map_ref: Option<KeyRef>,
}

/// A Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretName {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}
