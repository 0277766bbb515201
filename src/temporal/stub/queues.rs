//! Task queues and workers of the stub.

use super::super::proto::deployment::WorkerDeploymentVersion;
use super::super::proto::taskqueue::{PollerInfo, TaskQueueStats};
use super::super::proto::worker::{WorkerHeartbeat, WorkerHostInfo, WorkerInfo, WorkerSlotsInfo};
use super::super::proto::workflow::describe_worker_deployment_version_response::VersionTaskQueue;
use super::*;
use crate::api::worker::QueueType;
use k8s_openapi::jiff::Timestamp;

fn some() -> TaskQueueStats {
    TaskQueueStats {
        approximate_backlog_count: 12,
        approximate_backlog_age: Some(prost_types::Duration { seconds: 3, nanos: 500_000_000 }),
        tasks_add_rate: 2.5,
        tasks_dispatch_rate: 2.0,
        rate_limiting_active: true,
    }
}

fn ago(seconds: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds: Timestamp::now().as_second() - seconds, nanos: 0 })
}

/// One worker polls it with two polls, another has gone. Temporal's own namespace, which the canary asks, has no stats.
pub(super) fn queue(namespace: &str) -> workflow::DescribeTaskQueueResponse {
    let poller = |identity: &str, seconds| PollerInfo {
        last_access_time: ago(seconds),
        identity: identity.to_owned(),
        deployment_options: workers::polls_for(identity),
    };
    let stats = (namespace == "orders").then(some);
    workflow::DescribeTaskQueueResponse { pollers: vec![poller("a", 5), poller("a", 0), poller("b", 280)], stats }
}

/// A queue of activities with a backlog that is counted wrongly, and one of a kind of later days.
pub(super) fn version() -> workflow::DescribeWorkerDeploymentVersionResponse {
    let wrong = TaskQueueStats { approximate_backlog_count: -1, ..TaskQueueStats::default() };
    let queue = |r#type, stats| VersionTaskQueue { name: "q".to_owned(), r#type, stats };
    workflow::DescribeWorkerDeploymentVersionResponse {
        version_task_queues: vec![queue(1, Some(some())), queue(2, Some(wrong)), queue(9, None)],
    }
}

/// Two pages: a worker that runs and one that is shutting down; one that is silent, and one without a set number of slots.
pub(super) fn workers(token: &[u8]) -> workflow::ListWorkersResponse {
    let slots = |kind: &str, used, free| WorkerSlotsInfo {
        current_available_slots: free,
        current_used_slots: used,
        slot_supplier_kind: kind.to_owned(),
    };
    let worker = |pod: &str, status, seconds, activities| WorkerInfo {
        worker_heartbeat: Some(WorkerHeartbeat {
            host_info: Some(WorkerHostInfo { host_name: pod.to_owned(), process_id: "1".to_owned() }),
            task_queue: "q".to_owned(),
            deployment_version: Some(WorkerDeploymentVersion {
                build_id: "v1".to_owned(),
                deployment_name: "ns/web".to_owned(),
            }),
            status,
            heartbeat_time: ago(seconds),
            activity_task_slots_info: Some(activities),
            ..WorkerHeartbeat::default()
        }),
    };
    if token.is_empty() {
        return workflow::ListWorkersResponse {
            workers_info: vec![
                worker("runs", 1, 50, slots("Fixed", 3, 7)),
                worker("leaves", 2, 1, slots("Fixed", 1, 9)),
                WorkerInfo::default(),
            ],
            next_page_token: vec![1],
        };
    }
    workflow::ListWorkersResponse {
        workers_info: vec![
            worker("silent", 1, 200, slots("Fixed", 1, 9)),
            worker("tuned", 1, 0, slots("ResourceBased", 4, 5)),
        ],
        next_page_token: Vec::new(),
    }
}

#[tokio::test]
async fn the_work_of_a_version_is_read() {
    let stub = Stub::default();
    let target = stub.serve().await;
    let loads = speaker().version_load(&target, "orders", "ns/web", "v1").await.unwrap().unwrap();
    let heard = stub.heard.lock().unwrap().clone();
    assert!(heard.contains(r#"build_id: "v1", deployment_name: "ns/web""#), "{heard}");
    assert!(heard.contains("report_task_queue_stats: true"), "{heard}");
    let expected =
        Stats { backlog: 12, age: Duration::from_millis(3500), add_rate: 2.5, dispatch_rate: 2.0, rate_limited: true };
    let found: Vec<_> = loads.iter().map(|load| (load.queue.type_, load.stats)).collect();
    assert_eq!(found, [(QueueType::Workflow, expected), (QueueType::Activity, Stats::default())]);
}

#[tokio::test]
async fn a_version_that_temporal_does_not_know_has_no_work() {
    let failing = Some(("DescribeWorkerDeploymentVersion", Code::NotFound, Vec::new()));
    let target = Stub { failing, ..Stub::default() }.serve().await;
    assert_eq!(speaker().version_load(&target, "orders", "ns/web", "v1").await, Ok(None));
    let failing = Some(("DescribeWorkerDeploymentVersion", Code::NotFound, details("NamespaceNotFoundFailure")));
    let target = Stub { failing, ..Stub::default() }.serve().await;
    let error = speaker().version_load(&target, "orders", "ns/web", "v1").await.unwrap_err();
    assert!(error.is_missing_namespace(), "{error}");
}

#[tokio::test]
async fn the_work_of_a_queue_and_its_pollers_are_read() {
    let stub = Stub::default();
    let load = speaker().queue_load(&stub.serve().await, "orders", "q", QueueType::Nexus).await.unwrap();
    let heard = stub.heard.lock().unwrap().clone();
    assert!(heard.contains("task_queue_type: 3, report_stats: true"), "{heard}");
    assert_eq!((load.stats.backlog, load.queue.pollers), (12, Some(1)));
}

#[tokio::test]
async fn slots_are_those_of_workers_that_run() {
    let all = speaker().slots(&Stub::default().serve().await, "orders").await.unwrap().unwrap();
    let found: Vec<_> = all.iter().map(|worker| (worker.process.as_str(), worker.kinds[1])).collect();
    assert_eq!(found, [("runs/1", (3, 10)), ("tuned/1", (4, 0))]);
    assert_eq!(all[0].version, Some(("ns/web".to_owned(), "v1".to_owned())));
}

#[tokio::test]
async fn a_server_without_heartbeats_has_no_slots() {
    let failing = Some(("ListWorkers", Code::Unimplemented, Vec::new()));
    let target = Stub { failing, ..Stub::default() }.serve().await;
    assert_eq!(speaker().slots(&target, "orders").await, Ok(None));
}

#[tokio::test]
async fn after_a_refusal_temporal_is_left_alone() {
    let failing = Some(("DescribeWorkerDeploymentVersion", Code::ResourceExhausted, Vec::new()));
    let stub = Stub { failing, ..Stub::default() };
    let (target, speaker) = (stub.serve().await, speaker());
    let ask = || speaker.version_load(&target, "orders", "ns/web", "v1");
    let started = Instant::now();
    assert!(ask().await.unwrap_err().is_transient());
    assert!(ask().await.is_err());
    assert!(started.elapsed() >= Duration::from_millis(900));
    // another namespace has nothing to do with it
    let started = Instant::now();
    assert!(speaker.version_load(&target, "other", "ns/web", "v1").await.is_err());
    assert!(started.elapsed() < Duration::from_millis(900));
}
