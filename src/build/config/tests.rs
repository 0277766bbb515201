//! Whatever users write and whatever passwords hold, the server reads the same.

use super::*;
use crate::api::TemporalCluster;
use crate::validate;
use proptest::prelude::*;

/// What the server's loader does (server 1.30–1.32, `common/config/loader.go`): a Go template with sprig. Only the two
/// actions that are ever written; anything else is an error.
fn evaluate(text: &str, environment: &BTreeMap<&str, &str>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("{{") {
        out.push_str(&rest[..at]);
        let action = &rest[at + 2..];
        if let Some(after) = action.strip_prefix(" \"{{\" }}") {
            out.push_str("{{");
            rest = after;
        } else {
            let inner = action.strip_prefix(" env \"").ok_or_else(|| format!("not an action of ours: {action:.40}"))?;
            let (name, after) = inner.split_once("\" | quote }}").ok_or("an action without end")?;
            let value = environment.get(name).ok_or_else(|| format!("not an environment variable of ours: {name}"))?;
            out.push_str(&go_quote(value));
            rest = after;
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// `strconv.Quote`, which sprig's `quote` is.
fn go_quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            c if c < ' ' || c == '\x7f' => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if c.is_control() || (c.is_whitespace() && c != ' ') || c == '\u{feff}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn cluster(user: &str, database: &str, attributes: &BTreeMap<String, String>) -> Option<ValidCluster> {
    let store = |database: &str, attributes: &BTreeMap<String, String>| {
        json!({
            "sql": {
                "pluginName": "postgres12", "user": user, "databaseName": database, "connectAddr": "db:5432",
                "connectAttributes": attributes,
            },
            "passwordSecretRef": {"name": "s"},
        })
    };
    let manifest = json!({
        "apiVersion": "temporal.io/v1beta1", "kind": "TemporalCluster",
        "metadata": {"name": "c", "namespace": "ns"},
        "spec": {
            "version": "1.31.2", "numHistoryShards": 4,
            "persistence": {"defaultStore": store(database, attributes), "visibilityStore": store("v", &BTreeMap::new())},
        },
    });
    let cluster: TemporalCluster = serde_json::from_value(manifest).unwrap();
    validate::cluster(&cluster).ok()
}

/// The default store's `sql` block as the server has it in memory.
fn read_back(cluster: &ValidCluster, password: &str) -> Value {
    let environment = BTreeMap::from([
        ("TEMPORAL_DEFAULT_DATASTORE_PASSWORD", password),
        ("TEMPORAL_VISIBILITY_DATASTORE_PASSWORD", "other"),
        ("POD_IP", "10.0.0.1"),
    ]);
    let text = ServerConfig::render(cluster).text;
    let evaluated = evaluate(&text, &environment).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let tree: Value = serde_yaml::from_str(&evaluated).unwrap_or_else(|e| panic!("{e}\n{evaluated}"));
    assert_eq!(tree.pointer("/global/membership/broadcastAddress"), Some(&json!("10.0.0.1")));
    tree.pointer("/persistence/datastores/default/sql").cloned().unwrap()
}

/// Texts in which what could hurt is not rare.
fn ugly() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => any::<char>().prop_map(String::from),
        6 => prop::sample::select(vec![
            "{{", "}}", "{{ env \"HOME\" | quote }}", "{{- ", "'", "\"", "\\", "$", "$(SQL_USER)", "%", "%7B", "\n", "\r\n",
            "\t", " ", ":", ": ", " #", "#", "&", "*", "!", "|", ">", "-", "- ", "?", "@", "`", "ENV0MARK", "ENV0MARK(",
            ")ENV0MARK", "true", "null", "0x10", "1e3", "~", "\u{85}", "\u{2028}", "\u{feff}", "ü", "🦀", "=", "+", "/",
        ]).prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn named() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[A-Za-z0-9._~-]{1,20}", 1 => prop::sample::select(vec![
        "null", "true", "yes", "on", "0x10", "1e3", "017", "1.0", "~", ".inf", "-", "--", "2001-01-01", "ENV0MARK",
    ]).prop_map(str::to_owned), 1 => ugly()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_taken_arrives(
        user in named(),
        database in named(),
        attributes in prop::collection::btree_map(prop_oneof!["[a-z_.]{1,12}", ugly()], ugly(), 0..3),
        password in ugly(),
    ) {
        // no environment variable holds NUL
        prop_assume!(!password.contains('\0'));
        let Some(valid) = cluster(&user, &database, &attributes) else { return Ok(()) };
        let mut sql = read_back(&valid, &password);
        let timeout = sql["connectAttributes"].as_object_mut().and_then(|a| a.remove("idle_in_transaction_session_timeout"));
        prop_assert_eq!(timeout, Some(json!("5s")));
        prop_assert_eq!(&sql["user"], &json!(user));
        prop_assert_eq!(&sql["databaseName"], &json!(database));
        prop_assert_eq!(&sql["password"], &json!(password));
        prop_assert_eq!(&sql["connectAttributes"], &json!(attributes));
    }

    #[test]
    fn every_value_that_connections_can_carry_is_taken(value in ugly()) {
        let fit = !value.is_empty() && value.trim() == value && !value.chars().any(|c| c.is_ascii_control());
        let attributes = BTreeMap::from([("application_name".to_owned(), value)]);
        prop_assert_eq!(cluster("u", "d", &attributes).is_some(), fit);
    }
}

#[test]
fn a_mark_that_a_user_writes_is_text() {
    let forged = "ENV0MARK(HOME)ENV0MARK {{ env \"HOME\" | quote }}";
    let attributes = BTreeMap::from([("application_name".to_owned(), forged.to_owned())]);
    let sql = read_back(&cluster("u", "d", &attributes).unwrap(), "p");
    assert_eq!(sql["connectAttributes"]["application_name"], forged);
}

#[test]
fn a_password_is_a_quoted_environment_variable() {
    assert_eq!(template(json!({"password": env("X")}), &json!({})), "password: {{ env \"X\" | quote }}\n");
}

#[test]
fn maps_are_merged_and_lists_replaced() {
    let mut tree = json!({"a": {"b": 1, "c": [1, 2]}, "d": "x"});
    merge(&mut tree, &json!({"a": {"c": [3], "e": {"f": true}}, "d": {"g": 1}}));
    assert_eq!(tree, json!({"a": {"b": 1, "c": [3], "e": {"f": true}}, "d": {"g": 1}}));
}

#[test]
fn free_form_keys_cannot_refer_to_the_environment() {
    let text = template(json!({"a": env("PASSWORD")}), &json!({"b": env("PATH"), "c": "{{ env \"PATH\" }}"}));
    assert_eq!(text.matches("| quote").count(), 1, "{text}");
    assert!(text.contains("{{ env \"PASSWORD\" | quote }}"), "{text}");
}
