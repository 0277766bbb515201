//! The end of a schedule's resource.

use super::{Act, InTemporal, SchedulePlan, Seen};
use crate::api::resident::Phase;
use crate::api::schedule::TemporalScheduleStatus;
use crate::plan::Changes;
use crate::plan::resident::{Finalizer, HOW_TO_LET_GO, ResidentPlan, Verdict, Wake};
use crate::plan::seat::Seat;
use crate::validate::ValidSchedule;
use k8s_openapi::jiff::Timestamp;

/// The schedule goes first, if it may and as long as there is something that has it.
pub(super) fn plan(
    generation: Option<i64>,
    valid: &ValidSchedule,
    seat: &Seat,
    seen: Option<&Seen>,
    old: &TemporalScheduleStatus,
    now: Timestamp,
) -> SchedulePlan {
    let mut status = old.clone();
    let wait = match (seat, seen) {
        _ if !valid.deletes => None,
        (seat, _) if let Some(why) = seat.waits_for() => Some(format!("{why} {HOW_TO_LET_GO}")),
        (Seat::Serving(_), None) => Some("Nothing is known of the schedule yet.".to_owned()),
        (_, Some(Seen { taken_by: None, temporal: InTemporal::Found(_) })) => {
            Some("The schedule is being deleted in Temporal.".to_owned())
        }
        _ => None,
    };
    let delete = wait.is_some() && seen.is_some();
    let finalizer = if wait.is_some() { Finalizer::Hold } else { Finalizer::LetGo };
    if let Some(why) = wait {
        Verdict::new(Phase::Deleting, "DeletingSchedule", why).into_status(&mut status, generation, now);
    }
    ResidentPlan {
        changes: Changes::default(),
        acts: delete.then_some(Act::Delete).into_iter().collect(),
        tell_first: false,
        finalizer,
        status,
        news: Vec::new(),
        wake: if seat.home().is_some() { Wake::After(super::SOON) } else { Wake::without_home(seat, true) },
    }
}
