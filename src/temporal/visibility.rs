//! A read-only call that shows whether workflows can be listed.

use super::canary::{NAMESPACE, workflow};
use super::proto::workflow::ListWorkflowExecutionsRequest;
use super::{GrpcTemporal, Target, TemporalError};

impl GrpcTemporal {
    /// The frontend asks the visibility store each time (server 1.31 `service/frontend/workflow_handler.go`). One
    /// workflow is enough: how many there are is no matter, and to count them would cost.
    pub(super) async fn list_one(&self, target: &Target) -> Result<(), TemporalError> {
        let answer = self.call(target, "ListWorkflowExecutions (visibility)", |channel| async move {
            let message = ListWorkflowExecutionsRequest { namespace: NAMESPACE.to_owned(), page_size: 1 };
            workflow(channel).list_workflow_executions(self.request(message)).await
        });
        answer.await.map(drop)
    }
}
