//! What becomes of versions that are not the manifest's.

use super::*;
use rstest::rstest;

/// `v2` is current, and `v1` is what the case says.
fn day(state: VersionState, drained: Option<i64>, pods: i32) -> Day {
    let mut day = Day::new();
    day.routing().current = Some("v2".to_owned());
    day.version("v2").state = VersionState::Current;
    *day.version("v1") = KnownVersion { drained_since: drained.map(at), ..version(state) };
    day.seen.deployments.insert("v1".to_owned(), deployment(pods, pods));
    day.policy.scale_down_after = Duration::from_secs(3600);
    day.policy.delete_after = Duration::from_secs(7200);
    day.pinned("v1", Some(false));
    day.remember();
    day
}

#[rstest]
#[case::draining(VersionState::Draining, None, 1, 1_000_000, Fate::Drains, false)]
#[case::drained(VersionState::Drained, Some(0), 1, 3599, Fate::Drains, false)]
#[case::scaled_down(VersionState::Drained, Some(0), 1, 3600, Fate::Rests, false)]
#[case::kept(VersionState::Drained, Some(0), 0, 7199, Fate::Rests, false)]
#[case::over(VersionState::Drained, Some(0), 0, 7200, Fate::Rests, true)]
#[case::over_but_pods_are_there(VersionState::Drained, Some(0), 1, 7200, Fate::Rests, false)]
#[case::drained_since_when(VersionState::Drained, None, 1, 1_000_000, Fate::Drains, false)]
#[case::never_promoted(VersionState::Inactive, None, 1, 100, Fate::Rests, false)]
#[case::never_promoted_at_rest(VersionState::Inactive, None, 0, 100, Fate::Rests, true)]
fn fates(
    #[case] state: VersionState,
    #[case] drained: Option<i64>,
    #[case] pods: i32,
    #[case] now: i64,
    #[case] fate: Fate,
    #[case] deleted: bool,
) {
    let mut day = day(state, drained, pods);
    day.now = at(now);
    let decided = day.decide();
    assert_eq!(decided.fates["v1"], fate);
    let expected: Vec<Act> = deleted.then(|| Act::DeleteVersion("v1".to_owned())).into_iter().collect();
    assert_eq!(decided.acts, expected);
    assert_eq!(decided.verdict, None);
}

#[test]
fn what_temporal_has_removed_goes() {
    let mut day = day(VersionState::Drained, Some(0), 0);
    day.routing().versions.remove("v1");
    assert_eq!(day.decide().fates["v1"], Fate::Goes);
}

/// What a version loses next: its pods, its record in Temporal, its template.
#[rstest]
#[case::pods_never_promoted(VersionState::Inactive, 1, 100)]
#[case::pods_drained(VersionState::Drained, 1, 3600)]
#[case::record_never_promoted(VersionState::Inactive, 0, 100)]
#[case::record_drained(VersionState::Drained, 0, 7200)]
#[case::template(VersionState::NotRegistered, 1, 100)]
fn workflows_that_are_pinned_by_hand_keep_a_version(#[case] state: VersionState, #[case] pods: i32, #[case] now: i64) {
    let mut day = day(state, (state == VersionState::Drained).then_some(0), pods);
    day.now = at(now);
    if state == VersionState::NotRegistered {
        day.routing().versions.remove("v1");
    }
    day.routing().asked.pinned.clear();
    let unasked = day.decide();
    assert_eq!((unasked.fates.get("v1"), unasked.acts), (None, Vec::new()));
    assert_eq!(unasked.questions, [Question::Pinned("v1".to_owned())]);
    // what cannot be told changes nothing either
    day.pinned("v1", None);
    let untold = day.decide();
    assert_eq!((untold.fates.get("v1"), untold.acts, untold.questions), (None, Vec::new(), Vec::new()));
    day.pinned("v1", Some(true));
    let pinned = day.decide();
    assert_eq!((pinned.fates["v1"], pinned.acts), (Fate::Drains, Vec::new()));
}

#[rstest]
#[case::draining(VersionState::Draining, None, 1, 100)]
#[case::drained_lately(VersionState::Drained, Some(0), 1, 3599)]
#[case::at_rest(VersionState::Drained, Some(0), 0, 7199)]
fn temporal_is_asked_only_before_something_goes(
    #[case] state: VersionState,
    #[case] drained: Option<i64>,
    #[case] pods: i32,
    #[case] now: i64,
) {
    let mut day = day(state, drained, pods);
    day.now = at(now);
    day.routing().asked.pinned.clear();
    assert_eq!(day.decide().questions, []);
}

#[test]
fn a_record_without_a_deployment_is_removed_too() {
    let mut day = day(VersionState::Drained, Some(0), 0);
    day.seen.deployments.remove("v1");
    day.now = at(7200);
    assert_eq!(day.decide().acts, [Act::DeleteVersion("v1".to_owned())]);
}

#[test]
fn a_temporal_that_knows_nothing_does_not_end_what_it_knew() {
    let mut day = day(VersionState::Draining, None, 1);
    let status = |id: &str, state| VersionStatus { build_id: id.to_owned(), state, ..VersionStatus::default() };
    day.old.versions = vec![status("v1", VersionState::Draining), status("v0", VersionState::Inactive)];
    day.seen.deployments.insert("v0".to_owned(), deployment(1, 1));
    day.seen.temporal = InTemporal::Absent;
    let decided = day.decide();
    assert_eq!(
        (decided.fates["v0"], decided.fates["v1"], decided.fates["v2"]),
        (Fate::Goes, Fate::Drains, Fate::Candidate)
    );
    assert_eq!(decided.acts, []);
}

use crate::api::worker::VersionStatus;

#[test]
fn what_somebody_else_did_is_remembered_before_a_deletion_hides_it() {
    let mut day = day(VersionState::Inactive, None, 0);
    day.routing().ramping = Some("v0".to_owned());
    day.routing().last_modifier = "somebody".to_owned();
    assert_eq!(day.tell().acts, []);
    assert_eq!(day.tell().acts, [Act::DeleteVersion("v1".to_owned())]);
}

#[test]
fn a_version_that_temporal_cannot_take_gets_no_pods() {
    let mut day = Day::new();
    day.routing().versions.remove("v2");
    for at in 0..99 {
        *day.version(&format!("old-{at}")) = version(VersionState::Draining);
    }
    let decided = day.decide();
    assert_eq!((decided.fates["v2"], said(&decided).0), (Fate::Rests, "TooManyVersions"));
    day.version("old-0").state = VersionState::Drained;
    assert_eq!(day.decide().fates["v2"], Fate::Candidate);
}
