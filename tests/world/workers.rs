//! Worker Deployments of the simulated Temporal: a version is known once a pod of it runs while the cluster answers.

use super::SimTemporal;
use crate::fake_api::FakeApi;
use futures::FutureExt;
use futures::future::ready;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};
use temporal_operator::api::labels;
use temporal_operator::api::worker::{QueueType, VersionState};
use temporal_operator::plan::worker::{Act, FailingOn, KnownQueue, KnownVersion, Routing, RunState};
use temporal_operator::temporal::{Answer, QueueLoad, Queues, Target, TemporalError, WorkerRef, WorkerSlots, Workers};

/// By Worker Deployment.
#[derive(Default)]
pub struct SimWorkers {
    known: Mutex<BTreeMap<WorkerRef, Routing>>,
    writes: Mutex<Vec<String>>,
    /// Build ids that somebody has pinned workflows to.
    pub pinned: Mutex<BTreeSet<String>>,
    /// Build ids on which a workflow fails that goes there.
    pub bad: Mutex<BTreeSet<String>>,
    /// Who asked last, and whose credentials are not taken any more.
    asked: Mutex<Option<Target>>,
    revoked: Mutex<Option<Target>>,
}

impl SimWorkers {
    /// All of them, to look at and to change behind the operator's back.
    pub fn known(&self) -> MutexGuard<'_, BTreeMap<WorkerRef, Routing>> {
        self.known.lock().unwrap()
    }

    /// Writes since the last time.
    pub fn take_writes(&self) -> Vec<String> {
        std::mem::take(&mut self.writes.lock().unwrap())
    }

    /// Does not take the credentials any more that it was last asked with.
    pub fn revoke(&self) {
        *self.revoked.lock().unwrap() = self.asked.lock().unwrap().clone();
    }

    fn let_in(&self, target: &Target) -> Result<(), TemporalError> {
        *self.asked.lock().unwrap() = Some(target.clone());
        let revoked = self.revoked.lock().unwrap().as_ref() == Some(target);
        let denied = || TemporalError::Denied { call: "DescribeWorkerDeployment", message: "no".to_owned() };
        if revoked { Err(denied()) } else { Ok(()) }
    }

    /// Build ids that pods poll with.
    fn note_pollers(&self, api: &FakeApi, which: &WorkerRef) {
        for pod in api.list::<Pod>(None) {
            let Some(build_id) = pod.labels().get(labels::BUILD_ID) else { continue };
            let env = pod.spec.iter().flat_map(|spec| &spec.containers).flat_map(|c| c.env.iter().flatten());
            let mut names = env.filter(|v| v.name == "TEMPORAL_DEPLOYMENT_NAME").filter_map(|v| v.value.as_ref());
            if names.any(|name| *name == which.deployment) {
                self.known()
                    .entry(which.clone())
                    .or_default()
                    .versions
                    .entry(build_id.clone())
                    .or_insert_with(|| KnownVersion { state: VersionState::Inactive, ..KnownVersion::default() });
            }
        }
    }
}

impl Workers for SimTemporal {
    fn describe_worker<'a>(&'a self, target: &'a Target, which: &'a WorkerRef) -> Answer<'a, Option<Routing>> {
        let answer = self.silent("DescribeWorkerDeployment").and_then(|()| self.workers.let_in(target));
        let answer = answer.map(|()| {
            self.workers.note_pollers(&self.api, which);
            self.workers.known().get(which).cloned()
        });
        ready(answer).boxed()
    }

    fn change_worker<'a>(&'a self, _: &'a Target, which: &'a WorkerRef, act: &'a Act) -> Answer<'a, ()> {
        let answer = self.silent("SetWorkerDeploymentCurrentVersion").and_then(|()| {
            self.workers.writes.lock().unwrap().push(format!("{act:?}"));
            change(&mut self.workers.known(), which, act)
        });
        ready(answer).boxed()
    }

    fn pollers<'a>(&'a self, _: &'a Target, _: &'a WorkerRef, _: &'a str) -> Answer<'a, Vec<KnownQueue>> {
        let queue = KnownQueue { name: "q".to_owned(), type_: QueueType::Workflow, pollers: Some(1) };
        ready(self.silent("DescribeWorkerDeploymentVersion").map(|()| vec![queue])).boxed()
    }

    fn has_unversioned<'a>(&'a self, _: &'a Target, _: &'a WorkerRef, _: &'a str, _: QueueType) -> Answer<'a, bool> {
        ready(self.silent("DescribeTaskQueue").map(|()| false)).boxed()
    }

    fn runs<'a>(&'a self, _: &'a Target, _: &'a WorkerRef, _: &'a str, _: u32) -> Answer<'a, Vec<RunState>> {
        ready(self.silent("DescribeWorkflowExecution").map(|()| Vec::new())).boxed()
    }

    fn has_pinned<'a>(&'a self, _: &'a Target, _: &'a WorkerRef, id: &'a str) -> Answer<'a, bool> {
        let pinned = self.workers.pinned.lock().unwrap().contains(id);
        ready(self.silent("CountWorkflowExecutions").map(|()| pinned)).boxed()
    }

    fn failing<'a>(
        &'a self,
        _: &'a Target,
        _: &'a WorkerRef,
        failing: &'a FailingOn,
        _: &'a [KnownQueue],
    ) -> Answer<'a, Vec<String>> {
        let bad = self.workers.bad.lock().unwrap().contains(&failing.build_id);
        let found = bad.then(|| "order-7".to_owned());
        ready(self.silent("ListWorkflowExecutions").map(|()| found.into_iter().collect())).boxed()
    }
}

fn change(known: &mut BTreeMap<WorkerRef, Routing>, which: &WorkerRef, act: &Act) -> Result<(), TemporalError> {
    let refused = |code| TemporalError::Refused { call: "a call", code, failure: None, message: "no".to_owned() };
    let routing = known.get_mut(which).ok_or(refused("NOT_FOUND"))?;
    match act {
        Act::SetCurrent(build_id) => {
            if let Some(old) = routing.current.take().and_then(|id| routing.versions.get_mut(&id)) {
                old.state = VersionState::Draining;
            }
            if !build_id.is_empty() {
                routing.versions.get_mut(build_id).ok_or(refused("NOT_FOUND"))?.state = VersionState::Current;
                routing.current = Some(build_id.clone());
            }
        }
        Act::SetRamping(build_id, percent) => {
            if let Some(old) = routing.ramping.take().and_then(|id| routing.versions.get_mut(&id)) {
                old.state = VersionState::Draining;
            }
            if let Some(id) = build_id {
                routing.versions.get_mut(id).ok_or(refused("NOT_FOUND"))?.state = VersionState::Ramping;
            }
            (routing.ramping, routing.percent) = (build_id.clone(), *percent);
        }
        Act::DeleteVersion(build_id) => {
            if routing.current.as_ref() == Some(build_id) {
                return Err(refused("FAILED_PRECONDITION"));
            }
            routing.versions.remove(build_id);
        }
        Act::DeleteDeployment => {
            if !routing.versions.is_empty() {
                return Err(refused("FAILED_PRECONDITION"));
            }
            known.remove(which);
        }
        other => panic!("{other:?} is not simulated"),
    }
    Ok(())
}

impl Queues for SimTemporal {
    fn version_load<'a>(
        &'a self,
        target: &'a Target,
        namespace: &'a str,
        deployment: &'a str,
        build_id: &'a str,
    ) -> Answer<'a, Option<Vec<QueueLoad>>> {
        self.queues.version_load(target, namespace, deployment, build_id)
    }

    fn queue_load<'a>(
        &'a self,
        target: &'a Target,
        namespace: &'a str,
        queue: &'a str,
        type_: QueueType,
    ) -> Answer<'a, QueueLoad> {
        self.queues.queue_load(target, namespace, queue, type_)
    }

    fn slots<'a>(&'a self, target: &'a Target, namespace: &'a str) -> Answer<'a, Option<Vec<WorkerSlots>>> {
        self.queues.slots(target, namespace)
    }
}
