//! How server pods leave: dynamic config with which a planned change of pods is hardly seen. Each key is a user's to set
//! otherwise.
//!
//! Read in server 1.30–1.32 `service/{frontend,history,matching}/service.go` and `common/membership/ringpop/monitor.go`.

use serde_json::{Map, Value, json};

/// Key and value.
const DEFAULTS: [(&str, &str); 6] = [
    // as long as kube-proxies take to send no new connection
    ("frontend.shutdownFailHealthCheckDuration", "5s"),
    // calls under way end by themselves, those that await a result (`history.longPollExpirationInterval`, 20 s) among
    // them: an SDK does not try such a call again when it breaks after ten seconds
    ("frontend.shutdownDrainDuration", "25s"),
    // joins and leaves of a ring happen at common moments of the clock, so that an old pod hands its shards and task queues
    // to the new one in one move
    ("history.alignMembershipChange", "10s"),
    ("matching.alignMembershipChange", "10s"),
    // for where the alignment is switched off
    ("history.shutdownDrainDuration", "15s"),
    ("matching.shutdownDrainDuration", "15s"),
];

/// Adds what the user has not set. The server compares keys without regard to case.
pub(super) fn add_defaults(values: &mut Map<String, Value>) {
    for (key, value) in DEFAULTS {
        if !values.keys().any(|k| k.eq_ignore_ascii_case(key)) {
            values.insert(key.to_owned(), json!([{"value": value}]));
        }
    }
}
