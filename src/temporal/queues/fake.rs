//! Task queues in memory, for tests.

use super::super::{Answer, Target, TemporalError};
use super::{QueueLoad, Queues, WorkerSlots};
use crate::api::worker::QueueType;
use futures::future::{FutureExt, ready};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Answers what it was told to, and counts the questions.
#[derive(Default)]
pub struct FakeQueues(Mutex<State>);

#[derive(Default)]
struct State {
    /// By Worker Deployment and build id.
    versions: BTreeMap<(String, String), Vec<QueueLoad>>,
    queues: Vec<QueueLoad>,
    slots: Option<Vec<WorkerSlots>>,
    failure: Option<TemporalError>,
    calls: Vec<&'static str>,
}

impl FakeQueues {
    /// What waits for a version.
    pub fn set_version(&self, deployment: &str, build_id: &str, loads: Vec<QueueLoad>) {
        self.lock().versions.insert((deployment.to_owned(), build_id.to_owned()), loads);
    }

    /// What waits in the queues, for all versions together.
    pub fn set_queues(&self, loads: Vec<QueueLoad>) {
        self.lock().queues = loads;
    }

    /// Slots of all workers; none: the server keeps no heartbeats.
    pub fn set_slots(&self, slots: Option<Vec<WorkerSlots>>) {
        self.lock().slots = slots;
    }

    /// Every call fails so, until it is taken away.
    pub fn fail(&self, failure: Option<TemporalError>) {
        self.lock().failure = failure;
    }

    /// The calls since the last time, oldest first.
    pub fn take_calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.lock().calls)
    }

    fn enter(&self, call: &'static str) -> Result<MutexGuard<'_, State>, TemporalError> {
        let mut state = self.lock();
        state.calls.push(call);
        state.failure.clone().map_or(Ok(state), Err)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queues for FakeQueues {
    fn version_load<'a>(
        &'a self,
        _: &'a Target,
        _: &'a str,
        deployment: &'a str,
        build_id: &'a str,
    ) -> Answer<'a, Option<Vec<QueueLoad>>> {
        let key = (deployment.to_owned(), build_id.to_owned());
        let answer = self.enter("DescribeWorkerDeploymentVersion").map(|state| state.versions.get(&key).cloned());
        ready(answer).boxed()
    }

    fn queue_load<'a>(&'a self, _: &'a Target, _: &'a str, queue: &'a str, type_: QueueType) -> Answer<'a, QueueLoad> {
        let is_it = |load: &&QueueLoad| load.queue.name == queue && load.queue.type_ == type_;
        let answer = self.enter("DescribeTaskQueue").and_then(|state| {
            let missing = || TemporalError::Unreachable { call: "DescribeTaskQueue", reason: "not set".to_owned() };
            state.queues.iter().find(is_it).cloned().ok_or_else(missing)
        });
        ready(answer).boxed()
    }

    fn slots<'a>(&'a self, _: &'a Target, _: &'a str) -> Answer<'a, Option<Vec<WorkerSlots>>> {
        ready(self.enter("ListWorkers").map(|state| state.slots.clone())).boxed()
    }
}
