//! How little a history pod has to do again when it takes a shard over.
//!
//! What is left of a queue's tasks is deleted from the database at the queue's checkpoint, by default every 30 s. Whoever
//! takes the shard over reads all that came since then and executes it again, for which each workflow is loaded from the
//! database: in a rollout, and after the loss of a pod, some hundred workflows at the moment at which the others wait for
//! their shards.
//!
//! Read in server 1.30–1.32 `service/history/queues/queue_base.go` (`checkpoint`; nothing is done at `Stop`) and
//! `service/history/shard/context_impl.go` (`updateShardInfo`). A queue reads its key after each checkpoint.

use super::config::set_default;
use serde_json::{Map, Value, json};

/// Queues of a shard that every workflow has tasks in.
const QUEUES: u32 = 3;
/// Of these queues.
const KEYS: [&str; QUEUES as usize] = [
    "history.timerProcessorUpdateAckInterval",
    "history.transferProcessorUpdateAckInterval",
    "history.visibilityProcessorUpdateAckInterval",
];
/// Deletions a second that all shards of a cluster may make by it, each of one range of one queue.
const AT_REST: u32 = 64;
/// The same in the minute or two in which matching or history pods are replaced.
const WHILE_SHARDS_MOVE: u32 = 320;
/// Seconds; below, hardly anything is gained.
const SHORTEST: u32 = 3;
/// Seconds; the server's default.
const LONGEST: u32 = 30;

/// Adds what the user has not set.
pub(super) fn add_defaults(values: &mut Map<String, Value>, shards: i32, shards_move: bool) {
    let interval = format!("{}s", seconds(shards, shards_move));
    for key in KEYS {
        set_default(values, key, &json!({"value": interval}));
    }
}

/// Time between checkpoints. A queue without new tasks deletes nothing, so this is for shards that all have work.
fn seconds(shards: i32, shards_move: bool) -> u32 {
    let budget = if shards_move { WHILE_SHARDS_MOVE } else { AT_REST };
    shards.unsigned_abs().saturating_mul(QUEUES).div_ceil(budget).clamp(SHORTEST, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::few(4, 3, 3)]
    #[case::as_measured(64, 3, 3)]
    #[case::usual(512, 24, 5)]
    #[case::many(1024, 30, 10)]
    #[case::too_many(16384, 30, 30)]
    #[case::absurd(i32::MAX, 30, 30)]
    fn checkpoints_cost_the_database_little(#[case] shards: i32, #[case] at_rest: u32, #[case] moving: u32) {
        assert_eq!((seconds(shards, false), seconds(shards, true)), (at_rest, moving));
    }
}
