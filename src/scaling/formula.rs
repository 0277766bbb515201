//! The number of pods that one sample asks for.

use super::{Policy, Sample, Slots, since};
use std::time::Duration;

/// Temporal averages rates over this time.
const RATE_WINDOW: Duration = Duration::from_secs(30);
/// So much of it may be missing.
const SLACK: Duration = Duration::from_secs(5);
/// Waiting tasks that are borne for each pod before it is known how fast a pod is.
const BORNE_AT_FIRST: f64 = 10.0;
/// Most pods at first, before anything is known.
const AT_FIRST: f64 = 4.0;
/// Share of pods that makes no difference.
const TOLERANCE: f64 = 0.1;
/// Work of which a pod was only seen to bear so much is given to fewer pods by this.
const TRIED: f64 = 1.5;
/// Rates count when they rest on so many tasks, or on so much time.
const ENOUGH_TASKS: f64 = 50.0;
const ENOUGH_TIME: Duration = Duration::from_secs(300);
/// How fast a pod is by its slots is a mean of this time: they are told as they are at one moment in a minute.
const PACE_WINDOW: Duration = Duration::from_secs(900);
/// Slots in use are a mean of this time.
const SLOTS_WINDOW: Duration = Duration::from_secs(120);
/// Most that pods grow at once because of age.
const GROWTH: f64 = 2.0;
/// Samples of saturated pods that the pace is taken from.
const LAST_SATURATED: usize = 3;
/// Pods that were added and took nothing for so long do not help.
const HELPS_WITHIN: Duration = Duration::from_secs(40);

/// What a sample asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wish {
    /// So many pods.
    pub pods: i32,
    /// The reason.
    pub why: &'static str,
}

/// What the last of these samples asks for. The earlier ones tell how fast pods are.
pub(super) fn wish(policy: &Policy, seen: &[Sample]) -> Option<Wish> {
    let last = seen.last()?;
    let pace = Pace::learnt(seen);
    let ready = f64::from(last.ready);
    let keep = keep(policy, seen, last, pace);
    let clear = last.backlog as f64 / borne(policy, last, pace);
    let unknown = pace.is_none() && last.slots.is_none() && policy.backlog_per_pod.is_none();
    let wanted = if unknown { (keep + clear).min(AT_FIRST.max(GROWTH * ready)) } else { keep + clear };
    let mut wish = if (wanted - ready).abs() <= TOLERANCE * ready {
        Wish { pods: last.ready, why: "as many as the work needs" }
    } else if clear > keep.max(1.0) {
        Wish { pods: up(wanted), why: "many tasks wait" }
    } else {
        Wish { pods: up(wanted), why: "as many as the work needs" }
    };
    if let Some(late) = late(policy, seen, last)
        && late.pods >= wish.pods
    {
        wish = late;
    }
    // whatever else: a task that comes finds somebody
    if wish.pods == 0 && !last.is_quiet() {
        wish = Wish { pods: 1, why: "tasks come" };
    }
    if last.rate_limited && wish.pods > last.ready.max(1) {
        return Some(Wish { pods: last.ready.max(1), why: "Temporal holds tasks back by a rate limit" });
    }
    Some(wish)
}

/// Pods that keep up with what comes.
fn keep(policy: &Policy, seen: &[Sample], last: &Sample, pace: Option<Pace>) -> f64 {
    let u = policy.slot_utilization;
    let comes = rate(seen, |sample| sample.add_rate).per_second;
    let by_slots = busy(seen).map(|busy| match pace_of_slots(seen) {
        // no fewer pods than would be full of what runs; no faster ones than those that tasks waited for
        Some(told) => {
            let proven = pace.filter(|pace| pace.proven).map_or(told, |pace| pace.per_pod);
            (comes / (told.min(proven) * u)).max(busy)
        }
        None => busy / u,
    });
    match (by_slots, pace) {
        (Some(by_slots), _) => by_slots,
        (None, Some(pace)) => comes / (pace.per_pod * if pace.proven { u } else { TRIED }),
        (None, None) if last.is_quiet() => 0.0,
        // nothing is known yet: those that are there
        (None, None) => f64::from(last.ready),
    }
}

/// Pods that would be full of what runs: a mean, for slots are told as they are at one moment in a minute.
fn busy(seen: &[Sample]) -> Option<f64> {
    let last = seen.last()?;
    last.full()?;
    let lately = seen.iter().rev().take_while(|sample| since(sample.at, last.at) <= SLOTS_WINDOW);
    let (sum, count) = lately.filter_map(Sample::full).fold((0.0, 0.0), |(sum, count), full| (sum + full, count + 1.0));
    Some(sum / count)
}

/// Tasks that a pod works off, a second, with all its slots in use, where enough were dispatched to tell.
fn pace_of_slots(seen: &[Sample]) -> Option<f64> {
    let last = seen.last()?;
    let rate = rate(seen, |sample| sample.dispatch_rate);
    let lately = seen.iter().rev().take_while(|sample| since(sample.at, last.at) <= PACE_WINDOW);
    let (mut dispatched, mut full): (f64, f64) = (0.0, 0.0);
    for sample in lately {
        if let Some(pods) = sample.full() {
            dispatched += sample.dispatch_rate;
            full += pods;
        }
    }
    (rate.enough && full > 0.0 && dispatched > 0.0).then(|| dispatched / full)
}

/// Waiting tasks that are borne for each pod.
fn borne(policy: &Policy, last: &Sample, pace: Option<Pace>) -> f64 {
    if let Some(set) = policy.backlog_per_pod {
        return f64::from(set.max(1));
    }
    let worked_off = pace.map_or(0.0, |pace| pace.per_pod * policy.max_backlog_age.as_secs_f64());
    let taken_at_once = last.slots.and_then(Slots::of_a_pod).unwrap_or(BORNE_AT_FIRST);
    worked_off.max(taken_at_once)
}

/// More pods than there are, when tasks wait too long and it does not get better.
fn late(policy: &Policy, seen: &[Sample], last: &Sample) -> Option<Wish> {
    let (age, allowed) = (last.backlog_age, policy.max_backlog_age);
    if last.backlog == 0 || age <= allowed {
        return None;
    }
    let falls = seen.iter().rev().nth(1).is_some_and(|before| before.backlog > 0 && before.backlog_age > age);
    if falls {
        return None;
    }
    if no_help(seen) {
        return Some(Wish { pods: last.ready, why: "tasks wait that no pod takes; more pods have not helped" });
    }
    let factor = (age.as_secs_f64() / allowed.as_secs_f64().max(1.0)).min(GROWTH);
    let ready = f64::from(last.ready);
    let most = ready + last.backlog as f64;
    Some(Wish { pods: up((ready * factor).min(most)).max(1), why: "tasks wait too long" })
}

/// Whether pods were added and took nothing since.
fn no_help(seen: &[Sample]) -> bool {
    let grew = (1..seen.len()).rev().find(|i| seen[*i].ready > seen[i - 1].ready);
    let (Some(grew), Some(last)) = (grew, seen.last()) else { return false };
    let idle = seen[grew..].iter().all(|sample| sample.backlog > 0 && sample.dispatch_rate <= 0.0);
    idle && since(seen[grew].at, last.at) >= HELPS_WITHIN
}

/// Tasks that a pod works off, a second.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pace {
    per_pod: f64,
    /// Tasks were waiting all the time, so it is not more; else it may be.
    proven: bool,
}

impl Pace {
    /// What the samples tell of it.
    fn learnt(seen: &[Sample]) -> Option<Self> {
        let paces: Vec<Self> = (0..seen.len()).filter_map(|i| Self::at(&seen[..=i])).collect();
        let most = |paces: &[Self]| paces.iter().map(|pace| pace.per_pod).fold(0.0, f64::max);
        let proven: Vec<usize> = (0..paces.len()).filter(|i| paces[*i].proven).collect();
        let Some(newest) = proven.last() else {
            let per_pod = most(&paces);
            return (per_pod > 0.0).then_some(Self { per_pod, proven: false });
        };
        let last = &proven[proven.len().saturating_sub(LAST_SATURATED)..];
        let mean = last.iter().map(|i| paces[*i].per_pod).sum::<f64>() / last.len() as f64;
        // what a pod has borne since, it can
        Some(Self { per_pod: mean.max(most(&paces[*newest..])), proven: true })
    }

    /// That of the last of these samples. Pods that came while its rates were taken count as if they had been there all the
    /// time, so it is not less.
    fn at(seen: &[Sample]) -> Option<Self> {
        let last = seen.last()?;
        let from = seen.iter().rposition(|sample| since(sample.at, last.at) + SLACK >= RATE_WINDOW);
        let window = &seen[from.unwrap_or(0)..];
        let most = f64::from(window.iter().map(|sample| sample.ready).max()?);
        if most <= 0.0 || last.dispatch_rate <= 0.0 {
            return None;
        }
        let mean = window.iter().map(|sample| f64::from(sample.ready)).sum::<f64>() / window.len() as f64;
        let steady = most <= 2.0 * f64::from(window.iter().map(|sample| sample.ready).min()?);
        let whole = from.is_some() && since(window[0].at, last.at) <= 3 * RATE_WINDOW;
        let proven = steady && whole && window.iter().all(Sample::is_saturated);
        Some(Self { per_pod: last.dispatch_rate / if proven { mean } else { most }, proven })
    }
}

/// Tasks a second.
struct Rate {
    per_second: f64,
    /// It rests on enough tasks.
    enough: bool,
}

/// A rate over as many samples, the newest first, as it takes to rest on enough tasks.
fn rate(seen: &[Sample], of: impl Fn(&Sample) -> f64) -> Rate {
    let Some(last) = seen.last() else { return Rate { per_second: 0.0, enough: false } };
    let (mut sum, mut tasks, mut count, mut edge) = (0.0, 0.0, 0.0, None);
    for sample in seen.iter().rev() {
        if edge.is_some_and(|edge| since(sample.at, edge) + SLACK < RATE_WINDOW) {
            continue;
        }
        if tasks >= ENOUGH_TASKS || since(sample.at, last.at) > ENOUGH_TIME {
            break;
        }
        sum += of(sample);
        count += 1.0;
        tasks += of(sample) * RATE_WINDOW.as_secs_f64();
        edge = Some(sample.at);
    }
    Rate { per_second: sum / f64::max(count, 1.0), enough: tasks >= ENOUGH_TASKS }
}

fn up(pods: f64) -> i32 {
    // the largest number of pods there may be is far below what an i32 holds
    pods.ceil().clamp(0.0, 1e6) as i32
}
