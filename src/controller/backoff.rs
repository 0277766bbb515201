//! Growing delays for objects that fail again and again.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_secs(60);

/// Failures in a row, by object.
pub(super) struct Backoff<K>(Mutex<HashMap<K, u32>>);

impl<K: Eq + Hash> Backoff<K> {
    pub(super) fn new() -> Self {
        Self(Mutex::default())
    }

    /// Notes a failure; the delay until the next try: 1 s doubling to 60 s.
    pub(super) fn failed(&self, key: K) -> Duration {
        let mut counts = self.counts();
        let count = counts.entry(key).or_insert(0);
        let delay = FIRST.saturating_mul(1 << (*count).min(6)).min(MOST);
        *count += 1;
        delay
    }

    /// Failures in a row so far.
    pub(super) fn failures(&self, key: &K) -> u32 {
        self.counts().get(key).copied().unwrap_or(0)
    }

    /// Notes a success, or that the object is gone.
    pub(super) fn reset(&self, key: &K) {
        self.counts().remove(key);
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<K, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_a_minute_and_starts_again() {
        let backoff = Backoff::new();
        let seconds: Vec<_> = (0..8).map(|_| backoff.failed("a").as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff.failures(&"a"), 8);
        backoff.reset(&"a");
        assert_eq!(backoff.failures(&"a"), 0);
        assert_eq!(backoff.failed("a"), FIRST);
    }
}
