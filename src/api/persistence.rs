//! `spec.persistence`: where the cluster keeps its data.

use super::elasticsearch::ElasticsearchSpec;
use super::reference::SecretKeyReference;
use super::store_tls::{StoreMigrationSpec, StoreTlsSpec};
use super::unsupported::any_object;
use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The stores of a cluster. No two may be one database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "!has(self.defaultStore.sql) || !has(self.visibilityStore.sql) || self.defaultStore.sql.databaseName != self.visibilityStore.sql.databaseName || self.defaultStore.sql.connectAddr != self.visibilityStore.sql.connectAddr",
    "persistence.visibilityStore.sql.databaseName: must differ from the default store's database; the schema version of both would share one row. Name a second database"
))]
#[x_kube(validation = (
    "(has(self.defaultStore.name) ? self.defaultStore.name : 'default').lowerAscii().replace('-', '_') != (has(self.visibilityStore.name) ? self.visibilityStore.name : 'visibility').lowerAscii().replace('-', '_')",
    "persistence.visibilityStore.name: must differ from the default store's name in more than case, - and _, since environment variables are named after it; choose another name"
))]
#[x_kube(validation = (
    "!has(self.defaultStore.sql) || !has(self.visibilityStore.sql) || !has(self.defaultStore.sql.gcpServiceAccount) || !has(self.visibilityStore.sql.gcpServiceAccount) || self.defaultStore.sql.gcpServiceAccount == self.visibilityStore.sql.gcpServiceAccount",
    "persistence.visibilityStore.sql.gcpServiceAccount: must be the default store's, since a pod has one service account; grant one Google service account access to both"
))]
#[x_kube(validation = ("!has(self.defaultStore.elasticsearch)", "persistence.defaultStore.elasticsearch: Elasticsearch can hold visibility only; use sql with pluginName postgres12 here"))]
#[x_kube(validation = (
    "!has(self.secondaryVisibilityStore) || has(self.secondaryVisibilityStore.elasticsearch) == has(self.visibilityStore.elasticsearch)",
    "persistence.secondaryVisibilityStore: must be of the visibility store's kind, since servers write two databases or two indices, never one of each; describe a store of the same kind, or remove it"
))]
#[x_kube(validation = (
    "!has(self.secondaryVisibilityStore) || !has(self.secondaryVisibilityStore.sql) || [(has(self.defaultStore.sql) ? self.defaultStore.sql.connectAddr + '/' + self.defaultStore.sql.databaseName : ''), (has(self.visibilityStore.sql) ? self.visibilityStore.sql.connectAddr + '/' + self.visibilityStore.sql.databaseName : '')].all(d, d != self.secondaryVisibilityStore.sql.connectAddr + '/' + self.secondaryVisibilityStore.sql.databaseName)",
    "persistence.secondaryVisibilityStore.sql.databaseName: must differ from the databases of the default store and of the visibility store; name another database"
))]
#[x_kube(validation = (
    "!has(self.secondaryVisibilityStore) || !has(self.secondaryVisibilityStore.elasticsearch) || !has(self.visibilityStore.elasticsearch) || (has(self.visibilityStore.elasticsearch.indices) && has(self.visibilityStore.elasticsearch.indices.visibility) ? self.visibilityStore.elasticsearch.indices.visibility : 'temporal_visibility_v1') != (has(self.secondaryVisibilityStore.elasticsearch.indices) && has(self.secondaryVisibilityStore.elasticsearch.indices.visibility) ? self.secondaryVisibilityStore.elasticsearch.indices.visibility : 'temporal_visibility_v1')",
    "persistence.secondaryVisibilityStore.elasticsearch.indices.visibility: must differ from the visibility store's index, on another Elasticsearch too, since Temporal keeps search attributes by the index's name; name another index"
))]
#[x_kube(validation = (
    "!has(self.secondaryVisibilityStore) || [has(self.defaultStore.name) ? self.defaultStore.name : 'default', has(self.visibilityStore.name) ? self.visibilityStore.name : 'visibility'].all(n, n.lowerAscii().replace('-', '_') != (has(self.secondaryVisibilityStore.name) ? self.secondaryVisibilityStore.name : 'secondaryVisibility').lowerAscii().replace('-', '_'))",
    "persistence.secondaryVisibilityStore.name: must differ from the other stores' names in more than case, - and _, since environment variables are named after it; choose another name"
))]
#[x_kube(validation = (
    "!has(self.secondaryVisibilityStore) || !has(self.secondaryVisibilityStore.sql) || !has(self.secondaryVisibilityStore.sql.gcpServiceAccount) || [(has(self.defaultStore.sql) && has(self.defaultStore.sql.gcpServiceAccount) ? self.defaultStore.sql.gcpServiceAccount : self.secondaryVisibilityStore.sql.gcpServiceAccount), (has(self.visibilityStore.sql) && has(self.visibilityStore.sql.gcpServiceAccount) ? self.visibilityStore.sql.gcpServiceAccount : self.secondaryVisibilityStore.sql.gcpServiceAccount)].all(a, a == self.secondaryVisibilityStore.sql.gcpServiceAccount)",
    "persistence.secondaryVisibilityStore.sql.gcpServiceAccount: must be the other stores', since a pod has one service account; grant one Google service account access to all"
))]
#[x_kube(validation = ("!has(self.advancedVisibilityStore)", "persistence.advancedVisibilityStore: servers from 1.24 on have none; remove it and use visibilityStore"))]
pub struct PersistenceSpec {
    /// Workflow histories, tasks, timers, cluster metadata.
    pub default_store: DatastoreSpec,
    /// The list of workflows and its search attributes.
    pub visibility_store: DatastoreSpec,
    /// A second visibility store of the same kind. Servers write both and read `visibilityStore`; exchange the two blocks to
    /// read the other, remove this one to write one again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secondary_visibility_store: Option<Box<DatastoreSpec>>,
    /// Elasticsearch before server 1.24. Refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub advanced_visibility_store: Option<Map<String, Value>>,
}

/// One store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.cassandra)", "cassandra: not supported yet; use sql with pluginName postgres12"))]
#[x_kube(validation = ("!has(self.sql) || !has(self.elasticsearch)", "elasticsearch: a store is one database, either sql or elasticsearch; remove one of them"))]
#[x_kube(validation = (
    "has(self.sql) || has(self.cassandra) || has(self.elasticsearch)",
    "sql: required; describe the store's PostgreSQL database"
))]
#[x_kube(validation = (
    "!has(self.elasticsearch) || (has(self.elasticsearch.username) && self.elasticsearch.username != '') == has(self.passwordSecretRef)",
    "passwordSecretRef: elasticsearch.username and passwordSecretRef go together; give both or neither"
))]
#[x_kube(validation = (
    "!has(self.elasticsearch) || !has(self.tls) || !self.tls.enabled || self.elasticsearch.url.startsWith('https://')",
    "elasticsearch.url: must be https with tls.enabled, since the server would connect without encryption otherwise; write https://, or remove tls"
))]
#[x_kube(validation = (
    "!has(self.tls) || !self.tls.enabled || !has(self.tls.serverName) || !has(self.sql) || self.sql.connectAddr.startsWith(self.tls.serverName + ':') || self.sql.connectAddr.startsWith('[' + self.tls.serverName + ']:')",
    "tls.serverName: must be the host of sql.connectAddr, since PostgreSQL's drivers check that name and take no other; put the name into connectAddr, or remove it"
))]
#[x_kube(validation = (
    "!has(self.tls) || !self.tls.enabled || !has(self.name) || self.name.matches('^[A-Za-z][A-Za-z0-9-]{0,48}$')",
    "name: with tls at most 49 letters, digits and -, since volumes are named after it; choose another name"
))]
#[x_kube(validation = (
    "!has(self.tls) || !self.tls.enabled || !has(self.sql) || !has(self.sql.connectAttributes) || !['sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'sslinline'].exists(k, k in self.sql.connectAttributes)",
    "sql.connectAttributes: sslmode, sslrootcert, sslcert, sslkey and sslinline would override tls; remove them"
))]
pub struct DatastoreSpec {
    /// Key of the store in the server's config. Default `default`, `visibility` and `secondaryVisibility`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z][A-Za-z0-9_-]*$"))]
    pub name: Option<String>,
    /// The Secret that holds the user's password. Absent: no password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_secret_ref: Option<SecretKeyReference>,
    /// The database or index exists already: do not create it. Its schema is set up and updated all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_create: Option<bool>,
    /// TLS to the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Box<StoreTlsSpec>>,
    /// Another user for the schema Jobs, so that the servers' user need not own the tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<Box<StoreMigrationSpec>>,
    /// A SQL database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<SqlSpec>,
    /// Cassandra. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub cassandra: Option<Map<String, Value>>,
    /// Elasticsearch or OpenSearch, for visibility only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elasticsearch: Option<Box<ElasticsearchSpec>>,
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
#[x_kube(validation = ("!has(self.connectAttributes) || !['user', 'password', 'host', 'hostaddr', 'port', 'dbname', 'database', 'passfile', 'service', 'servicefile', 'sslpassword'].exists(k, k in self.connectAttributes)", "sql.connectAttributes: address, database, user and password have fields of their own; remove host, hostaddr, port, dbname, database, user, password, sslpassword, passfile, service and servicefile"))]
#[x_kube(validation = ("!has(self.connectAttributes) || self.connectAttributes.all(k, k.size() <= 63 && k.matches('^[A-Za-z_][A-Za-z0-9_.]*$'))", "sql.connectAttributes: a key is the name of a connection parameter, at most 63 letters, digits, _ and . after a letter; correct it"))]
#[x_kube(validation = ("!has(self.connectAttributes) || self.connectAttributes.all(k, self.connectAttributes[k].trim() == self.connectAttributes[k])", "sql.connectAttributes: a value may not begin or end with a space, since the server cuts it off; remove the space"))]
#[x_kube(validation = ("!has(self.connectAttributes) || self.connectAttributes.all(k, self.connectAttributes[k].matches('^[^\\\\x00-\\\\x1f\\\\x7f]+$'))", "sql.connectAttributes: a value may neither be empty nor hold control characters, since connections would lose it; correct or remove it"))]
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
    /// Further connection parameters, given to the server and to the schema tool. Default:
    /// `idle_in_transaction_session_timeout: 5s`; `0` leaves that one away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "attributes")]
    pub connect_attributes: Option<BTreeMap<String, String>>,
    /// Most open connections per pod. Default 20 (default store) and 10 (visibility stores).
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
    /// Connections that the database grants to the cluster, for the note in the status when pods may ask for more. Default
    /// 100, PostgreSQL's own. With both stores on one server the smaller number counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100000))]
    pub max_server_connections: Option<i32>,
    /// Google service account of all generated ServiceAccounts (annotation `iam.gke.io/gcp-service-account`), for Cloud SQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 255), regex(pattern = r"^[^@\s]+@[^@\s]+$"))]
    pub gcp_service_account: Option<String>,
}

/// At most 32 texts by name, for which CEL's rules stay cheap.
fn attributes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": {"type": "string", "maxLength": 1024},
    })
}
