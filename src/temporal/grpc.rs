//! [`Temporal`] over gRPC.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, StreamExt};
use tokio::time::{Instant, timeout_at};
use tonic::{Request, Response, Status};

use super::budgets::Budgets;
use super::clients::{admin, request_within};
use super::dial::{Channel, Dialer};
use super::error::bounded;
use super::proto::admin::{DescribeClusterRequest, DescribeClusterResponse, DescribeHistoryHostRequest};
use super::status::error_of;
use super::tokens::Tokens;
use super::turns::Turns;
use super::{ClusterRef, ClusterView, Reach, Role, ShardView, Target, Temporal, TemporalError};
use crate::api::SYSTEM_NAMESPACE;

/// How long a call may take, connecting included.
const DEADLINE: Duration = Duration::from_secs(3);
/// History hosts that are asked at a time.
const PARALLEL: usize = 8;

/// Hears how long each call of the canary took, connecting included, and whether it was answered as it should be.
pub trait Stopwatch: Send + Sync {
    /// A call ended.
    fn call_ended(&self, cluster: &ClusterRef, call: &'static str, took: Duration, answered: bool);
}

/// Asks real servers.
pub struct GrpcTemporal {
    dialer: Dialer,
    pub(super) deadline: Duration,
    turns: Turns,
    pub(super) tokens: Tokens,
    pub(super) budgets: Budgets,
    pub(super) stopwatch: Option<Arc<dyn Stopwatch>>,
}

impl GrpcTemporal {
    /// A speaker that reaches frontends in one way.
    pub fn new(reach: Reach) -> Self {
        Self {
            dialer: Dialer::new(reach),
            deadline: DEADLINE,
            turns: Turns::default(),
            tokens: Tokens::default(),
            budgets: Budgets::default(),
            stopwatch: None,
        }
    }

    /// Lets somebody hear how long the calls of the canary take.
    pub fn with_stopwatch(mut self, stopwatch: Arc<dyn Stopwatch>) -> Self {
        self.stopwatch = Some(stopwatch);
        self
    }

    /// Changes the deadline of each call, 3 s by default.
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// A call that may be repeated. It is, once and within the same deadline, when the connection turns out to be
    /// broken or leads to a frontend that is leaving.
    pub(super) async fn call<T, F>(
        &self,
        target: &Target,
        call: &'static str,
        ask: impl Fn(Channel) -> F,
    ) -> Result<T, TemporalError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        self.call_within(self.deadline, target, call, ask).await
    }

    /// The same, when it is the turn of a resource on the cluster.
    pub(super) async fn call_in_turn<T, F>(
        &self,
        target: &Target,
        call: &'static str,
        ask: impl Fn(Channel) -> F,
    ) -> Result<T, TemporalError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        self.call_in_turn_within(self.deadline, target, call, ask).await
    }

    /// The same within another deadline, which begins with the turn.
    pub(super) async fn call_in_turn_within<T, F>(
        &self,
        deadline: Duration,
        target: &Target,
        call: &'static str,
        ask: impl Fn(Channel) -> F,
    ) -> Result<T, TemporalError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let _turn = self.turns.take(&target.cluster).await;
        self.call_within(deadline, target, call, ask).await
    }

    /// The same, when a namespace, or the routes of its workers, may be changed.
    pub(super) async fn change_in_turn<T, F>(
        &self,
        deadline: Duration,
        target: &Target,
        call: &'static str,
        ask: impl Fn(Channel) -> F,
    ) -> Result<T, TemporalError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        self.turns.change(&target.cluster).await;
        self.call_in_turn_within(deadline, target, call, ask).await
    }

    async fn call_within<T, F>(
        &self,
        deadline: Duration,
        target: &Target,
        call: &'static str,
        ask: impl Fn(Channel) -> F,
    ) -> Result<T, TemporalError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let limit = Limit::from_now(deadline);
        let first = self.once(target, call, limit, &ask).await;
        if !matches!(first, Err(TemporalError::Unreachable { .. })) || limit.is_over() {
            return first;
        }
        match self.once(target, call, limit, &ask).await {
            // that the time is over says less than what went wrong first
            Err(TemporalError::Unreachable { .. }) if limit.is_over() => first,
            second => second,
        }
    }

    async fn once<T, F>(
        &self,
        target: &Target,
        call: &'static str,
        limit: Limit,
        ask: impl Fn(Channel) -> F,
    ) -> Result<T, TemporalError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let line = self.dialer.line(target, call)?;
        let result = bounded_by(call, limit, ask(line.channel.clone())).await;
        if matches!(result, Err(TemporalError::Unreachable { .. } | TemporalError::Untrusted { .. })) {
            self.dialer.hang_up(target, &line);
        }
        result
    }

    /// A request with its deadline, for the server to give up as well. As an operator's call it is not held up by the
    /// rate limits that the users fill (`frontend.operatorRPSRatio`; server 1.31 `service/frontend/configs/quotas.go`).
    pub(super) fn request<M>(&self, message: M) -> Request<M> {
        request_within(self.deadline, message)
    }

    async fn cluster(&self, target: &Target) -> Result<ClusterView, TemporalError> {
        let answer = self.call(target, "DescribeCluster", |channel| async move {
            admin(channel).describe_cluster(self.request(DescribeClusterRequest::default())).await
        });
        view_of(answer.await?)
    }

    async fn shards_of(&self, target: &Target, hosts: &BTreeSet<SocketAddr>) -> Result<ShardView, TemporalError> {
        if hosts.is_empty() {
            return Ok(ShardView::default());
        }
        let line = self.dialer.line(target, "DescribeHistoryHost")?;
        let answers: Vec<_> = stream::iter(hosts.iter().copied())
            .map(|host| self.host(line.channel.clone(), host).map(move |held| (host, held)))
            .buffer_unordered(PARALLEL)
            .collect()
            .await;
        let mut view = ShardView::default();
        for (host, answer) in answers {
            match answer {
                Ok(shards) => drop(view.held.insert(host, shards)),
                Err(error @ TemporalError::Denied { .. }) => return Err(error),
                Err(error) => drop(view.silent.insert(host, error)),
            }
        }
        // One silent host says nothing of the way to the frontend; all of them might.
        if view.held.is_empty() {
            self.dialer.hang_up(target, &line);
        }
        Ok(view)
    }

    async fn host(&self, channel: Channel, host: SocketAddr) -> Result<BTreeSet<u32>, TemporalError> {
        let call = "DescribeHistoryHost";
        let request = self.request(DescribeHistoryHostRequest { host_address: host.to_string() });
        let limit = Limit::from_now(self.deadline);
        let answer = bounded_by(call, limit, admin(channel).describe_history_host(request)).await?;
        answer.shard_ids.into_iter().map(|shard| natural(call, "shard", shard)).collect()
    }
}

impl Temporal for GrpcTemporal {
    fn describe_cluster<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<ClusterView, TemporalError>> {
        self.cluster(target).boxed()
    }

    fn shards<'a>(
        &'a self,
        target: &'a Target,
        hosts: &'a BTreeSet<SocketAddr>,
    ) -> BoxFuture<'a, Result<ShardView, TemporalError>> {
        self.shards_of(target, hosts).boxed()
    }

    fn canary<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<(), TemporalError>> {
        self.sing(target).boxed()
    }

    fn visibility<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<(), TemporalError>> {
        self.timed(target, "ListWorkflowExecutions", self.list_one(target, SYSTEM_NAMESPACE)).boxed()
    }

    fn users_visibility<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<(), TemporalError>> {
        self.list_one_of_users(target).boxed()
    }

    fn forget(&self, cluster: &ClusterRef) {
        self.dialer.forget(cluster);
        self.turns.forget(cluster);
        self.tokens.forget(cluster);
        self.budgets.forget(cluster);
    }
}

/// How long a call may take.
#[derive(Clone, Copy)]
struct Limit {
    deadline: Duration,
    until: Instant,
}

impl Limit {
    fn from_now(deadline: Duration) -> Self {
        Self { deadline, until: Instant::now() + deadline }
    }

    /// The server's clock, tonic's and ours all watch the deadline, and any of them may be the first to end the call.
    fn is_over(self) -> bool {
        Instant::now() + Duration::from_millis(50) >= self.until
    }
}

async fn bounded_by<T>(
    call: &'static str,
    limit: Limit,
    answer: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, TemporalError> {
    let error = match timeout_at(limit.until, answer).await {
        Ok(Ok(response)) => return Ok(response.into_inner()),
        Ok(Err(status)) => Some(error_of(call, &status)),
        Err(_) => None,
    };
    match error {
        Some(error) if !matches!(error, TemporalError::Unreachable { .. }) || !limit.is_over() => Err(error),
        _ => Err(TemporalError::late(call, limit.deadline)),
    }
}

fn view_of(answer: DescribeClusterResponse) -> Result<ClusterView, TemporalError> {
    let call = "DescribeCluster";
    let mut rings = BTreeMap::new();
    for ring in answer.membership_info.unwrap_or_default().rings {
        let Some(role) = Role::parse(&ring.role) else { continue };
        let members: Result<BTreeSet<_>, _> =
            ring.members.iter().map(|member| address(call, &member.identity)).collect();
        rings.insert(role, members?);
    }
    Ok(ClusterView {
        server_version: bounded(&answer.server_version),
        cluster_id: bounded(&answer.cluster_id),
        cluster_name: bounded(&answer.cluster_name),
        history_shard_count: natural(call, "shard count", answer.history_shard_count)?,
        persistence_store: bounded(&answer.persistence_store),
        visibility_store: bounded(&answer.visibility_store),
        rings,
    })
}

/// A ring member as the server writes it: `10.0.0.1:7234`, `[fd00::1]:7234`.
fn address(call: &'static str, text: &str) -> Result<SocketAddr, TemporalError> {
    text.parse()
        .map_err(|_| TemporalError::Protocol { call, detail: bounded(&format!("member {text:?} is not an address")) })
}

fn natural(call: &'static str, what: &str, number: i32) -> Result<u32, TemporalError> {
    let positive = u32::try_from(number).ok().filter(|number| *number > 0);
    positive.ok_or_else(|| TemporalError::Protocol { call, detail: format!("{what} {number} is not positive") })
}
