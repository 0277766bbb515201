//! Where resources that live on a cluster stand towards it.

use super::{ObserveError, lock};
use crate::api::reference::ClusterRef;
use crate::plan::seat::{self, Host, Seat};
use crate::watches::{Hosts, Place};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client};
use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// Labels of a namespace are read again after this time.
const LABELS_FRESH: Duration = Duration::from_secs(30);

type Labels = BTreeMap<String, String>;

/// Knows the clusters, and who may use them.
pub struct Seats {
    client: Client,
    hosts: Hosts,
    cross_namespace: bool,
    labels: Mutex<HashMap<String, (Instant, Labels)>>,
}

impl Seats {
    /// `cross_namespace`: a cluster that does not say who may use it may be used from every namespace.
    #[must_use]
    pub fn new(client: Client, hosts: Hosts, cross_namespace: bool) -> Self {
        Self { client, hosts, cross_namespace, labels: Mutex::default() }
    }

    /// The seat of a resource of `namespace` on a cluster.
    ///
    /// # Errors
    /// When the labels of the namespace are asked for and cannot be read.
    pub async fn seat(&self, cluster: &ClusterRef, namespace: &str) -> Result<Seat, ObserveError> {
        self.hosts.ready(&cluster.namespace).await;
        let Some(host) = self.hosts.get(cluster) else {
            let why = if self.hosts.is_watched(&cluster.namespace) {
                format!("There is no TemporalCluster {cluster}; make it, or correct spec.clusterRef.")
            } else {
                format!(
                    "The operator does not look at namespace {}, so it sees no TemporalCluster {cluster}.",
                    cluster.namespace
                )
            };
            return Ok(Seat::Absent(why));
        };
        if !self.may_use(&host, cluster, namespace).await? {
            return Ok(Seat::Refused(format!(
                "TemporalCluster {cluster} may not be used from namespace {namespace}: its spec.allowedNamespaces does not take it."
            )));
        }
        Ok(Seat::on(cluster, host))
    }

    /// A cluster that is there, whether or not it serves.
    #[must_use]
    pub fn host(&self, cluster: &ClusterRef) -> Option<Host> {
        self.hosts.get(cluster)
    }

    /// Whether the operator looks at the resources of a namespace.
    #[must_use]
    pub fn is_watched(&self, namespace: &str) -> bool {
        self.hosts.is_watched(namespace)
    }

    /// Whether resources of a namespace may use a cluster that is there. Who may use a Temporal that no resource describes is
    /// that one's own business.
    ///
    /// # Errors
    /// When the labels of the namespace are asked for and cannot be read.
    pub async fn is_allowed(&self, cluster: &ClusterRef, namespace: &str) -> Result<bool, ObserveError> {
        match self.hosts.get(cluster) {
            _ if cluster.address().is_some() => Ok(true),
            Some(host) => self.may_use(&host, cluster, namespace).await,
            None => Ok(false),
        }
    }

    /// Of resources that came before another one and claim the same, one that may use the cluster: it has what they claim.
    ///
    /// # Errors
    /// As [`Self::is_allowed`].
    pub async fn elder(&self, elders: Vec<Place>, cluster: &ClusterRef) -> Result<Option<String>, ObserveError> {
        for (namespace, name) in elders {
            if self.is_allowed(cluster, &namespace).await? {
                return Ok(Some(format!("{namespace}/{name}")));
            }
        }
        Ok(None)
    }

    async fn may_use(&self, host: &Host, cluster: &ClusterRef, namespace: &str) -> Result<bool, ObserveError> {
        let asked = seat::asks_for_labels(host) && namespace != cluster.namespace;
        let labels = if asked { self.labels_of(namespace).await? } else { Labels::new() };
        Ok(seat::is_allowed(host, cluster, namespace, &labels, self.cross_namespace))
    }

    async fn labels_of(&self, namespace: &str) -> Result<Labels, ObserveError> {
        if let Some((at, labels)) = lock(&self.labels).get(namespace)
            && at.elapsed() < LABELS_FRESH
        {
            return Ok(labels.clone());
        }
        let found = Api::<Namespace>::all(self.client.clone()).get_metadata_opt(namespace).await?;
        let labels = found.and_then(|n| n.metadata.labels).unwrap_or_default();
        lock(&self.labels).insert(namespace.to_owned(), (Instant::now(), labels.clone()));
        Ok(labels)
    }

    /// Whether a namespace is being deleted.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn is_terminating(&self, namespace: &str) -> Result<bool, ObserveError> {
        let found = Api::<Namespace>::all(self.client.clone()).get_metadata_opt(namespace).await?;
        Ok(found.is_none_or(|n| n.metadata.deletion_timestamp.is_some()))
    }
}
