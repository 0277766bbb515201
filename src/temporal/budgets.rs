//! How many of these calls a Temporal namespace is asked: hundreds of workers slow down together instead of taking the
//! server's own limit (50 a second for each namespace) from each other and from users.

use super::{ClusterRef, TemporalError};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Calls a second.
const PACE: u32 = 20;
/// Calls that may be made at once after a rest.
const BURST: u32 = 20;
/// Longest wait for a call. Who waits longer has older figures meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pause after a refusal, doubled with each in a row.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// By cluster and namespace.
#[derive(Default)]
pub(super) struct Budgets(Mutex<HashMap<(ClusterRef, String), Arc<Budget>>>);

impl Budgets {
    /// That of a namespace.
    pub(super) fn of(&self, cluster: &ClusterRef, namespace: &str) -> Arc<Budget> {
        let key = (cluster.clone(), namespace.to_owned());
        Arc::clone(lock(&self.0).entry(key).or_default())
    }

    /// A cluster is gone.
    pub(super) fn forget(&self, cluster: &ClusterRef) {
        lock(&self.0).retain(|(of, _), _| of != cluster);
    }
}

/// A token bucket.
#[derive(Default)]
pub(super) struct Budget(Mutex<State>);

#[derive(Default)]
struct State {
    /// When the bucket is full again, if nobody takes any more.
    full: Option<Instant>,
    /// Nobody asks before.
    paused: Option<Instant>,
    /// Refusals in a row.
    refused: u32,
}

impl Budget {
    /// Waits for a call's turn.
    pub(super) async fn take(&self, call: &'static str) -> Result<(), TemporalError> {
        match self.reserve(Instant::now()) {
            Some(at) => {
                sleep_until(at).await;
                Ok(())
            }
            None => Err(TemporalError::Refused {
                call,
                code: "RESOURCE_EXHAUSTED",
                failure: None,
                message: "the operator's own budget for this namespace is used up".to_owned(),
            }),
        }
    }

    /// When the next call may be made; none when that is too far.
    fn reserve(&self, now: Instant) -> Option<Instant> {
        let mut state = lock(&self.0);
        let one = Duration::from_secs(1) / PACE;
        let full = state.full.filter(|full| *full > now).unwrap_or(now) + one;
        let token = full.checked_sub(one * BURST).unwrap_or(now);
        let at = token.max(now).max(state.paused.unwrap_or(now));
        if at > now + PATIENCE {
            return None;
        }
        state.full = Some(full);
        Some(at)
    }

    /// Whether Temporal refused for its own limit.
    pub(super) fn answered(&self, exhausted: bool) {
        let mut state = lock(&self.0);
        if !exhausted {
            (state.refused, state.paused) = (0, None);
            return;
        }
        let pause = PAUSE.saturating_mul(1 << state.refused.min(5)).min(LONGEST_PAUSE);
        state.refused += 1;
        state.paused = Some(Instant::now() + pause);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_spread_and_refused_when_too_many_wait() {
        let (budget, now) = (Budget::default(), Instant::now());
        let turns: Vec<Option<Instant>> = (0..200).map(|_| budget.reserve(now)).collect();
        let at_once = turns.iter().filter(|turn| **turn == Some(now)).count();
        let allowed = turns.iter().flatten().count();
        let patience = usize::try_from(PATIENCE.as_secs()).unwrap() * PACE as usize;
        assert_eq!((at_once, allowed), (BURST as usize, BURST as usize + patience));
        // one that was refused takes nothing from later ones
        assert!(budget.reserve(now + Duration::from_secs(1)).is_some());
    }

    #[test]
    fn refusals_make_longer_and_longer_pauses() {
        let budget = Budget::default();
        let now = Instant::now();
        let wait = || budget.reserve(Instant::now()).map(|at| at.duration_since(now).as_secs_f64().round() as u64);
        for expected in [Some(1), Some(2), Some(4), None] {
            budget.answered(true);
            assert_eq!(wait(), expected);
        }
        budget.answered(false);
        assert_eq!(wait(), Some(0));
    }

    #[test]
    fn each_namespace_has_its_own() {
        let budgets = Budgets::default();
        let cluster = |name: &str| ClusterRef { namespace: "ns".to_owned(), name: name.to_owned() };
        let (a, other) = (budgets.of(&cluster("a"), "orders"), budgets.of(&cluster("a"), "other"));
        a.answered(true);
        assert!(lock(&other.0).paused.is_none());
        assert!(lock(&budgets.of(&cluster("a"), "orders").0).paused.is_some());
        budgets.forget(&cluster("a"));
        assert!(lock(&budgets.of(&cluster("a"), "orders").0).paused.is_none());
    }
}
