//! Clusters that a turn found nothing to do for: as long as they look the same, there is nothing to plan anew.

use crate::api::TemporalCluster;
use crate::plan::Observed;
use crate::temporal::ClusterRef;
use crate::watches::Live;
use kube::ResourceExt;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How each cluster looked, and when it was to be looked at again.
#[derive(Default)]
pub(super) struct Settled(Mutex<HashMap<ClusterRef, (Look, Duration)>>);

/// Hash of all that a plan is made from, but for the clock.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Look(u64);

impl Look {
    /// The look of a cluster; none while there is more to see of it than of one that is settled.
    pub(super) fn at(cluster: &TemporalCluster, live: &Live, seen: &Observed) -> Option<Self> {
        // every field by name: a new one must find its place here
        let Observed {
            cluster: _,
            // by their versions, in `live`
            children: _,
            deployments: _,
            jobs: _,
            autoscalers: _,
            pods,
            revisions,
            replica_set_configs,
            secrets,
            refusals,
            taken,
            temporal,
            // with `pods`
            apart: _,
            monitors_served,
        } = seen;
        let mut hasher = DefaultHasher::new();
        // the resource's version stands for spec, annotations and status
        (cluster.uid(), cluster.resource_version()).hash(&mut hasher);
        live.versions().for_each(|version| version.hash(&mut hasher));
        (replica_set_configs, secrets, taken, temporal, monitors_served).hash(&mut hasher);
        (pods.is_empty() && revisions.is_empty() && refusals.is_empty()).then(|| Self(hasher.finish()))
    }
}

impl Settled {
    /// When to look again at a cluster that looks as it did when nothing had to be done. What it looked like is forgotten
    /// when it looks different now.
    pub(super) fn still(&self, cluster: &TemporalCluster, look: Option<Look>) -> Option<Duration> {
        let (key, mut all) = (ClusterRef::of(cluster), self.all());
        match all.get(&key) {
            Some((before, wake)) if Some(*before) == look => Some(*wake),
            _ => {
                all.remove(&key);
                None
            }
        }
    }

    /// Nothing had to be done for a cluster that looks like this, nor will later.
    pub(super) fn note(&self, cluster: &TemporalCluster, look: Look, wake: Duration) {
        self.all().insert(ClusterRef::of(cluster), (look, wake));
    }

    /// A cluster is gone.
    pub(super) fn forget(&self, cluster: &ClusterRef) {
        self.all().remove(cluster);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<ClusterRef, (Look, Duration)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
