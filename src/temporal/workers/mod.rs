//! Worker Deployments: looked at, their routes changed, their versions removed; workflows that prove a version.
//!
//! What servers 1.30 to 1.32 do (`service/worker/workerdeployment` there):
//! - A version is there as soon as a worker of it has polled, and has the queues that its workers have ever polled.
//! - A change is refused when the conflict token is old, and when somebody else is the manager. The operator never makes itself
//!   the manager, so that whoever rebuilds it, or moves traffic by hand, is not locked out.
//! - A version that loses its share is draining. After three minutes, and every three minutes from then on, open workflows that
//!   are pinned to it are counted; with none it is drained. A workflow that is pinned to it later makes it draining again.
//! - That a version becomes current ends its ramp, and not that of another one.
//! - A version is removed only when it is drained or was never used, and nobody has polled for it for five minutes.
//! - The conflict token changes with the routes and the manager; a removal of a version leaves it, and makes who asked for it the
//!   one who changed something last.
//! - The same change again by the same identity is no change, and is answered as the first was.

mod asked;
mod convert;
mod executions;

use super::clients::{change_within, workflow};
use super::proto::deployment::WorkerDeploymentVersion;
use super::proto::workflow as api;
use super::{Answer, GrpcTemporal, Target, TemporalError, WorkerRef};
use crate::api::worker::QueueType;
use crate::plan::worker::{Act, FailingOn, KnownQueue, Routing, RunState};
use futures::future::FutureExt;
use std::time::Duration;

/// A change waits for each task queue to hear of it.
const CHANGE: Duration = Duration::from_secs(10);

/// What a server says when the routes have changed since they were described.
const STALE: &str = "conflict token mismatch";

impl WorkerRef {
    /// Who the operator is for it. It stays the same when the operator, its cluster or the resource is made anew.
    fn identity(&self) -> String {
        format!("temporal-operator/{}", self.deployment)
    }

    fn version(&self, build_id: &str) -> WorkerDeploymentVersion {
        WorkerDeploymentVersion { build_id: build_id.to_owned(), deployment_name: self.deployment.clone() }
    }
}

/// What the operator asks and tells a Temporal cluster about Worker Deployments.
pub trait Workers: Send + Sync {
    /// The Worker Deployment, if a version of it has ever polled. Its versions come without their queues.
    fn describe_worker<'a>(&'a self, target: &'a Target, which: &'a WorkerRef) -> Answer<'a, Option<Routing>>;

    /// One write. It is refused when somebody else has changed the routes since they were described.
    fn change_worker<'a>(&'a self, target: &'a Target, which: &'a WorkerRef, act: &'a Act) -> Answer<'a, ()>;

    /// The queues that a version has polled, each with the number of workers of the version that poll it now.
    fn pollers<'a>(&'a self, target: &'a Target, which: &'a WorkerRef, id: &'a str) -> Answer<'a, Vec<KnownQueue>>;

    /// Whether workers without a version poll a queue.
    fn has_unversioned<'a>(
        &'a self,
        target: &'a Target,
        which: &'a WorkerRef,
        queue: &'a str,
        type_: QueueType,
    ) -> Answer<'a, bool>;

    /// The runs of a gate's workflow, the first run first, so many at most.
    fn runs<'a>(
        &'a self,
        target: &'a Target,
        which: &'a WorkerRef,
        gate: &'a str,
        most: u32,
    ) -> Answer<'a, Vec<RunState>>;

    /// Whether open workflows are pinned to a version, by their code or by hand.
    fn has_pinned<'a>(&'a self, target: &'a Target, which: &'a WorkerRef, id: &'a str) -> Answer<'a, bool>;

    /// Ids of open workflows that fail on a version with these queues.
    fn failing<'a>(
        &'a self,
        target: &'a Target,
        which: &'a WorkerRef,
        failing: &'a FailingOn,
        queues: &'a [KnownQueue],
    ) -> Answer<'a, Vec<String>>;
}

impl Workers for GrpcTemporal {
    fn describe_worker<'a>(&'a self, target: &'a Target, which: &'a WorkerRef) -> Answer<'a, Option<Routing>> {
        self.worker_deployment(target, which).boxed()
    }

    fn change_worker<'a>(&'a self, target: &'a Target, which: &'a WorkerRef, act: &'a Act) -> Answer<'a, ()> {
        async move {
            match act {
                Act::SetCurrent(build_id) => self.set_current(target, which, build_id).await,
                Act::SetRamping(build_id, percent) => {
                    self.set_ramping(target, which, build_id.as_deref().unwrap_or_default(), *percent).await
                }
                Act::DeleteVersion(build_id) => self.delete_version(target, which, build_id).await,
                Act::DeleteDeployment => self.delete_worker_deployment(target, which).await,
                Act::RunGate(run) => self.run_gate(target, which, run).await,
            }
        }
        .boxed()
    }

    fn pollers<'a>(&'a self, target: &'a Target, which: &'a WorkerRef, id: &'a str) -> Answer<'a, Vec<KnownQueue>> {
        self.pollers_of(target, which, id).boxed()
    }

    fn has_unversioned<'a>(
        &'a self,
        target: &'a Target,
        which: &'a WorkerRef,
        queue: &'a str,
        type_: QueueType,
    ) -> Answer<'a, bool> {
        self.unversioned(target, which, queue, type_).boxed()
    }

    fn runs<'a>(
        &'a self,
        target: &'a Target,
        which: &'a WorkerRef,
        gate: &'a str,
        most: u32,
    ) -> Answer<'a, Vec<RunState>> {
        self.runs_of(target, which, gate, most).boxed()
    }

    fn has_pinned<'a>(&'a self, target: &'a Target, which: &'a WorkerRef, id: &'a str) -> Answer<'a, bool> {
        self.pinned_to(target, which, id).boxed()
    }

    fn failing<'a>(
        &'a self,
        target: &'a Target,
        which: &'a WorkerRef,
        failing: &'a FailingOn,
        queues: &'a [KnownQueue],
    ) -> Answer<'a, Vec<String>> {
        self.failing_on(target, which, failing, queues).boxed()
    }
}

impl GrpcTemporal {
    async fn worker_deployment(&self, target: &Target, which: &WorkerRef) -> Result<Option<Routing>, TemporalError> {
        let answer = self.call_in_budget(target, &which.namespace, "DescribeWorkerDeployment", |channel| async move {
            let WorkerRef { namespace, deployment } = which.clone();
            let message = api::DescribeWorkerDeploymentRequest { namespace, deployment_name: deployment };
            workflow(channel).describe_worker_deployment(self.request(message)).await
        });
        match answer.await {
            Ok(answer) => {
                let info = answer.worker_deployment_info.unwrap_or_default();
                let mut routing = convert::routing(info, &which.identity());
                let foreign = self.tokens.is_foreign(target, which, &answer.conflict_token);
                if foreign && routing.last_modifier.is_empty() {
                    "somebody".clone_into(&mut routing.last_modifier);
                }
                self.tokens.keep(target, which, &answer.conflict_token);
                Ok(Some(routing))
            }
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn set_current(&self, target: &Target, which: &WorkerRef, build_id: &str) -> Result<(), TemporalError> {
        let call = "SetWorkerDeploymentCurrentVersion";
        let message = api::SetWorkerDeploymentCurrentVersionRequest {
            namespace: which.namespace.clone(),
            deployment_name: which.deployment.clone(),
            conflict_token: self.tokens.of(target, which),
            identity: which.identity(),
            build_id: build_id.to_owned(),
        };
        let answer = self.change_in_turn(CHANGE, target, call, |channel| {
            let request = change_within(CHANGE, message.clone());
            async move { workflow(channel).set_worker_deployment_current_version(request).await }
        });
        let answer = answer.await.map(|answer| answer.conflict_token);
        self.changed(target, which, answer)
    }

    async fn set_ramping(
        &self,
        target: &Target,
        which: &WorkerRef,
        build_id: &str,
        percentage: f32,
    ) -> Result<(), TemporalError> {
        let call = "SetWorkerDeploymentRampingVersion";
        let message = api::SetWorkerDeploymentRampingVersionRequest {
            namespace: which.namespace.clone(),
            deployment_name: which.deployment.clone(),
            percentage,
            conflict_token: self.tokens.of(target, which),
            identity: which.identity(),
            build_id: build_id.to_owned(),
        };
        let answer = self.change_in_turn(CHANGE, target, call, |channel| {
            let request = change_within(CHANGE, message.clone());
            async move { workflow(channel).set_worker_deployment_ramping_version(request).await }
        });
        let answer = answer.await.map(|answer| answer.conflict_token);
        self.changed(target, which, answer)
    }

    fn changed(
        &self,
        target: &Target,
        which: &WorkerRef,
        token: Result<Vec<u8>, TemporalError>,
    ) -> Result<(), TemporalError> {
        match &token {
            Ok(token) => self.tokens.keep(target, which, token),
            Err(error) if says(error, STALE) => {}
            Err(_) => self.tokens.lose(target, which),
        }
        token.map(drop).map_err(passing)
    }

    /// One that is still draining or polled stays, which the next look shows.
    async fn delete_version(&self, target: &Target, which: &WorkerRef, build_id: &str) -> Result<(), TemporalError> {
        let call = "DeleteWorkerDeploymentVersion";
        let answer = self.change_in_turn(CHANGE, target, call, |channel| async move {
            let message = api::DeleteWorkerDeploymentVersionRequest {
                namespace: which.namespace.clone(),
                identity: which.identity(),
                deployment_version: Some(which.version(build_id)),
            };
            workflow(channel).delete_worker_deployment_version(change_within(CHANGE, message)).await
        });
        match answer.await {
            Ok(_) => Ok(()),
            Err(error) if error.is_absent() || is_in_use(&error) => Ok(()),
            Err(error) => Err(passing(error)),
        }
    }

    /// One that still has versions stays.
    async fn delete_worker_deployment(&self, target: &Target, which: &WorkerRef) -> Result<(), TemporalError> {
        let call = "DeleteWorkerDeployment";
        let answer = self.change_in_turn(CHANGE, target, call, |channel| async move {
            let message = api::DeleteWorkerDeploymentRequest {
                namespace: which.namespace.clone(),
                deployment_name: which.deployment.clone(),
                identity: which.identity(),
            };
            workflow(channel).delete_worker_deployment(change_within(CHANGE, message)).await
        });
        match answer.await {
            Ok(_) => Ok(()),
            Err(error) if error.is_absent() || says(&error, "deployment has versions") => Ok(()),
            Err(error) => Err(passing(error)),
        }
    }
}

/// Temporal's words are the only thing that tells preconditions apart.
fn says(error: &TemporalError, words: &str) -> bool {
    matches!(error, TemporalError::Refused { message, .. } if message.contains(words))
}

fn is_in_use(error: &TemporalError) -> bool {
    ["since it is draining", "since it has active pollers", "since it is current or ramping"]
        .iter()
        .any(|words| says(error, words))
}

/// What another look puts right: somebody has changed the routes in between, or the version is not there yet. That somebody else
/// is the manager, or that the version lacks task queues with work, does not pass by itself.
fn passing(error: TemporalError) -> TemporalError {
    let passes = error.is_absent() || says(&error, STALE) || says(&error, "is already current");
    match error {
        TemporalError::Refused { call, failure, message, .. } if passes => {
            TemporalError::Refused { call, code: "ABORTED", failure, message }
        }
        other => other,
    }
}
