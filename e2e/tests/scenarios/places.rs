//! Which scenario runs when. All of them begin at once, and each waits here for its place: the longest come first, and last
//! those that must be alone with the operator, for which nobody then waits.

use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::sleep;

/// Scenarios side by side, on two processors: most of them wait most of the time, but five starve each other.
/// `TEMPORAL_OPERATOR_E2E_PLACES` is another number.
const PLACES: usize = 3;
/// Titles of those that take the longest, the longest first; under load first of all, since few loads may run at once.
const FIRST: [&str; 17] = [
    "upgrade-load",
    "lost-node",
    "drained-nodes",
    "vis-moved",
    "broken-version",
    "roll-load",
    "downgrade-load",
    "kill-load",
    "opensearch",
    "namespaces",
    "store-faults",
    "store-tls",
    "many",
    // one after the other, so that they share a cluster
    "workers",
    "workers-alone",
    "dynamic-config",
    "roll-config",
];
/// Titles of those that are alone with the operator for a while.
const LAST: [&str; 5] = ["schedules", "away", "one-writer", "helm", "operator-killed"];

static QUEUE: LazyLock<Mutex<Queue>> = LazyLock::new(|| {
    let number = std::env::var("TEMPORAL_OPERATOR_E2E_PLACES").ok().and_then(|n| n.parse().ok());
    Mutex::new(Queue { free: number.unwrap_or(PLACES), came: 0, waiting: BTreeSet::new(), opened: Instant::now() })
});
static CHANGED: Notify = Notify::const_new();

struct Queue {
    free: usize,
    /// How many have come so far.
    came: usize,
    /// Rank and number of those that wait.
    waiting: BTreeSet<(usize, usize)>,
    opened: Instant,
}

/// A scenario's place, free for the next when this goes. The end is told with the time that it took.
pub struct Place {
    title: String,
    began: Instant,
}

impl Place {
    /// Waits for a place.
    pub async fn take(title: &str) -> Self {
        let own = {
            let mut queue = queue();
            queue.came += 1;
            let own = (rank(title), queue.came);
            queue.waiting.insert(own);
            own
        };
        // the others come as well
        sleep(Duration::from_millis(500)).await;
        loop {
            let changed = CHANGED.notified();
            if queue().admits(own) {
                CHANGED.notify_waiters();
                return Self { title: title.to_owned(), began: Instant::now() };
            }
            changed.await;
        }
    }
}

impl Queue {
    /// Whether it is the turn of this one, which then has its place.
    fn admits(&mut self, own: (usize, usize)) -> bool {
        if self.free == 0 || self.waiting.first() != Some(&own) {
            return false;
        }
        self.free -= 1;
        self.waiting.pop_first();
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut queue = queue();
        queue.free += 1;
        let (came, took) = (self.began.duration_since(queue.opened).as_secs(), self.began.elapsed().as_secs());
        println!("  {}: {took} s, from {}:{:02} on", self.title, came / 60, came % 60);
        drop(queue);
        CHANGED.notify_waiters();
    }
}

fn queue() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who comes before whom.
fn rank(title: &str) -> usize {
    let place = |all: &[&str]| all.iter().position(|one| *one == title);
    match (place(&FIRST), place(&LAST)) {
        (Some(n), _) => n,
        (None, None) => FIRST.len(),
        (None, Some(n)) => FIRST.len() + 1 + n,
    }
}
