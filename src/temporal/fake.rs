//! A Temporal in memory, for tests of what stands above.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::future::{BoxFuture, FutureExt, ready};

use super::{ClusterRef, ClusterView, ShardView, Target, Temporal, TemporalError};

/// A question that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// [`Temporal::describe_cluster`]
    DescribeCluster(Target),
    /// [`Temporal::shards`], with the hosts asked about.
    Shards(Target, BTreeSet<SocketAddr>),
    /// [`Temporal::canary`]
    Canary(Target),
    /// [`Temporal::visibility`]
    Visibility(Target),
    /// [`Temporal::users_visibility`]
    UsersVisibility(Target),
    /// [`Temporal::forget`]
    Forget(ClusterRef),
}

/// Answers what it was told to, and remembers what it was asked. A target it was told nothing about is unreachable.
#[derive(Default)]
pub struct FakeTemporal {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    clusters: BTreeMap<Target, Result<ClusterView, TemporalError>>,
    shards: BTreeMap<Target, Result<ShardView, TemporalError>>,
    canaries: BTreeMap<Target, Result<(), TemporalError>>,
    visibilities: BTreeMap<Target, Result<(), TemporalError>>,
    calls: Vec<Call>,
}

impl FakeTemporal {
    /// One that reaches nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the answer to `describe_cluster`.
    pub fn set_cluster(&self, target: &Target, answer: Result<ClusterView, TemporalError>) {
        self.lock().clusters.insert(target.clone(), answer);
    }

    /// Sets the answer to `shards`; a call gets the part of it about the hosts that it names.
    pub fn set_shards(&self, target: &Target, answer: Result<ShardView, TemporalError>) {
        self.lock().shards.insert(target.clone(), answer);
    }

    /// Sets the answer to `canary`.
    pub fn set_canary(&self, target: &Target, answer: Result<(), TemporalError>) {
        self.lock().canaries.insert(target.clone(), answer);
    }

    /// Sets the answer to `visibility` and `users_visibility`.
    pub fn set_visibility(&self, target: &Target, answer: Result<(), TemporalError>) {
        self.lock().visibilities.insert(target.clone(), answer);
    }

    /// The calls since the last time, oldest first.
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.lock().calls)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Temporal for FakeTemporal {
    fn describe_cluster<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<ClusterView, TemporalError>> {
        let mut state = self.lock();
        state.calls.push(Call::DescribeCluster(target.clone()));
        answer("DescribeCluster", state.clusters.get(target))
    }

    fn shards<'a>(
        &'a self,
        target: &'a Target,
        hosts: &'a BTreeSet<SocketAddr>,
    ) -> BoxFuture<'a, Result<ShardView, TemporalError>> {
        let mut state = self.lock();
        state.calls.push(Call::Shards(target.clone(), hosts.clone()));
        let mut known = state.shards.get(target).cloned();
        if let Some(Ok(view)) = &mut known {
            view.held.retain(|host, _| hosts.contains(host));
            view.silent.retain(|host, _| hosts.contains(host));
        }
        answer("DescribeHistoryHost", known.as_ref())
    }

    fn canary<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<(), TemporalError>> {
        let mut state = self.lock();
        state.calls.push(Call::Canary(target.clone()));
        answer("GetSystemInfo (frontend)", state.canaries.get(target))
    }

    fn visibility<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<(), TemporalError>> {
        let mut state = self.lock();
        state.calls.push(Call::Visibility(target.clone()));
        answer("ListWorkflowExecutions (visibility)", state.visibilities.get(target))
    }

    fn users_visibility<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<(), TemporalError>> {
        let mut state = self.lock();
        state.calls.push(Call::UsersVisibility(target.clone()));
        answer("ListWorkflowExecutions (visibility)", state.visibilities.get(target))
    }

    fn forget(&self, cluster: &ClusterRef) {
        self.lock().calls.push(Call::Forget(cluster.clone()));
    }
}

fn answer<T: Clone + Send + 'static>(
    call: &'static str,
    known: Option<&Result<T, TemporalError>>,
) -> BoxFuture<'static, Result<T, TemporalError>> {
    let nothing = || Err(TemporalError::Unreachable { call, reason: "there is nothing at that address".to_owned() });
    ready(known.cloned().unwrap_or_else(nothing)).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_by_target_and_remembers() {
        let fake = FakeTemporal::new();
        let (known, other) = (Target::frontend("ns", "a", 7233), Target::frontend("ns", "b", 7233));
        let (one, two) = (SocketAddr::from(([10, 0, 0, 1], 7234)), SocketAddr::from(([10, 0, 0, 2], 7234)));
        let held = BTreeMap::from([(one, BTreeSet::from([1])), (two, BTreeSet::from([2]))]);
        fake.set_shards(&known, Ok(ShardView { held, ..ShardView::default() }));
        fake.set_canary(&known, Ok(()));

        let asked = BTreeSet::from([one]);
        assert_eq!(fake.shards(&known, &asked).await.unwrap().held, BTreeMap::from([(one, BTreeSet::from([1]))]));
        assert_eq!(fake.canary(&known).await, Ok(()));
        assert_eq!(fake.canary(&other).await.unwrap_err().class(), "Unreachable");
        fake.forget(&other.cluster);
        assert_eq!(
            fake.take_calls(),
            [
                Call::Shards(known.clone(), asked),
                Call::Canary(known),
                Call::Canary(other.clone()),
                Call::Forget(other.cluster)
            ]
        );
        assert!(fake.take_calls().is_empty());
    }
}
