//! `spec.persistence`: where the cluster keeps its data.

use super::unsupported::{Disabled, any_object};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The stores of a cluster. `defaultStore` and `visibilityStore` must be two databases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "!has(self.defaultStore.sql) || !has(self.visibilityStore.sql) || self.defaultStore.sql.databaseName != self.visibilityStore.sql.databaseName || self.defaultStore.sql.connectAddr != self.visibilityStore.sql.connectAddr",
    "persistence.visibilityStore.sql.databaseName: must differ from the default store's database; the schema version of both would share one row. Name a second database"
))]
#[x_kube(validation = ("!has(self.secondaryVisibilityStore)", "persistence.secondaryVisibilityStore: not supported yet; remove it"))]
#[x_kube(validation = ("!has(self.advancedVisibilityStore)", "persistence.advancedVisibilityStore: servers from 1.24 on have none; remove it and use visibilityStore"))]
pub struct PersistenceSpec {
    /// Workflow histories, tasks, timers, cluster metadata.
    pub default_store: DatastoreSpec,
    /// The list of workflows and its search attributes.
    pub visibility_store: DatastoreSpec,
    /// A second visibility store, for migrations. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub secondary_visibility_store: Option<Map<String, Value>>,
    /// Elasticsearch before server 1.24. Refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub advanced_visibility_store: Option<Map<String, Value>>,
}

/// One store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.cassandra)", "cassandra: not supported yet; use sql with pluginName postgres12"))]
#[x_kube(validation = ("!has(self.elasticsearch)", "elasticsearch: not supported yet; use sql with pluginName postgres12"))]
#[x_kube(validation = (
    "has(self.sql) || has(self.cassandra) || has(self.elasticsearch)",
    "sql: required; describe the store's PostgreSQL database"
))]
#[x_kube(validation = (
    "!has(self.tls) || !has(self.tls.enabled) || !self.tls.enabled",
    "tls: not supported yet; remove it or set enabled: false"
))]
pub struct DatastoreSpec {
    /// Key of the store in the server's config. Default `default` and `visibility`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z][A-Za-z0-9_-]*$"))]
    pub name: Option<String>,
    /// The Secret that holds the database user's password. Absent: no password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_secret_ref: Option<SecretKeyReference>,
    /// The database exists already: do not create it. Its schema is set up and updated all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_create: Option<bool>,
    /// TLS to the store. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Disabled>,
    /// A SQL database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<SqlSpec>,
    /// Cassandra. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub cassandra: Option<Map<String, Value>>,
    /// Elasticsearch or OpenSearch. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub elasticsearch: Option<Map<String, Value>>,
}

/// A key of a Secret in the cluster's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyReference {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in the Secret. Default `password`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub key: Option<String>,
}

/// SQL plugins: `postgres` and `postgres12` are the server's `postgres12` (lib/pq), `postgres12_pgx` its pgx driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(non_camel_case_types, missing_docs)]
pub enum SqlPlugin {
    postgres,
    postgres12,
    postgres12_pgx,
    mysql,
    mysql8,
}

/// A SQL database of a store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.pluginName != 'mysql' && self.pluginName != 'mysql8'", "sql.pluginName: MySQL is not supported yet; use postgres12 or postgres12_pgx"))]
#[x_kube(validation = ("!has(self.gcpServiceAccount)", "sql.gcpServiceAccount: not supported yet; remove it"))]
pub struct SqlSpec {
    /// The server's SQL plugin.
    pub plugin_name: SqlPlugin,
    /// Database user. The server does not escape it, so only URL-safe characters are taken.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = ("self.matches('^[A-Za-z0-9._~-]+$')", "sql.user: only letters, digits and . _ ~ - are taken, since the server puts it unescaped into the connection string; create such a role"))]
    pub user: String,
    /// Database name, one per store.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = ("self.matches('^[A-Za-z0-9._~-]+$')", "sql.databaseName: only letters, digits and . _ ~ - are taken, since the server puts it unescaped into the connection string"))]
    pub database_name: String,
    /// `host:port` of the database.
    #[schemars(length(min = 3, max = 320))]
    #[x_kube(validation = ("self.matches('^([A-Za-z0-9._-]+|\\\\[[0-9A-Fa-f:.]+\\\\]):[1-9][0-9]{0,4}$')", "sql.connectAddr: must be host:port, for example postgres.db.svc:5432"))]
    pub connect_addr: String,
    /// `tcp` (default) or `unix`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(validation = ("self == 'tcp'", "sql.connectProtocol: only tcp is supported"))]
    pub connect_protocol: Option<String>,
    /// Further connection parameters, given to the server and to the schema tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 64))]
    pub connect_attributes: Option<BTreeMap<String, String>>,
    /// Most open connections per pod. Default 20 (default store) and 10 (visibility store).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10000))]
    pub max_conns: Option<i32>,
    /// Most idle connections per pod. Default: `maxConns`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10000))]
    pub max_idle_conns: Option<i32>,
    /// How long a connection may live, a Go duration. Default `1h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = ("self.matches('^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$')", "sql.maxConnLifetime: must be a Go duration such as 1h or 90m"))]
    pub max_conn_lifetime: Option<String>,
    /// Partitions scanned for task queues (server key `taskScanPartitions`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10000))]
    pub task_scan_partitions: Option<i32>,
    /// Google service account for Cloud SQL. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gcp_service_account: Option<String>,
}
