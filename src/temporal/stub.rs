//! [`GrpcTemporal`] against a server in this process that does as it is told.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status};

use super::proto::admin::admin_service_server::{AdminService, AdminServiceServer};
use super::proto::cluster::{HostInfo, MembershipInfo, RingInfo};
use super::proto::temporal::api::namespace::v1::NamespaceInfo;
use super::proto::workflow::workflow_service_server::{WorkflowService, WorkflowServiceServer};
use super::proto::{admin, workflow};
use super::*;
use crate::schedule::{Change, Definition, State};

/// Answers of the stub. All default to success.
#[derive(Clone, Default)]
struct Stub {
    /// Members by the name of the ring.
    rings: Vec<(&'static str, Vec<&'static str>)>,
    /// Fails that many calls with UNAVAILABLE first.
    unavailable: Arc<AtomicU32>,
    /// Fails the calls of this name so.
    failing: Option<(&'static str, Code, Vec<u8>)>,
    /// Never answers the later calls of this name.
    hanging: Option<&'static str>,
    namespaces: Vec<&'static str>,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    async fn serve(&self) -> Target {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::builder()
            .add_service(AdminServiceServer::new(self.clone()))
            .add_service(WorkflowServiceServer::new(self.clone()));
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        target(address)
    }

    async fn enter<M>(&self, call: &str, request: &Request<M>) -> Result<(), Status> {
        assert_eq!(request.metadata().get("caller-type").unwrap(), "operator");
        assert!(request.metadata().contains_key("grpc-timeout"));
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
                Err(Status::with_details(*code, format!("{call} failed"), details.clone().into()))
            }
            _ => Ok(()),
        }
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
        Ok(Response::new(workflow::DescribeNamespaceResponse::default()))
    }

    async fn list_namespaces(
        &self,
        request: Request<workflow::ListNamespacesRequest>,
    ) -> Result<Response<workflow::ListNamespacesResponse>, Status> {
        self.enter("ListNamespaces", &request).await?;
        let named = |name: &&str| workflow::DescribeNamespaceResponse {
            namespace_info: Some(NamespaceInfo { name: (*name).to_owned() }),
        };
        Ok(Response::new(workflow::ListNamespacesResponse { namespaces: self.namespaces.iter().map(named).collect() }))
    }

    async fn list_workflow_executions(
        &self,
        request: Request<workflow::ListWorkflowExecutionsRequest>,
    ) -> Result<Response<workflow::ListWorkflowExecutionsResponse>, Status> {
        assert_eq!(request.get_ref().page_size, 1);
        assert_eq!(request.get_ref().namespace, self.namespaces.last().copied().unwrap_or("temporal-system"));
        self.enter("ListWorkflowExecutions", &request).await?;
        Ok(Response::new(workflow::ListWorkflowExecutionsResponse {}))
    }

    async fn describe_task_queue(
        &self,
        request: Request<workflow::DescribeTaskQueueRequest>,
    ) -> Result<Response<workflow::DescribeTaskQueueResponse>, Status> {
        self.enter("DescribeTaskQueue", &request).await?;
        Ok(Response::new(workflow::DescribeTaskQueueResponse {}))
    }

    async fn describe_workflow_execution(
        &self,
        request: Request<workflow::DescribeWorkflowExecutionRequest>,
    ) -> Result<Response<workflow::DescribeWorkflowExecutionResponse>, Status> {
        self.enter("DescribeWorkflowExecution", &request).await?;
        Ok(Response::new(workflow::DescribeWorkflowExecutionResponse {}))
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
        let conflict_token = request.get_ref().schedule_id.clone().into_bytes();
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

    async fn delete_schedule(
        &self,
        request: Request<workflow::DeleteScheduleRequest>,
    ) -> Result<Response<workflow::DeleteScheduleResponse>, Status> {
        self.enter("DeleteSchedule", &request).await?;
        Ok(Response::new(workflow::DeleteScheduleResponse {}))
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
    let change = Change { definition: Definition::default(), state: State::default(), from: found };
    speaker().update_schedule(&target, &nightly(), &change).await.unwrap();
    assert_eq!(stub.calls(), ["DescribeSchedule", "UpdateSchedule"]);
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
