//! Worker Deployments in memory, for tests.

use super::super::{Answer, Target, TemporalError};
use super::{WorkerRef, Workers};
use crate::api::worker::{QueueType, VersionState};
use crate::plan::worker::{Act, KnownQueue, KnownVersion, Routing, RunState};
use futures::future::{FutureExt, ready};
use k8s_openapi::jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Worker Deployments of one cluster. Changes are carried out at once; nothing drains by itself.
#[derive(Default)]
pub struct FakeWorkers(Mutex<State>);

#[derive(Default)]
struct State {
    all: BTreeMap<WorkerRef, Routing>,
    runs: BTreeMap<(WorkerRef, String), Vec<RunState>>,
    failure: Option<TemporalError>,
    writes: Vec<Act>,
}

impl FakeWorkers {
    /// The Worker Deployment as it is.
    pub fn get(&self, which: &WorkerRef) -> Option<Routing> {
        self.lock().all.get(which).cloned()
    }

    /// Workers of a version poll these queues.
    pub fn poll(&self, which: &WorkerRef, build_id: &str, queues: Vec<KnownQueue>) {
        let mut state = self.lock();
        let versions = &mut state.all.entry(which.clone()).or_default().versions;
        let inactive = || KnownVersion { state: VersionState::Inactive, ..KnownVersion::default() };
        versions.entry(build_id.to_owned()).or_insert_with(inactive).queues = queues;
    }

    /// Temporal, or somebody, changes it.
    pub fn by_hand(&self, which: &WorkerRef, change: impl FnOnce(&mut Routing)) {
        change(self.lock().all.entry(which.clone()).or_default());
    }

    /// The runs of a gate's workflow go on.
    pub fn set_runs(&self, which: &WorkerRef, gate: &str, runs: Vec<RunState>) {
        self.lock().runs.insert((which.clone(), gate.to_owned()), runs);
    }

    /// Every call fails so, until it is taken away.
    pub fn fail(&self, failure: Option<TemporalError>) {
        self.lock().failure = failure;
    }

    /// The writes since the last time, oldest first.
    pub fn take_writes(&self) -> Vec<Act> {
        std::mem::take(&mut self.lock().writes)
    }

    fn enter(&self) -> Result<MutexGuard<'_, State>, TemporalError> {
        let state = self.lock();
        state.failure.clone().map_or(Ok(state), Err)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn change(&mut self, which: &WorkerRef, act: &Act) {
        self.writes.push(act.clone());
        if let Act::RunGate(run) = act {
            let runs = self.runs.entry((which.clone(), run.gate.clone())).or_default();
            if runs.len() < usize::try_from(run.attempt).unwrap_or(usize::MAX) {
                runs.push(RunState::Open);
            }
            return;
        }
        let Some(routing) = self.all.get_mut(which) else { return };
        match act {
            Act::SetCurrent(build_id) => set_current(routing, build_id),
            Act::SetRamping(build_id, percent) => set_ramping(routing, build_id.as_deref(), *percent),
            Act::DeleteVersion(build_id) => {
                let routed = [&routing.current, &routing.ramping].iter().any(|id| id.as_ref() == Some(build_id));
                let drains = routing.versions.get(build_id).is_some_and(|v| v.state == VersionState::Draining);
                if !routed && !drains {
                    routing.versions.remove(build_id);
                }
            }
            Act::DeleteDeployment if routing.versions.is_empty() => {
                self.all.remove(which);
            }
            Act::DeleteDeployment | Act::RunGate(_) => {}
        }
    }
}

fn set_current(routing: &mut Routing, build_id: &str) {
    let now = Timestamp::now();
    if routing.ramping.as_deref() == Some(build_id) {
        (routing.ramping, routing.percent, routing.percent_since) = (None, 0.0, Some(now));
    }
    if let Some(version) = routing.current.take().and_then(|id| routing.versions.get_mut(&id)) {
        (version.state, version.last_current) = (VersionState::Draining, Some(now));
    }
    routing.current_since = Some(now);
    routing.current = Some(build_id.to_owned()).filter(|id| !id.is_empty());
    if let Some(version) = routing.versions.get_mut(build_id) {
        *version = KnownVersion { state: VersionState::Current, queues: version.queues.clone(), ..Default::default() };
    }
}

fn set_ramping(routing: &mut Routing, build_id: Option<&str>, percent: f32) {
    let before = routing.ramping.take().filter(|id| Some(id.as_str()) != build_id);
    if let Some(version) = before.and_then(|id| routing.versions.get_mut(&id)) {
        version.state = VersionState::Draining;
    }
    if let Some(version) = build_id.and_then(|id| routing.versions.get_mut(id)) {
        (version.state, version.drained_since) = (VersionState::Ramping, None);
    }
    (routing.ramping, routing.percent) = (build_id.map(str::to_owned), percent);
    routing.percent_since = Some(Timestamp::now());
}

impl Workers for FakeWorkers {
    fn describe_worker<'a>(&'a self, _: &'a Target, which: &'a WorkerRef) -> Answer<'a, Option<Routing>> {
        let without_queues = |routing: &Routing| {
            let mut routing = routing.clone();
            routing.versions.values_mut().for_each(|version| version.queues.clear());
            routing
        };
        ready(self.enter().map(|state| state.all.get(which).map(without_queues))).boxed()
    }

    fn change_worker<'a>(&'a self, _: &'a Target, which: &'a WorkerRef, act: &'a Act) -> Answer<'a, ()> {
        ready(self.enter().map(|mut state| state.change(which, act))).boxed()
    }

    fn pollers<'a>(&'a self, _: &'a Target, which: &'a WorkerRef, id: &'a str) -> Answer<'a, Vec<KnownQueue>> {
        let queues = |state: MutexGuard<'_, State>| {
            let version = state.all.get(which).and_then(|routing| routing.versions.get(id));
            version.map(|version| version.queues.clone()).unwrap_or_default()
        };
        ready(self.enter().map(queues)).boxed()
    }

    fn has_unversioned<'a>(&'a self, _: &'a Target, _: &'a WorkerRef, _: &'a str, _: QueueType) -> Answer<'a, bool> {
        ready(self.enter().map(|_| false)).boxed()
    }

    fn runs<'a>(&'a self, _: &'a Target, which: &'a WorkerRef, gate: &'a str, _: u32) -> Answer<'a, Vec<RunState>> {
        let key = (which.clone(), gate.to_owned());
        ready(self.enter().map(|state| state.runs.get(&key).cloned().unwrap_or_default())).boxed()
    }
}
