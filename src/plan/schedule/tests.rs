#![allow(clippy::needless_pass_by_value, reason = "values are written in place")]

use super::*;
use crate::api::schedule::TemporalSchedule;
use crate::schedule::Input;
use crate::validate;
use rstest::rstest;
use serde_json::{Value, json};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn valid_with(state: Value) -> ValidSchedule {
    let manifest: TemporalSchedule = serde_json::from_value(json!({
        "metadata": {"name": "nightly", "namespace": "team"},
        "spec": {
            "namespaceRef": {"name": "orders"},
            "schedule": {
                "action": {"workflow": {"type": "Report", "taskQueue": "reports", "inputs": [1, "a"]}},
                "spec": {"crons": ["0 3 * * *"], "jitter": "10m"},
                "state": state,
            },
        },
    }))
    .unwrap();
    validate::schedule(&manifest).unwrap()
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
}

impl Server {
    fn new() -> Self {
        Self { found: None, clock: 0, status: TemporalScheduleStatus::default(), sent: Vec::new() }
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
        let plan = plan(valid, Some(1), &self.status, self.found.as_ref(), at(self.clock));
        match &plan.step {
            Some(Step::Create) => {
                self.found = Some(Found {
                    definition: valid.definition.clone(),
                    state: valid.state.clone(),
                    memo: valid.memo.clone().unwrap_or_default(),
                    token: vec![1],
                    has_future: true,
                    ..Found::default()
                });
            }
            Some(Step::Update(change)) => self.sent.push((**change).clone()),
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
            if self.look(valid).wake == CALM {
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
    assert_eq!(server.look(&valid).step, Some(Step::Create));
    let first = server.look(&valid);
    assert_eq!((first.step, first.wake, server.reason().as_str()), (None, CALM, "ScheduleReady"));
    let second = server.look(&valid);
    assert_eq!((second.step, &second.status), (None, &first.status));
}

#[test]
fn drift_is_put_right_and_named() {
    let valid = valid();
    let mut server = Server::with(&valid);
    server.by_hand(|found| found.definition.workflow.task_queue = "other".into());
    let plan = server.look(&valid);
    assert_eq!(plan.drift, ["schedule.action.workflow.taskQueue"]);
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
    assert_eq!(server.look(&valid).step, None);
}

#[test]
fn a_pause_by_hand_stays_until_the_manifest_has_another_word() {
    let running = valid();
    let mut server = Server::with(&running);
    server.by_hand(|found| (found.state.paused, found.state.notes) = (true, "by Anna".into()));
    assert_eq!(server.look(&running).step, None);
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
    assert_eq!(server.look(&five).step, None);

    let nine = valid_with(json!({"limitedActions": true, "remainingActions": 9}));
    server.look(&nine);
    server.carry_out();
    server.by_hand(|found| found.state.remaining = 8);
    assert_eq!(server.look(&nine).step, None, "it has acted since, and is not given nine again");
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
fn a_change_that_is_not_carried_out_yet_is_not_sent_twice() {
    let valid = valid();
    let mut server = Server::with(&valid);
    server.by_hand(|found| found.definition.workflow.type_ = "Other".into());
    assert!(server.look(&valid).step.is_some());
    let waiting = server.look(&valid);
    assert_eq!((waiting.step, waiting.wake), (None, SOON));
}

#[test]
fn a_change_that_was_dropped_is_sent_again() {
    let valid = valid();
    let mut server = Server::with(&valid);
    server.by_hand(|found| found.definition.workflow.type_ = "Other".into());
    server.look(&valid);
    server.by_hand(|found| found.state.paused = true);
    server.carry_out();
    assert!(server.look(&valid).step.is_some());
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
        times += i32::from(server.look(&valid).step.is_some());
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
    assert_eq!(server.look(&few).step, None);
    let more = valid_with(json!({"limitedActions": true, "remainingActions": 6}));
    assert_eq!(server.look(&more).step, Some(Step::Create));
}

#[test]
fn a_schedule_that_was_deleted_by_hand_is_made_again() {
    let valid = valid();
    let mut server = Server::with(&valid);
    server.found = None;
    assert_eq!(server.look(&valid).step, Some(Step::Create));
}

#[rstest]
#[case(json!({"a": 1}), "ScheduleReady", true)]
#[case(json!({}), "ScheduleReady", false)]
fn another_memo_is_told(#[case] memo: Value, #[case] reason: &str, #[case] told: bool) {
    let mut valid = valid();
    let mut server = Server::with(&valid);
    valid.memo = memo.as_object().map(|all| all.iter().map(|(k, v)| (k.clone(), Input::Json(v.clone()))).collect());
    assert_eq!(server.look(&valid).step, None);
    assert_eq!(server.reason(), reason);
    assert_eq!(server.status.message.as_ref().unwrap().contains("memo"), told);
}
