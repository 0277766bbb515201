//! What happened to a cluster's objects in the meantime, state by state.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::Api;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::cluster::Cluster;

/// Every pod of a Deployment is new and ready, and no other is left.
pub fn complete(deployment: &Deployment) -> bool {
    let (Some(spec), Some(status)) = (&deployment.spec, &deployment.status) else { return false };
    let all = [status.replicas, status.updated_replicas, status.ready_replicas];
    status.observed_generation == deployment.metadata.generation && all.iter().all(|n| *n == spec.replicas)
}

/// When a state was written, on the clock that all objects share.
pub fn written<K: Resource>(object: &K) -> u64 {
    object.resource_version().and_then(|v| v.parse().ok()).expect("a resourceVersion is a number")
}

/// Every state of the cluster's objects of a kind, in the order of the watch.
pub struct Film<K> {
    seen: Arc<Mutex<Vec<K>>>,
    task: tokio::task::JoinHandle<()>,
}

impl<K> Film<K>
where
    K: Resource<Scope = kube::core::NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Send + 'static,
    K::DynamicType: Default,
{
    /// Returns when the watch has begun.
    pub async fn start(cluster: &Cluster) -> Self {
        let api: Api<K> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (film, (begun, mut ready)) = (Arc::clone(&seen), tokio::sync::mpsc::channel(1));
        let task = tokio::spawn(async move {
            let mut events = watcher(api, watcher::Config::default()).boxed();
            while let Some(event) = events.next().await {
                match event.expect("the watch goes on") {
                    Event::Apply(object) | Event::InitApply(object) => film.lock().unwrap().push(object),
                    Event::InitDone => drop(begun.send(()).await),
                    Event::Init | Event::Delete(_) => {}
                }
            }
        });
        ready.recv().await.expect("the watch begins");
        Self { seen, task }
    }

    /// All states that were seen; the watch must still be going on.
    pub fn seen(&self) -> Vec<K> {
        assert!(!self.task.is_finished(), "the watch broke off");
        let seen = self.seen.lock().unwrap().clone();
        assert!(!seen.is_empty(), "nothing was seen");
        seen
    }
}

impl<K> Drop for Film<K> {
    fn drop(&mut self) {
        self.task.abort();
    }
}
