//! What stops a rollout, and what takes it back.

use super::*;
use rstest::rstest;

#[rstest]
#[case::paused(|policy: &mut RolloutPolicy| policy.paused = true, "RolloutPaused")]
#[case::manual(|policy: &mut RolloutPolicy| { policy.strategy = Strategy::Manual; policy.steps.clear(); }, "WaitsForPromotion")]
fn held(#[case] change: fn(&mut RolloutPolicy), #[case] reason: &str) {
    for mut day in [Day::new(), Day::progressive().ramp("v2", 5.0, 0), Day::progressive().ramp("v3", 5.0, 0)] {
        change(&mut day.policy);
        day.remember();
        let decided = day.decide();
        assert_eq!((decided.acts.as_slice(), said(&decided).0), ([].as_slice(), reason));
        assert_eq!(decided.fates["v2"], Fate::Candidate);
    }
}

#[test]
fn promotion_leaves_out_steps_and_strategy_and_what_failed() {
    let mut manual = Day::new();
    manual.policy.strategy = Strategy::Manual;
    let mut failed = Day::progressive().ramp("v2", 5.0, 0);
    failed.old.ramp.as_mut().unwrap().failed = Some("x".to_owned());
    for mut day in [manual, failed, Day::progressive()] {
        day.policy.promote = Some("v2".to_owned());
        assert_eq!(day.decide().acts, [current("v2")]);
        day.seen.deployments.insert("v2".to_owned(), deployment(1, 0));
        assert!(!day.decide().acts.contains(&current("v2")));
    }
}

#[test]
fn another_version_can_be_promoted() {
    let mut day = Day::progressive().ramp("v2", 5.0, 0);
    day.policy.promote = Some("v0".to_owned());
    assert_eq!(said(&day.decide()).0, "PromotedUnknown");
    day.seen.deployments.insert("v0".to_owned(), deployment(0, 0));
    *day.version("v0") = version(VersionState::Drained);
    let decided = day.decide();
    assert_eq!((decided.acts.as_slice(), decided.fates["v0"]), ([].as_slice(), Fate::Candidate));
    day.seen.deployments.insert("v0".to_owned(), deployment(1, 1));
    assert_eq!(day.decide().acts, [no_ramp(), current("v0")]);
    // and stays so
    day.routing().current = Some("v0".to_owned());
    day.routing().ramping = None;
    day.remember();
    let decided = day.decide();
    assert_eq!((decided.acts.as_slice(), said(&decided).0), ([].as_slice(), "PromotedOther"));
}

#[rstest]
#[case::rollback(OnFailure::Rollback, Some(no_ramp()))]
#[case::pause(OnFailure::Pause, None)]
fn a_version_without_pods_loses_its_share_after_a_minute(#[case] then: OnFailure, #[case] act: Option<Act>) {
    let mut day = Day::progressive();
    day.policy.on_failure = then;
    day = day.ramp("v2", 5.0, 0);
    day.seen.deployments.insert("v2".to_owned(), deployment(1, 0));
    day.now = at(1000);
    for second in [1000, 1059] {
        day.now = at(second);
        assert_eq!((day.tell().acts, said(&day.decide()).0), (Vec::new(), "VersionTroubled"));
    }
    day.now = at(1060);
    let expected: Vec<Act> = act.into_iter().collect();
    let decided = day.tell();
    assert_eq!((&decided.acts, said(&decided).0), (&expected, "RolloutFailed"));
    // it stays so when the pods are back
    day.seen.deployments.insert("v2".to_owned(), deployment(1, 1));
    let decided = day.tell();
    assert_eq!((&decided.acts, said(&decided).0), (&expected, "RolloutFailed"));
    if then == OnFailure::Rollback {
        day.routing().ramping = None;
        assert_eq!((day.tell().acts, said(&day.decide()).0), (Vec::new(), "RolloutFailed"));
    }
    // until the manifest changes
    day.policy.steps[0].percent = 10.0;
    assert!(!day.decide().acts.is_empty());
}

#[rstest]
#[case::none(Some(0), Ok([].as_slice()), &[share("v2", 50.0)], "")]
#[case::one(Some(0), Ok(["a"].as_slice()), &[no_ramp()], "workflow a fail on it")]
#[case::several(Some(1), Ok(["a", "b"].as_slice()), &[no_ramp()], "2 workflows or more fail on it, such as those of a")]
#[case::few_enough(Some(2), Ok(["a", "b"].as_slice()), &[share("v2", 50.0)], "")]
#[case::no_answer(Some(0), Err("nothing within 3s"), &[], "cannot be told: nothing within 3s")]
#[case::not_looked_at(None, Ok(["a"].as_slice()), &[share("v2", 50.0)], "")]
fn workflows_that_fail_on_a_version_take_it_back(
    #[case] most: Option<usize>,
    #[case] answer: Result<&[&str], &str>,
    #[case] acts: &[Act],
    #[case] why: &str,
) {
    let mut day = Day::progressive();
    day.policy.max_failing = most;
    day = day.ramp("v2", 5.0, 0);
    day.failing(answer);
    let decided = day.tell();
    assert_eq!(decided.acts, acts, "{:?}", decided.verdict);
    assert!(said(&decided).1.contains(why), "{:?}", decided.verdict);
    let failed = decided.ramp.is_some_and(|ramp| ramp.failed.is_some());
    assert_eq!(failed, acts == [no_ramp()]);
}

/// A step is long, and none of its workflows needs to wait for its end.
#[test]
fn workflows_that_fail_are_looked_for_as_long_as_a_version_has_a_share() {
    let mut day = Day::progressive().ramp("v2", 5.0, 90);
    day.now = at(100);
    day.routing().asked.failing.clear();
    let wanted = FailingOn { build_id: "v2".to_owned(), since: at(0), most: 1 };
    assert_eq!(day.decide().questions, [Question::Failing(wanted)]);
    day.failing(Ok(&["a"]));
    assert_eq!(day.decide().acts, [no_ramp()]);
    // not where nobody has a share, and not when it is to be current now
    let mut unasked = Day::progressive();
    assert_eq!(unasked.decide().questions, []);
    unasked = unasked.ramp("v2", 5.0, 0);
    unasked.routing().asked.failing.clear();
    unasked.policy.promote = Some("v2".to_owned());
    assert_eq!(unasked.decide().acts, [current("v2")]);
}

#[test]
fn pods_that_come_back_in_time_are_forgiven() {
    let mut day = Day::progressive().ramp("v2", 5.0, 0);
    day.now = at(30);
    day.version("v2").queues[0].pollers = Some(0);
    assert!(day.tell().ramp.unwrap().troubled_since.is_some());
    day.version("v2").queues.clear();
    assert!(day.tell().ramp.unwrap().troubled_since.is_some(), "nobody has answered yet");
    *day.version("v2") = version(VersionState::Ramping);
    assert!(day.tell().ramp.unwrap().troubled_since.is_none());
}

#[test]
fn a_deployment_past_its_deadline_fails_at_once_if_it_has_a_share() {
    let mut stuck = deployment(1, 0);
    let condition = serde_json::from_value(json!({"type": "Progressing", "status": "False"})).unwrap();
    stuck.status.as_mut().unwrap().conditions = Some(vec![condition]);
    let mut day = Day::progressive();
    day.seen.deployments.insert("v2".to_owned(), stuck);
    let decided = day.decide();
    assert_eq!((decided.acts.as_slice(), said(&decided).0), ([].as_slice(), "VersionNotReady"));
    assert_eq!(decided.ramp.unwrap().failed, None);
    let mut day = day.ramp("v2", 5.0, 0);
    assert_eq!((day.tell().acts, said(&day.decide()).0), (vec![no_ramp()], "RolloutFailed"));
}

#[test]
fn the_ramp_of_a_candidate_that_was_given_up_ends() {
    let mut day = Day::progressive().ramp("v2", 50.0, 0);
    day.target = "v3";
    day.seen.deployments.insert("v3".to_owned(), deployment(1, 0));
    assert_eq!(day.decide().acts, [no_ramp()]);
    // by the new one's share, if that is ready
    day.seen.deployments.insert("v3".to_owned(), deployment(1, 1));
    *day.version("v3") = version(VersionState::Inactive);
    assert_eq!(day.decide().acts, [share("v3", 5.0)]);
    day.policy.strategy = Strategy::AllAtOnce;
    assert_eq!(day.decide().acts, [no_ramp(), current("v3")]);
    // or because the current one is the manifest's again
    day.target = "v1";
    assert_eq!(day.decide().acts, [no_ramp()]);
}

#[test]
fn routes_that_somebody_else_sets_stay_until_the_manifest_changes() {
    let mut day = Day::progressive().ramp("v2", 5.0, 0);
    day.now = at(1000);
    day.routing().percent = 30.0;
    day.routing().percent_since = Some(at(999));
    day.routing().last_modifier = "somebody".to_owned();
    let decided = day.tell();
    assert_eq!((decided.acts.as_slice(), said(&decided).0), ([].as_slice(), "RoutesSetByHand"));
    assert!(said(&decided).1.contains("30 % of them to version v2. somebody has set that"), "{:?}", decided.verdict);
    assert_eq!(decided.news.len(), 1);
    // told once, and remembered when a deletion hides who it was
    day.routing().last_modifier = String::new();
    let decided = day.tell();
    assert_eq!((decided.news.len(), said(&decided).0), (0, "RoutesSetByHand"));
    // a pause is no new manifest, and a promotion is
    day.policy.paused = true;
    assert_eq!(said(&day.decide()).0, "RoutesSetByHand");
    day.policy.paused = false;
    day.policy.promote = Some("v2".to_owned());
    assert_eq!(day.decide().acts, [current("v2")]);
}

#[test]
fn a_manifest_that_is_newer_than_what_somebody_did_counts() {
    let mut day = Day::new();
    day.routing().current = Some("v0".to_owned());
    day.routing().current_since = Some(at(50));
    day.routing().last_modifier = "somebody".to_owned();
    assert_eq!(said(&day.decide()).0, "RoutesSetByHand");
    // another target, made before and after it
    day.target = "v3";
    *day.version("v3") = version(VersionState::Inactive);
    for (made, expected) in [(49, "RoutesSetByHand"), (51, "VersionPending")] {
        let mut pods = deployment(1, 1);
        pods.metadata.creation_timestamp = serde_json::from_value(json!(at(made).to_string())).unwrap();
        day.seen.deployments.insert("v3".to_owned(), pods);
        assert_eq!(said(&day.decide()).0, expected);
    }
}

#[test]
fn what_is_no_change_of_the_routes_or_none_of_somebody_else_holds_nothing() {
    // somebody has deleted a version
    let mut day = Day::progressive().ramp("v2", 5.0, 0);
    day.routing().last_modifier = "somebody".to_owned();
    assert_eq!(day.decide().acts, [share("v2", 50.0)]);
    // the operator was ended between a change and its status
    let mut day = Day::progressive();
    day.routing().ramping = Some("v2".to_owned());
    (day.routing().percent, day.routing().percent_since) = (5.0, Some(at(0)));
    day.failing(Ok(&[]));
    assert_eq!(day.decide().acts, [share("v2", 50.0)]);
    // the resource is new
    let mut day = Day::new();
    day.routing().last_modifier = "somebody".to_owned();
    day.old = TemporalWorkerStatus::default();
    assert_eq!(day.decide().acts, [current("v2")]);
    // it is as the manifest has it
    let mut day = Day::new();
    day.routing().current = Some("v2".to_owned());
    day.routing().last_modifier = "somebody".to_owned();
    assert_eq!((day.decide().acts, day.decide().verdict), (Vec::new(), None));
}

#[test]
fn nothing_is_written_where_somebody_else_is_the_manager() {
    let mut day = Day::progressive().ramp("v2", 5.0, 0);
    *day.version("v0") = version(VersionState::Inactive);
    day.routing().manager = "their-controller".to_owned();
    let decided = day.decide();
    assert_eq!((decided.acts.as_slice(), said(&decided).0), ([].as_slice(), "ManagedElsewhere"));
    assert!(said(&decided).1.contains("Only their-controller may"), "{:?}", decided.verdict);
}

#[test]
fn where_temporal_is_not_known_nothing_is_decided() {
    let mut day = Day::progressive().ramp("v2", 5.0, 0);
    day.seen.temporal = InTemporal::Unknown;
    let decided = day.decide();
    assert!(decided.acts.is_empty() && decided.fates.is_empty());
    assert_eq!((&decided.routes, &decided.ramp), (&day.old.routes, &day.old.ramp));
}
