//! `tls` and `migration` of a store.

use super::reference::SecretKeyReference;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// TLS between the pods and a store's database.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.certFileRef) || has(self.keyFileRef)", "tls.keyFileRef: required with certFileRef; name the Secret that holds the key of the certificate"))]
#[x_kube(validation = ("!has(self.keyFileRef) || has(self.certFileRef)", "tls.certFileRef: required with keyFileRef; name the Secret that holds the certificate of the key"))]
pub struct StoreTlsSpec {
    /// Whether connections are encrypted.
    pub enabled: bool,
    /// Whether the host of `connectAddr` must be in the database's certificate. Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_host_verification: Option<bool>,
    /// The authorities that the database's certificate is checked against, PEM; key `ca.pem`. Absent: those of the image,
    /// and without host verification no check at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file_ref: Option<SecretKeyReference>,
    /// The client's certificate, PEM; key `client.pem`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_file_ref: Option<SecretKeyReference>,
    /// The client's private key, PEM; key `client.key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file_ref: Option<SecretKeyReference>,
    /// Must be the host of `sql.connectAddr`: PostgreSQL's drivers check that name and take no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub server_name: Option<String>,
}

/// The database user of the schema Jobs, when it is not the servers'.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreMigrationSpec {
    /// Database user that owns the schema. The same characters as in `sql.user`.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = ("self.matches('^[A-Za-z0-9._~-]+$')", "migration.user: only letters, digits and . _ ~ - are taken, since the schema tool puts it unescaped into the connection string; create such a role"))]
    pub user: String,
    /// The Secret that holds its password. Absent: no password; the store's is not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_secret_ref: Option<SecretKeyReference>,
}
