//! What is to be done with a schedule: made, changed, or nothing.
//!
//! What the manifest declares is compared with what Temporal gives back. The state (paused or not, actions left) is the
//! users' and Temporal's own: it is touched only when the manifest's value of it changes, which `status.declaredState`
//! remembers.
//!
//! A server that keeps schedules as workflows answers before it has carried a change out, and drops it unheard when the
//! schedule has changed in between. So a change counts as carried out when Temporal shows that it has carried one out
//! (`status.sent`), and one that is carried out and still not what Temporal gives back is not sent for ever.

mod verdict;

pub use verdict::{Verdict, report};

use crate::api::conditions;
use crate::api::schedule::{SentUpdate, StateSpec, TemporalScheduleStatus};
use crate::build::hash_of;
use crate::schedule::{Change, Found, State, differences};
use crate::validate::ValidSchedule;
use k8s_openapi::jiff::Timestamp;
use std::time::Duration;

/// How soon it is looked whether Temporal has done what it was told.
const SOON: Duration = Duration::from_secs(2);
/// How often a schedule is looked at that is as it should be.
const CALM: Duration = Duration::from_secs(30);
/// How often a change is carried out in vain before it is left.
const MOST_TIMES: i32 = 3;

/// What one look at a schedule leads to.
#[derive(Clone, Debug, PartialEq)]
pub struct SchedulePlan {
    /// What Temporal is to be told.
    pub step: Option<Step>,
    /// The status to report when it has been told.
    pub status: TemporalScheduleStatus,
    /// Fields that somebody has changed in Temporal and that are put right.
    pub drift: Vec<&'static str>,
    /// When to look again.
    pub wake: Duration,
}

/// What Temporal is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// To make the schedule.
    Create,
    /// To change it into this.
    Update(Box<Change>),
}

/// Plans the next step.
#[must_use]
pub fn plan(
    valid: &ValidSchedule,
    generation: Option<i64>,
    old: &TemporalScheduleStatus,
    found: Option<&Found>,
    now: Timestamp,
) -> SchedulePlan {
    let mark = mark(valid);
    let mut status = TemporalScheduleStatus { observed_generation: generation, ..old.clone() };
    let (step, verdict, drift) = match found {
        None if old.finished.as_ref() == Some(&mark) => (None, Verdict::Finished, Vec::new()),
        None => {
            status.declared_state = Some(valid.declared_state.clone());
            (status.sent, status.finished) = (None, None);
            (Some(Step::Create), Verdict::Creating, Vec::new())
        }
        Some(found) => existing(valid, &mark, &mut status, found),
    };
    let drift = if old.observed_generation == generation && old.sent.is_none() { drift } else { Vec::new() };
    let wake = if verdict.is_settled() { CALM } else { SOON };
    report(&mut status, &verdict, conditions::is_true(&old.conditions, conditions::READY), now);
    SchedulePlan { step, status, drift, wake }
}

/// The step for a schedule that is there, and the fields that differ.
fn existing(
    valid: &ValidSchedule,
    mark: &str,
    status: &mut TemporalScheduleStatus,
    found: &Found,
) -> (Option<Step>, Verdict, Vec<&'static str>) {
    let sent = status.sent.clone().filter(|sent| sent.declared == mark);
    let carried_out = sent.as_ref().is_some_and(|sent| sent.updated != time(found));
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
        return (None, settled(valid, found, finished), fields);
    }
    let token = hex(&found.token);
    if sent.as_ref().is_some_and(|sent| sent.token == token) {
        return (None, Verdict::Sent, fields);
    }
    let times = sent.map_or(0, |sent| sent.times + i32::from(carried_out));
    if times >= MOST_TIMES {
        return (None, Verdict::NotKept(fields.clone()), fields);
    }
    status.sent = Some(SentUpdate { declared: mark.to_owned(), token, updated: time(found), times });
    status.finished = None;
    let state = state.unwrap_or_else(|| found.state.clone());
    let change = Change { definition: valid.definition.clone(), state, from: found.clone() };
    (Some(Step::Update(Box::new(change))), Verdict::Updating(fields.clone()), fields)
}

fn settled(valid: &ValidSchedule, found: &Found, finished: bool) -> Verdict {
    let memo =
        valid.memo.as_ref().is_some_and(|memo| memo.iter().any(|(name, value)| found.memo.get(name) != Some(value)));
    match (finished, found.state.paused) {
        (true, _) => Verdict::Finished,
        (false, true) => Verdict::Paused { note: found.state.notes.clone(), other_memo: memo },
        (false, false) => Verdict::Acts { other_memo: memo },
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

/// A hash of all that is declared, the same for every version of the operator: a finished schedule is known by it.
fn mark(valid: &ValidSchedule) -> String {
    hash_of(&valid.declared)
}

/// Whole, since two changes may come in one second.
fn time(found: &Found) -> Option<String> {
    found.updated.map(|at| at.to_string())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
