//! Read-only calls that show whether requests pass through the whole server.

use tokio::time::Instant;

use super::clients::workflow;
use super::proto::common::WorkflowExecution;
use super::proto::taskqueue::TaskQueue;
use super::proto::workflow::{
    DescribeNamespaceRequest, DescribeTaskQueueRequest, DescribeWorkflowExecutionRequest, GetSystemInfoRequest,
};
use super::{GrpcTemporal, Target, TemporalError};
use crate::api::SYSTEM_NAMESPACE as NAMESPACE;

/// A workflow of the worker role, on by default (`worker.historyScannerEnabled`; server 1.30 to 1.32
/// `service/worker/scanner`). Where it does not exist, history says so, which is an answer as good.
const WORKFLOW: &str = "temporal-sys-history-scanner";
/// Polled by every worker pod (server 1.30 to 1.32 `service/worker/worker.go`), so that matching has it loaded and to
/// describe it writes nothing.
const TASK_QUEUE: &str = "default-worker-tq";
/// `TASK_QUEUE_TYPE_WORKFLOW`
const WORKFLOW_TASKS: i32 = 1;

impl GrpcTemporal {
    /// One leg after the other, so that the error tells the first that is broken.
    pub(super) async fn sing(&self, target: &Target) -> Result<(), TemporalError> {
        self.timed(target, "GetSystemInfo", self.frontend_answers(target)).await?;
        self.timed(target, "DescribeNamespace", self.database_answers(target)).await?;
        self.timed(target, "DescribeWorkflowExecution", self.history_answers(target)).await?;
        self.timed(target, "DescribeTaskQueue", self.matching_answers(target)).await
    }

    /// Lets the time of a call be heard.
    pub(super) async fn timed(
        &self,
        target: &Target,
        call: &'static str,
        answer: impl Future<Output = Result<(), TemporalError>>,
    ) -> Result<(), TemporalError> {
        let began = Instant::now();
        let result = answer.await;
        if let Some(stopwatch) = &self.stopwatch {
            stopwatch.call_ended(&target.cluster, call, began.elapsed(), result.is_ok());
        }
        result
    }

    /// Answered from memory, so that a frontend that waits for its database is not taken for a silent one (server 1.30
    /// to 1.32 `service/frontend/workflow_handler.go`).
    async fn frontend_answers(&self, target: &Target) -> Result<(), TemporalError> {
        let answer = self.call(target, "GetSystemInfo (frontend)", |channel| async move {
            workflow(channel).get_system_info(self.request(GetSystemInfoRequest {})).await
        });
        answer.await.map(drop)
    }

    /// The frontend reads a namespace from the database each time, not from a cache (server 1.31
    /// `service/frontend/namespace_handler.go`).
    async fn database_answers(&self, target: &Target) -> Result<(), TemporalError> {
        let answer = self.call(target, "DescribeNamespace (database)", |channel| async move {
            let message = DescribeNamespaceRequest { namespace: NAMESPACE.to_owned() };
            workflow(channel).describe_namespace(self.request(message)).await
        });
        answer.await.map(drop)
    }

    /// History looks up the current run in the database, cached or not (server 1.31
    /// `service/history/api/consistency_checker.go`).
    async fn history_answers(&self, target: &Target) -> Result<(), TemporalError> {
        let answer = self.call(target, "DescribeWorkflowExecution (history)", |channel| async move {
            let execution = WorkflowExecution { workflow_id: WORKFLOW.to_owned(), run_id: String::new() };
            let message =
                DescribeWorkflowExecutionRequest { namespace: NAMESPACE.to_owned(), execution: Some(execution) };
            workflow(channel).describe_workflow_execution(self.request(message)).await
        });
        match answer.await {
            Err(error) if is_missing_workflow(&error) => Ok(()),
            other => other.map(drop),
        }
    }

    async fn matching_answers(&self, target: &Target) -> Result<(), TemporalError> {
        let answer = self.call(target, "DescribeTaskQueue (matching)", |channel| async move {
            let message = DescribeTaskQueueRequest {
                namespace: NAMESPACE.to_owned(),
                task_queue: Some(TaskQueue { name: TASK_QUEUE.to_owned() }),
                task_queue_type: WORKFLOW_TASKS,
                report_stats: false,
            };
            workflow(channel).describe_task_queue(self.request(message)).await
        });
        answer.await.map(drop)
    }
}

/// Said by history. That the *namespace* is missing is said by the frontend, and proves nothing.
fn is_missing_workflow(error: &TemporalError) -> bool {
    matches!(error, TemporalError::Refused { code: "NOT_FOUND", failure, .. }
        if failure.as_deref() != Some("NamespaceNotFoundFailure"))
}
