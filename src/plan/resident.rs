//! What the plans of all kinds have in common whose resources live on a cluster.

use super::Changes;
use super::seat::Seat;
use crate::api::conditions::{self, READY, RECONCILING, STALLED, Truth};
use crate::api::resident::{Phase, Told};
use crate::validate::Invalid;
use k8s_openapi::jiff::Timestamp;
use std::time::Duration;

/// What is to be done for a resource. `A` is a write to Temporal.
#[derive(Clone, Debug, PartialEq)]
pub struct ResidentPlan<A, S> {
    /// What is to be done in Kubernetes, before anything is written to Temporal; most kinds have nothing there.
    pub changes: Changes,
    /// Writes to Temporal, in this order.
    pub acts: Vec<A>,
    /// Whether the status is told before the first of them.
    pub tell_first: bool,
    /// Whether the resource may be gone before it is undone in Temporal.
    pub finalizer: Finalizer,
    /// The status.
    pub status: S,
    /// What is told in events, once the writes are done.
    pub news: Vec<News>,
    /// When to look again.
    pub wake: Wake,
}

/// What becomes of the finalizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finalizer {
    /// It is there, or is put there before anything else.
    Hold,
    /// It is not there, or is taken away in the end.
    LetGo,
}

/// When to look again. A change of the resource or of what it lives on wakes it in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Not before something changes.
    OnChange,
    /// After this time.
    After(Duration),
    /// When the list of what Temporal has is taken anew.
    AtNextLook,
}

/// How soon a waiting end is looked at again.
const END: Duration = Duration::from_secs(15);
/// How soon a refusal is looked at again.
const REFUSED: Duration = Duration::from_secs(60);

impl Wake {
    /// For a resource that has no home. What it waits for wakes it; but nobody hears of the labels of its Kubernetes namespace,
    /// on which a permission may hang, nor of the end of that, which lets go of what is `deleting`.
    #[must_use]
    pub fn without_home(seat: &Seat, deleting: bool) -> Self {
        match seat {
            _ if deleting => Self::After(END),
            Seat::Refused(_) => Self::After(REFUSED),
            _ => Self::OnChange,
        }
    }
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// A CamelCase word.
    pub reason: &'static str,
    /// A sentence.
    pub note: String,
    /// Whether it needs somebody's eyes.
    pub warns: bool,
}

/// How a resource stands, in one word and one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The word for `kubectl get`; it decides the three conditions.
    pub phase: Phase,
    /// A CamelCase word.
    pub reason: &'static str,
    /// A sentence.
    pub message: String,
    /// Whether it can be used while it is pending.
    serves: bool,
}

impl Verdict {
    /// A verdict.
    #[must_use]
    pub fn new(phase: Phase, reason: &'static str, message: impl Into<String>) -> Self {
        Self { phase, reason, message: message.into(), serves: false }
    }

    /// The same of a resource that can be used while it is pending.
    #[must_use]
    pub fn serving(self) -> Self {
        Self { serves: true, ..self }
    }

    /// Writes it into a status: `Ready`, `Reconciling` and `Stalled`.
    pub fn into_status<S: Told>(self, status: &mut S, generation: Option<i64>, now: Timestamp) {
        let mut all = status.conditions().to_vec();
        let said = (self.reason, self.message.as_str());
        let (ready, at_work, stalled) = match self.phase {
            Phase::Ready => (true, false, false),
            Phase::Pending | Phase::Deleting => (self.serves, true, false),
            Phase::Failed => (false, false, true),
        };
        let mut set =
            |type_, holds: bool, said| conditions::set(&mut all, type_, Truth::from(holds), said, generation, now);
        set(READY, ready, said);
        set(RECONCILING, at_work, if at_work { said } else { ("Settled", "Nothing is left to do.") });
        set(STALLED, stalled, if stalled { said } else { ("NotStalled", "The operator can go on by itself.") });
        status.tell(generation, self.phase, self.message, all);
    }
}

/// How the resource stands when its cluster cannot be used; none when it can.
#[must_use]
pub fn unseated(seat: &Seat) -> Option<Verdict> {
    match seat {
        Seat::Absent(why) => Some(Verdict::new(Phase::Pending, "ClusterNotFound", why)),
        Seat::Leaving(why) => Some(Verdict::new(Phase::Pending, "ClusterLeaving", why)),
        Seat::Refused(why) => Some(Verdict::new(Phase::Failed, "ClusterRefused", why)),
        Seat::Waiting(why) => Some(Verdict::new(Phase::Pending, "ClusterNotReady", why)),
        Seat::NoNamespace(why) => Some(Verdict::new(Phase::Pending, "NamespaceNotFound", why)),
        Seat::NamespaceWaiting(why) => Some(Verdict::new(Phase::Pending, "NamespaceNotReady", why)),
        Seat::NoCredentials(why) => Some(Verdict::new(Phase::Pending, "SecretMissing", why)),
        Seat::BadCredentials(why) => Some(Verdict::new(Phase::Failed, "CredentialsInvalid", why)),
        Seat::Serving(_) => None,
    }
}

/// The status of a resource whose manifest cannot be carried out.
#[must_use]
pub fn refused<S: Told + Clone>(invalid: &Invalid, generation: Option<i64>, old: &S, now: Timestamp) -> S {
    let mut status = old.clone();
    let message = format!("The manifest cannot be carried out: {invalid}");
    Verdict::new(Phase::Failed, "InvalidSpec", message).into_status(&mut status, generation, now);
    status
}

/// What keeps the operator from its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hurdle {
    /// Temporal does not answer, or not now.
    Silent,
    /// Temporal says no.
    Refused,
    /// Temporal does not take the operator's credentials.
    Credentials,
    /// The API server does not take an object, or somebody else has it.
    Object,
    /// What a gate needs is not there.
    Input,
    /// The API server, or the operator itself.
    Operator,
}

/// The status of a resource that the operator could not get on with.
#[must_use]
pub fn hindered<S: Told + Clone>(
    hurdle: Hurdle,
    words: &str,
    (generation, deleting): (Option<i64>, bool),
    old: &S,
    now: Timestamp,
) -> S {
    let mut status = old.clone();
    let (phase, reason) = match hurdle {
        Hurdle::Silent => (Phase::Pending, "TemporalUnreachable"),
        Hurdle::Refused => (Phase::Failed, "TemporalRefused"),
        Hurdle::Credentials => (Phase::Failed, "CredentialsRefused"),
        Hurdle::Object => (Phase::Failed, "ApplyFailed"),
        Hurdle::Input => (Phase::Failed, "GateUnclear"),
        Hurdle::Operator => (Phase::Pending, "OperatorFailed"),
    };
    let message = format!("The operator is held up: {words}. It is tried again.");
    let verdict = if deleting {
        Verdict::new(Phase::Deleting, reason, format!("{message} {HOW_TO_LET_GO}"))
    } else {
        Verdict::new(phase, reason, message)
    };
    verdict.into_status(&mut status, generation, now);
    status
}

/// Said wherever a deletion waits.
pub const HOW_TO_LET_GO: &str = "To let the resource go and leave what Temporal has, set spec.allowDeletion to false or annotate it temporal.io/let-go=true.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::TemporalNamespaceStatus;
    use rstest::rstest;

    #[rstest]
    #[case(Phase::Ready, ["True", "False", "False"])]
    #[case(Phase::Pending, ["False", "True", "False"])]
    #[case(Phase::Deleting, ["False", "True", "False"])]
    #[case(Phase::Failed, ["False", "False", "True"])]
    fn a_phase_decides_the_conditions(#[case] phase: Phase, #[case] expected: [&str; 3]) {
        let mut status = TemporalNamespaceStatus::default();
        Verdict::new(phase, "R", "m").into_status(&mut status, Some(3), Timestamp::UNIX_EPOCH);
        let of = |type_| conditions::get(&status.conditions, type_).unwrap().status.clone();
        assert_eq!([of(READY), of(RECONCILING), of(STALLED)], expected);
        assert!(status.conditions.iter().all(|c| c.observed_generation == Some(3)));
        assert_eq!((status.observed_generation, status.message.as_deref()), (Some(3), Some("m")));
    }

    #[test]
    fn a_deletion_that_is_held_up_says_how_to_let_go() {
        let old = TemporalNamespaceStatus::default();
        let told = hindered(Hurdle::Silent, "nothing", (None, true), &old, Timestamp::UNIX_EPOCH).message.unwrap();
        assert!(told.contains("temporal.io/let-go=true"), "{told}");
        let told = hindered(Hurdle::Silent, "nothing", (None, false), &old, Timestamp::UNIX_EPOCH).message.unwrap();
        assert_eq!(told, "The operator is held up: nothing. It is tried again.");
    }
}
