//! `TemporalNamespace`: how it is read, seen, planned and written.

use super::Error;
use super::resident::{Ground, Kind, target};
use crate::api::namespace::AttributeType;
use crate::api::resident::is_finalizer;
use crate::api::{TemporalNamespace, TemporalNamespaceStatus};
use crate::observe::{Listings, Seats};
use crate::plan::namespace::{self as plan, Act, NamespacePlan, Seen};
use crate::plan::seat::{AttributeStore, Home, Seat};
use crate::temporal::Namespaces;
use crate::validate::{self, Invalid, ValidNamespace};
use crate::watches::{Place, Resident, Residents, place};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::watcher::Event;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// The kind.
pub(super) struct Kept {
    temporal: Arc<dyn Namespaces>,
    seats: Arc<Seats>,
    listings: Listings,
    all: Residents<Facts>,
}

/// What others want to know of a namespace.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Facts {
    /// Search attributes that it declares.
    pub(super) attributes: BTreeMap<String, AttributeType>,
    /// Its sentence, until Temporal has it.
    pub(super) waits: Option<String>,
    /// It is being deleted.
    pub(super) leaving: bool,
}

impl Kept {
    pub(super) fn new(temporal: Arc<dyn Namespaces>, seats: Arc<Seats>) -> Self {
        Self { listings: Listings::new(Arc::clone(&temporal)), temporal, seats, all: Residents::default() }
    }

    /// Every namespace, for what lives in one.
    pub(super) fn index(&self) -> Residents<Facts> {
        self.all.clone()
    }

    /// Search attributes of an index that other resources declare.
    fn shared(&self, place: &Place, home: &Home) -> BTreeSet<String> {
        if home.host.attributes != AttributeStore::Index {
            return BTreeSet::new();
        }
        let others = self.all.on(&home.cluster).into_iter().filter(|(other, _)| other != place);
        others.flat_map(|(_, resident)| resident.kept.attributes.into_keys()).collect()
    }
}

impl Kind for Kept {
    type Object = TemporalNamespace;
    type Status = TemporalNamespaceStatus;
    type Valid = ValidNamespace;
    type Seen = Seen;
    type Act = Act;

    fn validate(object: &TemporalNamespace) -> Result<ValidNamespace, Invalid> {
        validate::namespace(object)
    }

    async fn seat(&self, valid: &ValidNamespace) -> Result<Seat, Error> {
        let seat = self.seats.seat(&valid.cluster, &valid.own).await?;
        if seat.home().is_none() {
            // it may come back with another database
            self.listings.forget(&valid.cluster);
        }
        Ok(seat)
    }

    async fn observe(
        &self,
        object: &TemporalNamespace,
        valid: &ValidNamespace,
        home: &Home,
        fresh: bool,
    ) -> Result<Seen, Error> {
        let (place, target) = (place(object), target(home));
        let elder = self.seats.elder(self.all.elders(&place), &home.cluster).await?;
        let (live, attributes) = self.listings.look(home, &target, &valid.name, fresh).await?;
        let ends = valid.deleting && valid.deletes && elder.is_none() && live.is_some();
        let open = if ends { self.temporal.open_workflows(&target, &valid.name).await.ok() } else { None };
        Ok(Seen { shared: self.shared(&place, home), live, attributes, elder, open })
    }

    fn plan(
        object: &TemporalNamespace,
        valid: &ValidNamespace,
        seat: &Seat,
        seen: Option<&Seen>,
        old: &TemporalNamespaceStatus,
        now: Timestamp,
    ) -> NamespacePlan {
        let held = object.finalizers().iter().any(|f| is_finalizer(f));
        plan::plan(valid, (object.metadata.generation, held), seat, seen, old, now)
    }

    async fn act(&self, valid: &ValidNamespace, home: &Home, act: &Act) -> Result<(), Error> {
        let (temporal, target, name) = (&self.temporal, &target(home), &valid.name);
        let done = match act {
            Act::Register(registration) => temporal.register(target, registration).await,
            Act::Update(change) => temporal.update(target, name, change).await,
            Act::AddAttributes(attributes) => temporal.add_attributes(target, name, attributes).await,
            Act::RemoveAttributes(attributes) => temporal.remove_attributes(target, name, attributes).await,
            Act::Delete => temporal.delete(target, name).await,
        };
        Ok(done?)
    }

    fn next_look(&self, home: &Home) -> Duration {
        self.listings.next(&home.cluster)
    }

    fn note(&self, namespace: Option<&str>, event: &Event<TemporalNamespace>) -> Vec<Place> {
        self.all.note(namespace, event, resident)
    }

    fn residents(&self, ground: &Ground) -> Vec<Place> {
        let Ground::Cluster(cluster) = ground else { return Vec::new() };
        self.all.on(cluster).into_iter().map(|(place, _)| place).collect()
    }
}

fn resident(object: &TemporalNamespace) -> Resident<Facts> {
    let status = object.status.as_ref();
    let registered = status.is_some_and(|s| s.namespace_id.is_some());
    let message = || status.and_then(|s| s.message.clone()).unwrap_or_default();
    let facts = Facts {
        attributes: object.spec.custom_search_attributes.clone().unwrap_or_default(),
        waits: (!registered).then(message),
        leaving: object.metadata.deletion_timestamp.is_some(),
    };
    Resident::of(object, &object.spec.cluster_ref, facts)
}
