//! The resources of one kind that live on clusters: by cluster, and by what of Temporal they are about.

use super::{Place, place};
use crate::api::reference::{ClusterRef, Reference};
use futures::channel::mpsc;
use k8s_openapi::jiff::Timestamp;
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is kept of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resident<T> {
    /// The cluster it names.
    pub cluster: ClusterRef,
    /// What it is about: two resources with the same claim may stand in each other's way.
    pub claim: String,
    /// When it was made.
    pub born: Option<Timestamp>,
    /// What the kind wants to know of the others.
    pub kept: T,
}

impl<T> Resident<T> {
    /// A resource that lives on what it names, and is there under its own name.
    #[must_use]
    pub fn of<K: Resource>(object: &K, on: &Reference, kept: T) -> Self {
        let namespace = on.namespace_from(&object.namespace().unwrap_or_default());
        let cluster = ClusterRef { namespace, name: on.name.clone() };
        Self {
            claim: format!("{cluster} {}", object.name_any()),
            cluster,
            born: object.meta().creation_timestamp.as_ref().map(|time| time.0),
            kept,
        }
    }

    /// Whether this one, at `place`, came before another one: who comes first has what both claim.
    fn precedes(&self, place: &Place, other: &Self, other_place: &Place) -> bool {
        (self.born, place) < (other.born, other_place)
    }
}

/// All of them that the operator sees.
#[derive(Debug)]
pub struct Residents<T>(Arc<Mutex<Index<T>>>);

#[derive(Debug)]
struct Index<T> {
    all: HashMap<Place, Resident<T>>,
    by_cluster: HashMap<ClusterRef, BTreeSet<Place>>,
    by_claim: HashMap<String, BTreeSet<Place>>,
    /// Those listed since a watch began anew, by the namespace it is of.
    listing: HashMap<Option<String>, BTreeSet<Place>>,
    listeners: Vec<mpsc::UnboundedSender<Place>>,
}

impl<T> Clone for Residents<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Residents<T> {
    fn default() -> Self {
        let (all, by_cluster, by_claim, listing, listeners) = Default::default();
        Self(Arc::new(Mutex::new(Index { all, by_cluster, by_claim, listing, listeners })))
    }
}

impl<T: Clone + PartialEq> Residents<T> {
    /// Takes in an event of the watch of a namespace, or of all; the others that it matters to.
    pub fn note<K: Resource>(
        &self,
        namespace: Option<&str>,
        event: &Event<K>,
        read: impl Fn(&K) -> Resident<T>,
    ) -> Vec<Place> {
        let scope = namespace.map(str::to_owned);
        let mut index = self.index();
        let others: BTreeSet<Place> = match event {
            Event::Init => {
                index.listing.insert(scope, BTreeSet::new());
                BTreeSet::new()
            }
            Event::InitApply(object) => {
                index.listing.entry(scope).or_default().insert(place(object));
                index.set(&place(object), Some(read(object)))
            }
            Event::Apply(object) => index.set(&place(object), Some(read(object))),
            Event::Delete(object) => index.set(&place(object), None),
            Event::InitDone => {
                let seen = index.listing.remove(&scope).unwrap_or_default();
                let watched = |p: &&Place| scope.as_ref().is_none_or(|namespace| *namespace == p.0);
                let gone = index.all.keys().filter(watched).filter(|p| !seen.contains(p));
                let gone: Vec<Place> = gone.cloned().collect();
                gone.iter().flat_map(|place| index.set(place, None)).collect()
            }
        };
        others.into_iter().collect()
    }

    /// Every one that changes from now on in what is kept of it.
    #[must_use]
    pub fn listen(&self) -> mpsc::UnboundedReceiver<Place> {
        let (tell, changes) = mpsc::unbounded();
        self.index().listeners.push(tell);
        changes
    }

    /// Those that live on a cluster.
    #[must_use]
    pub fn on(&self, cluster: &ClusterRef) -> Vec<(Place, Resident<T>)> {
        let index = self.index();
        index.by_cluster.get(cluster).into_iter().flatten().filter_map(|p| index.entry(p)).collect()
    }

    /// Those that claim the same and came before.
    #[must_use]
    pub fn elders(&self, place: &Place) -> Vec<Place> {
        let Some(own) = self.get(place) else { return Vec::new() };
        let elders = self.rivals(place).into_iter().filter(|(other, resident)| resident.precedes(other, &own, place));
        elders.map(|(other, _)| other).collect()
    }

    /// The others that claim the same.
    fn rivals(&self, place: &Place) -> Vec<(Place, Resident<T>)> {
        let index = self.index();
        let Some(own) = index.all.get(place) else { return Vec::new() };
        index.others(place, own).iter().filter_map(|p| index.entry(p)).collect()
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, place: &Place) -> Option<Resident<T>> {
        self.index().all.get(place).cloned()
    }

    fn index(&self) -> MutexGuard<'_, Index<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone + PartialEq> Index<T> {
    /// Replaces what is kept; those with the same claim, the old or the new one, when it differs.
    fn set(&mut self, place: &Place, new: Option<Resident<T>>) -> BTreeSet<Place> {
        let before = match new.clone() {
            Some(new) => self.all.insert(place.clone(), new),
            None => self.all.remove(place),
        };
        if before == new {
            return BTreeSet::new();
        }
        self.listeners.retain(|tell| tell.unbounded_send(place.clone()).is_ok());
        let others = before.iter().chain(&new).flat_map(|r| self.others(place, r)).collect();
        if let Some(old) = before {
            take_away(&mut self.by_cluster, &old.cluster, place);
            take_away(&mut self.by_claim, &old.claim, place);
        }
        if let Some(new) = new {
            self.by_cluster.entry(new.cluster).or_default().insert(place.clone());
            self.by_claim.entry(new.claim).or_default().insert(place.clone());
        }
        others
    }

    fn others(&self, place: &Place, of: &Resident<T>) -> Vec<Place> {
        self.by_claim.get(&of.claim).into_iter().flatten().filter(|p| *p != place).cloned().collect()
    }

    fn entry(&self, place: &Place) -> Option<(Place, Resident<T>)> {
        self.all.get(place).map(|resident| (place.clone(), resident.clone()))
    }
}

fn take_away<K: std::hash::Hash + Eq>(map: &mut HashMap<K, BTreeSet<Place>>, key: &K, place: &Place) {
    if let Some(all) = map.get_mut(key) {
        all.remove(place);
        if all.is_empty() {
            map.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::core::ObjectMeta;

    fn object(namespace: &str, claim: &str) -> ConfigMap {
        let labels = Some([("claim".to_owned(), claim.to_owned())].into());
        let metadata = ObjectMeta {
            name: Some("orders".to_owned()),
            namespace: Some(namespace.to_owned()),
            labels,
            ..ObjectMeta::default()
        };
        ConfigMap { metadata, ..ConfigMap::default() }
    }

    fn cluster() -> ClusterRef {
        ClusterRef { namespace: "home".to_owned(), name: "c".to_owned() }
    }

    fn read(object: &ConfigMap) -> Resident<()> {
        Resident { cluster: cluster(), claim: object.labels()["claim"].clone(), born: None, kept: () }
    }

    #[test]
    fn rivals_are_told_when_a_claim_comes_and_goes() {
        let residents = Residents::default();
        let (a, b) = (("a".to_owned(), "orders".to_owned()), ("b".to_owned(), "orders".to_owned()));
        assert!(residents.note(None, &Event::Apply(object("a", "x")), read).is_empty());
        let told = |claim| residents.note(None, &Event::Apply(object("b", claim)), read);
        assert_eq!(told("x"), std::slice::from_ref(&a));
        assert_eq!(residents.rivals(&b).len(), 1);
        assert!(told("x").is_empty(), "nothing new");
        assert_eq!(told("y"), [a]);
        assert!(residents.rivals(&b).is_empty());
        assert_eq!(residents.on(&cluster()).len(), 2);
        residents.note(None, &Event::<ConfigMap>::Init, read);
        residents.note(None, &Event::<ConfigMap>::InitDone, read);
        assert!(residents.on(&cluster()).is_empty(), "what went unseen is forgotten at the next list");
    }

    #[test]
    fn who_listens_is_told_of_a_change_once() {
        let residents = Residents::default();
        let mut changes = residents.listen();
        residents.note(None, &Event::Apply(object("a", "x")), read);
        residents.note(None, &Event::Apply(object("a", "x")), read);
        residents.note(None, &Event::Delete(object("a", "x")), read);
        let told: Vec<Place> = std::iter::from_fn(|| changes.try_recv().ok()).collect();
        assert_eq!(told, vec![("a".to_owned(), "orders".to_owned()); 2]);
    }

    #[test]
    fn who_was_made_first_precedes() {
        let at = |second| Resident { born: Timestamp::from_second(second).ok(), ..read(&object("a", "x")) };
        let place = |name: &str| ("ns".to_owned(), name.to_owned());
        assert!(at(1).precedes(&place("b"), &at(2), &place("a")));
        assert!(at(1).precedes(&place("a"), &at(1), &place("b")), "at the same time the name decides");
        assert!(!at(1).precedes(&place("b"), &at(1), &place("a")));
    }
}
