//! From the first look at a version until it is current.

use super::*;
use rstest::rstest;

#[test]
fn all_at_once() {
    let decided = Day::new().decide();
    assert_eq!(decided.acts, [current("v2")]);
    assert_eq!((decided.fates["v1"], decided.fates["v2"]), (Fate::Serves, Fate::Candidate));
    assert_eq!(decided.news[0].reason, "VersionCurrent");
}

#[test]
fn a_version_that_is_current_has_nothing_to_do() {
    let mut day = Day::new();
    day.target = "v1";
    let decided = day.decide();
    assert_eq!((decided.acts, decided.verdict, decided.ramp), (Vec::new(), None, None));
}

#[rstest]
#[case::first(None, 0, Some(share("v2", 5.0)))]
#[case::pause(Some((5.0, 50)), 100, None)]
#[case::next(Some((5.0, 40)), 100, Some(share("v2", 50.0)))]
#[case::longer_pause(Some((50.0, 0)), 119, None)]
#[case::last(Some((50.0, 0)), 120, Some(current("v2")))]
#[case::between(Some((20.0, 0)), 60, Some(share("v2", 50.0)))]
#[case::before(Some((1.0, 0)), 0, Some(share("v2", 5.0)))]
#[case::after(Some((80.0, 0)), 119, None)]
#[case::the_server_s_clock_is_ahead(Some((5.0, 500)), 100, None)]
fn steps(#[case] ramp: Option<(f32, i64)>, #[case] now: i64, #[case] expected: Option<Act>) {
    let mut day = Day::progressive();
    if let Some((percent, since)) = ramp {
        day = day.ramp("v2", percent, since);
    }
    day.now = at(now);
    let decided = day.decide();
    assert_eq!(decided.acts, expected.into_iter().collect::<Vec<_>>(), "{:?}", decided.verdict);
    assert!(decided.questions.is_empty());
}

#[test]
fn a_pause_says_when_it_is_over() {
    let mut day = Day::progressive().ramp("v2", 5.0, 50);
    day.now = at(100);
    let decided = day.decide();
    let ramp = decided.ramp.unwrap();
    assert_eq!((ramp.percent, ramp.step, ramp.steps), (5, 1, 2));
    assert_eq!(ramp.next.map(|next| next.0), Some(at(110)));
    assert_eq!(decided.wake, Some(Duration::from_secs(10)));
}

#[rstest]
#[case::no_deployment(|day: &mut Day| { day.seen.deployments.remove("v2"); }, "is being made")]
#[case::no_pods(|day: &mut Day| { day.seen.deployments.insert("v2".to_owned(), deployment(0, 0)); }, "not ready")]
#[case::some_pods(|day: &mut Day| { day.seen.deployments.insert("v2".to_owned(), deployment(2, 1)); }, "not ready")]
#[case::never_polled(|day: &mut Day| { day.routing().versions.remove("v2"); }, "do not poll yet")]
#[case::polls_no_more(|day: &mut Day| day.version("v2").queues[0].pollers = Some(0), "polls task queue q")]
fn a_version_that_cannot_work_gets_nothing(#[case] change: fn(&mut Day), #[case] why: &str) {
    for mut day in [Day::new(), Day::progressive()] {
        change(&mut day);
        let decided = day.decide();
        assert_eq!(decided.acts, []);
        assert!(said(&decided).1.contains(why), "{:?}", decided.verdict);
    }
}

#[test]
fn who_polls_is_asked_before_anything_is_moved() {
    let mut day = Day::new();
    day.version("v2").queues.clear();
    let decided = day.decide();
    assert_eq!((decided.acts, decided.questions), (Vec::new(), vec![Question::Pollers("v2".to_owned())]));
}

#[test]
fn the_first_version_of_all_takes_no_steps_unless_somebody_works_without_one() {
    let mut day = Day::progressive();
    day.version("v2").state = VersionState::Inactive;
    day.routing().current = None;
    day.remember();
    assert_eq!(day.decide().questions, [Question::Unversioned("v2".to_owned())]);
    day.routing().asked.unversioned = Some(false);
    assert_eq!(day.decide().acts, [current("v2")]);
    day.routing().asked.unversioned = Some(true);
    assert_eq!(day.decide().acts, [share("v2", 5.0)]);
}

#[test]
fn a_gate_is_run_and_waited_for_before_any_traffic() {
    let mut day = Day::progressive();
    day.policy.gate = Some(GatePolicy { workflow: Some(check(2)), query: None });
    day.remember();
    let gate = match day.decide().questions.as_slice() {
        [Question::Runs(gate, 2)] => gate.clone(),
        other => panic!("{other:?}"),
    };
    assert!(gate.starts_with("gate:v2:0:"), "{gate}");
    let ended = || RunState::Ended("failed".to_owned());
    for (runs, starts) in [(vec![], Some(1)), (vec![RunState::Open], None), (vec![ended()], Some(2))] {
        day.routing().asked.runs.insert(gate.clone(), runs.clone());
        let decided = day.decide();
        let started = decided.acts.iter().map(|act| match act {
            Act::RunGate(run) => run.attempt,
            other => panic!("{other:?}"),
        });
        assert_eq!(started.collect::<Vec<_>>(), starts.into_iter().collect::<Vec<_>>(), "{runs:?}");
        assert_eq!(said(&decided).0, "GateRunning");
    }
    day.routing().asked.runs.insert(gate.clone(), vec![ended(), RunState::Completed]);
    assert_eq!(day.decide().acts, [share("v2", 5.0)]);
    day.routing().asked.runs.insert(gate, vec![ended(), ended()]);
    let decided = day.decide();
    assert_eq!((decided.acts.as_slice(), said(&decided).0), ([].as_slice(), "RolloutFailed"));
    assert_eq!(decided.ramp.unwrap().failed.as_deref(), Some("workflow Check of its gate failed for the 2. time"));
}

use crate::plan::worker::RunState;

fn check(attempts: u32) -> WorkflowRule {
    WorkflowRule {
        type_: "Check".to_owned(),
        task_queue: None,
        input: None,
        input_from: None,
        timeout: Duration::from_secs(60),
        attempts,
    }
}

#[rstest]
#[case::one_that_it_does_not_poll(Some("other"), 1, "does not poll task queue other")]
#[case::several(None, 2, "polls several")]
#[case::none(None, 0, "polls no task queue for workflows")]
fn a_gate_that_cannot_be_run_says_so(#[case] queue: Option<&str>, #[case] number: usize, #[case] why: &str) {
    let mut day = Day::new();
    day.policy.gate = Some(GatePolicy {
        workflow: Some(WorkflowRule { task_queue: queue.map(str::to_owned), ..check(1) }),
        query: None,
    });
    let polled = |(at, type_)| KnownQueue { name: format!("q{at}"), type_, pollers: Some(1) };
    let workflows = (0..number).map(|at| (at, QueueType::Workflow));
    day.version("v2").queues = workflows.chain([(9, QueueType::Activity)]).map(polled).collect();
    day.remember();
    let Some(Question::Runs(gate, _)) = day.decide().questions.pop() else { panic!("not asked") };
    day.routing().asked.runs.insert(gate, Vec::new());
    let decided = day.decide();
    assert_eq!((decided.acts.as_slice(), said(&decided).0), ([].as_slice(), "GateUnclear"));
    assert!(said(&decided).1.contains(why), "{:?}", decided.verdict);
}

#[rstest]
#[case::good(Ok(vec![0.5, 1.0]), &[share("v2", 50.0)], "")]
#[case::too_little(Ok(vec![0.5, 0.1]), &[no_ramp()], "gives 0.1")]
#[case::too_much(Ok(vec![1.5]), &[no_ramp()], "gives 1.5")]
#[case::not_a_number(Ok(vec![f64::NAN]), &[no_ramp()], "gives NaN")]
#[case::nothing(Ok(vec![]), &[no_ramp()], "no result")]
#[case::no_answer(Err("it answers 503".to_owned()), &[], "it answers 503")]
fn a_query_between_steps(#[case] answer: Result<Vec<f64>, String>, #[case] acts: &[Act], #[case] why: &str) {
    let mut day = Day::progressive().ramp("v2", 5.0, 0);
    let rule = GateRule { url: "http://p".to_owned(), query: "up".to_owned(), min: Some(0.5), max: Some(1.0) };
    day.policy.steps[0].gate = Some(GatePolicy { workflow: None, query: Some(rule) });
    day.remember();
    let Some(Question::Query(query)) = day.decide().questions.pop() else { panic!("not asked") };
    assert_eq!(query.build_id, "v2");
    day.routing().asked.queries.insert(query, answer);
    let decided = day.decide();
    assert_eq!(decided.acts, acts, "{:?}", decided.verdict);
    assert!(said(&decided).1.contains(why), "{:?}", decided.verdict);
}

#[test]
fn a_version_that_was_current_lately_is_so_again_at_once() {
    let mut day = Day::progressive();
    day.policy.gate = Some(GatePolicy { workflow: Some(check(1)), query: None });
    let last = day.now.checked_sub(SignedDuration::from_secs(3600)).unwrap();
    day.version("v2").last_current = Some(last);
    day.remember();
    assert_eq!(day.decide().acts, [current("v2")]);
    // not when its pods are gone
    let pods = day.seen.deployments.insert("v2".to_owned(), deployment(1, 0)).unwrap();
    assert_eq!(day.decide().acts, []);
    day.seen.deployments.insert("v2".to_owned(), pods);
    // not after the window
    day.now = day.now.checked_add(SignedDuration::from_secs(1)).unwrap();
    assert!(matches!(day.decide().questions.as_slice(), [Question::Runs(..)]));
    // not without one
    day.policy.rollback_window = Duration::ZERO;
    day.version("v2").last_current = Some(day.now);
    assert!(matches!(day.decide().questions.as_slice(), [Question::Runs(..)]));
}
