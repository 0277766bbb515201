//! How many calls at a time the resources on a cluster may make: hundreds of them must not take the frontend from its users.

use super::ClusterRef;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Calls at a time, to each cluster.
const AT_A_TIME: usize = 4;

/// By cluster.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<ClusterRef, Arc<Semaphore>>>);

impl Turns {
    /// Waits for a turn; it ends when the permit is dropped.
    pub(super) async fn take(&self, cluster: &ClusterRef) -> Option<OwnedSemaphorePermit> {
        let semaphore = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(cluster.clone()).or_insert_with(|| Arc::new(Semaphore::new(AT_A_TIME))))
        };
        // it is never closed
        semaphore.acquire_owned().await.ok()
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
}
