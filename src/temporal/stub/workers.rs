//! Worker Deployments of the stub.

use super::super::proto::common::WorkflowExecution;
use super::super::proto::deployment::worker_deployment_info::WorkerDeploymentVersionSummary;
use super::super::proto::deployment::{
    RoutingConfig, VersionDrainageInfo, WorkerDeploymentInfo, WorkerDeploymentOptions, WorkerDeploymentVersion,
};
use super::super::proto::history::{History, HistoryEvent};
use super::super::proto::started::versioning_override::{Override, PinnedOverride};
use super::super::proto::started::{
    DeploymentVersionTransition, VersioningOverride, WorkflowExecutionInfo, WorkflowExecutionVersioningInfo,
};
use super::*;
use crate::api::worker::{QueueType, VersionState};
use crate::plan::worker::{Act, FailingOn, GateRun, KnownQueue, RunState};
use k8s_openapi::jiff::Timestamp;
use rstest::rstest;

fn at(seconds: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds, nanos: 0 })
}

fn id(build_id: &str) -> Option<WorkerDeploymentVersion> {
    Some(WorkerDeploymentVersion { build_id: build_id.to_owned(), deployment_name: "ns/web".to_owned() })
}

/// v3 is current since 300, v2 was from 200 on and drains, v1 was from 100 on and is drained; v4 has a share, v5 has just
/// polled, v6 was used and is said to be inactive.
pub(super) fn deployment() -> workflow::DescribeWorkerDeploymentResponse {
    let version = |name: &str, status, current: i64, drainage: i32| WorkerDeploymentVersionSummary {
        status,
        deployment_version: id(name),
        drainage_info: (drainage > 0)
            .then(|| VersionDrainageInfo { status: drainage, last_changed_time: at(current + 150) }),
        first_activation_time: at(50).filter(|_| name != "v5"),
        last_current_time: at(current).filter(|_| current > 0),
    };
    let info = WorkerDeploymentInfo {
        version_summaries: vec![
            version("v6", 1, 0, 0),
            version("v5", 6, 0, 0),
            version("v4", 3, 0, 0),
            version("v3", 2, 300, 0),
            version("v2", 4, 200, 1),
            version("v1", 5, 100, 2),
        ],
        routing_config: Some(RoutingConfig {
            ramping_version_percentage: 20.0,
            current_version_changed_time: at(300),
            ramping_version_changed_time: at(305),
            ramping_version_percentage_changed_time: at(310),
            current_deployment_version: id("v3"),
            ramping_deployment_version: id("v4"),
        }),
        last_modifier_identity: "temporal-operator/ns/web".to_owned(),
        manager_identity: "somebody".to_owned(),
    };
    workflow::DescribeWorkerDeploymentResponse { conflict_token: b"old".to_vec(), worker_deployment_info: Some(info) }
}

/// Somebody has pinned workflows to v5.
pub(super) fn pinned(query: &str) -> i64 {
    assert!(query.contains("= 'Pinned'") && query.contains("= 'Running'"), "{query}");
    i64::from(query.contains("TemporalWorkerDeploymentVersion = 'ns/web:v5' ")) * 2
}

/// Workflows with problems: one began on v4, one moved there, one was pinned to it by hand; one fails on it since before, one on
/// another version; of one nothing is known, and one is not there any more.
const WITH_PROBLEMS: [&str; 7] = ["new", "moved", "pinned", "old", "elsewhere", "unknown", "ended"];

pub(super) fn with_problems() -> workflow::ListWorkflowExecutionsResponse {
    let info = |workflow_id: &str| WorkflowExecutionInfo {
        execution: Some(WorkflowExecution { workflow_id: workflow_id.to_owned(), run_id: "r".to_owned() }),
        ..WorkflowExecutionInfo::default()
    };
    workflow::ListWorkflowExecutionsResponse { executions: WITH_PROBLEMS.map(info).into() }
}

fn versioning(id: &str) -> Option<WorkflowExecutionVersioningInfo> {
    let to = |build_id| Some(DeploymentVersionTransition { deployment_version: self::id(build_id) });
    let pinned = PinnedOverride { behavior: 1, version: self::id("v4") };
    let versioning_override = Some(VersioningOverride { r#override: Some(Override::Pinned(pinned)) });
    let none = WorkflowExecutionVersioningInfo::default();
    Some(match id {
        "new" => WorkflowExecutionVersioningInfo { version_transition: to("v4"), ..none },
        "moved" | "old" => {
            WorkflowExecutionVersioningInfo { version_transition: to("v4"), deployment_version: self::id("v3"), ..none }
        }
        "pinned" => WorkflowExecutionVersioningInfo { versioning_override, deployment_version: self::id("v3"), ..none },
        "elsewhere" => WorkflowExecutionVersioningInfo { deployment_version: self::id("v3"), ..none },
        _ => return None,
    })
}

pub(super) fn history(id: &str) -> Result<workflow::GetWorkflowExecutionHistoryReverseResponse, Status> {
    let event = |event_type, second| HistoryEvent { event_type, event_time: at(second) };
    let failed = if id == "old" { 290 } else { 320 };
    let events = vec![event(9, failed), event(6, failed), event(5, failed), event(7, 100), event(1, 90)];
    Ok(workflow::GetWorkflowExecutionHistoryReverseResponse { history: Some(History { events }) })
}

/// The first run of a gate's workflow failed, the second one is open.
pub(super) fn run(id: &str) -> Result<workflow::DescribeWorkflowExecutionResponse, Status> {
    let status = match id {
        "ended" => return Err(Status::not_found("workflow not found")),
        "temporal-operator:ns/web:gate:1" => 3,
        "temporal-operator:ns/web:gate:2" => 1,
        id if id.starts_with("temporal-operator:") => return Err(Status::not_found("workflow not found")),
        _ => 0,
    };
    let versioning_info = versioning(id);
    let workflow_execution_info =
        Some(WorkflowExecutionInfo { status, versioning_info, ..WorkflowExecutionInfo::default() });
    Ok(workflow::DescribeWorkflowExecutionResponse { workflow_execution_info })
}

/// "a" polls for a version, the others for none.
pub(super) fn polls_for(identity: &str) -> Option<WorkerDeploymentOptions> {
    (identity == "a").then(|| WorkerDeploymentOptions {
        deployment_name: "ns/web".to_owned(),
        build_id: "v1".to_owned(),
        worker_versioning_mode: 2,
    })
}

fn web() -> WorkerRef {
    WorkerRef { namespace: "orders".to_owned(), deployment: "ns/web".to_owned() }
}

fn second(second: i64) -> Option<Timestamp> {
    Timestamp::from_second(second).ok()
}

#[tokio::test]
async fn routes_and_versions_are_read() {
    let routing = speaker().describe_worker(&Stub::default().serve().await, &web()).await.unwrap().unwrap();
    assert_eq!((routing.current.as_deref(), routing.ramping.as_deref()), (Some("v3"), Some("v4")));
    assert_eq!((routing.percent, routing.current_since, routing.percent_since), (20.0, second(300), second(310)));
    assert_eq!(routing.ramping_since, second(305));
    // the operator itself is nobody else
    assert_eq!((routing.manager.as_str(), routing.last_modifier.as_str()), ("somebody", ""));
    let states: Vec<(&str, VersionState)> = routing.versions.iter().map(|(id, v)| (id.as_str(), v.state)).collect();
    let expected = [
        ("v1", VersionState::Drained),
        ("v2", VersionState::Draining),
        ("v3", VersionState::Current),
        ("v4", VersionState::Ramping),
        ("v5", VersionState::Inactive),
        ("v6", VersionState::Draining),
    ];
    assert_eq!(states, expected);
    assert_eq!(routing.versions["v1"].drained_since, second(250));
    assert_eq!(routing.versions["v2"].drained_since, None);
    // each was current until the next one became it
    let last: Vec<_> = routing.versions.values().map(|version| version.last_current).collect();
    assert_eq!(last, [second(200), second(300), None, None, None, None]);
}

#[tokio::test]
async fn a_worker_deployment_that_nobody_has_polled_for_is_no_failure() {
    let missing =
        |kind| Stub { failing: Some(("DescribeWorkerDeployment", Code::NotFound, details(kind))), ..Stub::default() };
    assert_eq!(speaker().describe_worker(&missing("NotFoundFailure").serve().await, &web()).await, Ok(None));
    let answer = speaker().describe_worker(&missing("NamespaceNotFoundFailure").serve().await, &web()).await;
    assert_eq!(answer.unwrap_err().class(), "Refused");
}

#[tokio::test]
async fn each_change_proves_that_nobody_else_made_one_since() {
    let (stub, speaker) = (Stub::default(), speaker());
    let target = stub.serve().await;
    let heard = || stub.heard.lock().unwrap().clone();
    speaker.describe_worker(&target, &web()).await.unwrap();
    let ramp = Act::SetRamping(Some("v4".to_owned()), 12.5);
    speaker.change_worker(&target, &web(), &ramp).await.unwrap();
    let token = |text: &str| format!("conflict_token: {:?}", text.as_bytes());
    assert!(heard().contains(&token("old")) && heard().contains("percentage: 12.5"), "{}", heard());
    assert!(heard().contains("build_id: \"v4\"") && heard().contains("identity: \"temporal-operator/ns/web\""));
    speaker.change_worker(&target, &web(), &Act::SetCurrent("v4".to_owned())).await.unwrap();
    assert!(heard().contains(&token("newer")), "{}", heard());
    speaker.change_worker(&target, &web(), &Act::SetRamping(None, 0.0)).await.unwrap();
    assert!(heard().contains("build_id: \"\"") && heard().contains("percentage: 0.0"), "{}", heard());
}

#[tokio::test]
async fn a_change_that_is_not_the_operator_s_is_somebody_s_even_if_the_operator_was_the_last_to_delete_something() {
    let (stub, speaker) = (Stub::default(), speaker());
    let target = stub.serve().await;
    let last = async || speaker.describe_worker(&target, &web()).await.unwrap().unwrap().last_modifier;
    assert_eq!((last().await.as_str(), last().await.as_str()), ("", ""));
    // the stub answers a change with another token than it describes afterwards
    speaker.change_worker(&target, &web(), &Act::SetRamping(None, 0.0)).await.unwrap();
    assert_eq!((last().await.as_str(), last().await.as_str()), ("somebody", ""));
}

#[rstest]
#[case::stale(Code::FailedPrecondition, "conflict token mismatch", true)]
#[case::current(Code::FailedPrecondition, "requested ramping version ns/web.v4 is already current", true)]
#[case::unknown(Code::NotFound, "build ID 'v4' not found in Worker Deployment 'ns/web'", true)]
#[case::busy(Code::ResourceExhausted, "too many requests issued to Worker Deployment 'ns/web'", true)]
#[case::manager(Code::FailedPrecondition, "ManagerIdentity 'x' is set and does not match user identity 'y'", false)]
#[case::queues(Code::FailedPrecondition, "proposed ramping version 'v4' is missing active task queues", false)]
#[tokio::test]
async fn what_another_look_puts_right(#[case] code: Code, #[case] words: &'static str, #[case] passes: bool) {
    let failing = Some(("SetWorkerDeploymentRampingVersion", code, Vec::new()));
    let stub = Stub { failing, words: Some(words), ..Stub::default() };
    let act = Act::SetRamping(Some("v4".to_owned()), 5.0);
    let error = speaker().change_worker(&stub.serve().await, &web(), &act).await.unwrap_err();
    assert_eq!(error.is_transient(), passes, "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

#[rstest]
#[case(Code::FailedPrecondition, "version 'v1' cannot be deleted since it is draining", true)]
#[case(Code::FailedPrecondition, "version 'v1' cannot be deleted since it has active pollers", true)]
#[case(Code::FailedPrecondition, "version 'v1' cannot be deleted since it is current or ramping", true)]
#[case(Code::NotFound, "no Worker Deployment", true)]
#[case(Code::FailedPrecondition, "ManagerIdentity 'x' is set and does not match user identity 'y'", false)]
#[tokio::test]
async fn a_version_that_is_used_stays(#[case] code: Code, #[case] words: &'static str, #[case] fine: bool) {
    let failing = Some(("DeleteWorkerDeploymentVersion", code, Vec::new()));
    let stub = Stub { failing, words: Some(words), ..Stub::default() };
    let answer = speaker().change_worker(&stub.serve().await, &web(), &Act::DeleteVersion("v1".to_owned())).await;
    assert_eq!(answer.is_ok(), fine, "{answer:?}");
}

#[tokio::test]
async fn a_worker_deployment_with_versions_stays() {
    let failing = Some(("DeleteWorkerDeployment", Code::Internal, Vec::new()));
    let words = Some("deployment has versions, can't be deleted");
    let stub = Stub { failing, words, ..Stub::default() };
    let target = stub.serve().await;
    assert_eq!(speaker().change_worker(&target, &web(), &Act::DeleteDeployment).await, Ok(()));
}

#[tokio::test]
async fn the_workers_of_a_version_are_counted_apart() {
    let target = Stub::default().serve().await;
    let queue = |type_| KnownQueue { name: "q".to_owned(), type_, pollers: Some(1) };
    let expected = vec![queue(QueueType::Workflow), queue(QueueType::Activity)];
    assert_eq!(speaker().pollers(&target, &web(), "v1").await, Ok(expected));
    let none = speaker().pollers(&target, &web(), "v2").await.unwrap();
    assert!(none.iter().all(|queue| queue.pollers == Some(0)), "{none:?}");
    // the one without a version has not polled for minutes
    assert_eq!(speaker().has_unversioned(&target, &web(), "q", QueueType::Workflow).await, Ok(false));
}

#[tokio::test]
async fn a_gate_s_workflow_is_run_once_on_its_version() {
    let run = GateRun {
        gate: "gate".to_owned(),
        attempt: 2,
        build_id: "v4".to_owned(),
        type_: "Check".to_owned(),
        task_queue: "q".to_owned(),
        input: Some(serde_json::json!({"a": 1})),
        input_from: None,
        timeout: Duration::from_secs(90),
    };
    let stub = Stub::default();
    let target = stub.serve().await;
    let act = Act::RunGate(Box::new(run));
    speaker().change_worker(&target, &web(), &act).await.unwrap();
    let heard = stub.heard.lock().unwrap().clone();
    for part in
        ["\"temporal-operator:ns/web:gate:2\"", "build_id: \"v4\"", "seconds: 90", "workflow_id_reuse_policy: 3"]
    {
        assert!(heard.contains(part), "{part} in {heard}");
    }
    assert!(!format!("{act:?}").contains("\"a\""), "{act:?}");
    let failing = Some(("StartWorkflowExecution", Code::AlreadyExists, Vec::new()));
    let stub = Stub { failing, ..Stub::default() };
    assert_eq!(speaker().change_worker(&stub.serve().await, &web(), &act).await, Ok(()));
}

#[tokio::test]
async fn runs_are_read_until_one_was_never_started() {
    let target = Stub::default().serve().await;
    let runs = speaker().runs(&target, &web(), "gate", 5).await;
    assert_eq!(runs, Ok(vec![RunState::Ended("failed".to_owned()), RunState::Open]));
    assert_eq!(speaker().runs(&target, &web(), "gate", 1).await.unwrap().len(), 1);
    assert_eq!(speaker().runs(&target, &web(), "other", 5).await, Ok(Vec::new()));
}

#[tokio::test]
async fn workflows_that_are_pinned_to_a_version_are_told() {
    let target = Stub::default().serve().await;
    assert_eq!(speaker().has_pinned(&target, &web(), "v5").await, Ok(true));
    assert_eq!(speaker().has_pinned(&target, &web(), "v6").await, Ok(false));
}

#[tokio::test]
async fn workflows_fail_on_a_version_whose_tasks_did_not_fail_before_and_are_its_own() {
    let stub = Stub::default();
    let target = stub.serve().await;
    let queue = |name: &str, type_| KnownQueue { name: name.to_owned(), type_, pollers: Some(1) };
    let queues = [queue("q", QueueType::Workflow), queue("it's", QueueType::Workflow), queue("a", QueueType::Activity)];
    let failing = |most| FailingOn { build_id: "v4".to_owned(), since: second(305).unwrap(), most };
    let all = speaker().failing(&target, &web(), &failing(9), &queues).await.unwrap();
    assert_eq!(all, ["new", "moved", "pinned"]);
    let heard = stub.heard.lock().unwrap().clone();
    for part in [
        "TemporalReportedProblems IS NOT NULL AND (TemporalWorkerDeploymentVersion = 'ns/web:v4' OR ",
        "(TemporalWorkerDeployment = 'ns/web' AND TemporalWorkflowVersioningBehavior = 'AutoUpgrade')",
        " OR (TemporalWorkerDeployment IS NULL AND TaskQueue IN ('q', 'it''s')))",
    ] {
        assert!(heard.contains(part), "{part} in {heard}");
    }
    assert_eq!(speaker().failing(&target, &web(), &failing(1), &queues).await.unwrap(), ["new"]);
}
