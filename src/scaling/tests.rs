use super::*;
use k8s_openapi::jiff::SignedDuration;
use proptest::prelude::*;
use rstest::rstest;

fn policy() -> Policy {
    Policy {
        min: 1,
        max: 20,
        backlog_per_pod: None,
        max_backlog_age: Duration::from_secs(10),
        slot_utilization: 0.75,
        scale_down_after: Duration::from_secs(60),
        idle_after: Duration::from_secs(300),
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

/// `count` equal samples, 10 s apart, the last at `until`.
fn steadily(count: i64, until: i64, sample: &Sample) -> Vec<Sample> {
    (0..count).map(|n| Sample { at: at(until - 10 * (count - 1 - n)), ..sample.clone() }).collect()
}

fn sample(ready: i32, backlog: u64, age: u64, rates: (f64, f64), slots: Option<(u64, u64)>) -> Sample {
    Sample {
        ready,
        backlog,
        backlog_age: Duration::from_secs(age),
        add_rate: rates.0,
        dispatch_rate: rates.1,
        slots: slots.map(|(used, all)| Slots { used, all, workers: u64::try_from(ready).unwrap() }),
        ..Sample::default()
    }
}

const NOW: i64 = 100_000;

fn pods(policy: &Policy, need: Need, present: i32, history: &[Sample]) -> i32 {
    decide(policy, need, present, history, at(NOW)).pods
}

#[rstest]
// half of the slots in use: two thirds of the pods
#[case::slots_half_used(9, sample(9, 0, 0, (5.0, 5.0), Some((45, 90))), 6)]
#[case::slots_as_they_should_be(4, sample(4, 0, 0, (5.0, 5.0), Some((30, 40))), 4)]
#[case::a_tenth_makes_no_difference(10, sample(10, 0, 0, (5.0, 5.0), Some((80, 100))), 10)]
#[case::slots_all_used(3, sample(3, 0, 0, (5.0, 5.0), Some((30, 30))), 4)]
// 5 a second come, 2 pods work off 4 a second: 5 / (2 × 0.75) + 40 / (2 × 10)
#[case::saturated(2, sample(2, 40, 5, (5.0, 4.0), None), 6)]
// the same with slots: what comes counts when all are in use
#[case::saturated_with_slots(2, sample(2, 40, 5, (5.0, 4.0), Some((8, 8))), 6)]
// each pod bears 2 a second at least, and has nothing waiting: a third fewer
#[case::tried(10, sample(10, 0, 0, (20.0, 20.0), None), 7)]
#[case::nothing_comes(10, sample(10, 0, 0, (0.0, 0.0), None), 1)]
#[case::late(4, sample(4, 3, 15, (0.1, 0.1), None), 6)]
#[case::late_twofold_at_most(4, sample(4, 20, 100, (0.05, 0.1), None), 8)]
#[case::no_more_pods_than_tasks_wait(4, sample(4, 1, 100, (0.1, 0.1), Some((40, 40))), 6)]
fn what_a_steady_load_needs(#[case] present: i32, #[case] load: Sample, #[case] expected: i32) {
    let history = steadily(20, NOW, &load);
    let decision = decide(&policy(), Need::Serves, present, &history, at(NOW));
    assert_eq!(decision.pods, expected, "{}", decision.why);
}

#[test]
fn a_set_backlog_per_pod_is_kept_to() {
    let policy = Policy { backlog_per_pod: Some(5), ..policy() };
    assert_eq!(pods(&policy, Need::Serves, 1, &[Sample { at: at(NOW), ..sample(1, 40, 1, (0.0, 0.0), None) }]), 9);
}

#[rstest]
#[case::waits(sample(0, 1, 0, (0.0, 0.0), None), 1)]
#[case::a_query_never_waits(sample(0, 0, 0, (0.03, 0.0), None), 1)]
#[case::many_wait(sample(0, 35, 0, (1.0, 0.0), None), 4)]
#[case::nothing(sample(0, 0, 0, (0.0, 0.0), None), 0)]
fn from_zero(#[case] load: Sample, #[case] expected: i32) {
    let policy = Policy { min: 0, ..policy() };
    let history = [Sample { at: at(NOW), ..load }];
    assert_eq!(pods(&policy, Need::Serves, 0, &history), expected);
}

#[test]
fn to_zero_after_a_quiet_time_alone() {
    let policy = Policy { min: 0, ..policy() };
    let quiet = sample(1, 0, 0, (0.0, 0.0), Some((0, 10)));
    assert_eq!(pods(&policy, Need::Serves, 1, &steadily(40, NOW, &quiet)), 0);
    assert_eq!(pods(&policy, Need::Serves, 3, &steadily(40, NOW, &quiet)), 0);
    assert_eq!(pods(&policy, Need::Serves, 1, &steadily(25, NOW, &quiet)), 1, "not for long enough");
    assert_eq!(pods(&policy, Need::Candidate, 1, &steadily(40, NOW, &quiet)), 1);
    assert_eq!(pods(&policy, Need::Drains, 1, &steadily(40, NOW, &quiet)), 1);
    for noise in [
        sample(1, 1, 0, (0.0, 0.0), None),
        sample(1, 0, 0, (0.03, 0.0), None),
        sample(1, 0, 0, (0.0, 0.03), None),
        sample(1, 0, 0, (0.0, 0.0), Some((1, 10))),
    ] {
        let mut history = steadily(40, NOW, &quiet);
        history[15] = Sample { at: history[15].at, ..noise };
        assert_eq!(pods(&policy, Need::Serves, 1, &history), 1);
    }
}

#[rstest]
#[case(Need::Serves, 3)]
#[case(Need::Candidate, 3)]
#[case(Need::Drains, 1)]
fn the_minimum_is_for_those_that_serve(#[case] need: Need, #[case] expected: i32) {
    let policy = Policy { min: 3, ..policy() };
    let quiet = sample(5, 0, 0, (0.0, 0.0), None);
    assert_eq!(pods(&policy, need, 5, &steadily(40, NOW, &quiet)), expected);
    assert_eq!(pods(&policy, need, 0, &[]), expected, "nothing is known");
}

#[test]
fn without_samples_nothing_is_taken_away() {
    let quiet = sample(8, 0, 0, (0.0, 0.0), None);
    assert_eq!(pods(&policy(), Need::Serves, 8, &[]), 8);
    let old = decide(&policy(), Need::Serves, 8, &steadily(40, NOW - 130, &quiet), at(NOW));
    assert_eq!((old.pods, old.why.as_str()), (8, "Temporal does not tell its work: nothing is taken away"));
    assert_eq!(pods(&policy(), Need::Serves, 8, &steadily(3, NOW, &quiet)), 8, "they do not reach back");
    let mut gap = steadily(2, NOW - 300, &quiet);
    gap.extend(steadily(3, NOW, &quiet));
    assert_eq!(pods(&policy(), Need::Serves, 8, &gap), 8, "a gap");
}

#[test]
fn fewer_pods_when_fewer_were_enough_all_the_time() {
    let load = |used| sample(8, 0, 0, (1.0, 1.0), Some((used, 80)));
    let mut history = steadily(20, NOW, &load(15));
    assert_eq!(pods(&policy(), Need::Serves, 8, &history), 2);
    history[..=16].iter_mut().for_each(|sample| sample.slots = load(40).slots);
    assert_eq!(pods(&policy(), Need::Serves, 8, &history), 6, "30 s ago six were needed");
}

#[test]
fn pods_that_do_not_help_are_not_added_for_ever() {
    let mut history = steadily(10, NOW - 100, &sample(1, 1, 500, (0.0, 0.0), None));
    assert_eq!(decide(&policy(), Need::Serves, 1, &history, at(NOW - 100)).pods, 2);
    history.extend(steadily(10, NOW, &sample(2, 1, 600, (0.0, 0.0), None)));
    let decision = decide(&policy(), Need::Serves, 2, &history, at(NOW));
    assert_eq!((decision.pods, decision.why.contains("have not helped")), (2, true), "{}", decision.why);
}

#[test]
fn a_rate_limit_makes_no_pods() {
    let limited = Sample { rate_limited: true, ..sample(2, 500, 100, (5.0, 5.0), None) };
    assert_eq!(pods(&policy(), Need::Serves, 2, &steadily(20, NOW, &limited)), 2);
}

#[test]
fn while_the_oldest_waits_less_and_less_no_pods_are_added_for_it() {
    let mut history = steadily(10, NOW, &sample(4, 3, 40, (0.1, 0.1), Some((20, 40))));
    assert_eq!(pods(&policy(), Need::Serves, 4, &history), 7);
    history[9].backlog_age = Duration::from_secs(30);
    assert_eq!(pods(&policy(), Need::Serves, 4, &history), 4);
}

#[rstest]
#[case(Need::Serves, 5, Some(sample(5, 0, 0, (1.0, 1.0), None)), 15)]
#[case::waits(Need::Serves, 5, Some(sample(5, 1, 0, (1.0, 1.0), None)), 10)]
#[case::comes(Need::Serves, 6, Some(sample(5, 0, 0, (1.0, 1.0), None)), 10)]
#[case::few(Need::Serves, 1, Some(sample(1, 0, 0, (1.0, 1.0), None)), 10)]
#[case::rollout(Need::Candidate, 5, Some(sample(5, 0, 0, (1.0, 1.0), None)), 10)]
#[case::unknown(Need::Serves, 5, None, 10)]
fn when_temporal_is_asked_again(
    #[case] need: Need,
    #[case] present: i32,
    #[case] last: Option<Sample>,
    #[case] expected: u64,
) {
    assert_eq!(due(need, present, last.as_slice()).as_secs(), expected);
}

fn any_sample() -> impl Strategy<Value = Sample> {
    let slots = prop::option::of((0u64..50, 1u64..50, 1u64..10));
    (0..10i32, 0u64..1000, 0u64..100, 0.0..50.0f64, 0.0..50.0f64, slots).prop_map(
        |(ready, backlog, age, add, dispatch, slots)| {
            let slots = slots.map(|(used, more, workers)| Slots { used, all: used + more, workers });
            let mut sample = sample(ready, backlog, if backlog == 0 { 0 } else { age }, (add, dispatch), None);
            sample.slots = slots;
            sample
        },
    )
}

fn any_history() -> impl Strategy<Value = Vec<Sample>> {
    prop::collection::vec((any_sample(), 1i64..40), 0..40).prop_map(|all| {
        let mut time = NOW;
        let mut history: Vec<Sample> = Vec::new();
        for (sample, gap) in all {
            history.push(Sample { at: at(time), ..sample });
            time -= gap;
        }
        history.reverse();
        history
    })
}

fn any_need() -> impl Strategy<Value = Need> {
    prop_oneof![Just(Need::Serves), Just(Need::Candidate), Just(Need::Drains)]
}

proptest! {
    #[test]
    fn within_bounds(history in any_history(), need in any_need(), min in 0..5i32, present in 0..40i32) {
        let policy = Policy { min, ..policy() };
        let pods = pods(&policy, need, present, &history);
        let least = match need { Need::Serves => min, Need::Candidate => min.max(1), Need::Drains => 1 };
        prop_assert!((least..=policy.max).contains(&pods), "{pods}");
    }

    #[test]
    fn more_waiting_is_never_fewer_pods(history in any_history(), present in 0..20i32, more in 1u64..500) {
        let before = pods(&policy(), Need::Serves, present, &history);
        let mut busier = history;
        if let Some(last) = busier.last_mut() {
            last.backlog += more;
        }
        let after = pods(&policy(), Need::Serves, present, &busier);
        prop_assert!(after >= before, "{before} → {after}");
    }

    #[test]
    fn silence_takes_nothing_away(history in any_history(), need in any_need(), present in 0..20i32, late in 121i64..9999) {
        let decision = decide(&policy(), need, present, &history, at(NOW + late));
        prop_assert!(decision.pods >= present);
    }

    #[test]
    fn a_number_that_was_decided_is_not_decided_again(history in any_history(), need in any_need(), present in 0..20i32) {
        let once = pods(&policy(), need, present, &history);
        let twice = pods(&policy(), need, once, &history);
        prop_assert_eq!(twice, once);
    }
}
