//! Rules and defaults of a store.

use super::cluster::{SecretKey, StoreKind, ValidStore};
use super::{Problems, observability};
use crate::api::persistence::{DatastoreSpec, SqlPlugin, SqlSpec};

/// Reads one store; `None` when it has no SQL database to speak of.
pub(super) fn read(kind: StoreKind, path: &str, spec: &DatastoreSpec, problems: &mut Problems) -> Option<ValidStore> {
    let Some(sql) = &spec.sql else {
        problems.require(
            spec.cassandra.is_some() || spec.elasticsearch.is_some(),
            &format!("{path}.sql"),
            "required; describe the store's PostgreSQL database",
        );
        return None;
    };
    check_names(path, sql, problems);
    let Some((host, port)) = split_address(&sql.connect_addr) else {
        problems.add(format!("{path}.sql.connectAddr"), "must be host:port, for example postgres.db.svc:5432");
        return None;
    };
    let max_conns = sql.max_conns.unwrap_or(match kind {
        StoreKind::Default => 20,
        StoreKind::Visibility => 10,
    });
    Some(ValidStore {
        kind,
        name: spec.name.clone().unwrap_or_else(|| kind.name().to_owned()),
        plugin: match sql.plugin_name {
            SqlPlugin::postgres12_pgx => "postgres12_pgx",
            _ => "postgres12",
        },
        host,
        port,
        database: sql.database_name.clone(),
        user: sql.user.clone(),
        password: spec
            .password_secret_ref
            .as_ref()
            .map(|r| SecretKey { secret: r.name.clone(), key: r.key.clone().unwrap_or_else(|| "password".to_owned()) }),
        connect_attributes: sql.connect_attributes.clone().unwrap_or_default(),
        max_conns,
        max_idle_conns: sql.max_idle_conns.unwrap_or(max_conns),
        max_conn_lifetime: sql.max_conn_lifetime.clone().unwrap_or_else(|| "1h".to_owned()),
        task_scan_partitions: sql.task_scan_partitions,
        create: !spec.skip_create.unwrap_or(false),
    })
}

fn check_names(path: &str, sql: &SqlSpec, problems: &mut Problems) {
    let unescaped =
        "only letters, digits and . _ ~ - are taken, since the server puts it unescaped into the connection string";
    problems.require(is_url_safe(&sql.user), &format!("{path}.sql.user"), unescaped);
    problems.require(is_url_safe(&sql.database_name), &format!("{path}.sql.databaseName"), unescaped);
    if let Some(lifetime) = &sql.max_conn_lifetime {
        problems.require(
            observability::go_duration(lifetime).is_some(),
            &format!("{path}.sql.maxConnLifetime"),
            "must be a Go duration such as 1h or 90m",
        );
    }
    let protocol = sql.connect_protocol.as_deref().unwrap_or("tcp");
    problems.require(protocol == "tcp", &format!("{path}.sql.connectProtocol"), "only tcp is supported");
}

fn is_url_safe(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._~-".contains(c))
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
