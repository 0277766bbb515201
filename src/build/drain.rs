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
    // a call that awaits a result is not told when its shard moves (`service/history/api/get_workflow_util.go`) and asks
    // again after this time, by default 20 s; nor does an SDK try it again when it breaks after ten seconds
    ("history.longPollExpirationInterval", "5s"),
    // joins and leaves of a ring happen at common moments of the clock, so that an old pod hands its shards and task queues
    // to the new one in one move. A history pod is ready about 7 s after it has joined, the next one asks to join 5 s later
    ("history.alignMembershipChange", "15s"),
    ("matching.alignMembershipChange", "10s"),
    // for where the alignment is switched off
    ("history.shutdownDrainDuration", "15s"),
    ("matching.shutdownDrainDuration", "15s"),
];

/// Adds what the user has not set.
pub(super) fn add_defaults(values: &mut Map<String, Value>) {
    for (key, value) in DEFAULTS {
        set_default(values, key, &json!({"value": value}));
    }
}
