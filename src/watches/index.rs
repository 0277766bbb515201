//! What is kept of the objects of one kind, by whom they belong to: what one cluster has is found without a look at what
//! the others have.

use super::{Place, place};
use kube::Resource;
use kube::runtime::watcher::Event;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// What is kept of the objects of one kind.
#[derive(Debug)]
pub struct Index<T>(Arc<Shared<T>>);

#[derive(Debug)]
struct Shared<T> {
    kept: Mutex<Kept<T>>,
    /// Whether everything has been listed once.
    ready: watch::Sender<bool>,
}

#[derive(Debug)]
struct Kept<T> {
    /// Of each owner, in the order of names.
    by_owner: HashMap<Arc<str>, Vec<(Arc<str>, T)>>,
    /// Of each object, by namespace and name.
    owners: HashMap<String, HashMap<Arc<str>, Arc<str>>>,
    /// Objects listed since the watch began anew.
    listed: HashSet<Place>,
}

impl<T> Clone for Index<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        let kept = Kept { by_owner: HashMap::new(), owners: HashMap::new(), listed: HashSet::new() };
        Self(Arc::new(Shared { kept: Mutex::new(kept), ready: watch::Sender::new(false) }))
    }
}

impl<T: Clone> Index<T> {
    /// What is kept of an owner's objects, with their names.
    #[must_use]
    pub fn of(&self, owner: &str) -> Vec<(Arc<str>, T)> {
        self.kept().by_owner.get(owner).cloned().unwrap_or_default()
    }

    /// Until the watch has listed once, what is missing may just not have arrived.
    pub async fn ready(&self) {
        // the sender is in `self`: this cannot fail
        let _ = self.0.ready.subscribe().wait_for(|ready| *ready).await;
    }

    /// Takes in an event. `read` says who owns an object and what is kept of it; `None`: nobody, or nothing.
    pub(super) fn note<K: Resource>(&self, event: &Event<K>, read: impl Fn(&K) -> Option<(String, T)>) {
        let mut kept = self.kept();
        match event {
            Event::Init => kept.listed.clear(),
            Event::InitApply(object) => {
                let place = place(object);
                kept.set(&place, read(object));
                kept.listed.insert(place);
            }
            Event::Apply(object) => kept.set(&place(object), read(object)),
            Event::Delete(object) => kept.set(&place(object), None),
            Event::InitDone => {
                let listed = std::mem::take(&mut kept.listed);
                let known = kept.places().filter(|place| !listed.contains(place));
                let gone: Vec<Place> = known.collect();
                gone.iter().for_each(|place| kept.set(place, None));
                self.0.ready.send_replace(true);
            }
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept<T>> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Kept<T> {
    fn places(&self) -> impl Iterator<Item = Place> {
        let of = |(namespace, names): (&String, &HashMap<Arc<str>, Arc<str>>)| {
            names.keys().map(|name| (namespace.clone(), name.to_string())).collect::<Vec<_>>()
        };
        self.owners.iter().flat_map(of)
    }

    fn set(&mut self, place: &Place, new: Option<(String, T)>) {
        let (namespace, name) = place;
        let owner = new.as_ref().map(|(owner, _)| owner.as_str());
        let old = self.owners.get(namespace).and_then(|names| names.get(name.as_str()));
        if old.is_some_and(|old| owner != Some(old)) {
            self.take_away(place);
        }
        let Some((owner, what)) = new else { return };
        // one text for all that an owner has
        let owner = match self.by_owner.get_key_value(owner.as_str()) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::from(owner),
        };
        let all = self.by_owner.entry(Arc::clone(&owner)).or_default();
        match all.binary_search_by(|(known, _)| (**known).cmp(name)) {
            Ok(at) => all[at].1 = what,
            Err(at) => {
                let name: Arc<str> = Arc::from(name.as_str());
                // without room to spare, which every owner would have
                all.reserve_exact(1);
                all.insert(at, (Arc::clone(&name), what));
                self.owners.entry(namespace.clone()).or_default().insert(name, owner);
            }
        }
    }

    fn take_away(&mut self, (namespace, name): &Place) {
        let Some(names) = self.owners.get_mut(namespace) else { return };
        let Some(owner) = names.remove(name.as_str()) else { return };
        if names.is_empty() {
            self.owners.remove(namespace);
        }
        let Some(all) = self.by_owner.get_mut(&owner) else { return };
        all.retain(|(known, _)| **known != **name);
        if all.is_empty() {
            self.by_owner.remove(&owner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::ResourceExt;
    use kube::core::ObjectMeta;

    fn map(name: &str, owner: &str) -> ConfigMap {
        let labels = Some([("owner".to_owned(), owner.to_owned())].into());
        let metadata = ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some("ns".to_owned()),
            labels,
            ..ObjectMeta::default()
        };
        ConfigMap { metadata, ..ConfigMap::default() }
    }

    fn read(map: &ConfigMap) -> Option<(String, ())> {
        map.labels().get("owner").filter(|owner| !owner.is_empty()).map(|owner| (owner.clone(), ()))
    }

    fn names(index: &Index<()>, owner: &str) -> Vec<String> {
        index.of(owner).into_iter().map(|(name, ())| name.to_string()).collect()
    }

    #[test]
    fn an_owner_has_what_is_its_own() {
        let index = Index::default();
        for (name, owner) in [("b", "x"), ("a", "x"), ("c", "y"), ("d", "")] {
            index.note(&Event::Apply(map(name, owner)), read);
        }
        assert_eq!((names(&index, "x"), names(&index, "y")), (vec!["a".into(), "b".into()], vec!["c".into()]));
        index.note(&Event::Apply(map("a", "y")), read);
        assert_eq!(names(&index, "y"), ["a", "c"], "it changed hands");
        index.note(&Event::Apply(map("a", "")), read);
        index.note(&Event::Delete(map("b", "x")), read);
        assert_eq!((names(&index, "x"), names(&index, "y")), (vec![], vec!["c".into()]));
        assert_eq!(index.kept().places().count(), 1, "nothing is kept of what is gone");
    }

    #[tokio::test]
    async fn a_new_list_replaces_what_was_known_when_it_is_whole() {
        let index = Index::default();
        index.note(&Event::Apply(map("a", "x")), read);
        index.note(&Event::<ConfigMap>::Init, read);
        index.note(&Event::InitApply(map("b", "x")), read);
        assert_eq!(names(&index, "x"), ["a", "b"]);
        index.note(&Event::<ConfigMap>::InitDone, read);
        assert_eq!(names(&index, "x"), ["b"]);
        index.ready().await;
    }
}
