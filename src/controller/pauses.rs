//! Clusters that are left alone for a while.

use crate::temporal::ClusterRef;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a cluster in a namespace that is being deleted is left alone.
pub(super) const TERMINATING: Duration = Duration::from_secs(60);

/// Until when, by cluster.
#[derive(Default)]
pub(super) struct Pauses(Mutex<HashMap<ClusterRef, Instant>>);

impl Pauses {
    /// Leaves a cluster alone for that long.
    pub(super) fn set(&self, cluster: ClusterRef, time: Duration) {
        self.all().insert(cluster, Instant::now() + time);
    }

    /// How long it is still left alone.
    pub(super) fn left(&self, cluster: &ClusterRef) -> Option<Duration> {
        let until = *self.all().get(cluster)?;
        until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    /// A cluster is gone.
    pub(super) fn forget(&self, cluster: &ClusterRef) {
        self.all().remove(cluster);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<ClusterRef, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
