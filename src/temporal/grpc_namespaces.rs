//! [`Namespaces`] over gRPC.

use super::clients::{change_within, operations, request_within, workflow};
use super::namespaces::{Answer, Namespaces};
use super::proto::namespace::{NamespaceConfig, UpdateNamespaceInfo};
use super::proto::{operator, workflow as api};
use super::{GrpcTemporal, Target, TemporalError};
use crate::api::namespace::AttributeType;
use crate::plan::namespace::{Change, LiveNamespace, Registration};
use futures::FutureExt;
use std::collections::BTreeMap;
use std::time::Duration;

/// Namespaces asked for at a time.
const PAGE: i32 = 100;
/// A deletion is answered by a workflow of the worker role.
const DELETION: Duration = Duration::from_secs(20);
/// How often, and how long after the last time, a new namespace is tried that a server does not know yet.
const TRIES: u32 = 5;
const KNOWN: Duration = Duration::from_secs(1);
/// `NAMESPACE_STATE_DELETED`
const DELETED: i32 = 3;

impl GrpcTemporal {
    async fn list_namespaces(&self, target: &Target) -> Result<Vec<LiveNamespace>, TemporalError> {
        let mut all = Vec::new();
        let mut next = Vec::new();
        loop {
            let page = self.call_in_turn(target, "ListNamespaces", |channel| {
                let message = api::ListNamespacesRequest { page_size: PAGE, next_page_token: next.clone() };
                async move { workflow(channel).list_namespaces(self.request(message)).await }
            });
            let page = page.await?;
            all.extend(page.namespaces.into_iter().filter_map(live));
            if page.next_page_token.is_empty() {
                return Ok(all);
            }
            next = page.next_page_token;
        }
    }

    async fn describe_namespace(&self, target: &Target, name: &str) -> Result<Option<LiveNamespace>, TemporalError> {
        let answer = self.call_in_turn(target, "DescribeNamespace", |channel| async move {
            let message = api::DescribeNamespaceRequest { namespace: name.to_owned() };
            workflow(channel).describe_namespace(self.request(message)).await
        });
        match answer.await {
            Ok(answer) => Ok(live(answer)),
            Err(TemporalError::Refused { code: "NOT_FOUND", .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn register_namespace(&self, target: &Target, wanted: &Registration) -> Result<(), TemporalError> {
        let answer = self.change_in_turn(self.deadline, target, "RegisterNamespace", |channel| async move {
            let message = api::RegisterNamespaceRequest {
                namespace: wanted.name.clone(),
                description: wanted.description.clone(),
                owner_email: wanted.owner_email.clone(),
                workflow_execution_retention_period: prost_types::Duration::try_from(wanted.retention).ok(),
                data: wanted.data.clone().into_iter().collect(),
                security_token: wanted.security_token.0.clone(),
            };
            workflow(channel).register_namespace(change_within(self.deadline, message)).await
        });
        answer.await.map(drop)
    }

    async fn update_namespace(&self, target: &Target, name: &str, change: &Change) -> Result<(), TemporalError> {
        let answer = self.change_in_turn(self.deadline, target, "UpdateNamespace", |channel| async move {
            let info = UpdateNamespaceInfo {
                description: change.description.clone().unwrap_or_default(),
                owner_email: change.owner_email.clone().unwrap_or_default(),
                data: change.data.clone().into_iter().collect(),
            };
            let config = change.retention.map(|retention| NamespaceConfig {
                workflow_execution_retention_ttl: prost_types::Duration::try_from(retention).ok(),
                ..NamespaceConfig::default()
            });
            let changes_info = info != UpdateNamespaceInfo::default();
            let message = api::UpdateNamespaceRequest {
                namespace: name.to_owned(),
                update_info: changes_info.then_some(info),
                config,
            };
            workflow(channel).update_namespace(change_within(self.deadline, message)).await
        });
        answer.await.map(drop)
    }

    async fn list_attributes(
        &self,
        target: &Target,
        name: &str,
    ) -> Result<BTreeMap<String, AttributeType>, TemporalError> {
        let answer = self.call_in_turn(target, "ListSearchAttributes", |channel| async move {
            let message = operator::ListSearchAttributesRequest { namespace: name.to_owned() };
            operations(channel).list_search_attributes(self.request(message)).await
        });
        let custom = answer.await?.custom_attributes.into_iter();
        Ok(custom.filter_map(|(name, number)| Some((name, type_of(number)?))).collect())
    }

    /// A server may not know a namespace yet that was just registered: it reads the list every 2 s
    /// (`system.namespaceCacheRefreshInterval`).
    async fn add(
        &self,
        target: &Target,
        name: &str,
        attributes: &BTreeMap<String, AttributeType>,
    ) -> Result<(), TemporalError> {
        let mut tries = 0;
        loop {
            let answer = self.add_once(target, name, attributes).await;
            tries += 1;
            if !matches!(answer, Err(TemporalError::Refused { code: "NOT_FOUND", .. })) || tries == TRIES {
                return answer;
            }
            tokio::time::sleep(KNOWN).await;
        }
    }

    async fn add_once(
        &self,
        target: &Target,
        name: &str,
        attributes: &BTreeMap<String, AttributeType>,
    ) -> Result<(), TemporalError> {
        let answer = self.change_in_turn(DELETION, target, "AddSearchAttributes", |channel| async move {
            let message = operator::AddSearchAttributesRequest {
                search_attributes: attributes.iter().map(|(name, type_)| (name.clone(), number_of(*type_))).collect(),
                namespace: name.to_owned(),
            };
            operations(channel).add_search_attributes(change_within(DELETION, message)).await
        });
        answer.await.map(drop)
    }

    async fn remove(&self, target: &Target, name: &str, attributes: &[String]) -> Result<(), TemporalError> {
        let answer = self.change_in_turn(self.deadline, target, "RemoveSearchAttributes", |channel| async move {
            let message = operator::RemoveSearchAttributesRequest {
                search_attributes: attributes.to_vec(),
                namespace: name.to_owned(),
            };
            operations(channel).remove_search_attributes(change_within(self.deadline, message)).await
        });
        answer.await.map(drop)
    }

    async fn count_open(&self, target: &Target, name: &str) -> Result<u64, TemporalError> {
        let answer = self.call_in_turn(target, "CountWorkflowExecutions", |channel| async move {
            let query = "ExecutionStatus = 'Running'".to_owned();
            let message = api::CountWorkflowExecutionsRequest { namespace: name.to_owned(), query };
            workflow(channel).count_workflow_executions(self.request(message)).await
        });
        Ok(u64::try_from(answer.await?.count).unwrap_or(0))
    }

    async fn delete_namespace(&self, target: &Target, name: &str) -> Result<(), TemporalError> {
        let answer = self.call_in_turn_within(DELETION, target, "DeleteNamespace", |channel| async move {
            let message = operator::DeleteNamespaceRequest { namespace: name.to_owned() };
            operations(channel).delete_namespace(request_within(DELETION, message)).await
        });
        match answer.await {
            Ok(_) | Err(TemporalError::Refused { code: "NOT_FOUND", .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Namespaces for GrpcTemporal {
    fn list<'a>(&'a self, target: &'a Target) -> Answer<'a, Vec<LiveNamespace>> {
        self.list_namespaces(target).boxed()
    }

    fn describe<'a>(&'a self, target: &'a Target, name: &'a str) -> Answer<'a, Option<LiveNamespace>> {
        self.describe_namespace(target, name).boxed()
    }

    fn register<'a>(&'a self, target: &'a Target, registration: &'a Registration) -> Answer<'a, ()> {
        self.register_namespace(target, registration).boxed()
    }

    fn update<'a>(&'a self, target: &'a Target, name: &'a str, change: &'a Change) -> Answer<'a, ()> {
        self.update_namespace(target, name, change).boxed()
    }

    fn attributes<'a>(&'a self, target: &'a Target, name: &'a str) -> Answer<'a, BTreeMap<String, AttributeType>> {
        self.list_attributes(target, name).boxed()
    }

    fn add_attributes<'a>(
        &'a self,
        target: &'a Target,
        name: &'a str,
        attributes: &'a BTreeMap<String, AttributeType>,
    ) -> Answer<'a, ()> {
        self.add(target, name, attributes).boxed()
    }

    fn remove_attributes<'a>(&'a self, target: &'a Target, name: &'a str, attributes: &'a [String]) -> Answer<'a, ()> {
        self.remove(target, name, attributes).boxed()
    }

    fn open_workflows<'a>(&'a self, target: &'a Target, name: &'a str) -> Answer<'a, u64> {
        self.count_open(target, name).boxed()
    }

    fn delete<'a>(&'a self, target: &'a Target, name: &'a str) -> Answer<'a, ()> {
        self.delete_namespace(target, name).boxed()
    }
}

/// None of one that is deleted and not gone yet.
fn live(answer: api::DescribeNamespaceResponse) -> Option<LiveNamespace> {
    let info = answer.namespace_info.filter(|info| info.state != DELETED)?;
    let config = answer.config.unwrap_or_default();
    let retention = config.workflow_execution_retention_ttl.and_then(|ttl| Duration::try_from(ttl).ok());
    Some(LiveNamespace {
        name: info.name,
        id: info.id,
        description: info.description,
        owner_email: info.owner_email,
        data: info.data.into_iter().collect(),
        retention: retention.unwrap_or_default(),
        columns: config.custom_search_attribute_aliases.into_iter().collect(),
    })
}

/// `IndexedValueType`: 1 Text, 2 Keyword, 3 Int, 4 Double, 5 Bool, 6 Datetime, 7 KeywordList.
fn number_of(type_: AttributeType) -> i32 {
    match type_ {
        AttributeType::Text => 1,
        AttributeType::Keyword => 2,
        AttributeType::Int => 3,
        AttributeType::Double => 4,
        AttributeType::Bool => 5,
        AttributeType::Datetime => 6,
        AttributeType::KeywordList => 7,
    }
}

fn type_of(number: i32) -> Option<AttributeType> {
    AttributeType::ALL.into_iter().find(|type_| number_of(*type_) == number)
}
