//! The server's own loader reads back what users wrote, whatever it is.

use std::collections::BTreeMap;

use e2e::command::Cmd;
use e2e::layout::Layout;
use serde_json::{Value, json};
use temporal_operator::api::TemporalCluster;
use temporal_operator::build::ServerConfig;
use temporal_operator::validate;

use super::bed::{Bed, output};

const VALUES: [&str; 14] = [
    "{{ env \"HOME\" | quote }}",
    "a {{ b }} {{- c -}} {{/* d */}}",
    "it's \"quoted\"",
    "back\\slash\\",
    "$HOME $(POD_IP) ${X}",
    "100% %41",
    ": # - & * ! | > @ `",
    "null",
    "0x10",
    "1e3",
    "ENV0MARK(HOME)ENV0MARK",
    "ä 🦀 \u{2028} \u{feff}x",
    "a\u{85}b\u{a0}c",
    "}}{{",
];
/// Passwords may hold more: environment variables hold all but NUL.
const PASSWORDS: [&str; 3] = [" a\nb\r\n\tc ", "\u{1}\u{7f}", "\u{7}\u{8}\u{b}\u{c}\u{1b}"];

fn cluster(attributes: &BTreeMap<String, String>) -> TemporalCluster {
    let store = |database: &str| {
        json!({
            "sql": {
                "pluginName": "postgres12", "user": "null", "databaseName": database, "connectAddr": "db:5432",
                "connectAttributes": attributes,
            },
            "passwordSecretRef": {"name": "s"},
        })
    };
    let spec = json!({
        "version": "1.31.2", "numHistoryShards": 4,
        "persistence": {"defaultStore": store("0x10"), "visibilityStore": store("1e3")},
    });
    let metadata = json!({"name": "c", "namespace": "ns"});
    let manifest =
        json!({"apiVersion": "temporal.io/v1beta1", "kind": "TemporalCluster", "metadata": metadata, "spec": spec});
    serde_json::from_value(manifest).unwrap()
}

/// What `temporal-server render-config` makes of the config with this password.
fn rendered(layout: &Layout, version: &str, text: &str, password: &str) -> Value {
    let dir = std::env::temp_dir().join(format!("rendered-{}-{version}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    // the server hides passwords when it prints its config; a field beside it takes the password's place
    let shown =
        text.replace("        connectProtocol: tcp\n", "").replace("password: {{ env", "connectProtocol: {{ env");
    assert!(shown.contains("connectProtocol: {{ env"), "{shown}");
    std::fs::write(dir.join("base.yaml"), shown).unwrap();
    let server = layout.cache.join(format!("build/temporal-{version}/temporal-server"));
    let config = dir.display().to_string();
    let printed = output(
        Cmd::new(&server)
            .args(["--config", &config, "--env", "base", "render-config"])
            .env("TEMPORAL_DEFAULT_DATASTORE_PASSWORD", password)
            .env("TEMPORAL_VISIBILITY_DATASTORE_PASSWORD", "v")
            .env("POD_IP", "10.0.0.1"),
    );
    std::fs::remove_dir_all(&dir).unwrap();
    let printed = printed.unwrap();
    let yaml = &printed[printed.find("global:").unwrap_or(0)..];
    serde_yaml::from_str(yaml).unwrap_or_else(|e| panic!("{e}\n{printed}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_loader_reads_what_was_written() {
    let bed = Bed::get();
    let all = VALUES.iter().enumerate();
    let mut attributes: BTreeMap<String, String> = all.map(|(i, v)| (format!("p{i}"), (*v).to_owned())).collect();
    let text = ServerConfig::render(&validate::cluster(&cluster(&attributes)).unwrap()).text;
    attributes.insert("idle_in_transaction_session_timeout".to_owned(), "5s".to_owned());
    let mut checked = 0;
    for version in ["1.30.8", "1.31.2", "1.32.0"] {
        bed.server_images(version);
        for password in VALUES.iter().chain(&PASSWORDS) {
            let tree = rendered(&bed.layout, version, &text, password);
            let sql = tree.pointer("/persistence/datastores/default/sql").unwrap();
            let protocol = sql.get("connectProtocol").and_then(Value::as_str);
            assert_eq!(protocol, Some(*password), "server {version}: a password");
            assert_eq!(sql["user"], "null", "server {version}: a user");
            assert_eq!(sql["databaseName"], "0x10", "server {version}: a database");
            assert_eq!(sql["connectAttributes"], json!(attributes), "server {version}");
            checked += 1;
        }
    }
    println!("rendered config: {checked} passwords and {} parameters read back by the server", VALUES.len());
}
