//! The kind `TemporalSchedule`, for the loop of the kinds that live on a cluster.

use super::Error;
use super::namespace::Facts;
use super::resident::{Kind, target};
use crate::api::reference::ClusterRef;
use crate::api::{TemporalNamespace, TemporalSchedule, TemporalScheduleStatus};
use crate::observe::{ObserveError, Seats};
use crate::plan::resident::ResidentPlan;
use crate::plan::schedule::{self, Act, InTemporal, Seen};
use crate::plan::seat::{Home, Seat};
use crate::temporal::{NewSchedule, ScheduleRef, Schedules, TemporalError};
use crate::validate::{self, Invalid, ValidSchedule};
use crate::watches::{Place, Resident, Residents, place};
use k8s_openapi::jiff::Timestamp;
use kube::runtime::watcher::Event;
use kube::{Api, Client};
use std::sync::Arc;
use std::time::Duration;

/// Every schedule that the operator looks after.
pub(super) struct Kept {
    client: Client,
    temporal: Arc<dyn Schedules>,
    seats: Arc<Seats>,
    namespaces: Residents<Facts>,
    /// A schedule lives on a namespace, and two of one id on the same one stand in each other's way.
    schedules: Residents<()>,
}

impl Kept {
    pub(super) fn new(
        client: Client,
        temporal: Arc<dyn Schedules>,
        seats: Arc<Seats>,
        namespaces: Residents<Facts>,
    ) -> Self {
        Self { client, temporal, seats, namespaces, schedules: Residents::default() }
    }

    /// What the index does not have may just not have arrived; to take it for gone would let schedules go for good.
    async fn is_gone(&self, (namespace, name): &Place) -> Result<bool, ObserveError> {
        let api: Api<TemporalNamespace> = Api::namespaced(self.client.clone(), namespace);
        Ok(api.get_metadata_opt(name).await?.is_none())
    }

    /// Where its `TemporalNamespace` is, if that can be used; the schedule's own namespace must be allowed to use the cluster
    /// as well.
    async fn seat_on_namespace(&self, valid: &ValidSchedule) -> Result<Seat, Error> {
        let place = &valid.namespace_ref;
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
        let seat = self.seats.seat(&host.cluster, &valid.namespace).await?;
        Ok(match seat {
            Seat::Serving(_) if !host.kept.registered => {
                Seat::NamespaceWaiting(format!("Waits until {name} is ready: {}", host.kept.message))
            }
            other => other,
        })
    }
}

impl Kind for Kept {
    type Object = TemporalSchedule;
    type Status = TemporalScheduleStatus;
    type Valid = ValidSchedule;
    type Seen = Seen;
    type Act = Act;

    fn validate(object: &TemporalSchedule) -> Result<ValidSchedule, Invalid> {
        validate::schedule(object)
    }

    async fn seat(&self, valid: &ValidSchedule) -> Result<Seat, Error> {
        self.seat_on_namespace(valid).await
    }

    async fn observe(
        &self,
        object: &TemporalSchedule,
        valid: &ValidSchedule,
        home: &Home,
        _fresh: bool,
    ) -> Result<Seen, Error> {
        let found = self.temporal.describe_schedule(&target(home), &which(valid)).await;
        let temporal = match found {
            Ok(Some(found)) => InTemporal::Found(Box::new(found)),
            Ok(None) => InTemporal::Absent,
            Err(error) if error.is_missing_namespace() => InTemporal::NoNamespace,
            Err(error) => return Err(error.into()),
        };
        let taken_by = self.seats.elder(&self.schedules, &place(object), &home.cluster).await?;
        Ok(Seen { taken_by, temporal })
    }

    fn plan(
        object: &TemporalSchedule,
        valid: &ValidSchedule,
        seat: &Seat,
        seen: Option<&Seen>,
        old: &TemporalScheduleStatus,
        now: Timestamp,
    ) -> ResidentPlan<Act, TemporalScheduleStatus> {
        schedule::plan(object, valid, seat, seen, old, now)
    }

    async fn act(&self, valid: &ValidSchedule, home: &Home, act: &Act) -> Result<(), TemporalError> {
        let (target, which) = (target(home), which(valid));
        match act {
            Act::Create => {
                let new = NewSchedule {
                    definition: valid.definition.clone(),
                    state: valid.state.clone(),
                    memo: valid.memo.clone().unwrap_or_default(),
                };
                self.temporal.create_schedule(&target, &which, &new).await
            }
            Act::Update(change) => self.temporal.update_schedule(&target, &which, change).await,
            Act::Delete => self.temporal.delete_schedule(&target, &which).await,
        }
    }

    fn next_look(&self, _: &Home) -> Duration {
        schedule::CALM
    }

    fn note(&self, namespace: Option<&str>, event: &Event<TemporalSchedule>) -> Vec<Place> {
        self.schedules.note(namespace, event, resident)
    }

    fn residents(&self, cluster: &ClusterRef) -> Vec<Place> {
        let namespaces = self.namespaces.on(cluster).into_iter();
        let schedules =
            namespaces.flat_map(|((namespace, name), _)| self.schedules.on(&ClusterRef { namespace, name }));
        schedules.map(|(place, _)| place).collect()
    }
}

/// A schedule lives on a `TemporalNamespace` as that lives on a cluster.
fn resident(object: &TemporalSchedule) -> Resident<()> {
    Resident::of(object, &object.spec.namespace_ref, ())
}

fn which(valid: &ValidSchedule) -> ScheduleRef {
    ScheduleRef { namespace: valid.namespace_ref.1.clone(), id: valid.id.clone() }
}
