//! What is asked when the next step hangs on it: who polls, and how the workflows of gates ended.

use super::super::clients::workflow;
use super::super::proto::common::{Payload, Payloads, WorkflowExecution, WorkflowType};
use super::super::proto::started::VersioningOverride;
use super::super::proto::started::versioning_override::{Override, PinnedOverride};
use super::super::proto::taskqueue::{PollerInfo, TaskQueue};
use super::super::proto::workflow as api;
use super::super::queues::{count, type_of};
use super::super::{GrpcTemporal, Target, TemporalError};
use super::WorkerRef;
use crate::api::worker::QueueType;
use crate::plan::worker::{GateRun, KnownQueue, RunState};
use std::collections::HashMap;

/// `WorkflowIdReusePolicy`: refused when there was one of that id.
const ONCE: i32 = 3;
/// `VersioningOverride.PinnedOverrideBehavior`
const PINNED: i32 = 1;
/// `WorkerVersioningMode`
const VERSIONED: i32 = 2;

impl GrpcTemporal {
    /// The queues come from the version, since one that nobody polls any more is missing from what is polled.
    pub(super) async fn pollers_of(
        &self,
        target: &Target,
        which: &WorkerRef,
        build_id: &str,
    ) -> Result<Vec<KnownQueue>, TemporalError> {
        let version = self.describe_version(target, &which.namespace, &which.version(build_id), false).await?;
        let mut queues = Vec::new();
        let is_its = |poller: &PollerInfo| {
            let options = poller.deployment_options.clone().unwrap_or_default();
            options.worker_versioning_mode == VERSIONED
                && (options.deployment_name.as_str(), options.build_id.as_str())
                    == (which.deployment.as_str(), build_id)
        };
        for queue in version.version_task_queues {
            let Some(type_) = type_of(queue.r#type) else { continue };
            let polled = self.describe_queue(target, &which.namespace, (&queue.name, type_), false).await?;
            let number = count(polled.pollers.iter().filter(|poller| is_its(poller)));
            queues.push(KnownQueue { name: queue.name, type_, pollers: Some(number) });
        }
        Ok(queues)
    }

    pub(super) async fn unversioned(
        &self,
        target: &Target,
        which: &WorkerRef,
        queue: &str,
        type_: QueueType,
    ) -> Result<bool, TemporalError> {
        let polled = self.describe_queue(target, &which.namespace, (queue, type_), false).await?;
        let is_versioned = |poller: &PollerInfo| {
            poller.deployment_options.as_ref().is_some_and(|options| options.worker_versioning_mode == VERSIONED)
        };
        Ok(polled.pollers.iter().any(|poller| !is_versioned(poller)))
    }

    pub(super) async fn run_gate(
        &self,
        target: &Target,
        which: &WorkerRef,
        run: &GateRun,
    ) -> Result<(), TemporalError> {
        let call = "StartWorkflowExecution";
        let id = workflow_id(which, &run.gate, run.attempt);
        let message = api::StartWorkflowExecutionRequest {
            namespace: which.namespace.clone(),
            workflow_id: id.clone(),
            workflow_type: Some(WorkflowType { name: run.type_.clone() }),
            task_queue: Some(TaskQueue { name: run.task_queue.clone() }),
            input: run
                .input
                .as_ref()
                .map(json)
                .transpose()
                .map_err(|detail| TemporalError::Protocol { call, detail })?,
            workflow_execution_timeout: prost_types::Duration::try_from(run.timeout).ok(),
            identity: which.identity(),
            request_id: id,
            workflow_id_reuse_policy: ONCE,
            versioning_override: Some(VersioningOverride {
                r#override: Some(Override::Pinned(PinnedOverride {
                    behavior: PINNED,
                    version: Some(which.version(&run.build_id)),
                })),
            }),
        };
        let answer = self.call_in_turn(target, call, |channel| {
            let request = self.request(message.clone());
            async move { workflow(channel).start_workflow_execution(request).await }
        });
        match answer.await {
            Ok(_) | Err(TemporalError::Refused { code: "ALREADY_EXISTS", .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn runs_of(
        &self,
        target: &Target,
        which: &WorkerRef,
        gate: &str,
        most: u32,
    ) -> Result<Vec<RunState>, TemporalError> {
        let mut runs = Vec::new();
        for attempt in 1..=most {
            let answer = self.call_in_turn(target, "DescribeWorkflowExecution", |channel| async move {
                let workflow_id = workflow_id(which, gate, attempt);
                let execution = Some(WorkflowExecution { workflow_id, run_id: String::new() });
                let message = api::DescribeWorkflowExecutionRequest { namespace: which.namespace.clone(), execution };
                workflow(channel).describe_workflow_execution(self.request(message)).await
            });
            match answer.await {
                Ok(answer) => runs.push(state(answer.workflow_execution_info.unwrap_or_default().status)),
                Err(error) if error.is_absent() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(runs)
    }
}

/// The same run has the same id, whoever asks.
fn workflow_id(which: &WorkerRef, gate: &str, attempt: u32) -> String {
    format!("temporal-operator:{}:{gate}:{attempt}", which.deployment)
}

fn json(value: &serde_json::Value) -> Result<Payloads, String> {
    let data = serde_json::to_vec(value).map_err(|error| error.to_string())?;
    let metadata = HashMap::from([("encoding".to_owned(), b"json/plain".to_vec())]);
    Ok(Payloads { payloads: vec![Payload { metadata, data }] })
}

/// `WorkflowExecutionStatus`
fn state(status: i32) -> RunState {
    let how = match status {
        2 => return RunState::Completed,
        3 => "failed",
        4 => "was canceled",
        5 => "was terminated",
        7 => "timed out",
        _ => return RunState::Open,
    };
    RunState::Ended(how.to_owned())
}
