#![allow(clippy::needless_pass_by_value, reason = "values are written in place")]

use super::*;
use crate::api::TemporalCluster;
use crate::api::reference::ClusterRef;
use crate::plan::seat::{self, Host};
use crate::schedule::Input;
use crate::validate;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use rstest::rstest;
use serde_json::{Value, json};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn manifest(state: Value) -> TemporalSchedule {
    serde_json::from_value(json!({
        "metadata": {"name": "nightly", "namespace": "team", "generation": 1},
        "spec": {
            "namespaceRef": {"name": "orders"},
            "allowDeletion": true,
            "schedule": {
                "action": {"workflow": {"type": "Report", "taskQueue": "reports", "inputs": [1, "a"]}},
                "spec": {"crons": ["0 3 * * *"], "jitter": "10m"},
                "state": state,
            },
        },
    }))
    .unwrap()
}

fn valid_with(state: Value) -> ValidSchedule {
    validate::schedule(&manifest(state)).unwrap()
}

fn serving() -> Seat {
    let cluster: TemporalCluster = serde_json::from_value(json!({
        "metadata": {"name": "c", "namespace": "team"},
        "spec": {"numHistoryShards": 4, "persistence": {"defaultStore": {}, "visibilityStore": {}}},
    }))
    .unwrap();
    let host = Host { ready: true, ..seat::host(&cluster) };
    Seat::on(&ClusterRef { namespace: "team".into(), name: "c".into() }, host)
}

fn valid() -> ValidSchedule {
    valid_with(json!({}))
}

/// Temporal as it keeps schedules in workflows: changes are carried out later, and dropped when the mark has moved.
struct Server {
    found: Option<Found>,
    clock: i64,
    status: TemporalScheduleStatus,
    /// Changes that it was sent.
    sent: Vec<Change>,
    resource: TemporalSchedule,
}

impl Server {
    fn new() -> Self {
        let resource = manifest(json!({}));
        Self { found: None, clock: 0, status: TemporalScheduleStatus::default(), sent: Vec::new(), resource }
    }

    /// One that has the schedule, as settled.
    fn with(valid: &ValidSchedule) -> Self {
        let mut server = Self::new();
        server.settle(valid);
        server
    }

    /// One look, and what it leads to; the change itself is not carried out yet.
    fn look(&mut self, valid: &ValidSchedule) -> SchedulePlan {
        self.clock += 1;
        let temporal = self.found.clone().map_or(InTemporal::Absent, |found| InTemporal::Found(Box::new(found)));
        let seen = Seen { taken_by: None, temporal };
        let plan = plan(&self.resource, valid, &serving(), Some(&seen), &self.status, at(self.clock));
        match plan.acts.first() {
            Some(Act::Create) => {
                self.found = Some(Found {
                    definition: valid.definition.clone(),
                    state: valid.state.clone(),
                    memo: valid.memo.clone().unwrap_or_default(),
                    token: vec![1],
                    has_future: true,
                    ..Found::default()
                });
            }
            Some(Act::Update(change)) => self.sent.push((**change).clone()),
            Some(Act::Delete) => self.found = None,
            None => {}
        }
        self.status = plan.status.clone();
        plan
    }

    fn carry_out(&mut self) {
        let Some(change) = self.sent.pop() else { return };
        let found = self.found.as_mut().unwrap();
        if change.from.token == found.token {
            (found.definition, found.state) = (change.definition, change.state);
            found.updated = Some(at(self.clock));
            found.token[0] += 1;
        }
    }

    /// Somebody changes it by hand.
    fn by_hand(&mut self, change: impl FnOnce(&mut Found)) {
        let found = self.found.as_mut().unwrap();
        change(found);
        found.token[0] += 1;
    }

    fn settle(&mut self, valid: &ValidSchedule) {
        for _ in 0..5 {
            if self.look(valid).wake == Wake::After(CALM) {
                return;
            }
            self.carry_out();
        }
        panic!("does not settle: {:?}", self.status);
    }

    fn state(&self) -> &State {
        &self.found.as_ref().unwrap().state
    }

    fn reason(&self) -> String {
        conditions::get(&self.status.conditions, conditions::READY).unwrap().reason.clone()
    }
}

#[test]
fn a_schedule_is_made_once_and_then_left_alone() {
    let (valid, mut server) = (valid(), Server::new());
    assert_eq!(server.look(&valid).acts, [Act::Create]);
    let first = server.look(&valid);
    assert_eq!((first.acts, first.wake, server.reason().as_str()), (vec![], Wake::After(CALM), "ScheduleReady"));
    let second = server.look(&valid);
    assert_eq!((second.acts, &second.status), (vec![], &first.status));
}

#[test]
fn drift_is_put_right_and_named() {
    let valid = valid();
    let mut server = Server::with(&valid);
    server.by_hand(|found| found.definition.workflow.task_queue = "other".into());
    let plan = server.look(&valid);
    let note = "Changed in Temporal and put right: schedule.action.workflow.taskQueue.";
    assert_eq!(plan.news.iter().map(|news| news.note.as_str()).collect::<Vec<_>>(), [note]);
    assert!(plan.tell_first, "that it was sent is known when the operator ends in between");
    assert!(conditions::is_true(&plan.status.conditions, conditions::READY), "it acts meanwhile");
    server.settle(&valid);
    assert_eq!(server.found.as_ref().unwrap().definition, valid.definition);
    assert_eq!(server.status.sent, None);
}

#[test]
fn what_the_manifest_leaves_open_is_left() {
    let valid = valid();
    let mut server = Server::with(&valid);
    server.by_hand(|found| {
        found.definition.workflow.id = Some("by-hand".into());
        found.definition.search_attributes = json!({"Team": "a"}).as_object().cloned();
        found.memo.insert("note".into(), Input::Other("binary/encrypted".into()));
    });
    assert_eq!(server.look(&valid).acts, []);
}

#[test]
fn a_pause_by_hand_stays_until_the_manifest_has_another_word() {
    let running = valid();
    let mut server = Server::with(&running);
    server.by_hand(|found| (found.state.paused, found.state.notes) = (true, "by Anna".into()));
    assert_eq!(server.look(&running).acts, []);
    assert_eq!(server.reason(), "SchedulePaused");
    assert!(server.status.message.as_ref().unwrap().contains("by Anna"));

    // another part of it is put right without a word on the pause
    server.by_hand(|found| found.definition.workflow.type_ = "Other".into());
    server.settle(&running);
    assert!(server.state().paused);

    let paused = valid_with(json!({"paused": true, "notes": "by us"}));
    server.settle(&paused);
    assert_eq!(server.state().notes, "by us");
    server.settle(&running);
    assert_eq!(*server.state(), State::default());
}

#[test]
fn a_note_alone_does_not_touch_a_pause() {
    let mut server = Server::with(&valid());
    server.by_hand(|found| found.state.paused = true);
    server.settle(&valid_with(json!({"notes": "watch me"})));
    assert_eq!((server.state().paused, server.state().notes.as_str()), (true, "watch me"));
}

#[test]
fn actions_left_are_given_once() {
    let five = valid_with(json!({"limitedActions": true, "remainingActions": 5}));
    let mut server = Server::with(&five);
    server.by_hand(|found| found.state.remaining = 2);
    assert_eq!(server.look(&five).acts, []);

    let nine = valid_with(json!({"limitedActions": true, "remainingActions": 9}));
    server.look(&nine);
    server.carry_out();
    server.by_hand(|found| found.state.remaining = 8);
    assert_eq!(server.look(&nine).acts, [], "it has acted since, and is not given nine again");
    assert_eq!(server.state().remaining, 8);
}

#[test]
fn a_schedule_of_others_is_taken_over_with_its_state() {
    let declared = valid_with(json!({"paused": false, "limitedActions": true, "remainingActions": 3}));
    let mut server = Server::with(&declared);
    server.status = TemporalScheduleStatus::default();
    server.by_hand(|found| {
        found.state = State { paused: true, ..State::default() };
        found.definition.times.jitter = Duration::ZERO;
    });
    server.settle(&declared);
    assert_eq!(*server.state(), State { paused: true, ..State::default() });
    assert_eq!(server.found.as_ref().unwrap().definition, declared.definition);
}

#[test]
fn a_change_that_was_told_and_perhaps_never_sent_is_sent() {
    let valid = valid();
    let mut server = Server::with(&valid);
    server.by_hand(|found| found.definition.workflow.type_ = "Other".into());
    assert_eq!(server.look(&valid).acts.len(), 1);
    assert_eq!(server.look(&valid).acts.len(), 1);
    assert_eq!(server.status.sent.as_ref().unwrap().times, 0, "it was not carried out in vain");
}

#[test]
fn a_change_that_was_dropped_is_sent_again() {
    let valid = valid();
    let mut server = Server::with(&valid);
    server.by_hand(|found| found.definition.workflow.type_ = "Other".into());
    server.look(&valid);
    server.by_hand(|found| found.state.paused = true);
    server.carry_out();
    assert_eq!(server.look(&valid).acts.len(), 1);
    server.carry_out();
    server.settle(&valid);
    assert!(server.state().paused, "what was done in between is kept");
}

#[test]
fn what_temporal_never_gives_back_is_not_sent_for_ever() {
    let valid = valid();
    let mut server = Server::with(&valid);
    let mut times = 0;
    for _ in 0..20 {
        server.by_hand(|found| found.definition.times.time_zone = "Mars/Base".into());
        times += i32::from(!server.look(&valid).acts.is_empty());
        server.carry_out();
    }
    assert_eq!((times, server.reason().as_str()), (MOST_TIMES, "ScheduleNotKept"));
    assert!(conditions::is_true(&server.status.conditions, conditions::STALLED));
}

#[test]
fn a_schedule_that_has_ended_is_not_made_again() {
    let few = valid_with(json!({"limitedActions": true, "remainingActions": 5}));
    let mut server = Server::with(&few);
    server.by_hand(|found| (found.state.remaining, found.has_future) = (0, false));
    server.look(&few);
    assert_eq!(server.reason(), "ScheduleFinished");
    server.found = None;
    assert_eq!(server.look(&few).acts, []);
    let more = valid_with(json!({"limitedActions": true, "remainingActions": 6}));
    assert_eq!(server.look(&more).acts, [Act::Create]);
}

#[test]
fn a_schedule_that_was_deleted_by_hand_is_made_again() {
    let valid = valid();
    let mut server = Server::with(&valid);
    server.found = None;
    assert_eq!(server.look(&valid).acts, [Act::Create]);
}

#[rstest]
#[case(json!({"a": 1}), "ScheduleReady", true)]
#[case(json!({}), "ScheduleReady", false)]
fn another_memo_is_told(#[case] memo: Value, #[case] reason: &str, #[case] told: bool) {
    let mut valid = valid();
    let mut server = Server::with(&valid);
    valid.memo = memo.as_object().map(|all| all.iter().map(|(k, v)| (k.clone(), Input::Json(v.clone()))).collect());
    assert_eq!(server.look(&valid).acts, []);
    assert_eq!(server.reason(), reason);
    assert_eq!(server.status.message.as_ref().unwrap().contains("memo"), told);
}

#[test]
fn a_schedule_of_an_earlier_resource_is_left_alone() {
    let valid = valid();
    let mut status = TemporalScheduleStatus::default();
    let seen = Seen { taken_by: Some("other/nightly".into()), temporal: InTemporal::Absent };
    let plan = plan(&manifest(json!({})), &valid, &serving(), Some(&seen), &status, at(1));
    status = plan.status;
    assert_eq!(plan.acts, []);
    assert!(conditions::is_true(&status.conditions, conditions::STALLED));
    assert!(status.message.unwrap().contains("other/nightly"));
}

#[test]
fn it_waits_in_one_sentence() {
    let seat = Seat::Waiting("Waits until TemporalCluster team/c is ready: nothing is known of it yet".into());
    let plan = plan(&manifest(json!({})), &valid(), &seat, None, &TemporalScheduleStatus::default(), at(1));
    assert_eq!(plan.acts, []);
    assert!(plan.status.message.unwrap().starts_with("Waits until TemporalCluster team/c is ready"));
    assert!(!conditions::is_true(&plan.status.conditions, conditions::STALLED));
}

fn leaving(allow_deletion: bool, let_go: bool) -> TemporalSchedule {
    let mut resource = manifest(json!({}));
    resource.spec.allow_deletion = allow_deletion;
    resource.metadata.deletion_timestamp = Some(Time(at(1)));
    if let_go {
        resource.metadata.annotations = Some([(crate::api::annotations::LET_GO.to_owned(), "true".to_owned())].into());
    }
    resource
}

fn end(resource: &TemporalSchedule, seat: &Seat, temporal: Option<InTemporal>) -> (usize, Finalizer) {
    let valid = validate::schedule(resource).unwrap();
    let seen = temporal.map(|temporal| Seen { taken_by: None, temporal });
    let plan = plan(resource, &valid, seat, seen.as_ref(), &TemporalScheduleStatus::default(), at(2));
    (plan.acts.len(), plan.finalizer)
}

#[test]
fn a_resource_takes_its_schedule_along_only_when_it_may() {
    let found = || Some(InTemporal::Found(Box::default()));
    assert_eq!(
        end(&leaving(true, false), &serving(), None),
        (0, Finalizer::Hold),
        "it is not known yet what Temporal has"
    );
    assert_eq!(end(&leaving(true, false), &serving(), found()), (1, Finalizer::Hold));
    assert_eq!(end(&leaving(true, false), &serving(), Some(InTemporal::Absent)), (0, Finalizer::LetGo));
    assert_eq!(end(&leaving(false, false), &serving(), found()), (0, Finalizer::LetGo));
    assert_eq!(end(&leaving(true, true), &serving(), found()), (0, Finalizer::LetGo));
}

#[test]
fn an_end_waits_for_a_cluster_that_is_away_and_not_for_one_that_is_gone() {
    let resource = leaving(true, false);
    assert_eq!(end(&resource, &Seat::Waiting("Waits".into()), None), (0, Finalizer::Hold));
    assert_eq!(end(&resource, &Seat::NamespaceWaiting("Waits".into()), None), (0, Finalizer::Hold));
    let gone: [fn(String) -> Seat; 4] = [Seat::Absent, Seat::Leaving, Seat::Refused, Seat::NoNamespace];
    for seat in gone.map(|seat| seat("x".into())) {
        assert_eq!(end(&resource, &seat, None), (0, Finalizer::LetGo), "{seat:?}");
    }
    assert_eq!(end(&resource, &serving(), Some(InTemporal::NoNamespace)), (0, Finalizer::LetGo));
}

#[test]
fn another_resources_schedule_stays() {
    let resource = leaving(true, false);
    let seen = Seen { taken_by: Some("other/nightly".into()), temporal: InTemporal::Found(Box::default()) };
    let plan = plan(
        &resource,
        &validate::schedule(&resource).unwrap(),
        &serving(),
        Some(&seen),
        &TemporalScheduleStatus::default(),
        at(2),
    );
    assert_eq!((plan.acts, plan.finalizer), (vec![], Finalizer::LetGo));
}
