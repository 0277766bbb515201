//! [`GrpcTemporal`] against a server in this process that does as it is told.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Server, ServerTlsConfig};
use tonic::{Code, Request, Response, Status};

use super::proto::admin::admin_service_server::{AdminService, AdminServiceServer};
use super::proto::cluster::{HostInfo, MembershipInfo, RingInfo};
use super::proto::namespace::{NamespaceConfig, NamespaceInfo};
use super::proto::operator::operator_service_server::{OperatorService, OperatorServiceServer};
use super::proto::workflow::workflow_service_server::{WorkflowService, WorkflowServiceServer};
use super::proto::{admin, operator, workflow};
use super::*;
use crate::api::namespace::AttributeType;
use crate::plan::namespace::Change;
use crate::schedule::{self, Definition, State};

mod entries;
mod queues;
mod workers;

/// Calls that change a namespace, or the routes of workers.
const CHANGES: [&str; 8] = [
    "RegisterNamespace",
    "UpdateNamespace",
    "AddSearchAttributes",
    "RemoveSearchAttributes",
    "SetWorkerDeploymentCurrentVersion",
    "SetWorkerDeploymentRampingVersion",
    "DeleteWorkerDeploymentVersion",
    "DeleteWorkerDeployment",
];

/// Answers of the stub. All default to success.
#[derive(Clone, Default)]
struct Stub {
    /// Members by the name of the ring.
    rings: Vec<(&'static str, Vec<&'static str>)>,
    /// Fails that many calls with UNAVAILABLE first.
    unavailable: Arc<AtomicU32>,
    /// Fails the calls of this name so.
    failing: Option<(&'static str, Code, Vec<u8>)>,
    /// Its words, if they matter.
    words: Option<&'static str>,
    /// Never answers the later calls of this name.
    hanging: Option<&'static str>,
    /// Does not know the namespace yet that many times, when search attributes are added.
    unknown: Arc<AtomicU32>,
    /// The API key that it demands.
    key: Option<&'static str>,
    namespaces: Vec<&'static str>,
    calls: Arc<Mutex<Vec<String>>>,
    /// The last write to a namespace.
    heard: Arc<Mutex<String>>,
}

impl Stub {
    async fn serve(&self) -> Target {
        target(self.serve_by(Server::builder()).await)
    }

    /// The port that it serves.
    async fn serve_tls(&self, tls: ServerTlsConfig) -> u16 {
        self.serve_by(Server::builder().tls_config(tls).unwrap()).await.port()
    }

    async fn serve_by(&self, mut builder: Server) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = builder
            .add_service(AdminServiceServer::new(self.clone()))
            .add_service(WorkflowServiceServer::new(self.clone()))
            .add_service(OperatorServiceServer::new(self.clone()));
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        address
    }

    async fn enter<M>(&self, call: &str, request: &Request<M>) -> Result<(), Status> {
        let is_change = CHANGES.contains(&call);
        assert_eq!(request.metadata().contains_key("caller-type"), !is_change, "changes have no precedence");
        assert!(request.metadata().contains_key("grpc-timeout"));
        if let Some(key) = self.key {
            let header = |name: &str| request.metadata().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
            assert_eq!(header("temporal-namespace"), "orders");
            if header("authorization") != format!("Bearer {key}") {
                return Err(Status::unauthenticated("Request unauthorized."));
            }
        }
        self.calls.lock().unwrap().push(call.to_owned());
        let left = self.unavailable.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_ok() {
            return Err(Status::unavailable("Frontend is not healthy yet"));
        }
        if self.hanging == Some(call) {
            std::future::pending::<()>().await;
        }
        match &self.failing {
            Some((name, code, details)) if *name == call => {
                let words = self.words.map_or_else(|| format!("{call} failed"), str::to_owned);
                Err(Status::with_details(*code, words, details.clone().into()))
            }
            _ => Ok(()),
        }
    }

    fn hear(&self, message: &impl std::fmt::Debug) {
        *self.heard.lock().unwrap() = format!("{message:?}");
    }

    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

#[tonic::async_trait]
impl AdminService for Stub {
    async fn describe_cluster(
        &self,
        request: Request<admin::DescribeClusterRequest>,
    ) -> Result<Response<admin::DescribeClusterResponse>, Status> {
        self.enter("DescribeCluster", &request).await?;
        let member = |identity: &&str| HostInfo { identity: (*identity).to_owned() };
        let ring = |(role, members): &(&str, Vec<&str>)| RingInfo {
            role: (*role).to_owned(),
            members: members.iter().map(member).collect(),
        };
        Ok(Response::new(admin::DescribeClusterResponse {
            server_version: "1.31.2".to_owned(),
            history_shard_count: 4,
            membership_info: Some(MembershipInfo { rings: self.rings.iter().map(ring).collect() }),
            ..admin::DescribeClusterResponse::default()
        }))
    }

    async fn describe_history_host(
        &self,
        request: Request<admin::DescribeHistoryHostRequest>,
    ) -> Result<Response<admin::DescribeHistoryHostResponse>, Status> {
        let host = &request.get_ref().host_address;
        self.enter(host, &request).await?;
        Ok(Response::new(admin::DescribeHistoryHostResponse { shard_ids: vec![1, 2] }))
    }
}

#[tonic::async_trait]
impl WorkflowService for Stub {
    async fn get_system_info(
        &self,
        request: Request<workflow::GetSystemInfoRequest>,
    ) -> Result<Response<workflow::GetSystemInfoResponse>, Status> {
        self.enter("GetSystemInfo", &request).await?;
        Ok(Response::new(workflow::GetSystemInfoResponse {}))
    }

    async fn describe_namespace(
        &self,
        request: Request<workflow::DescribeNamespaceRequest>,
    ) -> Result<Response<workflow::DescribeNamespaceResponse>, Status> {
        self.enter("DescribeNamespace", &request).await?;
        Ok(Response::new(named(&request.get_ref().namespace)))
    }

    async fn list_namespaces(
        &self,
        request: Request<workflow::ListNamespacesRequest>,
    ) -> Result<Response<workflow::ListNamespacesResponse>, Status> {
        self.enter("ListNamespaces", &request).await?;
        // a page has three
        let at = request.get_ref().next_page_token.first().copied().map_or(0, usize::from);
        let rest = self.namespaces.get(at..).unwrap_or_default();
        let next = at + 3;
        let next_page_token = if next < self.namespaces.len() { vec![u8::try_from(next).unwrap()] } else { Vec::new() };
        let namespaces = rest.iter().take(3).map(|name| named(name)).collect();
        Ok(Response::new(workflow::ListNamespacesResponse { namespaces, next_page_token }))
    }

    async fn register_namespace(
        &self,
        request: Request<workflow::RegisterNamespaceRequest>,
    ) -> Result<Response<workflow::RegisterNamespaceResponse>, Status> {
        self.enter("RegisterNamespace", &request).await?;
        self.hear(request.get_ref());
        Ok(Response::new(workflow::RegisterNamespaceResponse {}))
    }

    async fn update_namespace(
        &self,
        request: Request<workflow::UpdateNamespaceRequest>,
    ) -> Result<Response<workflow::UpdateNamespaceResponse>, Status> {
        self.enter("UpdateNamespace", &request).await?;
        self.hear(request.get_ref());
        Ok(Response::new(workflow::UpdateNamespaceResponse {}))
    }

    async fn count_workflow_executions(
        &self,
        request: Request<workflow::CountWorkflowExecutionsRequest>,
    ) -> Result<Response<workflow::CountWorkflowExecutionsResponse>, Status> {
        self.enter("CountWorkflowExecutions", &request).await?;
        let count = match request.get_ref().query.as_str() {
            "ExecutionStatus = 'Running'" => 7,
            query => workers::pinned(query),
        };
        Ok(Response::new(workflow::CountWorkflowExecutionsResponse { count }))
    }

    async fn list_workflow_executions(
        &self,
        request: Request<workflow::ListWorkflowExecutionsRequest>,
    ) -> Result<Response<workflow::ListWorkflowExecutionsResponse>, Status> {
        if !request.get_ref().query.is_empty() {
            self.enter("ListWorkflowExecutions", &request).await?;
            self.hear(request.get_ref());
            return Ok(Response::new(workers::with_problems()));
        }
        assert_eq!(request.get_ref().page_size, 1);
        assert_eq!(request.get_ref().namespace, self.namespaces.last().copied().unwrap_or("temporal-system"));
        self.enter("ListWorkflowExecutions", &request).await?;
        Ok(Response::new(workflow::ListWorkflowExecutionsResponse::default()))
    }

    async fn describe_task_queue(
        &self,
        request: Request<workflow::DescribeTaskQueueRequest>,
    ) -> Result<Response<workflow::DescribeTaskQueueResponse>, Status> {
        self.enter("DescribeTaskQueue", &request).await?;
        self.hear(request.get_ref());
        Ok(Response::new(queues::queue(&request.get_ref().namespace)))
    }

    async fn describe_workflow_execution(
        &self,
        request: Request<workflow::DescribeWorkflowExecutionRequest>,
    ) -> Result<Response<workflow::DescribeWorkflowExecutionResponse>, Status> {
        self.enter("DescribeWorkflowExecution", &request).await?;
        let id = &request.get_ref().execution.as_ref().unwrap().workflow_id;
        workers::run(id).map(Response::new)
    }

    async fn get_workflow_execution_history_reverse(
        &self,
        request: Request<workflow::GetWorkflowExecutionHistoryReverseRequest>,
    ) -> Result<Response<workflow::GetWorkflowExecutionHistoryReverseResponse>, Status> {
        self.enter("GetWorkflowExecutionHistoryReverse", &request).await?;
        let id = &request.get_ref().execution.as_ref().unwrap().workflow_id;
        workers::history(id).map(Response::new)
    }

    async fn create_schedule(
        &self,
        request: Request<workflow::CreateScheduleRequest>,
    ) -> Result<Response<workflow::CreateScheduleResponse>, Status> {
        self.enter("CreateSchedule", &request).await?;
        Ok(Response::new(workflow::CreateScheduleResponse {}))
    }

    async fn describe_schedule(
        &self,
        request: Request<workflow::DescribeScheduleRequest>,
    ) -> Result<Response<workflow::DescribeScheduleResponse>, Status> {
        self.enter("DescribeSchedule", &request).await?;
        // as a server that keeps schedules as workflows: the second look after a change shows it
        let looks = self.calls.lock().unwrap().iter().skip_while(|call| *call != "UpdateSchedule").count();
        let changed = if looks > 2 { "'" } else { "" };
        let conflict_token = format!("{}{changed}", request.get_ref().schedule_id).into_bytes();
        Ok(Response::new(workflow::DescribeScheduleResponse { conflict_token, ..Default::default() }))
    }

    async fn update_schedule(
        &self,
        request: Request<workflow::UpdateScheduleRequest>,
    ) -> Result<Response<workflow::UpdateScheduleResponse>, Status> {
        self.enter("UpdateSchedule", &request).await?;
        assert_eq!(request.get_ref().conflict_token, b"nightly");
        Ok(Response::new(workflow::UpdateScheduleResponse {}))
    }

    async fn describe_worker_deployment_version(
        &self,
        request: Request<workflow::DescribeWorkerDeploymentVersionRequest>,
    ) -> Result<Response<workflow::DescribeWorkerDeploymentVersionResponse>, Status> {
        self.enter("DescribeWorkerDeploymentVersion", &request).await?;
        self.hear(request.get_ref());
        Ok(Response::new(queues::version()))
    }

    async fn describe_worker_deployment(
        &self,
        request: Request<workflow::DescribeWorkerDeploymentRequest>,
    ) -> Result<Response<workflow::DescribeWorkerDeploymentResponse>, Status> {
        self.enter("DescribeWorkerDeployment", &request).await?;
        self.hear(request.get_ref());
        Ok(Response::new(workers::deployment()))
    }

    async fn set_worker_deployment_current_version(
        &self,
        request: Request<workflow::SetWorkerDeploymentCurrentVersionRequest>,
    ) -> Result<Response<workflow::SetWorkerDeploymentCurrentVersionResponse>, Status> {
        self.enter("SetWorkerDeploymentCurrentVersion", &request).await?;
        self.hear(request.get_ref());
        let conflict_token = b"newer".to_vec();
        Ok(Response::new(workflow::SetWorkerDeploymentCurrentVersionResponse { conflict_token }))
    }

    async fn set_worker_deployment_ramping_version(
        &self,
        request: Request<workflow::SetWorkerDeploymentRampingVersionRequest>,
    ) -> Result<Response<workflow::SetWorkerDeploymentRampingVersionResponse>, Status> {
        self.enter("SetWorkerDeploymentRampingVersion", &request).await?;
        self.hear(request.get_ref());
        let conflict_token = b"newer".to_vec();
        Ok(Response::new(workflow::SetWorkerDeploymentRampingVersionResponse { conflict_token }))
    }

    async fn delete_worker_deployment_version(
        &self,
        request: Request<workflow::DeleteWorkerDeploymentVersionRequest>,
    ) -> Result<Response<workflow::DeleteWorkerDeploymentVersionResponse>, Status> {
        self.enter("DeleteWorkerDeploymentVersion", &request).await?;
        self.hear(request.get_ref());
        Ok(Response::new(workflow::DeleteWorkerDeploymentVersionResponse {}))
    }

    async fn delete_worker_deployment(
        &self,
        request: Request<workflow::DeleteWorkerDeploymentRequest>,
    ) -> Result<Response<workflow::DeleteWorkerDeploymentResponse>, Status> {
        self.enter("DeleteWorkerDeployment", &request).await?;
        self.hear(request.get_ref());
        Ok(Response::new(workflow::DeleteWorkerDeploymentResponse {}))
    }

    async fn start_workflow_execution(
        &self,
        request: Request<workflow::StartWorkflowExecutionRequest>,
    ) -> Result<Response<workflow::StartWorkflowExecutionResponse>, Status> {
        self.enter("StartWorkflowExecution", &request).await?;
        self.hear(request.get_ref());
        Ok(Response::new(workflow::StartWorkflowExecutionResponse {}))
    }

    async fn list_workers(
        &self,
        request: Request<workflow::ListWorkersRequest>,
    ) -> Result<Response<workflow::ListWorkersResponse>, Status> {
        self.enter("ListWorkers", &request).await?;
        Ok(Response::new(queues::workers(&request.get_ref().next_page_token)))
    }

    async fn delete_schedule(
        &self,
        request: Request<workflow::DeleteScheduleRequest>,
    ) -> Result<Response<workflow::DeleteScheduleResponse>, Status> {
        self.enter("DeleteSchedule", &request).await?;
        Ok(Response::new(workflow::DeleteScheduleResponse {}))
    }
}

/// One whose name begins with `deleted` is.
fn named(name: &str) -> workflow::DescribeNamespaceResponse {
    let state = if name.starts_with("deleted") { 3 } else { 1 };
    let info = NamespaceInfo { name: name.to_owned(), state, id: format!("id-{name}"), ..NamespaceInfo::default() };
    let retention = prost_types::Duration { seconds: 3600, nanos: 0 };
    let config = NamespaceConfig {
        workflow_execution_retention_ttl: Some(retention),
        custom_search_attribute_aliases: [("Int01".to_owned(), "Items".to_owned())].into(),
    };
    workflow::DescribeNamespaceResponse { namespace_info: Some(info), config: Some(config) }
}

#[tonic::async_trait]
impl OperatorService for Stub {
    async fn add_search_attributes(
        &self,
        request: Request<operator::AddSearchAttributesRequest>,
    ) -> Result<Response<operator::AddSearchAttributesResponse>, Status> {
        self.enter("AddSearchAttributes", &request).await?;
        let left = self.unknown.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_ok() {
            return Err(Status::not_found("Namespace orders is not found."));
        }
        self.hear(request.get_ref());
        Ok(Response::new(operator::AddSearchAttributesResponse {}))
    }

    async fn remove_search_attributes(
        &self,
        request: Request<operator::RemoveSearchAttributesRequest>,
    ) -> Result<Response<operator::RemoveSearchAttributesResponse>, Status> {
        self.enter("RemoveSearchAttributes", &request).await?;
        self.hear(request.get_ref());
        Ok(Response::new(operator::RemoveSearchAttributesResponse {}))
    }

    async fn list_search_attributes(
        &self,
        request: Request<operator::ListSearchAttributesRequest>,
    ) -> Result<Response<operator::ListSearchAttributesResponse>, Status> {
        self.enter("ListSearchAttributes", &request).await?;
        let custom_attributes = [("A".to_owned(), 2), ("B".to_owned(), 7), ("Later".to_owned(), 8)].into();
        Ok(Response::new(operator::ListSearchAttributesResponse { custom_attributes }))
    }

    async fn delete_namespace(
        &self,
        request: Request<operator::DeleteNamespaceRequest>,
    ) -> Result<Response<operator::DeleteNamespaceResponse>, Status> {
        self.enter("DeleteNamespace", &request).await?;
        Ok(Response::new(operator::DeleteNamespaceResponse {}))
    }
}

fn target(address: SocketAddr) -> Target {
    Target::frontend("ns", "stub", address.port()).on_pod("stub", address.ip())
}

/// A speaker whose deadline is far from what a test may take to the one side, and to the other.
fn speaker() -> GrpcTemporal {
    GrpcTemporal::new(Reach::Service).with_deadline(Duration::from_secs(20))
}

const SHORT: Duration = Duration::from_millis(300);

/// `google.rpc.Status { details: [Any { type_url }] }` by hand.
fn details(kind: &str) -> Vec<u8> {
    let url = format!("type.googleapis.com/temporal.api.errordetails.v1.{kind}");
    let length = u8::try_from(url.len()).unwrap();
    [&[0x1a, length + 2, 0x0a, length], url.as_bytes()].concat()
}

#[tokio::test]
async fn a_cluster_is_described() {
    let rings =
        vec![("history", vec!["10.0.0.1:7234", "[fd00::1]:7234"]), ("worker", vec![]), ("later", vec!["what?"])];
    let stub = Stub { rings, ..Stub::default() };
    let view = speaker().describe_cluster(&stub.serve().await).await.unwrap();
    assert_eq!((view.server_version.as_str(), view.history_shard_count), ("1.31.2", 4));
    assert_eq!(view.rings.keys().copied().collect::<Vec<_>>(), [Role::History, Role::Worker]);
    assert!(view.is_member(Role::History, "fd00::1".parse().unwrap()));
}

#[tokio::test]
async fn a_member_without_an_address_is_not_understood() {
    let stub = Stub { rings: vec![("history", vec!["history.example"])], ..Stub::default() };
    let error = speaker().describe_cluster(&stub.serve().await).await.unwrap_err();
    assert_eq!(error.class(), "Protocol");
    assert!(error.to_string().ends_with(r#"member "history.example" is not an address"#), "{error}");
}

#[tokio::test]
async fn a_frontend_that_is_leaving_is_asked_once_more() {
    let stub = Stub { unavailable: Arc::new(AtomicU32::new(1)), ..Stub::default() };
    let target = stub.serve().await;
    assert!(speaker().describe_cluster(&target).await.is_ok());
    assert_eq!(stub.calls().len(), 2);
    stub.unavailable.store(2, Ordering::SeqCst);
    let error = speaker().describe_cluster(&target).await.unwrap_err();
    assert_eq!(error.to_string(), "Temporal does not answer DescribeCluster: Frontend is not healthy yet");
    assert_eq!(stub.calls().len(), 2);
}

#[tokio::test]
async fn a_call_ends_with_its_deadline() {
    let stub = Stub { hanging: Some("DescribeCluster"), ..Stub::default() };
    let begin = Instant::now();
    let target = stub.serve().await;
    let error = speaker().with_deadline(SHORT).describe_cluster(&target).await.unwrap_err();
    assert_eq!(error.class(), "Unreachable", "{error}");
    assert!(begin.elapsed() >= SHORT && begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn what_was_said_first_is_told_when_the_second_try_is_not_answered() {
    let stub = Stub { unavailable: Arc::new(AtomicU32::new(1)), hanging: Some("DescribeCluster"), ..Stub::default() };
    let error = speaker().with_deadline(SHORT).describe_cluster(&stub.serve().await).await.unwrap_err();
    assert_eq!(error.to_string(), "Temporal does not answer DescribeCluster: Frontend is not healthy yet");
    assert_eq!(stub.calls().len(), 2);
}

#[tokio::test]
async fn refusals_are_final() {
    let stub = Stub { failing: Some(("DescribeCluster", Code::PermissionDenied, Vec::new())), ..Stub::default() };
    let error = speaker().describe_cluster(&stub.serve().await).await.unwrap_err();
    assert_eq!(error.to_string(), "Temporal denies the operator DescribeCluster: DescribeCluster failed");
    assert_eq!(stub.calls().len(), 1);
}

#[tokio::test]
async fn nobody_listens() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = speaker().canary(&target(free)).await.unwrap_err();
    assert!(
        error.to_string().starts_with("Temporal does not answer GetSystemInfo (frontend): Connection refused"),
        "{error}"
    );
}

#[tokio::test]
async fn a_silent_history_host_does_not_hide_the_others() {
    let hosts: BTreeSet<SocketAddr> = ["10.0.0.1:7234", "10.0.0.2:7234"].map(|host| host.parse().unwrap()).into();
    let stub = Stub { hanging: Some("10.0.0.2:7234"), ..Stub::default() };
    let view = speaker().with_deadline(SHORT).shards(&stub.serve().await, &hosts).await.unwrap();
    assert_eq!(view.held.values().collect::<Vec<_>>(), [&BTreeSet::from([1, 2])]);
    assert_eq!(view.silent.keys().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.2:7234"]);

    let stub = Stub { failing: Some(("10.0.0.2:7234", Code::PermissionDenied, Vec::new())), ..Stub::default() };
    assert_eq!(speaker().shards(&stub.serve().await, &hosts).await.unwrap_err().class(), "Denied");
}

#[tokio::test]
async fn the_canary_asks_leg_by_leg() {
    let stub = Stub::default();
    let target = stub.serve().await;
    speaker().canary(&target).await.unwrap();
    let legs = ["GetSystemInfo", "DescribeNamespace", "DescribeWorkflowExecution", "DescribeTaskQueue"];
    assert_eq!(stub.calls(), legs);
    for (at, leg) in legs.into_iter().enumerate() {
        let stub = Stub { failing: Some((leg, Code::Internal, Vec::new())), ..Stub::default() };
        let error = speaker().canary(&stub.serve().await).await.unwrap_err();
        assert!(error.to_string().starts_with(&format!("Temporal refuses {leg} (")), "{error}");
        assert!(error.to_string().ends_with(&format!(") with INTERNAL: {leg} failed")), "{error}");
        assert_eq!(stub.calls().len(), at + 1);
    }
}

#[tokio::test]
async fn a_frontend_whose_database_is_away_is_not_silent_itself() {
    let stub = Stub { hanging: Some("DescribeNamespace"), ..Stub::default() };
    let error = speaker().with_deadline(SHORT).canary(&stub.serve().await).await.unwrap_err();
    let words = "Temporal does not answer DescribeNamespace (database): nothing within ";
    assert!(error.to_string().starts_with(words), "{error}");
}

#[tokio::test]
async fn a_missing_workflow_is_an_answer_of_history_and_a_missing_namespace_is_not() {
    let call = "DescribeWorkflowExecution";
    let missing = |kind| Stub { failing: Some((call, Code::NotFound, details(kind))), ..Stub::default() };
    speaker().canary(&missing("NotFoundFailure").serve().await).await.unwrap();
    let error = speaker().canary(&missing("NamespaceNotFoundFailure").serve().await).await.unwrap_err();
    assert_eq!(error.class(), "Refused");
}

#[tokio::test]
async fn visibility_is_one_question_of_its_own() {
    let call = "ListWorkflowExecutions";
    let stub = Stub::default();
    speaker().visibility(&stub.serve().await).await.unwrap();
    assert_eq!(stub.calls(), [call]);
    let stub = Stub { failing: Some((call, Code::Unavailable, Vec::new())), ..Stub::default() };
    let error = speaker().visibility(&stub.serve().await).await.unwrap_err();
    let said = "Temporal does not answer ListWorkflowExecutions (visibility): ListWorkflowExecutions failed";
    assert_eq!(error.to_string(), said);
}

#[tokio::test]
async fn users_visibility_is_asked_in_a_namespace_of_theirs_if_there_is_one() {
    let stub = Stub { namespaces: vec!["temporal-system"], ..Stub::default() };
    speaker().users_visibility(&stub.serve().await).await.unwrap();
    assert_eq!(stub.calls(), ["ListNamespaces"]);
    let stub = Stub { namespaces: vec!["temporal-system", "orders"], ..Stub::default() };
    speaker().users_visibility(&stub.serve().await).await.unwrap();
    assert_eq!(stub.calls(), ["ListNamespaces", "ListWorkflowExecutions"]);
}

/// What was heard: the call, and whether it was answered.
#[derive(Default)]
struct Heard(Mutex<Vec<(&'static str, bool)>>);

impl Stopwatch for Heard {
    fn call_ended(&self, _: &ClusterRef, call: &'static str, _: Duration, answered: bool) {
        self.0.lock().unwrap().push((call, answered));
    }
}

#[tokio::test]
async fn the_time_of_each_call_is_heard_until_one_fails() {
    let heard = Arc::new(Heard::default());
    let stub = Stub { failing: Some(("DescribeWorkflowExecution", Code::Internal, Vec::new())), ..Stub::default() };
    let speaker = speaker().with_stopwatch(heard.clone());
    let target = stub.serve().await;
    speaker.canary(&target).await.unwrap_err();
    speaker.visibility(&target).await.unwrap();
    let expected = [
        ("GetSystemInfo", true),
        ("DescribeNamespace", true),
        ("DescribeWorkflowExecution", false),
        ("ListWorkflowExecutions", true),
    ];
    assert_eq!(*heard.0.lock().unwrap(), expected);
}

fn nightly() -> ScheduleRef {
    ScheduleRef { namespace: "orders".to_owned(), id: "nightly".to_owned() }
}

#[tokio::test]
async fn a_schedule_is_looked_at_and_changed_as_it_was_seen() {
    let stub = Stub::default();
    let target = stub.serve().await;
    let found = speaker().describe_schedule(&target, &nightly()).await.unwrap().unwrap();
    let change = schedule::Change { definition: Definition::default(), state: State::default(), from: found };
    speaker().update_schedule(&target, &nightly(), &change).await.unwrap();
    assert_eq!(stub.calls(), ["DescribeSchedule", "UpdateSchedule", "DescribeSchedule", "DescribeSchedule"]);
}

#[tokio::test]
async fn a_missing_schedule_is_an_answer_and_a_missing_namespace_is_not() {
    let missing = |call, kind| Stub { failing: Some((call, Code::NotFound, details(kind))), ..Stub::default() };
    let target = missing("DescribeSchedule", "NotFoundFailure").serve().await;
    assert_eq!(speaker().describe_schedule(&target, &nightly()).await, Ok(None));
    let target = missing("DescribeSchedule", "NamespaceNotFoundFailure").serve().await;
    assert_eq!(speaker().describe_schedule(&target, &nightly()).await.unwrap_err().class(), "Refused");
    let target = missing("DeleteSchedule", "NotFoundFailure").serve().await;
    assert_eq!(speaker().delete_schedule(&target, &nightly()).await, Ok(()));
}

#[tokio::test]
async fn a_schedule_that_cannot_be_asked_yet_is_asked_later() {
    let failing = Some(("DescribeSchedule", Code::FailedPrecondition, details("WorkflowNotReadyFailure")));
    let stub = Stub { failing, ..Stub::default() };
    let error = speaker().describe_schedule(&stub.serve().await, &nightly()).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
}

#[tokio::test]
async fn search_attributes_of_a_new_namespace_are_added_once_a_server_knows_it() {
    let stub = Stub { unknown: Arc::new(AtomicU32::new(1)), ..Stub::default() };
    let wanted = [("Customer".to_owned(), AttributeType::Keyword)].into();
    speaker().add_attributes(&stub.serve().await, "orders", &wanted).await.unwrap();
    assert_eq!(stub.calls(), ["AddSearchAttributes", "AddSearchAttributes"]);
}

#[tokio::test]
async fn all_pages_of_namespaces_are_read_and_deleted_ones_left_out() {
    let stub = Stub { namespaces: vec!["a", "deleted-1", "c", "d", "e", "f", "g"], ..Stub::default() };
    let all = speaker().list(&stub.serve().await).await.unwrap();
    assert_eq!(all.iter().map(|n| n.name.as_str()).collect::<Vec<_>>(), ["a", "c", "d", "e", "f", "g"]);
    assert_eq!(stub.calls().len(), 3);
    assert_eq!((all[0].id.as_str(), all[0].retention), ("id-a", Duration::from_secs(3600)));
    assert_eq!(all[0].columns["Int01"], "Items");
}

#[tokio::test]
async fn a_namespace_that_is_missing_is_no_failure_and_one_that_is_deleted_is_missing() {
    let call = "DescribeNamespace";
    let stub = Stub { failing: Some((call, Code::NotFound, Vec::new())), ..Stub::default() };
    assert_eq!(speaker().describe(&stub.serve().await, "a").await, Ok(None));
    let stub = Stub::default();
    assert_eq!(speaker().describe(&stub.serve().await, "deleted-a").await, Ok(None));
    let stub = Stub { failing: Some((call, Code::ResourceExhausted, Vec::new())), ..Stub::default() };
    assert!(speaker().describe(&stub.serve().await, "a").await.unwrap_err().is_transient());
}

#[tokio::test]
async fn an_update_sends_what_changes_and_nothing_else() {
    let stub = Stub::default();
    let target = stub.serve().await;
    let retention = Change { retention: Some(Duration::from_secs(7200)), ..Change::default() };
    speaker().update(&target, "a", &retention).await.unwrap();
    let heard = stub.heard.lock().unwrap().clone();
    assert!(heard.contains("update_info: None") && heard.contains("seconds: 7200"), "{heard}");
    let description = Change { description: Some("d".to_owned()), ..Change::default() };
    speaker().update(&target, "a", &description).await.unwrap();
    let heard = stub.heard.lock().unwrap().clone();
    assert!(heard.contains("config: None") && heard.contains("description: \"d\""), "{heard}");
}

#[tokio::test]
async fn search_attributes_go_by_their_numbers() {
    let stub = Stub::default();
    let target = stub.serve().await;
    let listed = speaker().attributes(&target, "a").await.unwrap();
    let expected = [("A".to_owned(), AttributeType::Keyword), ("B".to_owned(), AttributeType::KeywordList)];
    assert_eq!(listed, expected.into(), "types of later servers are left out");
    let wanted = [("C".to_owned(), AttributeType::Datetime)].into();
    speaker().add_attributes(&target, "a", &wanted).await.unwrap();
    let heard = stub.heard.lock().unwrap().clone();
    assert!(heard.contains("\"C\": 6") && heard.contains("namespace: \"a\""), "{heard}");
}

#[tokio::test]
async fn open_workflows_are_counted_and_a_namespace_that_is_gone_is_deleted() {
    let stub = Stub { failing: Some(("DeleteNamespace", Code::NotFound, Vec::new())), ..Stub::default() };
    let target = stub.serve().await;
    assert_eq!(speaker().open_workflows(&target, "a").await, Ok(7));
    assert_eq!(speaker().delete(&target, "a").await, Ok(()));
    let stub = Stub { failing: Some(("DeleteNamespace", Code::FailedPrecondition, Vec::new())), ..Stub::default() };
    let error = speaker().delete(&stub.serve().await, "a").await.unwrap_err();
    assert!(!error.is_transient(), "{error}");
}
