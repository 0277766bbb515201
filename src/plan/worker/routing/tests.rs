//! What is decided, case by case.

mod holds;
mod old;
mod steps;

use super::*;
use crate::api::worker::{OnFailure, QueueType, Strategy, VersionState};
use crate::plan::worker::{FailingOn, KnownQueue, KnownVersion};
use crate::validate::{GatePolicy, GateRule, StepPolicy, WorkflowRule};
use k8s_openapi::jiff::SignedDuration;
use serde_json::json;

/// A worker on a quiet day, seconds after [`START`].
#[derive(Clone)]
struct Day {
    policy: RolloutPolicy,
    target: &'static str,
    seen: Seen,
    old: TemporalWorkerStatus,
    now: Timestamp,
}

const START: i64 = 1_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(START + second).unwrap()
}

fn deployment(wanted: i32, ready: i32) -> Deployment {
    serde_json::from_value(json!({
        "metadata": {"generation": 1, "creationTimestamp": at(0).to_string()},
        "spec": {"replicas": wanted, "selector": {}, "template": {}},
        "status": {"observedGeneration": 1, "replicas": wanted, "updatedReplicas": wanted, "readyReplicas": ready},
    }))
    .unwrap()
}

fn version(state: VersionState) -> KnownVersion {
    let queue = KnownQueue { name: "q".to_owned(), type_: QueueType::Workflow, pollers: Some(1) };
    KnownVersion { state, queues: vec![queue], ..KnownVersion::default() }
}

impl Day {
    /// `v1` is current, and `v2` is the manifest's: it is ready, and it polls.
    fn new() -> Self {
        let versions = [("v1", VersionState::Current), ("v2", VersionState::Inactive)];
        let routing = Routing {
            current: Some("v1".to_owned()),
            current_since: Some(at(0)),
            versions: versions.map(|(id, state)| (id.to_owned(), version(state))).into(),
            ..Routing::default()
        };
        let deployments = ["v1", "v2"].map(|id| (id.to_owned(), deployment(1, 1))).into();
        let seen = Seen { deployments, temporal: InTemporal::Known(Box::new(routing)), ..Seen::default() };
        let mut day = Self {
            policy: RolloutPolicy::default(),
            target: "v2",
            seen,
            old: TemporalWorkerStatus::default(),
            now: at(100),
        };
        day.remember();
        day
    }

    fn progressive() -> Self {
        let step = |percent, seconds| StepPolicy { percent, pause: Duration::from_secs(seconds), gate: None };
        let mut day = Self::new();
        day.policy.strategy = Strategy::Progressive;
        day.policy.steps = vec![step(5.0, 60), step(50.0, 120)];
        day.remember();
        day
    }

    fn routing(&mut self) -> &mut Routing {
        match &mut self.seen.temporal {
            InTemporal::Known(routing) => routing,
            _ => panic!("Temporal is not known"),
        }
    }

    fn version(&mut self, id: &str) -> &mut KnownVersion {
        self.routing().versions.entry(id.to_owned()).or_default()
    }

    fn pinned(&mut self, id: &str, answer: Option<bool>) {
        self.routing().asked.pinned.insert(id.to_owned(), answer);
    }

    fn failing(&mut self, answer: Result<&[&str], &str>) {
        let answer = answer.map(|ids| ids.iter().map(|id| (*id).to_owned()).collect()).map_err(str::to_owned);
        self.routing().asked.failing.insert("v2".to_owned(), answer);
    }

    /// Nothing fails on it.
    fn ramp(mut self, id: &str, percent: f32, since: i64) -> Self {
        self.version(id).state = VersionState::Ramping;
        let routing = self.routing();
        (routing.ramping, routing.percent, routing.percent_since) = (Some(id.to_owned()), percent, Some(at(since)));
        routing.ramping_since = Some(at(0));
        routing.asked.failing.insert(id.to_owned(), Ok(Vec::new()));
        self.remember();
        self
    }

    fn decide(&self) -> Decided {
        let target = Target { build_id: self.target, deployment: self.seen.deployments.get(self.target) };
        decide(&self.policy, &target, &self.seen, &self.old, self.now)
    }

    /// The status of a look at the routes as they are.
    fn remember(&mut self) {
        self.old = TemporalWorkerStatus::default();
        let decided = self.decide();
        self.old.target = Some(self.target.to_owned());
        (self.old.routes, self.old.ramp) = (decided.routes, decided.ramp);
    }

    /// Another look: what was decided is done and remembered, as far as it touches the status.
    fn tell(&mut self) -> Decided {
        let decided = self.decide();
        (self.old.routes, self.old.ramp) = (decided.routes.clone(), decided.ramp.clone());
        decided
    }
}

fn said(decided: &Decided) -> (&'static str, &str) {
    decided.verdict.as_ref().map_or(("", ""), |verdict| (verdict.reason, verdict.message.as_str()))
}

fn current(id: &str) -> Act {
    Act::SetCurrent(id.to_owned())
}

fn share(id: &str, percent: f32) -> Act {
    Act::SetRamping(Some(id.to_owned()), percent)
}

fn no_ramp() -> Act {
    Act::SetRamping(None, 0.0)
}
