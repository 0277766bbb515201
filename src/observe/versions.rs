//! Versions of Secrets and ConfigMaps by their metadata, remembered for a while; their contents are never read.

use super::{ObserveError, lock};
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::hash::Hash;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// `resourceVersion` of each object; `None` for one that does not exist.
type Known<K> = BTreeMap<K, Option<String>>;

/// What was read for each owner, and when.
pub(super) struct Versions<O, K>(Mutex<HashMap<O, (Instant, Known<K>)>>);

impl<O, K> Default for Versions<O, K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<O: Clone + Eq + Hash, K: Clone + Ord> Versions<O, K> {
    /// Those that an owner wants. They are read anew when one was not wanted before, and after the time that `fresh` gives by
    /// whether all were there.
    pub(super) async fn of<F>(
        &self,
        owner: &O,
        wanted: impl IntoIterator<Item = K>,
        fresh: impl FnOnce(bool) -> Duration,
        read: impl Fn(K) -> F,
    ) -> Result<Known<K>, ObserveError>
    where
        F: Future<Output = Result<Option<String>, kube::Error>>,
    {
        let wanted: Vec<K> = wanted.into_iter().collect();
        if let Some((at, known)) = lock(&self.0).get(owner)
            && wanted.iter().all(|key| known.contains_key(key))
            && at.elapsed() < fresh(known.values().all(Option::is_some))
        {
            return Ok(known.clone());
        }
        let mut known = Known::new();
        for key in wanted {
            known.insert(key.clone(), read(key).await?);
        }
        lock(&self.0).insert(owner.clone(), (Instant::now(), known.clone()));
        Ok(known)
    }

    /// An owner is gone.
    pub(super) fn forget(&self, owner: &O) {
        lock(&self.0).remove(owner);
    }
}
