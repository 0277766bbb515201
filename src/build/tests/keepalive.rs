//! Connections between servers: what the roles that are called say of them, and what a user says instead.

use super::*;

#[test]
fn a_users_own_time_out_and_switch_win() {
    let cluster = valid(|m| {
        let theirs = json!({"keepAliveClientParameters": {"keepAliveTimeout": "20s"}});
        m["spec"]["serverConfig"] = json!({"services": {"history": {"rpc": {"clientConnectionConfig": theirs}}}});
        m["spec"]["dynamicConfig"] = json!({"values": {"system.enableinternodeclientkeepalive": [{"value": false}]}});
    });
    let services = &plain(&cluster)["services"];
    let client = |role: &str| services[role]["rpc"]["clientConnectionConfig"]["keepAliveClientParameters"].clone();
    let with = |timeout: &str| json!({"keepAliveTime": "10s", "keepAliveTimeout": timeout, "keepAlivePermitWithoutStream": true});
    let none = Value::Null;
    assert_eq!(
        ["history", "matching", "frontend", "worker"].map(client),
        [with("20s"), with("12s"), none.clone(), none]
    );
    let written = body(&cluster, Kind::ConfigMap, "c-dynamicconfig")["data"]["dynamic_config.yaml"].to_string();
    assert!(!written.contains("enableInternodeClientKeepAlive"), "{written}");
    assert!(written.contains("system.enableInternodeServerKeepAlive:\\n- value: true"), "{written}");
}
