//! What is to be done with a schedule: made, changed, deleted, or nothing.
//!
//! What the manifest declares is compared with what Temporal gives back. The state (paused or not, actions left) is the
//! users' and Temporal's own: it is touched only when the manifest's value of it changes, which `status.declaredState`
//! remembers.
//!
//! A server that keeps schedules as workflows drops a change unheard when the schedule has changed in between. So a change is
//! told in the status before it is sent, and counts as carried out when Temporal shows that it has carried one out since
//! (`status.sent`); until then it is sent again. One that is carried out and still not what Temporal gives back is not sent
//! for ever.

mod ending;
mod said;

use super::Changes;
use super::resident::{Finalizer, News, ResidentPlan, Wake, unseated};
use super::seat::Seat;
use crate::api::conditions;
use crate::api::schedule::{SentUpdate, StateSpec, TemporalSchedule, TemporalScheduleStatus};
use crate::build::hash_of;
use crate::schedule::{Change, Found, State, differences};
use crate::validate::ValidSchedule;
use k8s_openapi::jiff::Timestamp;
use said::Said;
use std::fmt;
use std::time::Duration;

/// How soon it is looked whether Temporal has done what it was told.
const SOON: Duration = Duration::from_secs(2);
/// How often a schedule is looked at that is as it should be.
pub const CALM: Duration = Duration::from_secs(30);
/// How often a change is carried out in vain before it is left.
const MOST_TIMES: i32 = 3;

/// What one look at a schedule leads to.
pub type SchedulePlan = ResidentPlan<Act, TemporalScheduleStatus>;

/// What Temporal is told.
#[derive(Clone, PartialEq)]
pub enum Act {
    /// To make the schedule.
    Create,
    /// To change it into this.
    Update(Box<Change>),
    /// To delete it.
    Delete,
}

/// Inputs and memos of users have no place in a log.
impl fmt::Debug for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create the schedule",
            Self::Update(_) => "change the schedule",
            Self::Delete => "delete the schedule",
        })
    }
}

/// What is seen of a schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Another resource, made earlier, that has the schedule.
    pub taken_by: Option<String>,
    /// What Temporal has.
    pub temporal: InTemporal,
}

/// A schedule in Temporal.
#[derive(Clone, Debug, PartialEq)]
pub enum InTemporal {
    /// There is no such namespace.
    NoNamespace,
    /// There is none of that id.
    Absent,
    /// It is there.
    Found(Box<Found>),
}

/// Plans the next step. `seen` is there when the seat has a home.
#[must_use]
pub fn plan(
    object: &TemporalSchedule,
    valid: &ValidSchedule,
    seat: &Seat,
    seen: Option<&Seen>,
    old: &TemporalScheduleStatus,
    now: Timestamp,
) -> SchedulePlan {
    let generation = object.metadata.generation;
    if valid.deleting {
        return ending::plan(generation, valid, seat, seen, old, now);
    }
    let mut status = old.clone();
    let was_ready = conditions::is_true(&old.conditions, conditions::READY);
    let Some(seen) = seen else {
        let verdict = unseated(seat).unwrap_or_else(|| Said::NoNamespace.into());
        verdict.into_status(&mut status, generation, now);
        return idle(valid, status, Wake::without_home(seat, false));
    };
    let mark = hash_of(&valid.declared);
    let (act, said) = match (&seen.taken_by, &seen.temporal) {
        (Some(other), _) => (None, Said::Taken(other.clone())),
        (None, InTemporal::NoNamespace) => (None, Said::NoNamespace),
        (None, InTemporal::Absent) if old.finished.as_ref() == Some(&mark) => (None, Said::Finished),
        (None, InTemporal::Absent) => {
            (status.declared_state, status.sent, status.finished) = (None, None, None);
            (Some(Act::Create), Said::Creating)
        }
        (None, InTemporal::Found(found)) => existing(valid, &mark, &mut status, found),
    };
    let drifted = old.observed_generation == generation && old.sent.is_none() && was_ready;
    let news = drift(&said).filter(|_| drifted && act.is_some());
    let wake = Wake::After(if said.is_settled() { CALM } else { SOON });
    said.into_status(&mut status, was_ready, generation, now);
    ResidentPlan {
        tell_first: matches!(act, Some(Act::Update(_))),
        acts: act.into_iter().collect(),
        news: news.into_iter().collect(),
        ..idle(valid, status, wake)
    }
}

fn idle(valid: &ValidSchedule, status: TemporalScheduleStatus, wake: Wake) -> SchedulePlan {
    ResidentPlan {
        changes: Changes::default(),
        acts: Vec::new(),
        tell_first: false,
        finalizer: if valid.deletes { Finalizer::Hold } else { Finalizer::LetGo },
        status,
        news: Vec::new(),
        wake,
    }
}

/// The step for a schedule that is there.
fn existing(
    valid: &ValidSchedule,
    mark: &str,
    status: &mut TemporalScheduleStatus,
    found: &Found,
) -> (Option<Act>, Said) {
    let updated = found.updated.map(|at| at.to_string());
    let sent = status.sent.clone().filter(|sent| sent.declared == mark);
    let carried_out = sent.as_ref().is_some_and(|sent| sent.updated != updated);
    if carried_out || status.declared_state.is_none() {
        status.declared_state = Some(valid.declared_state.clone());
    }
    let state = changed_state(status.declared_state.as_ref(), valid, &found.state);
    let fields = differences(&valid.definition, &found.definition);
    if fields.is_empty() && state.is_none() {
        status.declared_state = Some(valid.declared_state.clone());
        status.sent = None;
        let finished = !valid.definition.times.is_empty() && !found.has_future && !found.state.paused;
        status.finished = finished.then(|| mark.to_owned());
        return (None, settled(valid, found, finished));
    }
    let times = sent.map_or(0, |sent| sent.times + i32::from(carried_out));
    if times >= MOST_TIMES {
        return (None, Said::NotKept(fields));
    }
    status.sent = Some(SentUpdate { declared: mark.to_owned(), updated, times });
    status.finished = None;
    let state = state.unwrap_or_else(|| found.state.clone());
    let change = Change { definition: valid.definition.clone(), state, from: found.clone() };
    (Some(Act::Update(Box::new(change))), Said::Updating(fields))
}

fn settled(valid: &ValidSchedule, found: &Found, finished: bool) -> Said {
    let differs = |(name, value)| found.memo.get(name) != Some(value);
    let other_memo = valid.memo.as_ref().is_some_and(|memo| memo.iter().any(differs));
    match (finished, found.state.paused) {
        (true, _) => Said::Finished,
        (false, true) => Said::Paused { note: found.state.notes.clone(), other_memo },
        (false, false) => Said::Acts { other_memo },
    }
}

/// The state that Temporal is to have, when the manifest's own has changed since Temporal was given it: each part for
/// itself, a pause together with its note.
fn changed_state(given: Option<&StateSpec>, valid: &ValidSchedule, found: &State) -> Option<State> {
    let given = given.cloned().unwrap_or_default();
    let wanted = &valid.state;
    let mut state = found.clone();
    if wanted.paused != given.paused.unwrap_or_default() {
        (state.paused, state.notes) = (wanted.paused, wanted.notes.clone());
    } else if wanted.notes != given.notes.unwrap_or_default() {
        state.notes.clone_from(&wanted.notes);
    }
    let actions = (given.limited_actions.unwrap_or_default(), given.remaining_actions.unwrap_or_default());
    if (wanted.limited, wanted.remaining) != actions {
        (state.limited, state.remaining) = (wanted.limited, wanted.remaining);
    }
    (state != *found).then_some(state)
}

/// Somebody has changed the schedule, and it is changed back.
fn drift(said: &Said) -> Option<News> {
    let Said::Updating(fields) = said else { return None };
    let note = format!("Changed in Temporal and put right: {}.", fields.join(", "));
    (!fields.is_empty()).then_some(News { reason: "DriftCorrected", note, warns: false })
}

#[cfg(test)]
mod tests;
