//! Schedules: looked at, made, changed, deleted.

mod convert;
mod fake;

pub use fake::FakeSchedules;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use futures::future::FutureExt;
use prost::Message;
use tokio::time::sleep;

use super::clients::workflow;
use super::proto::common::{Memo, SearchAttributes};
use super::proto::schedule::Schedule;
use super::proto::workflow::{
    CreateScheduleRequest, DeleteScheduleRequest, DescribeScheduleRequest, UpdateScheduleRequest,
};
use super::{Answer, GrpcTemporal, Target, TemporalError};
use crate::schedule::{Change, Definition, Found, Input, State};

/// Who the operator is, in Temporal's histories.
const IDENTITY: &str = "temporal-operator";

/// Between looks whether a change is carried out, in milliseconds.
const PAUSES: [u64; 6] = [50, 100, 200, 400, 800, 1600];

/// A schedule of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScheduleRef {
    /// Temporal namespace.
    pub namespace: String,
    /// Id of the schedule.
    pub id: String,
}

/// A schedule to make.
#[derive(Clone, Debug, PartialEq)]
pub struct NewSchedule {
    /// What it is to do.
    pub definition: Definition,
    /// How it begins.
    pub state: State,
    /// Notes on it.
    pub memo: BTreeMap<String, Input>,
}

/// What the operator asks and tells a Temporal cluster about schedules.
pub trait Schedules: Send + Sync {
    /// The schedule; `None` when the namespace has none of that id.
    fn describe_schedule<'a>(&'a self, target: &'a Target, which: &'a ScheduleRef) -> Answer<'a, Option<Found>>;

    /// Makes a schedule.
    fn create_schedule<'a>(
        &'a self,
        target: &'a Target,
        which: &'a ScheduleRef,
        new: &'a NewSchedule,
    ) -> Answer<'a, ()>;

    /// Changes a schedule, unless it has changed since it was looked at.
    fn update_schedule<'a>(&'a self, target: &'a Target, which: &'a ScheduleRef, change: &'a Change) -> Answer<'a, ()>;

    /// Deletes a schedule. One that is not there is deleted.
    fn delete_schedule<'a>(&'a self, target: &'a Target, which: &'a ScheduleRef) -> Answer<'a, ()>;
}

impl Schedules for GrpcTemporal {
    fn describe_schedule<'a>(&'a self, target: &'a Target, which: &'a ScheduleRef) -> Answer<'a, Option<Found>> {
        self.described(target, which).boxed()
    }

    fn create_schedule<'a>(
        &'a self,
        target: &'a Target,
        which: &'a ScheduleRef,
        new: &'a NewSchedule,
    ) -> Answer<'a, ()> {
        let request = CreateScheduleRequest {
            namespace: which.namespace.clone(),
            schedule_id: which.id.clone(),
            schedule: Some(convert::laid_over(Schedule::default(), &new.definition, &new.state, &which.id)),
            identity: IDENTITY.to_owned(),
            request_id: request_id(),
            memo: (!new.memo.is_empty()).then(|| Memo { fields: convert::payloads(&new.memo) }),
            search_attributes: attributes(&new.definition),
        };
        async move {
            let ask = |channel| async { workflow(channel).create_schedule(self.request(request.clone())).await };
            self.call_in_turn(target, "CreateSchedule", ask).await.map(drop)
        }
        .boxed()
    }

    fn update_schedule<'a>(&'a self, target: &'a Target, which: &'a ScheduleRef, change: &'a Change) -> Answer<'a, ()> {
        self.updated(target, which, change).boxed()
    }

    fn delete_schedule<'a>(&'a self, target: &'a Target, which: &'a ScheduleRef) -> Answer<'a, ()> {
        self.deleted(target, which).boxed()
    }
}

impl GrpcTemporal {
    async fn described(&self, target: &Target, which: &ScheduleRef) -> Result<Option<Found>, TemporalError> {
        let ask = |channel| async move {
            let ScheduleRef { namespace, id } = which.clone();
            workflow(channel)
                .describe_schedule(self.request(DescribeScheduleRequest { namespace, schedule_id: id }))
                .await
        };
        match self.call_in_turn(target, "DescribeSchedule", ask).await {
            Ok(answer) => Ok(Some(convert::found(answer))),
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(passing(error)),
        }
    }

    async fn updated(&self, target: &Target, which: &ScheduleRef, change: &Change) -> Result<(), TemporalError> {
        let call = "UpdateSchedule";
        let base = Schedule::decode(change.from.raw.as_slice())
            .map_err(|error| TemporalError::Protocol { call, detail: error.to_string() })?;
        let request = UpdateScheduleRequest {
            namespace: which.namespace.clone(),
            schedule_id: which.id.clone(),
            schedule: Some(convert::laid_over(base, &change.definition, &change.state, &which.id)),
            conflict_token: change.from.token.clone(),
            identity: IDENTITY.to_owned(),
            request_id: request_id(),
            search_attributes: attributes(&change.definition),
        };
        let ask = |channel| async { workflow(channel).update_schedule(self.request(request.clone())).await };
        self.call_in_turn(target, call, ask).await.map_err(passing)?;
        self.carried_out(target, which, &change.from.token).await
    }

    /// A server that keeps a schedule as a workflow answers before it has changed it: its mark of it tells.
    async fn carried_out(&self, target: &Target, which: &ScheduleRef, before: &[u8]) -> Result<(), TemporalError> {
        for pause in PAUSES {
            match self.described(target, which).await? {
                Some(found) if found.token == before => sleep(Duration::from_millis(pause)).await,
                _ => return Ok(()),
            }
        }
        let reason = "the change is taken and not carried out".to_owned();
        Err(TemporalError::Unreachable { call: "UpdateSchedule", reason })
    }

    async fn deleted(&self, target: &Target, which: &ScheduleRef) -> Result<(), TemporalError> {
        let ask = |channel| async move {
            let ScheduleRef { namespace, id } = which.clone();
            let request = DeleteScheduleRequest { namespace, schedule_id: id, identity: IDENTITY.to_owned() };
            workflow(channel).delete_schedule(self.request(request)).await
        };
        match self.call_in_turn(target, "DeleteSchedule", ask).await {
            Err(error) if !error.is_absent() => Err(error),
            _ => Ok(()),
        }
    }
}

/// Absent attributes are left as they are; an empty map would clear them.
fn attributes(definition: &Definition) -> Option<SearchAttributes> {
    let all = definition.search_attributes.as_ref()?;
    Some(SearchAttributes { indexed_fields: convert::attributes(all) })
}

/// A precondition that fails here is that Temporal's own worker polls, that a new schedule has made its first step, or that
/// nobody has changed it in between; all of them pass.
fn passing(error: TemporalError) -> TemporalError {
    match error {
        TemporalError::Refused { call, code: "FAILED_PRECONDITION", message, .. } => {
            TemporalError::Unreachable { call, reason: message }
        }
        other => other,
    }
}

/// A new one for each request; the same request again has the same.
fn request_id() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}
