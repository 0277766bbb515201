//! The statuses written a moment ago, until the watch has caught up with them.

use crate::api::{TemporalCluster, TemporalClusterStatus};
use kube::ResourceExt;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// By uid: the `resourceVersion` the status was written over, and the status.
#[derive(Default)]
pub(super) struct Statuses(Mutex<HashMap<String, (String, TemporalClusterStatus)>>);

impl Statuses {
    /// The newest status known: the one just written as long as the watch still shows the object from before, else the
    /// object's own. Without this, a time that was just set would be set again.
    pub(super) fn latest(&self, cluster: &TemporalCluster) -> TemporalClusterStatus {
        let shown = cluster.resource_version().unwrap_or_default();
        match self.all().get(&cluster.uid().unwrap_or_default()) {
            Some((over, written)) if *over == shown => written.clone(),
            _ => cluster.status.clone().unwrap_or_default(),
        }
    }

    /// A status was written over this object.
    pub(super) fn wrote(&self, cluster: &TemporalCluster, status: TemporalClusterStatus) {
        let over = cluster.resource_version().unwrap_or_default();
        self.all().insert(cluster.uid().unwrap_or_default(), (over, status));
    }

    /// A cluster is gone.
    pub(super) fn forget(&self, uid: &str) {
        self.all().remove(uid);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, (String, TemporalClusterStatus)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
