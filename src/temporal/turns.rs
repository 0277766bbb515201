//! How many calls the resources on a cluster may make, at a time and a second: hundreds of them must not take the frontend
//! from its users.

use super::ClusterRef;
use governor::{DefaultDirectRateLimiter, Quota};
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Calls at a time, to each cluster.
const AT_A_TIME: usize = 4;
/// Changes of namespaces and of workers' routes a second, to each cluster. Frontends take 10 of namespaces that they do not know yet
/// (`frontend.globalNamespaceRPS.namespaceReplicationInducingAPIs`), each 20 of all
/// (`frontend.rps.namespaceReplicationInducingAPIs`), and refuse the rest.
const CHANGES: NonZeroU32 = NonZeroU32::new(9).unwrap();

/// By cluster.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<ClusterRef, Arc<Cluster>>>);

struct Cluster {
    calls: Arc<Semaphore>,
    changes: DefaultDirectRateLimiter,
}

impl Default for Cluster {
    fn default() -> Self {
        let changes = DefaultDirectRateLimiter::direct(Quota::per_second(CHANGES));
        Self { calls: Arc::new(Semaphore::new(AT_A_TIME)), changes }
    }
}

impl Turns {
    /// Waits for a turn; it ends when the permit is dropped.
    pub(super) async fn take(&self, cluster: &ClusterRef) -> Option<OwnedSemaphorePermit> {
        let calls = Arc::clone(&self.of(cluster).calls);
        // it is never closed
        calls.acquire_owned().await.ok()
    }

    /// Waits until a namespace, or the routes of its workers, may be changed.
    pub(super) async fn change(&self, cluster: &ClusterRef) {
        self.of(cluster).changes.until_ready().await;
    }

    fn of(&self, cluster: &ClusterRef) -> Arc<Cluster> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(cluster.clone()).or_default())
    }

    /// A cluster is gone.
    pub(super) fn forget(&self, cluster: &ClusterRef) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(cluster);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn each_cluster_has_its_own() {
        let turns = Turns::default();
        let cluster = |name: &str| ClusterRef { namespace: "ns".to_owned(), name: name.to_owned() };
        let mut taken = Vec::new();
        for _ in 0..AT_A_TIME {
            taken.push(turns.take(&cluster("a")).await);
        }
        assert!(turns.take(&cluster("a")).now_or_never().is_none());
        assert!(turns.take(&cluster("b")).now_or_never().is_some());
        taken.pop();
        assert!(turns.take(&cluster("a")).now_or_never().is_some());
    }

    #[tokio::test]
    async fn changes_come_no_faster_than_a_frontend_takes_them() {
        let turns = Turns::default();
        let cluster = ClusterRef { namespace: "ns".to_owned(), name: "a".to_owned() };
        let at_once = (0..100).take_while(|_| turns.change(&cluster).now_or_never().is_some()).count();
        assert_eq!(at_once, CHANGES.get() as usize);
    }
}
