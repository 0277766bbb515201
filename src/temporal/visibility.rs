//! Read-only calls that show whether workflows can be listed.

use super::clients::workflow;
use super::proto::workflow::{ListNamespacesRequest, ListWorkflowExecutionsRequest};
use super::{GrpcTemporal, Target, TemporalError};
use crate::api::SYSTEM_NAMESPACE;

/// So many namespaces are looked at for one of the users'; Temporal's own is one.
const SOME: i32 = 10;

impl GrpcTemporal {
    /// The frontend asks the visibility store each time (server 1.31 `service/frontend/workflow_handler.go`). One
    /// workflow is enough: how many there are is no matter, and to count them would cost.
    pub(super) async fn list_one(&self, target: &Target, namespace: &str) -> Result<(), TemporalError> {
        let answer = self.call(target, "ListWorkflowExecutions (visibility)", |channel| async move {
            let message =
                ListWorkflowExecutionsRequest { namespace: namespace.to_owned(), page_size: 1, query: String::new() };
            workflow(channel).list_workflow_executions(self.request(message)).await
        });
        answer.await.map(drop)
    }

    /// The same in a namespace of the users'. Where there is none, there is nothing to list.
    pub(super) async fn list_one_of_users(&self, target: &Target) -> Result<(), TemporalError> {
        let answer = self.call(target, "ListNamespaces", |channel| async move {
            let message = ListNamespacesRequest { page_size: SOME, next_page_token: Vec::new() };
            workflow(channel).list_namespaces(self.request(message)).await
        });
        let namespaces = answer.await?.namespaces.into_iter().filter_map(|n| Some(n.namespace_info?.name));
        match namespaces.filter(|name| name != SYSTEM_NAMESPACE).min() {
            Some(name) => self.list_one(target, &name).await,
            None => Ok(()),
        }
    }
}
