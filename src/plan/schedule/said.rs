//! What is said of a schedule.

use crate::api::conditions::shorten;
use crate::api::resident::Phase;
use crate::api::schedule::TemporalScheduleStatus;
use crate::plan::resident::Verdict;
use k8s_openapi::jiff::Timestamp;

/// How it stands with a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
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
    /// These fields are not what was declared, however often it is sent.
    NotKept(Vec<&'static str>),
    /// Another resource has it.
    Taken(String),
    /// Temporal has no such namespace.
    NoNamespace,
}

impl Said {
    /// Whether there is nothing to wait for.
    pub(super) fn is_settled(&self) -> bool {
        !matches!(self, Self::Creating | Self::Updating(_) | Self::NoNamespace)
    }

    /// Writes it into a status. A schedule that was ready acts while it is changed.
    pub(super) fn into_status(
        self,
        status: &mut TemporalScheduleStatus,
        was_ready: bool,
        generation: Option<i64>,
        now: Timestamp,
    ) {
        let serves = was_ready && matches!(self, Self::Updating(_));
        let verdict = Verdict::from(self);
        if serves {
            verdict.serving().into_status(status, generation, now)
        } else {
            verdict.into_status(status, generation, now)
        }
    }

    fn phase(&self) -> Phase {
        match self {
            Self::Acts { .. } | Self::Paused { .. } | Self::Finished => Phase::Ready,
            Self::Creating | Self::Updating(_) | Self::NoNamespace => Phase::Pending,
            Self::NotKept(_) | Self::Taken(_) => Phase::Failed,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Acts { .. } => "ScheduleReady",
            Self::Paused { .. } => "SchedulePaused",
            Self::Finished => "ScheduleFinished",
            Self::Creating => "CreatingSchedule",
            Self::Updating(_) => "UpdatingSchedule",
            Self::NotKept(_) => "ScheduleNotKept",
            Self::Taken(_) => "ScheduleTaken",
            Self::NoNamespace => "NamespaceNotReady",
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
            Self::NotKept(fields) => format!(
                "Temporal does not keep {} as declared; does something else change the schedule? Change the manifest or end the other.",
                fields.join(", ")
            ),
            Self::Taken(other) => format!(
                "The schedule is TemporalSchedule {other}'s, which was made earlier. Delete one of the two, or give this one another name."
            ),
            Self::NoNamespace => "Waits until Temporal knows the namespace.".to_owned(),
        }
    }
}

impl From<Said> for Verdict {
    fn from(said: Said) -> Self {
        Self::new(said.phase(), said.reason(), said.message())
    }
}

fn about_memo(other: bool) -> &'static str {
    if other {
        " Its memo is not: Temporal takes it only when a schedule is made. Delete the schedule in Temporal to have it made again."
    } else {
        ""
    }
}
