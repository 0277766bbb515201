//! Where a resource lives: its cluster, whether it may use it, and whether that serves.

use crate::api::allowed::{AllowedNamespaces, From};
use crate::api::namespace::AttributeType;
use crate::api::reference::ClusterRef;
use crate::api::{TemporalCluster, conditions};
use kube::core::{Selector, SelectorExt};
use std::collections::BTreeMap;

/// A cluster, as far as it matters to what lives on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Host {
    /// It is being deleted.
    pub leaving: bool,
    /// Its `Ready` condition.
    pub ready: bool,
    /// The frontend's gRPC port.
    pub port: u16,
    /// Who may use it.
    pub allowed: Option<AllowedNamespaces>,
    /// Where search attributes are kept.
    pub attributes: AttributeStore,
}

/// Where search attributes are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeStore {
    /// In columns of a SQL database, so many of each type in each namespace.
    Columns(BTreeMap<AttributeType, i32>),
    /// In an Elasticsearch index, one for all namespaces.
    Index,
}

/// Columns that the schema has of each type (`schema/postgresql/v12/visibility`, 1.30 to 1.32).
const COLUMNS: [(AttributeType, i32); 7] = [
    (AttributeType::Text, 3),
    (AttributeType::Keyword, 10),
    (AttributeType::Int, 3),
    (AttributeType::Double, 3),
    (AttributeType::Bool, 3),
    (AttributeType::Datetime, 3),
    (AttributeType::KeywordList, 3),
];

/// The cluster as a host.
#[must_use]
pub fn host(cluster: &TemporalCluster) -> Host {
    let status = cluster.status.as_ref();
    let frontend = cluster.spec.services.as_ref().and_then(|s| s.frontend.as_ref());
    let port = frontend.and_then(|f| f.port).and_then(|p| u16::try_from(p).ok());
    Host {
        leaving: cluster.metadata.deletion_timestamp.is_some(),
        ready: status.is_some_and(|s| conditions::is_true(&s.conditions, conditions::READY)),
        port: port.unwrap_or(7233),
        allowed: cluster.spec.allowed_namespaces.clone(),
        attributes: attributes(cluster),
    }
}

fn attributes(cluster: &TemporalCluster) -> AttributeStore {
    if cluster.spec.persistence.visibility_store.elasticsearch.is_some() {
        return AttributeStore::Index;
    }
    let raised = cluster.spec.server_config.as_ref().and_then(|c| c.get("visibility"));
    let raised = raised.and_then(|v| v.get("persistenceCustomSearchAttributes"));
    let columns = COLUMNS.into_iter().map(|(type_, least)| {
        let number = raised.and_then(|r| r.get(type_.name())?.as_i64()).and_then(|n| i32::try_from(n).ok());
        // to lower the number does nothing
        (type_, number.unwrap_or(least).max(least))
    });
    AttributeStore::Columns(columns.collect())
}

/// Where a resource stands towards its cluster.
#[derive(Clone, Debug, PartialEq)]
pub enum Seat {
    /// There is no such cluster, or the operator does not look at its namespace.
    Absent(String),
    /// The cluster is being deleted.
    Leaving(String),
    /// It may not use the cluster.
    Refused(String),
    /// The cluster does not serve yet, or not at the moment.
    Waiting(String),
    /// The namespace that it names is not there, or is being deleted.
    NoNamespace(String),
    /// The namespace that it names is not ready yet.
    NamespaceWaiting(String),
    /// The credentials for a Temporal that no cluster describes are not there yet, or not any more.
    NoCredentials(String),
    /// They are there and cannot be used.
    BadCredentials(String),
    /// It serves.
    Serving(Home),
}

/// A cluster that serves, or a Temporal that no cluster describes.
#[derive(Clone, Debug, PartialEq)]
pub struct Home {
    /// Which.
    pub cluster: ClusterRef,
    /// The cluster.
    pub host: Host,
}

impl Seat {
    /// The cluster, if it serves.
    #[must_use]
    pub fn home(&self) -> Option<&Home> {
        match self {
            Self::Serving(home) => Some(home),
            _ => None,
        }
    }

    /// What is waited for that is there, or is to come: a sentence.
    #[must_use]
    pub fn waits_for(&self) -> Option<&str> {
        match self {
            Self::Waiting(why) | Self::NamespaceWaiting(why) | Self::NoCredentials(why) | Self::BadCredentials(why) => {
                Some(why)
            }
            Self::Absent(_) | Self::Leaving(_) | Self::Refused(_) | Self::NoNamespace(_) | Self::Serving(_) => None,
        }
    }

    /// Something is waited for that is there, or is to come.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.waits_for().is_some()
    }

    /// The seat of somebody who knows how to come to a Temporal that no cluster describes.
    #[must_use]
    pub fn outside(address: &str) -> Self {
        let cluster = ClusterRef::outside(address);
        let attributes = AttributeStore::Columns(BTreeMap::new());
        let host = Host { leaving: false, ready: true, port: cluster.port(), allowed: None, attributes };
        Self::Serving(Home { cluster, host })
    }

    /// The seat of somebody who may use the cluster.
    #[must_use]
    pub fn on(cluster: &ClusterRef, host: Host) -> Self {
        if host.leaving {
            return Self::Leaving(format!("TemporalCluster {cluster} is being deleted"));
        }
        if !host.ready {
            // its sentence changes often, and would be written to hundreds of resources each time
            return Self::Waiting(format!("Waits until TemporalCluster {cluster} is ready; see its status."));
        }
        Self::Serving(Home { cluster: cluster.clone(), host })
    }
}

/// Whether a namespace may use a cluster. `labels` are the namespace's; only a selector asks for them.
#[must_use]
pub fn is_allowed(
    host: &Host,
    cluster: &ClusterRef,
    namespace: &str,
    labels: &BTreeMap<String, String>,
    cross_namespace: bool,
) -> bool {
    if namespace == cluster.namespace {
        return true;
    }
    let Some(allowed) = &host.allowed else { return cross_namespace };
    match allowed.from.unwrap_or_default() {
        From::Same => false,
        From::All => true,
        From::Selector => {
            let selector = allowed.selector.clone().and_then(|s| Selector::try_from(s).ok());
            selector.is_some_and(|s| s.matches(labels))
        }
    }
}

/// Whether the labels of other namespaces matter.
#[must_use]
pub fn asks_for_labels(host: &Host) -> bool {
    host.allowed.as_ref().is_some_and(|a| a.from == Some(From::Selector))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    fn cluster(spec: &Value) -> TemporalCluster {
        let sql = json!({"sql": {"pluginName": "postgres12", "user": "t", "databaseName": "d", "connectAddr": "db:1"}});
        let mut all = json!({"numHistoryShards": 4, "persistence": {"defaultStore": sql, "visibilityStore": sql}});
        for (key, value) in spec.as_object().unwrap() {
            all[key] = value.clone();
        }
        serde_json::from_value(json!({
            "apiVersion": "temporal.io/v1beta1", "kind": "TemporalCluster",
            "metadata": {"name": "c", "namespace": "home"}, "spec": all,
        }))
        .unwrap()
    }

    #[rstest]
    #[case::own("home", json!(null), false, true)]
    #[case::own_whatever_it_says("home", json!({"from": "Selector", "selector": {"matchLabels": {"x": "y"}}}), false, true)]
    #[case::other("team", json!(null), false, false)]
    #[case::other_by_the_flag("team", json!(null), true, true)]
    #[case::the_manifest_outweighs_the_flag("team", json!({"from": "Same"}), true, false)]
    #[case::same_by_default("team", json!({}), true, false)]
    #[case::all("team", json!({"from": "All"}), false, true)]
    #[case::label("team", json!({"from": "Selector", "selector": {"matchLabels": {"temporal": "yes"}}}), false, true)]
    #[case::wrong_label("team", json!({"from": "Selector", "selector": {"matchLabels": {"temporal": "no"}}}), false, false)]
    #[case::expression("team", json!({"from": "Selector",
        "selector": {"matchExpressions": [{"key": "temporal", "operator": "In", "values": ["yes", "maybe"]}]}}), false, true)]
    #[case::every_namespace("team", json!({"from": "Selector", "selector": {}}), false, true)]
    #[case::no_selector("team", json!({"from": "Selector"}), false, false)]
    fn permission(#[case] namespace: &str, #[case] allowed: Value, #[case] flag: bool, #[case] expected: bool) {
        let host = host(&cluster(&json!({"allowedNamespaces": allowed})));
        let cluster = ClusterRef { namespace: "home".to_owned(), name: "c".to_owned() };
        let labels = BTreeMap::from([("temporal".to_owned(), "yes".to_owned())]);
        assert_eq!(is_allowed(&host, &cluster, namespace, &labels, flag), expected);
    }

    #[test]
    fn columns_can_be_raised_and_not_lowered() {
        let raised =
            json!({"serverConfig": {"visibility": {"persistenceCustomSearchAttributes": {"Int": 5, "Text": 1}}}});
        let AttributeStore::Columns(columns) = host(&cluster(&raised)).attributes else { panic!("no columns") };
        assert_eq!(columns[&AttributeType::Int], 5);
        assert_eq!(columns[&AttributeType::Text], 3);
        assert_eq!(columns[&AttributeType::Keyword], 10);
    }

    #[test]
    fn a_cluster_serves_when_it_is_ready_and_stays() {
        let cluster_ref = ClusterRef { namespace: "home".to_owned(), name: "c".to_owned() };
        let mut resource = cluster(&json!({}));
        assert!(matches!(Seat::on(&cluster_ref, host(&resource)), Seat::Waiting(_)));
        resource.status =
            serde_json::from_value(json!({"conditions": [{"type": "Ready", "status": "True", "reason": "R",
            "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}))
            .unwrap();
        assert!(Seat::on(&cluster_ref, host(&resource)).home().is_some());
        resource.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        assert!(matches!(Seat::on(&cluster_ref, host(&resource)), Seat::Leaving(_)));
    }
}
