//! The clusters as hosts of other resources: kept by the watch of `TemporalCluster`, asked by whatever lives on them.

use crate::api::TemporalCluster;
use crate::api::reference::ClusterRef;
use crate::plan::seat::{self, Host};
use futures::channel::mpsc;
use kube::runtime::watcher::Event;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Every cluster the operator sees.
#[derive(Clone)]
pub struct Hosts(Arc<Shared>);

struct Shared {
    index: Mutex<Index>,
    /// For each namespace that is watched, or for all, whether its clusters have been listed once.
    listed: HashMap<Option<String>, watch::Sender<bool>>,
}

#[derive(Default)]
struct Index {
    hosts: HashMap<ClusterRef, Host>,
    /// Clusters listed since a watch began anew, by the namespace it is of.
    listing: HashMap<Option<String>, BTreeSet<ClusterRef>>,
    listeners: Vec<mpsc::UnboundedSender<ClusterRef>>,
}

impl Hosts {
    /// No clusters yet; the namespaces that will be watched, or all.
    #[must_use]
    pub fn new(scopes: &[Option<String>]) -> Self {
        let listed = scopes.iter().map(|scope| (scope.clone(), watch::Sender::new(false))).collect();
        Self(Arc::new(Shared { index: Mutex::default(), listed }))
    }

    /// Takes in an event of the watch of a namespace, or of all, and tells who listens which clusters changed.
    pub fn note(&self, namespace: Option<&str>, event: &Event<TemporalCluster>) {
        let scope = namespace.map(str::to_owned);
        let mut index = self.index();
        match event {
            Event::Init => {
                index.listing.insert(scope, BTreeSet::new());
            }
            Event::InitApply(cluster) => {
                index.listing.entry(scope).or_default().insert(ClusterRef::of(cluster));
                index.set(&ClusterRef::of(cluster), Some(seat::host(cluster)));
            }
            Event::Apply(cluster) => index.set(&ClusterRef::of(cluster), Some(seat::host(cluster))),
            Event::Delete(cluster) => index.set(&ClusterRef::of(cluster), None),
            Event::InitDone => {
                let seen = index.listing.remove(&scope).unwrap_or_default();
                let watched = |c: &&ClusterRef| scope.as_ref().is_none_or(|namespace| *namespace == c.namespace);
                let gone = index.hosts.keys().filter(watched).filter(|c| !seen.contains(c));
                let gone: Vec<ClusterRef> = gone.cloned().collect();
                gone.iter().for_each(|cluster| index.set(cluster, None));
                if let Some(listed) = self.0.listed.get(&scope) {
                    listed.send_replace(true);
                }
            }
        }
    }

    /// The cluster, if it is there.
    #[must_use]
    pub fn get(&self, cluster: &ClusterRef) -> Option<Host> {
        self.index().hosts.get(cluster).cloned()
    }

    /// Whether the clusters of a namespace are looked at.
    #[must_use]
    pub fn is_watched(&self, namespace: &str) -> bool {
        self.listing_of(namespace).is_some()
    }

    /// Until the clusters of a namespace have been listed once, one that is missing may just not have arrived.
    pub async fn ready(&self, namespace: &str) {
        if let Some(listed) = self.listing_of(namespace) {
            // the sender is in `self`: this cannot fail
            let _ = listed.subscribe().wait_for(|listed| *listed).await;
        }
    }

    /// Every cluster that changes from now on in what matters to others.
    #[must_use]
    pub fn listen(&self) -> mpsc::UnboundedReceiver<ClusterRef> {
        let (tell, changes) = mpsc::unbounded();
        self.index().listeners.push(tell);
        changes
    }

    fn listing_of(&self, namespace: &str) -> Option<&watch::Sender<bool>> {
        self.0.listed.get(&None).or_else(|| self.0.listed.get(&Some(namespace.to_owned())))
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.0.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn set(&mut self, cluster: &ClusterRef, host: Option<Host>) {
        let changed = self.hosts.get(cluster) != host.as_ref();
        match host {
            Some(new) => self.hosts.insert(cluster.clone(), new),
            None => self.hosts.remove(cluster),
        };
        if changed {
            self.listeners.retain(|tell| tell.unbounded_send(cluster.clone()).is_ok());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use serde_json::json;

    fn cluster(name: &str, ready: &str) -> TemporalCluster {
        let sql = json!({"sql": {"pluginName": "postgres12", "user": "t", "databaseName": "d", "connectAddr": "db:1"}});
        serde_json::from_value(json!({
            "apiVersion": "temporal.io/v1beta1", "kind": "TemporalCluster",
            "metadata": {"name": name, "namespace": "ns"},
            "spec": {"numHistoryShards": 4, "persistence": {"defaultStore": sql, "visibilityStore": sql}},
            "status": {"message": format!("{ready} for the moment"), "conditions": [{"type": "Ready", "status": ready,
                "reason": "R", "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
        }))
        .unwrap()
    }

    #[test]
    fn a_change_that_matters_is_told_once() {
        let hosts = Hosts::new(&[None]);
        let mut changes = hosts.listen();
        hosts.note(None, &Event::Apply(cluster("a", "False")));
        // another sentence, and nothing new for others
        hosts.note(None, &Event::Apply(cluster("a", "Unknown")));
        hosts.note(None, &Event::Delete(cluster("a", "Unknown")));
        let told: Vec<_> = std::iter::from_fn(|| changes.try_recv().ok()).map(|c| c.to_string()).collect();
        assert_eq!(told, ["ns/a", "ns/a"]);
        assert_eq!(hosts.get(&ClusterRef::of(&cluster("a", ""))), None);
    }

    #[test]
    fn what_is_missing_is_known_to_be_missing_only_after_a_list() {
        let hosts = Hosts::new(&[Some("ns".to_owned())]);
        assert!(hosts.ready("ns").now_or_never().is_none());
        assert!(hosts.ready("elsewhere").now_or_never().is_some(), "nobody will ever list it");
        assert!(!hosts.is_watched("elsewhere"));
        hosts.note(Some("ns"), &Event::Apply(cluster("gone", "")));
        hosts.note(Some("ns"), &Event::Init);
        hosts.note(Some("ns"), &Event::InitApply(cluster("a", "")));
        hosts.note(Some("ns"), &Event::InitDone);
        assert!(hosts.ready("ns").now_or_never().is_some());
        assert!(hosts.get(&ClusterRef::of(&cluster("a", ""))).is_some());
        assert_eq!(hosts.get(&ClusterRef::of(&cluster("gone", ""))), None);
    }
}
