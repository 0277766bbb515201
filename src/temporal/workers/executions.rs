//! What of a version's workflows Temporal tells: whether some are pinned to it, and which fail on it.
//!
//! What servers 1.30 to 1.32 do (`service/history/workflow`, `service/worker/workerdeployment` there):
//! - `TemporalWorkerDeploymentVersion` is the version that a workflow is pinned to by hand, from that moment on; else the one that
//!   completed its last workflow task.
//! - `TemporalReportedProblems` is there from the fifth workflow task in a row (1.30: the fourth) that failed or timed out
//!   (`system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute`), until one completes.
//! - A version to which a workflow moves, or on which a new one begins, is only told by a description of that workflow until it
//!   completes a task there.
//! - Only the first of the failures in a row, and the first after each new event, is in the history.

use super::super::clients::workflow;
use super::super::proto::common::WorkflowExecution;
use super::super::proto::deployment::WorkerDeploymentVersion;
use super::super::proto::history::HistoryEvent;
use super::super::proto::started::WorkflowExecutionVersioningInfo;
use super::super::proto::started::versioning_override::Override;
use super::super::proto::workflow as api;
use super::super::{GrpcTemporal, Target, TemporalError};
use super::WorkerRef;
use super::convert::time;
use crate::api::worker::QueueType;
use crate::plan::worker::{FailingOn, KnownQueue};
use k8s_openapi::jiff::Timestamp;

/// So many workflows with problems are looked at, the newest first.
const LOOKED_AT: i32 = 40;
/// So many of a workflow's last events are.
const EVENTS: i32 = 20;
/// `EventType`
const COMPLETED: i32 = 7;
/// Likewise, of tasks that did not complete.
const NOT_COMPLETED: [i32; 2] = [8, 9];

impl GrpcTemporal {
    /// The count with which Temporal itself decides whether a version is drained.
    pub(super) async fn pinned_to(
        &self,
        target: &Target,
        which: &WorkerRef,
        build_id: &str,
    ) -> Result<bool, TemporalError> {
        let version = quoted(&format!("{}:{build_id}", which.deployment));
        let query = format!(
            "TemporalWorkerDeploymentVersion = {version} AND TemporalWorkflowVersioningBehavior = 'Pinned' AND ExecutionStatus = 'Running'"
        );
        let answer = self.call_in_turn(target, "CountWorkflowExecutions", |channel| {
            let message =
                api::CountWorkflowExecutionsRequest { namespace: which.namespace.clone(), query: query.clone() };
            async move { workflow(channel).count_workflow_executions(self.request(message)).await }
        });
        Ok(answer.await?.count > 0)
    }

    /// A workflow of which it cannot be told where or since when it fails is not counted.
    pub(super) async fn failing_on(
        &self,
        target: &Target,
        which: &WorkerRef,
        failing: &FailingOn,
        queues: &[KnownQueue],
    ) -> Result<Vec<String>, TemporalError> {
        let mut found = Vec::new();
        for execution in self.with_problems(target, which, &failing.build_id, queues).await? {
            if found.len() >= failing.most {
                break;
            }
            let on = self.version_of(target, which, &execution).await;
            if on != Some(which.version(&failing.build_id)) {
                continue;
            }
            if self.fails_since(target, which, &execution).await.is_some_and(|at| at >= failing.since) {
                found.push(execution.workflow_id);
            }
        }
        Ok(found)
    }

    /// Those of the version, those that may have moved there, and those that no version has completed a task of yet.
    async fn with_problems(
        &self,
        target: &Target,
        which: &WorkerRef,
        build_id: &str,
        queues: &[KnownQueue],
    ) -> Result<Vec<WorkflowExecution>, TemporalError> {
        let queues = queues.iter().filter(|queue| queue.type_ == QueueType::Workflow);
        let names: Vec<String> = queues.map(|queue| quoted(&queue.name)).collect();
        let (version, deployment) = (quoted(&format!("{}:{build_id}", which.deployment)), quoted(&which.deployment));
        let new = match names.as_slice() {
            [] => String::new(),
            names => format!(" OR (TemporalWorkerDeployment IS NULL AND TaskQueue IN ({}))", names.join(", ")),
        };
        let query = format!(
            "ExecutionStatus = 'Running' AND TemporalReportedProblems IS NOT NULL AND (TemporalWorkerDeploymentVersion = {version} OR (TemporalWorkerDeployment = {deployment} AND TemporalWorkflowVersioningBehavior = 'AutoUpgrade'){new})"
        );
        let answer = self.call_in_turn(target, "ListWorkflowExecutions", |channel| {
            let namespace = which.namespace.clone();
            let message = api::ListWorkflowExecutionsRequest { namespace, page_size: LOOKED_AT, query: query.clone() };
            async move { workflow(channel).list_workflow_executions(self.request(message)).await }
        });
        Ok(answer.await?.executions.into_iter().filter_map(|info| info.execution).collect())
    }

    /// The version that a workflow's task was given to last.
    async fn version_of(
        &self,
        target: &Target,
        which: &WorkerRef,
        execution: &WorkflowExecution,
    ) -> Option<WorkerDeploymentVersion> {
        let answer = self.call_in_turn(target, "DescribeWorkflowExecution", |channel| {
            let (namespace, execution) = (which.namespace.clone(), Some(execution.clone()));
            let message = api::DescribeWorkflowExecutionRequest { namespace, execution };
            async move { workflow(channel).describe_workflow_execution(self.request(message)).await }
        });
        effective(answer.await.ok()?.workflow_execution_info?.versioning_info?)
    }

    /// Since when a workflow's tasks have failed.
    async fn fails_since(
        &self,
        target: &Target,
        which: &WorkerRef,
        execution: &WorkflowExecution,
    ) -> Option<Timestamp> {
        let call = "GetWorkflowExecutionHistoryReverse";
        let answer = self.call_in_turn(target, call, |channel| {
            let message = api::GetWorkflowExecutionHistoryReverseRequest {
                namespace: which.namespace.clone(),
                execution: Some(execution.clone()),
                maximum_page_size: EVENTS,
            };
            async move { workflow(channel).get_workflow_execution_history_reverse(self.request(message)).await }
        });
        first_failure(&answer.await.ok()?.history?.events)
    }
}

fn effective(info: WorkflowExecutionVersioningInfo) -> Option<WorkerDeploymentVersion> {
    match info.versioning_override.and_then(|given| given.r#override) {
        Some(Override::Pinned(pinned)) => pinned.version,
        None => info.version_transition.and_then(|to| to.deployment_version).or(info.deployment_version),
    }
}

/// When the first of the failures in a row was, of a history from its end. None when its beginning is not among these events.
fn first_failure(latest_first: &[HistoryEvent]) -> Option<Timestamp> {
    let whole = latest_first.len() < usize::try_from(EVENTS).unwrap_or(usize::MAX);
    let completed = latest_first.iter().position(|event| event.event_type == COMPLETED);
    let row = latest_first.get(..completed.or_else(|| whole.then_some(latest_first.len()))?)?;
    let failed = row.iter().rfind(|event| NOT_COMPLETED.contains(&event.event_type));
    time(failed?.event_time)
}

/// A text in a query.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn events(types: &[(i32, i64)]) -> Vec<HistoryEvent> {
        let event = |(event_type, seconds): &(i32, i64)| HistoryEvent {
            event_type: *event_type,
            event_time: Some(prost_types::Timestamp { seconds: *seconds, nanos: 0 }),
        };
        types.iter().map(event).collect()
    }

    #[rstest]
    #[case::new(&[(9, 3), (6, 2), (5, 1), (1, 0)], Some(3))]
    #[case::after_a_good_one(&[(9, 9), (6, 8), (5, 7), (7, 3), (9, 1)], Some(9))]
    #[case::again_after_a_signal(&[(8, 30), (6, 20), (5, 19), (1026, 18), (9, 4), (6, 3), (5, 2), (7, 1)], Some(4))]
    #[case::none_failed(&[(6, 2), (5, 1), (1, 0)], None)]
    #[case::nothing(&[], None)]
    fn a_row_of_failures_begins_with_its_first(#[case] latest_first: &[(i32, i64)], #[case] expected: Option<i64>) {
        let expected = expected.map(|second| Timestamp::from_second(second).unwrap());
        assert_eq!(first_failure(&events(latest_first)), expected);
    }

    #[test]
    fn a_row_whose_beginning_is_not_seen_is_not_told() {
        let long: Vec<(i32, i64)> = (0..i64::from(EVENTS)).map(|at| (9, 100 - at)).collect();
        assert_eq!(first_failure(&events(&long)), None);
    }

    #[test]
    fn names_are_quoted() {
        assert_eq!(quoted(r"it's a\b"), r"'it''s a\\b'");
    }
}
