//! The statuses written a moment ago, until the watch has caught up with them.

use kube::core::object::HasStatus;
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The `resourceVersion` the status was written over, and the status.
type Written<K> = HashMap<ObjectRef<K>, (String, <K as HasStatus>::Status)>;

/// By resource.
pub(super) struct Statuses<K: Resource<DynamicType = ()> + HasStatus>(Mutex<Written<K>>);

impl<K: Resource<DynamicType = ()> + HasStatus> Default for Statuses<K> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K> Statuses<K>
where
    K: Resource<DynamicType = ()> + HasStatus,
    K::Status: Clone + Default,
{
    /// The newest status known: the one just written as long as the watch still shows the object from before, else the
    /// object's own. Without this, a time that was just set would be set again.
    pub(super) fn latest(&self, object: &K) -> K::Status {
        let shown = object.resource_version().unwrap_or_default();
        let mut all = self.all();
        let key = ObjectRef::from_obj(object);
        match all.get(&key) {
            Some((over, written)) if *over == shown => return written.clone(),
            Some(_) => drop(all.remove(&key)), // the watch has caught up
            None => {}
        }
        object.status().cloned().unwrap_or_default()
    }

    /// A status was written over this object.
    pub(super) fn wrote(&self, object: &K, status: K::Status) {
        let over = object.resource_version().unwrap_or_default();
        self.all().insert(ObjectRef::from_obj(object), (over, status));
    }

    /// An object is gone.
    pub(super) fn forget(&self, gone: &ObjectRef<K>) {
        self.all().remove(gone);
    }

    fn all(&self) -> MutexGuard<'_, Written<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{TemporalCluster, TemporalClusterStatus};
    use serde_json::json;

    fn cluster(version: &str) -> TemporalCluster {
        let sql = json!({"sql": {"pluginName": "postgres12", "user": "t", "databaseName": "d", "connectAddr": "db:1"}});
        serde_json::from_value(json!({
            "apiVersion": "temporal.io/v1beta1", "kind": "TemporalCluster",
            "metadata": {"name": "c", "namespace": "ns", "resourceVersion": version},
            "spec": {"numHistoryShards": 4, "persistence": {"defaultStore": sql, "visibilityStore": sql}},
        }))
        .unwrap()
    }

    #[test]
    fn a_status_is_remembered_until_it_is_seen_or_the_cluster_is_gone() {
        let statuses = Statuses::default();
        let written = TemporalClusterStatus { message: Some("m".to_owned()), ..TemporalClusterStatus::default() };
        statuses.wrote(&cluster("1"), written.clone());
        assert_eq!(statuses.latest(&cluster("1")), written);
        assert_eq!(statuses.latest(&cluster("2")), TemporalClusterStatus::default());
        assert!(statuses.all().is_empty());
        statuses.wrote(&cluster("2"), written);
        statuses.forget(&ObjectRef::from_obj(&cluster("3")));
        assert!(statuses.all().is_empty());
    }
}
