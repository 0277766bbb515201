//! Which clusters claim which database: kept by the watch of `TemporalCluster`, asked by each reconcile.

use super::{Place, place};
use crate::api::TemporalCluster;
use crate::plan::neighbours::{self, Claim, Taken};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::Event;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// The claims of every cluster the operator sees.
#[derive(Clone, Default)]
pub struct Claims(Arc<Mutex<Index>>);

#[derive(Default)]
struct Index {
    claims: HashMap<Place, Claim>,
    by_database: BTreeMap<String, BTreeSet<Place>>,
    /// Clusters listed since a watch began anew, by the namespace it is of.
    listed: HashMap<Option<String>, BTreeSet<Place>>,
}

impl Claims {
    /// Takes in an event of the watch of a namespace, or of all; the other clusters whose databases it is about, if it
    /// changed a claim.
    pub fn note(&self, namespace: Option<&str>, event: &Event<TemporalCluster>) -> Vec<ObjectRef<TemporalCluster>> {
        let mut index = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let scope = namespace.map(str::to_owned);
        let others: Vec<Place> = match event {
            Event::Init => {
                index.listed.insert(scope, BTreeSet::new());
                Vec::new()
            }
            Event::InitApply(cluster) => {
                let key = place(cluster);
                index.listed.entry(scope).or_default().insert(key.clone());
                index.set(&key, Some(neighbours::claim(cluster)))
            }
            Event::Apply(cluster) => index.set(&place(cluster), Some(neighbours::claim(cluster))),
            Event::Delete(cluster) => index.set(&place(cluster), None),
            Event::InitDone => {
                let listed = index.listed.remove(&scope).unwrap_or_default();
                let watched = |c: &&Place| scope.as_ref().is_none_or(|namespace| *namespace == c.0);
                let gone = index.claims.keys().filter(watched).filter(|c| !listed.contains(c));
                let gone: Vec<Place> = gone.cloned().collect();
                gone.into_iter().flat_map(|cluster| index.set(&cluster, None)).collect()
            }
        };
        others.into_iter().map(|(namespace, name)| ObjectRef::new(&name).within(&namespace)).collect()
    }

    /// A database of the cluster that another one has.
    #[must_use]
    pub fn taken(&self, namespace: &str, name: &str) -> Option<Taken> {
        let index = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let cluster = (namespace.to_owned(), name.to_owned());
        let own = index.claims.get(&cluster)?;
        let others = index.others(&cluster, [own]);
        let others: Vec<Claim> = others.iter().filter_map(|c| index.claims.get(c).cloned()).collect();
        neighbours::taken(own, &others)
    }
}

impl Index {
    /// Replaces a cluster's claim; whoever shares a database of the old or the new one is told, when they differ.
    fn set(&mut self, cluster: &Place, claim: Option<Claim>) -> Vec<Place> {
        let before = match &claim {
            Some(new) => self.claims.insert(cluster.clone(), new.clone()),
            None => self.claims.remove(cluster),
        };
        if before == claim {
            return Vec::new();
        }
        let others = self.others(cluster, before.iter().chain(&claim));
        for database in before.iter().flat_map(|c| &c.databases) {
            if let Some(all) = self.by_database.get_mut(database) {
                all.remove(cluster);
                if all.is_empty() {
                    self.by_database.remove(database);
                }
            }
        }
        for database in claim.into_iter().flat_map(|c| c.databases) {
            self.by_database.entry(database).or_default().insert(cluster.clone());
        }
        others.into_iter().collect()
    }

    fn others<'a>(&self, cluster: &Place, claims: impl IntoIterator<Item = &'a Claim>) -> BTreeSet<Place> {
        let databases = claims.into_iter().flat_map(|c| &c.databases);
        databases.filter_map(|d| self.by_database.get(d)).flatten().filter(|c| *c != cluster).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cluster(name: &str, database: &str) -> TemporalCluster {
        let sql = |database: &str| json!({"sql": {"pluginName": "postgres12", "user": "t", "databaseName": database, "connectAddr": "db:1"}});
        serde_json::from_value(json!({
            "apiVersion": "temporal.io/v1beta1", "kind": "TemporalCluster",
            "metadata": {"name": name, "namespace": "ns"},
            "spec": {"numHistoryShards": 4,
                "persistence": {"defaultStore": sql(database), "visibilityStore": sql(&format!("{name}-v"))}},
        }))
        .unwrap()
    }

    fn names(clusters: Vec<ObjectRef<TemporalCluster>>) -> Vec<String> {
        clusters.into_iter().map(|c| c.name).collect()
    }

    #[test]
    fn the_other_is_told_when_a_claim_comes_changes_or_goes() {
        let claims = Claims::default();
        assert!(claims.note(None, &Event::Apply(cluster("a", "x"))).is_empty());
        assert_eq!(names(claims.note(None, &Event::Apply(cluster("b", "x")))), ["a"]);
        assert_eq!(claims.taken("ns", "a"), None);
        assert_eq!(claims.taken("ns", "b").map(|t| t.by), Some("ns/a".to_owned()));
        assert!(claims.note(None, &Event::Apply(cluster("b", "x"))).is_empty(), "nothing new");
        assert_eq!(names(claims.note(None, &Event::Apply(cluster("a", "y")))), ["b"]);
        assert_eq!(claims.taken("ns", "b"), None);
        claims.note(None, &Event::Apply(cluster("a", "x")));
        assert_eq!(names(claims.note(None, &Event::Delete(cluster("a", "x")))), ["b"]);
        assert_eq!(claims.taken("ns", "b"), None);
    }

    #[test]
    fn what_went_unseen_is_forgotten_at_the_next_list() {
        let claims = Claims::default();
        claims.note(None, &Event::Apply(cluster("a", "x")));
        claims.note(None, &Event::Apply(cluster("b", "x")));
        assert!(claims.note(None, &Event::Init).is_empty());
        assert!(claims.note(None, &Event::InitApply(cluster("b", "x"))).is_empty());
        assert_eq!(names(claims.note(None, &Event::InitDone)), ["b"]);
        assert_eq!(claims.taken("ns", "b"), None);
    }
}
