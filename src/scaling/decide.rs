//! From the samples to the number of pods.

use super::formula::{Wish, wish};
use super::{Decision, Need, Policy, STALE, Sample, since};
use k8s_openapi::jiff::Timestamp;
use std::time::Duration;

/// How many pods a version is to have. `present` is the number that it should have now; `history` has its samples, the
/// oldest first. See the module for the formula.
#[must_use]
pub fn decide(policy: &Policy, need: Need, present: i32, history: &[Sample], now: Timestamp) -> Decision {
    let Some(last) = history.last() else {
        return bounded(policy, need, present, present, "Temporal has not told its work yet");
    };
    if since(last.at, now) > STALE {
        return bounded(policy, need, present, present, "Temporal does not tell its work: nothing is taken away");
    }
    if need == Need::Serves && policy.min == 0 && is_idle(policy, history, now) {
        return Decision { pods: 0, why: "nothing has come, waited or run: it sleeps".to_owned() };
    }
    let Some(now_wanted) = wish(policy, history) else {
        return bounded(policy, need, present, present, "Temporal has not told its work yet");
    };
    if now_wanted.pods >= present {
        return bounded(policy, need, present, now_wanted.pods, now_wanted.why);
    }
    match most_wanted(policy, history, now) {
        None => bounded(policy, need, present, present, "fewer would do; not for long enough yet"),
        Some(most) if most.pods >= present => {
            bounded(policy, need, present, present, "fewer would do; not for long enough yet")
        }
        Some(most) => bounded(policy, need, present, most.pods, most.why),
    }
}

fn bounded(policy: &Policy, need: Need, present: i32, pods: i32, why: &'static str) -> Decision {
    let least = match need {
        // one that sleeps sleeps on; one that is awake is put to sleep for the whole of a quiet time only
        Need::Serves if policy.min == 0 => present.clamp(0, 1),
        Need::Serves => policy.min,
        Need::Candidate => policy.min.max(1),
        Need::Drains => 1,
    };
    let within = pods.clamp(least.min(policy.max), policy.max);
    let why = match within {
        _ if pods > policy.max => format!("{why}; spec.scaling.max allows no more"),
        _ if pods < within => "the fewest there may be".to_owned(),
        _ => why.to_owned(),
    };
    Decision { pods: within, why }
}

/// The most that any sample of the last `scaleDownAfter` asked for; none when they do not reach over that time.
fn most_wanted(policy: &Policy, history: &[Sample], now: Timestamp) -> Option<Wish> {
    let from = covers(policy.scale_down_after, history, now)?;
    (from..history.len()).filter_map(|i| wish(policy, &history[..=i])).max_by_key(|wish| wish.pods)
}

fn is_idle(policy: &Policy, history: &[Sample], now: Timestamp) -> bool {
    covers(policy.idle_after, history, now).is_some_and(|from| history[from..].iter().all(Sample::is_quiet))
}

/// Where the samples begin that reach over the last so much time without a gap.
fn covers(window: Duration, history: &[Sample], now: Timestamp) -> Option<usize> {
    let from = history.iter().rposition(|sample| since(sample.at, now) >= window)?;
    let whole = history[from..].windows(2).all(|pair| since(pair[0].at, pair[1].at) <= STALE);
    (whole && history.last().is_some_and(|last| since(last.at, now) <= STALE)).then_some(from)
}
