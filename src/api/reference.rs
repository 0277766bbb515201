//! How one resource names another.

use kube::{KubeSchema, Resource, ResourceExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which Temporal: a cluster by its resource, or one that no resource describes, by its address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterRef {
    /// Kubernetes namespace; empty for one that no resource describes.
    pub namespace: String,
    /// Name of the `TemporalCluster`, or host and port.
    pub name: String,
}

impl ClusterRef {
    /// This `TemporalCluster`.
    #[must_use]
    pub fn of<K: Resource>(cluster: &K) -> Self {
        Self { namespace: cluster.namespace().unwrap_or_default(), name: cluster.name_any() }
    }

    /// One that no resource describes. Whoever gives the same address means the same.
    #[must_use]
    pub fn outside(address: &str) -> Self {
        Self { namespace: String::new(), name: address.to_ascii_lowercase() }
    }

    /// The address of one that no resource describes.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.namespace.is_empty().then_some(&*self.name)
    }

    /// The port of that address; 0 where there is none.
    #[must_use]
    pub fn port(&self) -> u16 {
        let port = self.address().and_then(|address| address.rsplit_once(':')?.1.parse().ok());
        port.unwrap_or_default()
    }
}

impl fmt::Display for ClusterRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address() {
            Some(address) => f.write_str(address),
            None => write!(f, "{}/{}", self.namespace, self.name),
        }
    }
}

/// A key of a Secret in the cluster's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyReference {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
    /// Key in the Secret. Default: of a password `password`, of files `ca.pem`, `client.pem` and `client.key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: Option<String>,
}

/// Another resource by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its namespace. Unset: the one of the resource that names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,
}

impl Reference {
    /// The namespace it is in, for a resource of namespace `own`.
    #[must_use]
    pub fn namespace_from(&self, own: &str) -> String {
        self.namespace.clone().filter(|n| !n.is_empty()).unwrap_or_else(|| own.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_namespace_is_ones_own() {
        let reference =
            |namespace: Option<&str>| Reference { name: "c".to_owned(), namespace: namespace.map(str::to_owned) };
        assert_eq!(reference(None).namespace_from("own"), "own");
        assert_eq!(reference(Some("")).namespace_from("own"), "own");
        assert_eq!(reference(Some("other")).namespace_from("own"), "other");
    }
}
