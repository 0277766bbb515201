//! What proves that the routes are still as they were described.

use super::{ClusterRef, Target, WorkerRef};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The conflict tokens of the last answers.
#[derive(Default)]
pub(super) struct Tokens(Mutex<HashMap<(ClusterRef, WorkerRef), Vec<u8>>>);

impl Tokens {
    /// That of a Worker Deployment; empty, which proves nothing, of one that was never described.
    pub(super) fn of(&self, target: &Target, which: &WorkerRef) -> Vec<u8> {
        self.lock().get(&(target.cluster.clone(), which.clone())).cloned().unwrap_or_default()
    }

    /// Whether the routes have changed since the last answer, and not by the operator. Who did it is hidden by a deletion of the
    /// operator's own, which changes no token.
    pub(super) fn is_foreign(&self, target: &Target, which: &WorkerRef, token: &[u8]) -> bool {
        self.lock().get(&(target.cluster.clone(), which.clone())).is_some_and(|known| known != token)
    }

    /// A change has failed and may have been made all the same.
    pub(super) fn lose(&self, target: &Target, which: &WorkerRef) {
        self.lock().remove(&(target.cluster.clone(), which.clone()));
    }

    /// A newer one.
    pub(super) fn keep(&self, target: &Target, which: &WorkerRef, token: &[u8]) {
        self.lock().insert((target.cluster.clone(), which.clone()), token.to_vec());
    }

    /// A cluster is gone.
    pub(super) fn forget(&self, cluster: &ClusterRef) {
        self.lock().retain(|(of, _), _| of != cluster);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(ClusterRef, WorkerRef), Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
