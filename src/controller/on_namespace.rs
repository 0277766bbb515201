//! Where resources stand that live on a `TemporalNamespace`, as that lives on a cluster.

use super::Error;
use super::namespace::Facts;
use super::resident::Ground;
use crate::api::TemporalNamespace;
use crate::api::reference::ClusterRef;
use crate::observe::{ObserveError, Seats};
use crate::plan::seat::Seat;
use crate::watches::{Place, Residents};
use futures::channel::mpsc;
use kube::{Api, Client};
use std::sync::Arc;

/// Every `TemporalNamespace`, as a host.
pub(super) struct NamespaceHosts {
    client: Client,
    pub(super) seats: Arc<Seats>,
    namespaces: Residents<Facts>,
}

impl NamespaceHosts {
    pub(super) fn new(client: Client, seats: Arc<Seats>, namespaces: Residents<Facts>) -> Self {
        Self { client, seats, namespaces }
    }

    /// Where a `TemporalNamespace` is, if that can be used; `own`, the namespace of who asks, must be allowed to use the
    /// cluster as well.
    pub(super) async fn seat(&self, place: &Place, own: &str) -> Result<Seat, Error> {
        let name = format!("TemporalNamespace {}/{}", place.0, place.1);
        if !self.seats.is_watched(&place.0) {
            let why = format!("The operator does not look at namespace {}, so it sees no {name}.", place.0);
            return Ok(Seat::NoNamespace(why));
        }
        let Some(host) = self.namespaces.get(place) else {
            return Ok(if self.is_gone(place).await? {
                Seat::NoNamespace(format!("There is no {name}; make it, or correct spec.namespaceRef."))
            } else {
                Seat::NamespaceWaiting(format!("Waits until {name} is looked at."))
            });
        };
        if host.kept.leaving {
            return Ok(Seat::NoNamespace(format!("{name} is being deleted.")));
        }
        let seat = self.seats.seat(&host.cluster, own).await?;
        Ok(match (seat, host.kept.waits) {
            (Seat::Serving(_), Some(why)) => Seat::NamespaceWaiting(format!("Waits until {name} is ready: {why}")),
            (other, _) => other,
        })
    }

    /// Every `TemporalNamespace` that changes from now on in what matters to who lives in it.
    pub(super) fn listen(&self) -> mpsc::UnboundedReceiver<Place> {
        self.namespaces.listen()
    }

    /// The cluster that a `TemporalNamespace` lives on.
    pub(super) fn cluster(&self, place: &Place) -> Option<ClusterRef> {
        self.namespaces.get(place).map(|host| host.cluster)
    }

    /// The namespaces of a cluster, or the one, as hosts.
    pub(super) fn of(&self, ground: &Ground) -> Vec<ClusterRef> {
        let host = |(namespace, name): Place| ClusterRef { namespace, name };
        match ground {
            Ground::Cluster(cluster) => self.namespaces.on(cluster).into_iter().map(|(place, _)| host(place)).collect(),
            Ground::Namespace(place) => vec![host(place.clone())],
        }
    }

    /// What the index does not have may just not have arrived; to take it for gone would let resources go for good.
    async fn is_gone(&self, (namespace, name): &Place) -> Result<bool, ObserveError> {
        let api: Api<TemporalNamespace> = Api::namespaced(self.client.clone(), namespace);
        Ok(api.get_metadata_opt(name).await?.is_none())
    }
}
