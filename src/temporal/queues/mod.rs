//! What waits and runs in task queues, and in whose slots.
//!
//! What the figures are, in servers 1.30 to 1.32 (`service/matching` there):
//! - Backlog and age are those of tasks that are stored. One that a waiting worker takes at once is never stored, so a queue
//!   whose workers keep up has none. Nexus tasks and queries never are.
//! - Tasks that stay with the worker that has the workflow in its cache (sticky queues), and activities that a worker takes
//!   along with its own answer (eager), are in none of them. Slots alone show them.
//! - Rates are averages of 30 s in steps of 5 s, of tasks that are stored and that are not.
//! - The tasks of the current and of the ramping version wait in one queue; Temporal divides them by the ramp's percentage.
//! - Answers are kept for 5 s, those for a version twice: they are up to 10 s old. Each costs a question to every partition of
//!   every queue. A queue that is asked about stays loaded.
//! - Heartbeats come every 60 s unless the SDK is told otherwise, and are kept for 5 minutes.
//!
//! Seen with server 1.32.0 and the Python SDK 1.35: 2 tasks a second that a worker keeps up with are a backlog of 0 and rates
//! of 1.9 to 2.1; of 60 tasks at once for 4 slots, 56 were seen after 6 s, with the age of the oldest. The rates of a queue that
//! has become quiet fall to nothing within 35 s. A worker sends its first heartbeat when it starts, with no slot in use, and
//! the next a minute later: four slots that were busy all the time were told so after 18 s. When it stops, it says so at once.

mod fake;

pub use fake::FakeQueues;

use super::clients::workflow;
use super::dial::Channel;
use super::proto::deployment::WorkerDeploymentVersion;
use super::proto::taskqueue::{PollerInfo, TaskQueue, TaskQueueStats};
use super::proto::worker::{WorkerHeartbeat, WorkerSlotsInfo};
use super::proto::workflow as api;
use super::{Answer, GrpcTemporal, Target, TemporalError};
use crate::api::worker::QueueType;
use crate::plan::worker::KnownQueue;
use futures::future::FutureExt;
use k8s_openapi::jiff::Timestamp;
use std::collections::BTreeSet;
use std::time::Duration;
use tonic::Response;
use tonic::Status;

/// Workers asked for at a time.
const PAGE: i32 = 200;
/// A worker that is silent for longer is gone: two heartbeats and somewhat more.
const HEARTBEAT_COUNTS: Duration = Duration::from_secs(150);
/// A poller that has asked so lately polls: a poll takes up to 60 s.
const POLLS: Duration = Duration::from_secs(90);
/// `WORKER_STATUS_RUNNING`
const RUNNING: i32 = 1;
/// Kind of a supplier of slots that has a set number of them.
const FIXED: &str = "Fixed";

/// What waits and passes in a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    /// Tasks that wait.
    pub backlog: u64,
    /// How long the oldest of them waits.
    pub age: Duration,
    /// Tasks that come, a second.
    pub add_rate: f64,
    /// Tasks that are given to workers, a second.
    pub dispatch_rate: f64,
    /// Tasks are held back by a rate limit.
    pub rate_limited: bool,
}

/// A queue and what waits there.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueLoad {
    /// The queue; with pollers only where they are counted.
    pub queue: KnownQueue,
    /// What waits.
    pub stats: Stats,
}

/// A worker's slots, as its last heartbeat told them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkerSlots {
    /// Worker Deployment and build id; none of an unversioned worker.
    pub version: Option<(String, String)>,
    /// The queue it polls.
    pub queue: String,
    /// Where it runs: a pod and its process.
    pub process: String,
    /// Slots in use and all slots by kind: workflows, activities, Nexus, local activities. All are 0 where no number is set.
    pub kinds: [(u64, u64); 4],
}

/// What the operator asks of task queues and workers. It only reads, within a budget for each namespace: a call that would
/// have to wait long for it is refused with `RESOURCE_EXHAUSTED`, without Temporal being asked.
pub trait Queues: Send + Sync {
    /// Queues that a version has polled, and what waits there for it; none when Temporal has no such version.
    fn version_load<'a>(
        &'a self,
        target: &'a Target,
        namespace: &'a str,
        deployment: &'a str,
        build_id: &'a str,
    ) -> Answer<'a, Option<Vec<QueueLoad>>>;

    /// What waits in a queue for all versions together, and who polls it.
    fn queue_load<'a>(
        &'a self,
        target: &'a Target,
        namespace: &'a str,
        queue: &'a str,
        type_: QueueType,
    ) -> Answer<'a, QueueLoad>;

    /// Slots of all workers of a namespace that tell them; none when the server keeps no heartbeats.
    fn slots<'a>(&'a self, target: &'a Target, namespace: &'a str) -> Answer<'a, Option<Vec<WorkerSlots>>>;
}

impl GrpcTemporal {
    /// A call out of the namespace's budget.
    pub(super) async fn call_in_budget<T, F>(
        &self,
        target: &Target,
        namespace: &str,
        call: &'static str,
        ask: impl Fn(Channel) -> F,
    ) -> Result<T, TemporalError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let budget = self.budgets.of(&target.cluster, namespace);
        budget.take(call).await?;
        let answer = self.call_in_turn(target, call, ask).await;
        budget.answered(matches!(answer, Err(TemporalError::Refused { code: "RESOURCE_EXHAUSTED", .. })));
        answer
    }

    /// A version with the queues that it has polled, and what waits there if that is asked too.
    pub(super) async fn describe_version(
        &self,
        target: &Target,
        namespace: &str,
        version: &WorkerDeploymentVersion,
        report_task_queue_stats: bool,
    ) -> Result<api::DescribeWorkerDeploymentVersionResponse, TemporalError> {
        let answer = self.call_in_budget(target, namespace, "DescribeWorkerDeploymentVersion", |channel| async move {
            let message = api::DescribeWorkerDeploymentVersionRequest {
                namespace: namespace.to_owned(),
                deployment_version: Some(version.clone()),
                report_task_queue_stats,
            };
            workflow(channel).describe_worker_deployment_version(self.request(message)).await
        });
        answer.await
    }

    /// A queue with those who poll it, and what waits there if that is asked too.
    pub(super) async fn describe_queue(
        &self,
        target: &Target,
        namespace: &str,
        (queue, type_): (&str, QueueType),
        report_stats: bool,
    ) -> Result<api::DescribeTaskQueueResponse, TemporalError> {
        let answer = self.call_in_budget(target, namespace, "DescribeTaskQueue", |channel| async move {
            let message = api::DescribeTaskQueueRequest {
                namespace: namespace.to_owned(),
                task_queue: Some(TaskQueue { name: queue.to_owned() }),
                task_queue_type: number_of(type_),
                report_stats,
            };
            workflow(channel).describe_task_queue(self.request(message)).await
        });
        let now = Timestamp::now();
        let mut answer = answer.await?;
        answer.pollers.retain(|poller| is_within(poller.last_access_time, now, POLLS));
        Ok(answer)
    }

    async fn load_of_version(
        &self,
        target: &Target,
        namespace: &str,
        version: &WorkerDeploymentVersion,
    ) -> Result<Option<Vec<QueueLoad>>, TemporalError> {
        match self.describe_version(target, namespace, version, true).await {
            Ok(answer) => Ok(Some(answer.version_task_queues.into_iter().filter_map(load).collect())),
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn load_of_queue(
        &self,
        target: &Target,
        namespace: &str,
        queue: &str,
        type_: QueueType,
    ) -> Result<QueueLoad, TemporalError> {
        let answer = self.describe_queue(target, namespace, (queue, type_), true).await?;
        let pollers = Some(count(&answer.pollers));
        Ok(QueueLoad {
            queue: KnownQueue { name: queue.to_owned(), type_, pollers },
            stats: stats(answer.stats.unwrap_or_default()),
        })
    }

    async fn all_slots(&self, target: &Target, namespace: &str) -> Result<Option<Vec<WorkerSlots>>, TemporalError> {
        let (mut all, mut next, now) = (Vec::new(), Vec::new(), Timestamp::now());
        loop {
            let page = self.call_in_budget(target, namespace, "ListWorkers", |channel| {
                let (namespace, next_page_token) = (namespace.to_owned(), next.clone());
                let message = api::ListWorkersRequest { namespace, page_size: PAGE, next_page_token };
                async move { workflow(channel).list_workers(self.request(message)).await }
            });
            let page = match page.await {
                Ok(page) => page,
                // switched off, which the server tells with UNIMPLEMENTED
                Err(TemporalError::Protocol { .. }) => return Ok(None),
                Err(error) => return Err(error),
            };
            let heartbeats = page.workers_info.into_iter().filter_map(|info| info.worker_heartbeat);
            all.extend(heartbeats.filter(|heartbeat| is_alive(heartbeat, now)).map(slots));
            if page.next_page_token.is_empty() {
                return Ok(Some(all));
            }
            next = page.next_page_token;
        }
    }
}

impl Queues for GrpcTemporal {
    fn version_load<'a>(
        &'a self,
        target: &'a Target,
        namespace: &'a str,
        deployment: &'a str,
        build_id: &'a str,
    ) -> Answer<'a, Option<Vec<QueueLoad>>> {
        let version = WorkerDeploymentVersion { build_id: build_id.to_owned(), deployment_name: deployment.to_owned() };
        async move { self.load_of_version(target, namespace, &version).await }.boxed()
    }

    fn queue_load<'a>(
        &'a self,
        target: &'a Target,
        namespace: &'a str,
        queue: &'a str,
        type_: QueueType,
    ) -> Answer<'a, QueueLoad> {
        self.load_of_queue(target, namespace, queue, type_).boxed()
    }

    fn slots<'a>(&'a self, target: &'a Target, namespace: &'a str) -> Answer<'a, Option<Vec<WorkerSlots>>> {
        self.all_slots(target, namespace).boxed()
    }
}

/// None of a kind of queue that is not known.
fn load(queue: api::describe_worker_deployment_version_response::VersionTaskQueue) -> Option<QueueLoad> {
    let type_ = type_of(queue.r#type)?;
    let stats = stats(queue.stats.unwrap_or_default());
    Some(QueueLoad { queue: KnownQueue { name: queue.name, type_, pollers: None }, stats })
}

fn stats(stats: TaskQueueStats) -> Stats {
    let rate = |rate: f32| f64::from(rate).max(0.0);
    Stats {
        backlog: u64::try_from(stats.approximate_backlog_count).unwrap_or(0),
        age: stats.approximate_backlog_age.and_then(|age| Duration::try_from(age).ok()).unwrap_or_default(),
        add_rate: rate(stats.tasks_add_rate),
        dispatch_rate: rate(stats.tasks_dispatch_rate),
        rate_limited: stats.rate_limiting_active,
    }
}

/// How many poll: one that polls several times counts once.
pub(super) fn count<'a>(pollers: impl IntoIterator<Item = &'a PollerInfo>) -> u32 {
    let identities: BTreeSet<&str> = pollers.into_iter().map(|poller| poller.identity.as_str()).collect();
    u32::try_from(identities.len()).unwrap_or(u32::MAX)
}

fn is_alive(heartbeat: &WorkerHeartbeat, now: Timestamp) -> bool {
    heartbeat.status == RUNNING && is_within(heartbeat.heartbeat_time, now, HEARTBEAT_COUNTS)
}

fn is_within(time: Option<prost_types::Timestamp>, now: Timestamp, most: Duration) -> bool {
    let time = time.and_then(|time| Timestamp::new(time.seconds, time.nanos).ok());
    time.is_some_and(|time| Duration::try_from(now.duration_since(time)).is_ok_and(|age| age <= most) || time > now)
}

fn slots(heartbeat: WorkerHeartbeat) -> WorkerSlots {
    let host = heartbeat.host_info.unwrap_or_default();
    WorkerSlots {
        version: heartbeat.deployment_version.map(|version| (version.deployment_name, version.build_id)),
        queue: heartbeat.task_queue,
        process: format!("{}/{}", host.host_name, host.process_id),
        kinds: [
            kind(heartbeat.workflow_task_slots_info),
            kind(heartbeat.activity_task_slots_info),
            kind(heartbeat.nexus_task_slots_info),
            kind(heartbeat.local_activity_slots_info),
        ],
    }
}

fn kind(info: Option<WorkerSlotsInfo>) -> (u64, u64) {
    let info = info.unwrap_or_default();
    let (used, free) =
        (info.current_used_slots.max(0).unsigned_abs(), info.current_available_slots.max(0).unsigned_abs());
    let all = if info.slot_supplier_kind == FIXED { used + free } else { 0 };
    (used.into(), all.into())
}

/// `TaskQueueType`: 1 workflow, 2 activity, 3 nexus.
const fn number_of(type_: QueueType) -> i32 {
    match type_ {
        QueueType::Workflow => 1,
        QueueType::Activity => 2,
        QueueType::Nexus => 3,
    }
}

pub(super) fn type_of(number: i32) -> Option<QueueType> {
    [QueueType::Workflow, QueueType::Activity, QueueType::Nexus].into_iter().find(|type_| number_of(*type_) == number)
}
