//! Schedules in memory, for tests.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::future::{FutureExt, ready};
use k8s_openapi::jiff::Timestamp;

use super::super::{Answer, Target};
use super::{NewSchedule, ScheduleRef, Schedules};
use crate::schedule::{Change, Found};

/// Schedules of one cluster. Changes are carried out at once, unless they start from another state than the present one.
#[derive(Default)]
pub struct FakeSchedules(Mutex<State>);

#[derive(Default)]
struct State {
    all: BTreeMap<ScheduleRef, Found>,
    writes: Vec<&'static str>,
}

impl FakeSchedules {
    /// The schedule as it is.
    pub fn get(&self, which: &ScheduleRef) -> Option<Found> {
        self.lock().all.get(which).cloned()
    }

    /// Somebody changes it by hand.
    pub fn by_hand(&self, which: &ScheduleRef, change: impl FnOnce(&mut Found)) {
        if let Some(found) = self.lock().all.get_mut(which) {
            change(found);
            found.token = next(&found.token);
        }
    }

    /// The calls since the last time that change something, oldest first.
    pub fn take_writes(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.lock().writes)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Schedules for FakeSchedules {
    fn describe_schedule<'a>(&'a self, _: &'a Target, which: &'a ScheduleRef) -> Answer<'a, Option<Found>> {
        ready(Ok(self.get(which))).boxed()
    }

    fn create_schedule<'a>(&'a self, _: &'a Target, which: &'a ScheduleRef, new: &'a NewSchedule) -> Answer<'a, ()> {
        let mut state = self.lock();
        state.writes.push("CreateSchedule");
        let found = Found {
            definition: new.definition.clone(),
            state: new.state.clone(),
            memo: new.memo.clone(),
            token: vec![1],
            has_future: true,
            ..Found::default()
        };
        state.all.entry(which.clone()).or_insert(found);
        ready(Ok(())).boxed()
    }

    fn update_schedule<'a>(&'a self, _: &'a Target, which: &'a ScheduleRef, change: &'a Change) -> Answer<'a, ()> {
        let mut state = self.lock();
        state.writes.push("UpdateSchedule");
        if let Some(found) = state.all.get_mut(which).filter(|found| found.token == change.from.token) {
            found.definition = change.definition.clone();
            found.state = change.state.clone();
            found.token = next(&found.token);
            found.updated = Some(Timestamp::now());
        }
        ready(Ok(())).boxed()
    }

    fn delete_schedule<'a>(&'a self, _: &'a Target, which: &'a ScheduleRef) -> Answer<'a, ()> {
        let mut state = self.lock();
        state.writes.push("DeleteSchedule");
        state.all.remove(which);
        ready(Ok(())).boxed()
    }
}

fn next(token: &[u8]) -> Vec<u8> {
    [token, &[0]].concat()
}
