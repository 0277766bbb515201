//! The kind `TemporalSchedule`, for the loop of the kinds that live on a cluster.

use super::Error;
use super::on_namespace::NamespaceHosts;
use super::resident::{Ground, Kind, target};
use crate::api::{TemporalSchedule, TemporalScheduleStatus};
use crate::plan::resident::ResidentPlan;
use crate::plan::schedule::{self, Act, InTemporal, Seen};
use crate::plan::seat::{Home, Seat};
use crate::temporal::{NewSchedule, ScheduleRef, Schedules};
use crate::validate::{self, Invalid, ValidSchedule};
use crate::watches::{Place, Resident, Residents, place};
use k8s_openapi::jiff::Timestamp;
use kube::runtime::watcher::Event;
use std::sync::Arc;
use std::time::Duration;

/// Every schedule that the operator looks after.
pub(super) struct Kept {
    temporal: Arc<dyn Schedules>,
    hosts: Arc<NamespaceHosts>,
    /// A schedule lives on a namespace, and two of one id on the same one stand in each other's way.
    schedules: Residents<()>,
}

impl Kept {
    pub(super) fn new(temporal: Arc<dyn Schedules>, hosts: Arc<NamespaceHosts>) -> Self {
        Self { temporal, hosts, schedules: Residents::default() }
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
        self.hosts.seat(&valid.namespace_ref, &valid.namespace).await
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
        let taken_by = self.hosts.seats.elder(self.schedules.elders(&place(object)), &home.cluster).await?;
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

    async fn act(&self, valid: &ValidSchedule, home: &Home, act: &Act) -> Result<(), Error> {
        let (target, which) = (target(home), which(valid));
        let done = match act {
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
        };
        Ok(done?)
    }

    fn next_look(&self, _: &Home) -> Duration {
        schedule::CALM
    }

    fn note(&self, namespace: Option<&str>, event: &Event<TemporalSchedule>) -> Vec<Place> {
        self.schedules.note(namespace, event, resident)
    }

    fn residents(&self, ground: &Ground) -> Vec<Place> {
        let namespaces = self.hosts.of(ground);
        let schedules = namespaces.iter().flat_map(|namespace| self.schedules.on(namespace));
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
