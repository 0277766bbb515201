//! How server pods leave: dynamic config with which a planned change of pods is hardly seen. Each key is a user's to set
//! otherwise.
//!
//! Read in server 1.30–1.32 `service/{frontend,history,matching}/service.go` and `common/membership/ringpop/monitor.go`.

use super::config::set_default;
use serde_json::{Map, Value, json};

/// Key and value.
const DEFAULTS: [(&str, &str); 7] = [
    // as long as kube-proxies take to send no new connection
    ("frontend.shutdownFailHealthCheckDuration", "5s"),
    // calls under way end by themselves, those that await a result among them
    ("frontend.shutdownDrainDuration", "10s"),
    // joins and leaves of a ring happen at common moments of the clock, so that an old pod hands its shards and task queues
    // to the new one in one move. A history pod is ready about 7 s after it has joined, the next one asks to join 5 s later
    ("history.alignMembershipChange", "15s"),
    ("matching.alignMembershipChange", "10s"),
    // polls of workers stay at a pod that has handed its task queue over, until it makes sure that it has; with common
    // moments nobody else can be of another opinion, and the default of 500 ms is only lost time
    ("matching.membershipUnloadDelay", "50ms"),
    // for where the alignment is switched off
    ("history.shutdownDrainDuration", "15s"),
    ("matching.shutdownDrainDuration", "15s"),
];

/// A call that awaits a result is not told when its shard moves (`service/history/api/get_workflow_util.go`) and asks again
/// after this time, by default 20 s; nor does an SDK try it again when it breaks after ten seconds. Each time is a call
/// more for everybody who waits, so it is short only while shards move.
const LONG_POLL: &str = "history.longPollExpirationInterval";

/// Adds what the user has not set.
pub(super) fn add_defaults(values: &mut Map<String, Value>, shards_move: bool) {
    let long_poll = if shards_move { "1s" } else { "5s" };
    for (key, value) in DEFAULTS.into_iter().chain([(LONG_POLL, long_poll)]) {
        set_default(values, key, &json!({"value": value}));
    }
}
