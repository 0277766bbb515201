//! How server pods leave: dynamic config with which a planned change of pods is hardly seen. Each key is a user's to set
//! otherwise.
//!
//! Read in server 1.30–1.32 `service/{frontend,history,matching}/service.go` and `common/membership/ringpop/monitor.go`.

use super::config::{has_key, set_default};
use crate::validate::ValidCluster;
use serde_json::{Map, Value, json};

/// Key and value.
const DEFAULTS: [(&str, &str); 6] = [
    // as long as kube-proxies take to send no new connection
    ("frontend.shutdownFailHealthCheckDuration", "5s"),
    // calls under way end by themselves, those that await a result among them
    ("frontend.shutdownDrainDuration", "10s"),
    // joins and leaves of a ring happen at common moments of the clock, so that an old pod hands its shards and task queues
    // to the new one in one move. A history pod is ready about 7 s after it has joined, the next one asks to join 5 s later
    ("history.alignMembershipChange", "15s"),
    ("matching.alignMembershipChange", "10s"),
    // for where the alignment is switched off
    ("history.shutdownDrainDuration", "15s"),
    ("matching.shutdownDrainDuration", "15s"),
];

/// Key, value while pods of matching or history are replaced, value otherwise. Pods that run read it within
/// `pollInterval`, those that start at once.
const WHILE_SHARDS_MOVE: [(&str, &str, &str); 3] = [
    // a call that awaits a result is not told when its shard moves (`service/history/api/get_workflow_util.go`) and asks
    // again after this time, by default 20 s; nor does an SDK try it again when it breaks after ten seconds. Each time is a
    // call more for everybody who waits
    ("history.longPollExpirationInterval", "1s", "5s"),
    // polls of workers stay this long at a pod that has lost their task queue. With common moments the others know by then;
    // when a member is lost or comes back, one that hears of it later sends the next poll there again, where it waits in
    // vain (`matching_engine.go`, `watchMembership`) until it ends, see below; so then it is the server's default
    ("matching.membershipUnloadDelay", "200ms", "500ms"),
    // a poll that waits where no task comes does so for this long; the default is a minute. After a loss that is a poll at a
    // pod that has lost its task queue, or whose caller's way is broken. After each move it is one at a partition of a queue
    // whose root has moved: handed on to the root and sent back from there, it is not handed on again (`pri_matcher.go`,
    // `forwardPolls`) and hears of a quarter of the tasks only, which a queue with many does not notice, and one with few
    // does. Each time is a call more for every poll that waits; its last second is spent so, too
    (POLL, "5s", "20s"),
];

/// How long a poll lasts at most, by key.
const POLL: &str = "matching.longPollExpirationInterval";

/// Polls of workers become short while shards move, unless the user says otherwise.
#[must_use]
pub fn shortens_polls(cluster: &ValidCluster) -> bool {
    cluster.established && !has_key(cluster.dynamic_config.keys(), POLL)
}

/// Adds what the user has not set.
pub(super) fn add_defaults(values: &mut Map<String, Value>, shards_move: bool) {
    let timely = WHILE_SHARDS_MOVE.map(|(key, moving, at_rest)| (key, if shards_move { moving } else { at_rest }));
    for (key, value) in DEFAULTS.into_iter().chain(timely) {
        set_default(values, key, &json!({"value": value}));
    }
}
