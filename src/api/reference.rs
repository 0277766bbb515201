//! How one resource names another.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A cluster by its resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterRef {
    /// Kubernetes namespace.
    pub namespace: String,
    /// Name of the `TemporalCluster`.
    pub name: String,
}

impl fmt::Display for ClusterRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
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
