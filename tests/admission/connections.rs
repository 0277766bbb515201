//! Cases of a TemporalWorker's `connection`.

use super::super::table::{Case, merge};
use super::{refused, taken};
use serde_json::{Value, json};

/// A worker on a Temporal that no cluster describes.
fn connected(change: Value) -> Value {
    let mut connection = json!({"hostPort": "temporal.example.com:7233"});
    merge(&mut connection, &change);
    json!({"clusterRef": null, "connection": connection})
}

/// Every case.
pub fn cases() -> Vec<Case> {
    let host_port = |text: &str| connected(json!({"hostPort": text}));
    let tls = |change: Value| connected(json!({"tls": change}));
    let place = json!({"name": "authorities", "key": "ca.crt"});
    let env = |list: &str, name: &str| {
        let containers = json!([{"name": "c", "image": "c", "env": [{"name": name, "value": "x"}]}]);
        let mut all = connected(json!({}));
        merge(&mut all, &json!({"template": {"spec": {list: containers}}}));
        all
    };
    let malformed = "spec.connection.hostPort: must be a host and a port";
    let given = "with a connection, TEMPORAL_API_KEY and what begins with TEMPORAL_TLS is given";
    vec![
        taken("a connection without TLS", connected(json!({}))),
        taken("a connection to an address of IPv6", host_port("[fd00::7]:7233")),
        taken("a connection with TLS and public authorities", tls(json!({}))),
        taken("a connection with a client certificate", connected(json!({"mutualTLSSecretRef": {"name": "client"}}))),
        taken(
            "a connection with an API key, a server name and authorities in a ConfigMap",
            connected(json!({
                "apiKeySecretRef": {"name": "keys", "key": "orders"},
                "tls": {"serverName": "temporal.internal", "caCertConfigMapRef": place},
            })),
        ),
        taken("a connection with authorities in a Secret", tls(json!({"caCertSecretRef": place}))),
        taken("a key by another name", env("containers", "MY_API_KEY")),
        refused(
            "a connection without a namespace",
            json!({"clusterRef": null, "namespace": null,
            "connection": {"hostPort": "h:7233"}}),
            "spec.namespace: the Temporal namespace goes with",
        ),
        refused(
            "a connection to nowhere",
            connected(json!({"hostPort": null})),
            "spec.connection.hostPort: Required value",
        ),
        refused("an address without a port", host_port("temporal.example.com"), malformed),
        refused("an address with a scheme", host_port("https://temporal.example.com:7233"), malformed),
        refused("an address with a path", host_port("temporal.example.com:7233/x"), malformed),
        refused("an address with a port of nothing", host_port("temporal.example.com:0"), malformed),
        refused("an address with too high a port", host_port("temporal.example.com:65536"), malformed),
        refused("an address of IPv6 without brackets", host_port("fd00::7:7233"), malformed),
        refused(
            "a client certificate and an API key",
            connected(json!({"mutualTLSSecretRef": {"name": "a"}, "apiKeySecretRef": {"name": "b", "key": "k"}})),
            "spec.connection: a caller has a client certificate or an API key",
        ),
        refused(
            "authorities in two places",
            tls(json!({"caCertSecretRef": place, "caCertConfigMapRef": place})),
            "spec.connection.tls: the authorities are in one place",
        ),
        refused(
            "a server name with a port",
            tls(json!({"serverName": "h:7233"})),
            "spec.connection.tls.serverName: must be",
        ),
        refused(
            "an API key without a key",
            connected(json!({"apiKeySecretRef": {"name": "b"}})),
            "apiKeySecretRef.key",
        ),
        refused(
            "a client certificate without a name",
            connected(json!({"mutualTLSSecretRef": {"name": ""}})),
            "mutualTLSSecretRef.name",
        ),
        refused("TLS of one's own", env("containers", "TEMPORAL_TLS_SERVER_NAME"), given),
        refused("an API key of one's own", env("initContainers", "TEMPORAL_API_KEY"), given),
        refused(
            "an official connection",
            json!({"connectionRef": {"name": "cloud"}}),
            "spec.connectionRef: Connections of the official worker controller are not read; write what it says into spec.connection",
        ),
    ]
}
