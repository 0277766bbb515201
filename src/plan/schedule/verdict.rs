//! What is said of a schedule.

use crate::api::conditions::{self, Truth, shorten};
use crate::api::schedule::TemporalScheduleStatus;
use k8s_openapi::jiff::Timestamp;

/// How it stands with a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as declared and acts.
    Acts {
        /// Its notes are others than declared, which cannot be changed.
        other_memo: bool,
    },
    /// It is as declared and paused.
    Paused {
        /// Why.
        note: String,
        /// As above.
        other_memo: bool,
    },
    /// It has nothing more to do.
    Finished,
    /// It is made.
    Creating,
    /// These fields, or the state, are put right.
    Updating(Vec<&'static str>),
    /// A change is not yet carried out.
    Sent,
    /// These fields are not what was declared, however often it is sent.
    NotKept(Vec<&'static str>),
}

impl Verdict {
    /// Whether there is nothing to wait for.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        !matches!(self, Self::Creating | Self::Updating(_) | Self::Sent)
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Acts { .. } => "ScheduleReady",
            Self::Paused { .. } => "SchedulePaused",
            Self::Finished => "ScheduleFinished",
            Self::Creating => "CreatingSchedule",
            Self::Updating(_) | Self::Sent => "UpdatingSchedule",
            Self::NotKept(_) => "ScheduleNotKept",
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Acts { other_memo } => format!("The schedule is as declared.{}", about_memo(*other_memo)),
            Self::Paused { note, other_memo } => {
                let why = if note.is_empty() { String::new() } else { format!(": {}", shorten(note, 256)) };
                format!("The schedule is as declared, and is paused{why}.{}", about_memo(*other_memo))
            }
            Self::Finished => {
                "The schedule has nothing more to do: its end has passed or its actions are used up. Change the manifest to begin anew."
                    .to_owned()
            }
            Self::Creating => "The schedule is being made.".to_owned(),
            Self::Updating(fields) if fields.is_empty() => "The schedule's state is being changed.".to_owned(),
            Self::Updating(fields) => format!("The schedule is being changed: {}.", fields.join(", ")),
            Self::Sent => "Temporal has the change and has not carried it out yet.".to_owned(),
            Self::NotKept(fields) => format!(
                "Temporal does not keep {} as declared; does something else change the schedule? Change the manifest or end the other.",
                fields.join(", ")
            ),
        }
    }
}

fn about_memo(other: bool) -> &'static str {
    if other {
        " Its memo is not: Temporal takes it only when a schedule is made. Delete the schedule in Temporal to have it made again."
    } else {
        ""
    }
}

/// Writes the verdict into a status. A schedule that was ready acts while it is changed.
pub fn report(status: &mut TemporalScheduleStatus, verdict: &Verdict, was_ready: bool, now: Timestamp) {
    let (reason, message) = (verdict.reason(), verdict.message());
    let ready = match verdict {
        Verdict::Acts { .. } | Verdict::Paused { .. } | Verdict::Finished => true,
        Verdict::Updating(_) | Verdict::Sent => was_ready,
        Verdict::Creating | Verdict::NotKept(_) => false,
    };
    let generation = status.observed_generation;
    let mut set = |type_: &str, truth: Truth| {
        conditions::set(&mut status.conditions, type_, truth, (reason, &message), generation, now);
    };
    set(conditions::READY, ready.into());
    set(conditions::RECONCILING, (!verdict.is_settled()).into());
    set(conditions::STALLED, matches!(verdict, Verdict::NotKept(_)).into());
    status.message = Some(shorten(&message, 1024));
}
