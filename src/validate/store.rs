//! Rules and defaults of a store.

use super::datastore::{Engine, StoreKind, ValidSql, ValidStore};
use super::tls::url_safe;
use super::{Problems, duration, elasticsearch, tls};
use crate::api::persistence::{DatastoreSpec, PersistenceSpec, SqlPlugin, SqlSpec};
use std::collections::BTreeMap;

/// Reads one store; `None` when it has no database to speak of.
pub(super) fn read(kind: StoreKind, spec: &DatastoreSpec, problems: &mut Problems) -> Option<ValidStore> {
    let path = &format!("spec.persistence.{}", kind.field());
    let (engine, host) = match (&spec.elasticsearch, &spec.sql) {
        (Some(search), _) => {
            let search = elasticsearch::read(kind, path, spec, search, problems)?;
            (Engine::Elasticsearch(search), None)
        }
        (None, Some(sql)) => {
            let sql = read_sql(kind, path, sql, problems)?;
            let host = sql.host.clone();
            (Engine::Sql(sql), Some(host))
        }
        (None, None) => {
            let message = "required; describe the store's PostgreSQL database";
            problems.require(spec.cassandra.is_some(), &format!("{path}.sql"), message);
            return None;
        }
    };
    let password = spec
        .password_secret_ref
        .as_ref()
        .map(|r| tls::secret_key(&format!("{path}.passwordSecretRef"), r, "password", problems));
    Some(ValidStore {
        kind,
        name: spec.name.clone().unwrap_or_else(|| kind.config_key().to_owned()),
        engine,
        password,
        tls: tls::read(path, spec, host.as_deref(), problems),
        migration: tls::migration(path, spec, problems),
        create: !spec.skip_create.unwrap_or(false),
    })
}

fn read_sql(kind: StoreKind, path: &str, sql: &SqlSpec, problems: &mut Problems) -> Option<ValidSql> {
    check_names(path, sql, problems);
    check_attributes(&format!("{path}.sql.connectAttributes"), sql, problems);
    let Some((host, port)) = split_address(&sql.connect_addr) else {
        problems.add(format!("{path}.sql.connectAddr"), "must be host:port, for example postgres.db.svc:5432");
        return None;
    };
    let max_conns = sql.max_conns.unwrap_or(match kind {
        StoreKind::Default => 20,
        StoreKind::Visibility | StoreKind::SecondaryVisibility => 10,
    });
    Some(ValidSql {
        plugin: match sql.plugin_name {
            SqlPlugin::postgres12_pgx => "postgres12_pgx",
            _ => "postgres12",
        },
        host,
        port,
        database: sql.database_name.clone(),
        user: sql.user.clone(),
        max_server_connections: sql.max_server_connections,
        connect_attributes: connect_attributes(sql),
        max_conns,
        max_idle_conns: sql.max_idle_conns.unwrap_or(max_conns),
        max_conn_lifetime: sql.max_conn_lifetime.clone().unwrap_or_else(|| "1h".to_owned()),
        task_scan_partitions: sql.task_scan_partitions,
    })
}

/// PostgreSQL ends a session that leaves a transaction open without a word for so long (5 s), and frees its locks. A server
/// whose node dies in one keeps its history shard, or its partition of a task queue, locked until then, by PostgreSQL's
/// default until TCP gives its connection up: minutes to hours. The ring drops such a server after 8 s.
const IDLE_IN_TRANSACTION: (&str, &str) = ("idle_in_transaction_session_timeout", "5s");

/// What the user gives, and the time-out above unless they set it. `0` leaves it away, for proxies that refuse parameters they
/// do not know (PgBouncer).
fn connect_attributes(sql: &SqlSpec) -> BTreeMap<String, String> {
    let mut all = sql.connect_attributes.clone().unwrap_or_default();
    let (key, default) = IDLE_IN_TRANSACTION;
    all.entry(key.to_owned()).or_insert_with(|| default.to_owned());
    all.retain(|k, value| k != key || value != "0");
    all
}

fn check_names(path: &str, sql: &SqlSpec, problems: &mut Problems) {
    url_safe(&sql.user, &format!("{path}.sql.user"), problems);
    url_safe(&sql.database_name, &format!("{path}.sql.databaseName"), problems);
    if let Some(lifetime) = &sql.max_conn_lifetime {
        problems.require(
            duration::parse(lifetime).is_some(),
            &format!("{path}.sql.maxConnLifetime"),
            "must be a Go duration such as 1h or 90m",
        );
    }
    let protocol = sql.connect_protocol.as_deref().unwrap_or("tcp");
    problems.require(protocol == "tcp", &format!("{path}.sql.connectProtocol"), "only tcp is supported");
}

/// What no two stores may have in common.
pub(super) fn check_apart(stores: &[&ValidStore], problems: &mut Problems) {
    for (n, later) in stores.iter().enumerate() {
        for earlier in stores.iter().take(n) {
            check_places(earlier, later, problems);
            check_names_of(earlier, later, problems);
        }
    }
}

fn check_places(earlier: &ValidStore, later: &ValidStore, problems: &mut Problems) {
    let same = match (&earlier.engine, &later.engine) {
        (Engine::Elasticsearch(a), Engine::Elasticsearch(b)) => a.index == b.index,
        _ => earlier.identity() == later.identity(),
    };
    let (field, message) = match (later.kind, &later.engine) {
        (StoreKind::SecondaryVisibility, Engine::Elasticsearch(_)) => (
            "elasticsearch.indices.visibility",
            "must differ from the visibility store's index, on another Elasticsearch too, since Temporal keeps search attributes by the index's name; name another index",
        ),
        (StoreKind::SecondaryVisibility, Engine::Sql(_)) => (
            "sql.databaseName",
            "must differ from the databases of the default store and of the visibility store; name another database",
        ),
        _ => (
            "sql.databaseName",
            "must differ from the default store's database; the schema version of both would share one row. Name a second database",
        ),
    };
    problems.require(!same, &format!("spec.persistence.{}.{field}", later.kind.field()), message);
}

fn check_names_of(earlier: &ValidStore, later: &ValidStore, problems: &mut Problems) {
    let whose = match later.kind {
        StoreKind::SecondaryVisibility => "the other stores' names",
        _ => "the default store's name",
    };
    problems.require(
        earlier.password_env() != later.password_env(),
        &format!("spec.persistence.{}.name", later.kind.field()),
        &format!("must differ from {whose} in more than case, - and _, since environment variables are named after it; choose another name"),
    );
}

/// Servers take two visibility stores of one kind only (server 1.30–1.32, `common/config/persistence.go`).
pub(super) fn check_kinds(visibility: &ValidStore, secondary: Option<&ValidStore>, problems: &mut Problems) {
    problems.require(
        secondary.is_none_or(|s| s.sql().is_some() == visibility.sql().is_some()),
        "spec.persistence.secondaryVisibilityStore",
        "must be of the visibility store's kind, since servers write two databases or two indices, never one of each; describe a store of the same kind, or remove it",
    );
}

/// The Google service account that all stores agree on.
pub(super) fn gcp_service_account(spec: &PersistenceSpec, problems: &mut Problems) -> Option<String> {
    let of = |store: &DatastoreSpec| store.sql.as_ref().and_then(|s| s.gcp_service_account.clone());
    let (default, visibility) = (of(&spec.default_store), of(&spec.visibility_store));
    let agree = |a: &Option<String>, b: &Option<String>| a.is_none() || b.is_none() || a == b;
    problems.require(
        agree(&default, &visibility),
        "spec.persistence.visibilityStore.sql.gcpServiceAccount",
        "must be the default store's, since a pod has one service account; grant one Google service account access to both",
    );
    let first = default.or(visibility);
    let secondary = spec.secondary_visibility_store.as_deref().and_then(of);
    problems.require(
        agree(&first, &secondary),
        "spec.persistence.secondaryVisibilityStore.sql.gcpServiceAccount",
        "must be the other stores', since a pod has one service account; grant one Google service account access to all",
    );
    first.or(secondary)
}

/// Parameters that have a field of their own, or that bring a password or another address with them.
const NOT_ATTRIBUTES: [&str; 11] = [
    "user",
    "password",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "database",
    "passfile",
    "service",
    "servicefile",
    "sslpassword",
];

/// Only what both drivers and the schema tool deliver as it was written.
fn check_attributes(path: &str, sql: &SqlSpec, problems: &mut Problems) {
    let attributes = sql.connect_attributes.clone().unwrap_or_default();
    problems.require(attributes.len() <= 32, path, "at most 32 parameters");
    problems.require(
        !NOT_ATTRIBUTES.iter().any(|k| attributes.contains_key(*k)),
        path,
        "address, database, user and password have fields of their own; remove host, hostaddr, port, dbname, database, user, password, sslpassword, passfile, service and servicefile",
    );
    problems.require(
        attributes.keys().all(|k| is_parameter(k)),
        path,
        "a key is the name of a connection parameter, at most 63 letters, digits, _ and . after a letter; correct it",
    );
    problems.require(
        attributes.values().all(|v| v.trim() == v),
        path,
        "a value may not begin or end with a space, since the server cuts it off; remove the space",
    );
    problems.require(
        attributes.values().all(|v| !v.is_empty() && !v.chars().any(|c| c.is_ascii_control())),
        path,
        "a value may neither be empty nor hold control characters, since connections would lose it; correct or remove it",
    );
}

fn is_parameter(key: &str) -> bool {
    key.len() <= 63
        && key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_ascii_alphanumeric() || "_.".contains(c))
}

/// Splits `host:port`; an IPv6 host comes in brackets and goes without.
fn split_address(address: &str) -> Option<(String, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let port = port.parse().ok().filter(|p| *p > 0)?;
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    #[rstest]
    #[case::default(json!({}), json!({"idle_in_transaction_session_timeout": "5s"}))]
    #[case::theirs(
        json!({"application_name": "a", "idle_in_transaction_session_timeout": "1min"}),
        json!({"application_name": "a", "idle_in_transaction_session_timeout": "1min"})
    )]
    #[case::off(json!({"application_name": "a", "idle_in_transaction_session_timeout": "0"}), json!({"application_name": "a"}))]
    fn sessions_that_idle_in_a_transaction(#[case] given: Value, #[case] expected: Value) {
        let spec = json!({"pluginName": "postgres12", "user": "u", "databaseName": "d", "connectAddr": "db:5432", "connectAttributes": given});
        assert_eq!(json!(connect_attributes(&serde_json::from_value(spec).unwrap())), expected);
    }

    #[rstest]
    #[case("db:5432", Some(("db", 5432)))]
    #[case("[::1]:5432", Some(("::1", 5432)))]
    #[case("db", None)]
    #[case("db:", None)]
    #[case("db:0", None)]
    #[case("db:70000", None)]
    #[case("::1:5432", None)]
    #[case(":5432", None)]
    fn addresses(#[case] text: &str, #[case] expected: Option<(&str, u16)>) {
        assert_eq!(split_address(text), expected.map(|(h, p)| (h.to_owned(), p)));
    }
}
