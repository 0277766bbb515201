//! How servers learn that one they are connected to is gone without a word, as when its node dies. By default they do not
//! look, and a call to such a server hangs until its own deadline, a poll of a worker for a minute.
//!
//! Read in server 1.30–1.32 `common/rpc/rpc.go`, `common/config/config.go` and `common/resource/fx.go`: the keys of the
//! dynamic config are looked at when a process starts, and switch on what the config file says of each role.

use super::config::set_default;
use crate::api::services::Role;
use serde_json::{Map, Value, json};

/// The switches.
const SWITCHES: [&str; 2] = ["system.enableInternodeClientKeepAlive", "system.enableInternodeServerKeepAlive"];

/// What the roles that are called by others say of connections to them, below `services.<role>.rpc`. 10 s is the least that
/// gRPC takes of a client between two looks. The time-out is also the socket's own for data that nobody acknowledges.
pub(super) fn connections(role: Role) -> Value {
    let Some(timeout) = timeout(role) else { return json!({}) };
    json!({
        "clientConnectionConfig": {
            "keepAliveClientParameters": {
                "keepAliveTime": "10s", "keepAliveTimeout": timeout, "keepAlivePermitWithoutStream": true,
            },
        },
        "keepAliveServerConfig": {
            // a task that is given to a poll of a server that is gone is lost until its own time-out
            "keepAliveServerParameters": {"keepAliveTime": "5s", "keepAliveTimeout": "5s"},
            // else a connection over which little is said is closed for too many pings
            "keepAliveEnforcementPolicy": {"minTime": "5s", "permitWithoutStream": true},
        },
    })
}

/// A call whose connection breaks before the ring has dropped the member is tried again at the same one, and waits 20 s for a
/// connection (`common/rpc/grpc.go`, `minConnectTimeout`). The ring takes 8 s for one pod and up to 14 s for those of a node: a
/// ping (1.5 s), the answers of three others, which for one that is gone as well take 5 s (`ringpop-go`,
/// `swim/ping_request_sender.go`, waits for all), and 5 s under suspicion. A call to history can go nowhere else and outlasts
/// the ring. A poll goes to any partition of its queue, and until it is given up its worker gets nothing.
fn timeout(role: Role) -> Option<&'static str> {
    match role {
        Role::History => Some("15s"),
        Role::Matching => Some("12s"),
        _ => None,
    }
}

/// Adds the switches that the user has not set.
pub(super) fn add_defaults(values: &mut Map<String, Value>) {
    for key in SWITCHES {
        set_default(values, key, &json!({"value": true}));
    }
}
