//! What has been seen to be right, by the resource it belongs to.

use crate::build::ObjectKey;
use crate::watches::{Mark, Place};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Of each object: the fingerprint of what was last wanted, and the mark of the live object that was seen to be so.
type Seen = BTreeMap<ObjectKey, (u64, Mark)>;

/// What has been seen to be right.
#[derive(Default)]
pub(super) struct Memory(Mutex<HashMap<Place, Seen>>);

impl Memory {
    /// Whether an object that is wanted so, and has this mark now, was seen to be right.
    pub(super) fn is_right(&self, owner: &Place, key: &ObjectKey, wanted: u64, mark: &Mark) -> bool {
        let seen = self.all().get(owner).and_then(|seen| seen.get(key)).copied();
        seen.is_some_and(|(known, before)| known == wanted && mark.is_still(&before))
    }

    /// An object is as it is wanted.
    pub(super) fn note(&self, owner: &Place, key: &ObjectKey, wanted: u64, mark: Mark) {
        self.all().entry(owner.clone()).or_default().insert(key.clone(), (wanted, mark));
    }

    /// An object is to go.
    pub(super) fn drop_object(&self, owner: &Place, key: &ObjectKey) {
        if let Some(seen) = self.all().get_mut(owner) {
            seen.remove(key);
        }
    }

    /// A resource is gone.
    pub(super) fn forget(&self, owner: &Place) {
        self.all().remove(owner);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Place, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::Kind;
    use kube::core::ObjectMeta;

    #[test]
    fn what_is_right_is_remembered_until_it_or_its_owner_goes() {
        let memory = Memory::default();
        let place = |name: &str| ("ns".to_owned(), name.to_owned());
        let (owner, other) = (&place("c"), &place("c-2"));
        let key = ObjectKey { kind: Kind::ConfigMap, name: "c-config".into() };
        let mark = |version: &str| {
            Mark::of(&ObjectMeta { resource_version: Some(version.to_owned()), ..ObjectMeta::default() })
        };
        assert!(!memory.is_right(owner, &key, 1, &mark("1")), "nothing has been seen");
        memory.note(owner, &key, 1, mark("1"));
        memory.note(other, &key, 1, mark("1"));
        assert!(memory.is_right(owner, &key, 1, &mark("1")));
        assert!(!memory.is_right(owner, &key, 2, &mark("1")), "something else is wanted");
        assert!(!memory.is_right(owner, &key, 1, &mark("2")), "it has changed");
        memory.drop_object(owner, &key);
        assert!(!memory.is_right(owner, &key, 1, &mark("1")), "it was deleted");
        memory.note(owner, &key, 1, mark("1"));
        memory.forget(owner);
        assert!(!memory.is_right(owner, &key, 1, &mark("1")), "its owner is gone");
        assert!(memory.is_right(other, &key, 1, &mark("1")), "another's stays");
    }
}
