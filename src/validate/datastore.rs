//! The validated stores.

use crate::api::elasticsearch::{Endpoint, bracketed};
use std::collections::BTreeMap;

/// What a store is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreKind {
    /// Histories, tasks, metadata.
    Default,
    /// The list of workflows.
    Visibility,
    /// The list of workflows, written beside the other.
    SecondaryVisibility,
}

impl StoreKind {
    /// The word in labels and Job names.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Visibility => "visibility",
            // the whole of it would make a Job's name too long
            Self::SecondaryVisibility => "secondary",
        }
    }

    /// The kind of that [name](Self::name).
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Default, Self::Visibility, Self::SecondaryVisibility].into_iter().find(|k| k.name() == name)
    }

    /// The words in messages, before `store`.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::SecondaryVisibility => "secondary visibility",
            other => other.name(),
        }
    }

    /// The field in `spec.persistence`.
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Self::Default => "defaultStore",
            Self::Visibility => "visibilityStore",
            Self::SecondaryVisibility => "secondaryVisibilityStore",
        }
    }

    /// The key in the server's config when none is named; the Go operator's.
    #[must_use]
    pub fn config_key(self) -> &'static str {
        match self {
            Self::SecondaryVisibility => "secondaryVisibility",
            other => other.name(),
        }
    }

    /// The embedded schema that `temporal-sql-tool update-schema --schema-name` takes.
    #[must_use]
    pub fn schema_name(self) -> &'static str {
        match self {
            Self::Default => "postgresql/v12/temporal",
            Self::Visibility | Self::SecondaryVisibility => "postgresql/v12/visibility",
        }
    }
}

/// A store.
#[derive(Clone, Debug)]
pub struct ValidStore {
    /// What it is for.
    pub kind: StoreKind,
    /// Key in the server's config.
    pub name: String,
    /// The database that it is on.
    pub engine: Engine,
    /// Where its user's password is, if it has one.
    pub password: Option<SecretKey>,
    /// TLS, when wanted.
    pub tls: Option<ValidTls>,
    /// The schema Jobs' user, when it is another one.
    pub migration: Option<ValidMigration>,
    /// Whether to create the database or index.
    pub create: bool,
}

/// The database of a store.
#[derive(Clone, Debug)]
pub enum Engine {
    /// PostgreSQL.
    Sql(ValidSql),
    /// Elasticsearch or OpenSearch.
    Elasticsearch(ValidElasticsearch),
}

/// A PostgreSQL database.
#[derive(Clone, Debug)]
pub struct ValidSql {
    /// The server's plugin: `postgres12` or `postgres12_pgx`.
    pub plugin: &'static str,
    /// Database host.
    pub host: String,
    /// Database port.
    pub port: u16,
    /// Database name.
    pub database: String,
    /// Database user.
    pub user: String,
    /// Connections that the database grants, if the spec says so.
    pub max_server_connections: Option<i32>,
    /// Further connection parameters.
    pub connect_attributes: BTreeMap<String, String>,
    /// Most open connections per pod.
    pub max_conns: i32,
    /// Most idle connections per pod.
    pub max_idle_conns: i32,
    /// Lifetime of a connection, a Go duration.
    pub max_conn_lifetime: String,
    /// Server key `taskScanPartitions`.
    pub task_scan_partitions: Option<i32>,
}

impl ValidSql {
    /// `host:port`, an IPv6 host in brackets.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", self.bracketed_host(), self.port)
    }

    /// The host, in brackets if it is an IPv6 address.
    #[must_use]
    pub fn bracketed_host(&self) -> String {
        bracketed(&self.host)
    }
}

/// An index in Elasticsearch or OpenSearch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidElasticsearch {
    /// `v7` or `v8`.
    pub version: &'static str,
    /// Where it answers.
    pub endpoint: Endpoint,
    /// User, if there is one.
    pub user: Option<String>,
    /// Index of visibility.
    pub index: String,
    /// What the server logs of its calls.
    pub log_level: Option<String>,
    /// How often idle connections are closed, a Go duration.
    pub close_idle_connections_interval: Option<String>,
    /// Whether the server looks for other nodes.
    pub sniff: bool,
    /// Whether the server checks the nodes.
    pub healthcheck: bool,
}

/// TLS to a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValidTls {
    /// Whether the host must be in the database's certificate.
    pub verify_host: bool,
    /// The host's name again; PostgreSQL's drivers do not read it.
    pub server_name: Option<String>,
    /// The authorities of the database's certificate.
    pub ca: Option<SecretKey>,
    /// The client's certificate.
    pub cert: Option<SecretKey>,
    /// The client's key.
    pub key: Option<SecretKey>,
}

/// The database user of the schema Jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidMigration {
    /// Its name.
    pub user: String,
    /// Where its password is, if it has one.
    pub password: Option<SecretKey>,
}

impl ValidStore {
    /// `host:port/database` or `host:port/index`, what the recorded schema version belongs to.
    #[must_use]
    pub fn identity(&self) -> String {
        match &self.engine {
            Engine::Sql(sql) => format!("{}/{}", sql.address(), sql.database),
            Engine::Elasticsearch(search) => format!("{}/{}", search.endpoint.address(), search.index),
        }
    }

    /// The word for its kind in the status: the server's plugin, or `elasticsearch`.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match &self.engine {
            Engine::Sql(sql) => sql.plugin,
            Engine::Elasticsearch(_) => "elasticsearch",
        }
    }

    /// Its PostgreSQL database, if it is on one.
    #[must_use]
    pub fn sql(&self) -> Option<&ValidSql> {
        match &self.engine {
            Engine::Sql(sql) => Some(sql),
            Engine::Elasticsearch(_) => None,
        }
    }

    /// What server pods read of Secrets for it.
    #[must_use]
    pub fn server_secrets(&self) -> Vec<&SecretKey> {
        self.password.iter().chain(self.tls_files()).collect()
    }

    /// What its schema Jobs read of Secrets.
    #[must_use]
    pub fn job_secrets(&self) -> Vec<&SecretKey> {
        let password = self.migration.as_ref().map_or(self.password.as_ref(), |m| m.password.as_ref());
        password.into_iter().chain(self.tls_files()).collect()
    }

    fn tls_files(&self) -> impl Iterator<Item = &SecretKey> {
        self.tls.iter().flat_map(|t| [&t.ca, &t.cert, &t.key]).filter_map(Option::as_ref)
    }

    /// The environment variable that carries its password, named as the Go operator names it.
    #[must_use]
    pub fn password_env(&self) -> String {
        let slug: String =
            self.name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
        format!("TEMPORAL_{slug}_DATASTORE_PASSWORD")
    }
}

/// A key of a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretKey {
    /// Name of the Secret.
    pub secret: String,
    /// Key in it.
    pub key: String,
}
