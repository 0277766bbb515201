//! The validated cluster: every default filled in, every rule checked.

use super::ingress::ValidIngress;
use super::log::ValidLog;
use super::observability::ValidMonitors;
use crate::api::observability::ConstrainedValue;
use crate::api::services::Role;
use crate::api::ui::ObjectMetadata;
use k8s_openapi::api::core::v1::{LocalObjectReference, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use semver::Version;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// A `TemporalCluster` that can be carried out. The sole input of `build`.
#[derive(Clone, Debug)]
pub struct ValidCluster {
    /// `metadata.name`, at most 36 characters.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// Owner of everything built; absent offline, where there is no uid.
    pub owner: Option<OwnerReference>,
    /// Temporal's `currentClusterName`.
    pub temporal_name: String,
    /// Server version wanted.
    pub version: Version,
    /// Image of the server: repository, whose tag is the version, or digest.
    pub image: String,
    /// Image of the schema tools: repository, whose tag is the tools' version, or digest.
    pub admin_tools_image: String,
    /// Secrets with which images are pulled.
    pub image_pull_secrets: Vec<LocalObjectReference>,
    /// Number of history shards.
    pub history_shards: i32,
    /// The four roles.
    pub roles: BTreeMap<Role, ValidRole>,
    /// The default store.
    pub default_store: ValidStore,
    /// The visibility store.
    pub visibility_store: ValidStore,
    /// The Web UI, when wanted.
    pub ui: Option<ValidUi>,
    /// The pod with Temporal's tools, when wanted.
    pub admin_tools: Option<ValidAdminTools>,
    /// The server's log.
    pub log: ValidLog,
    /// The server's metrics, when wanted.
    pub metrics: Option<ValidMetrics>,
    /// Dynamic config values by key.
    pub dynamic_config: BTreeMap<String, Vec<ConstrainedValue>>,
    /// How often pods look for a dynamic config change; at least 5 s.
    pub dynamic_config_poll: Duration,
    /// Merged over the server's config.
    pub server_config: Map<String, Value>,
    /// How long finished Jobs stay, in seconds.
    pub job_ttl_seconds: i32,
    /// Resources of the schema Jobs' containers.
    pub job_resources: Option<ResourceRequirements>,
    /// What the user should know although it is carried out.
    pub warnings: Vec<String>,
}

impl ValidCluster {
    /// Both stores, the default one first.
    #[must_use]
    pub fn stores(&self) -> [&ValidStore; 2] {
        [&self.default_store, &self.visibility_store]
    }

    /// Names of the Secrets its pods read, each once.
    #[must_use]
    pub fn secret_names(&self) -> Vec<&str> {
        let mut names: Vec<_> =
            self.stores().iter().filter_map(|s| s.password.as_ref()).map(|p| p.secret.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The role's settings; all four are always there.
    #[must_use]
    pub fn role(&self, role: Role) -> ValidRole {
        self.roles.get(&role).cloned().unwrap_or_else(|| ValidRole::default_of(role))
    }
}

/// One role.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidRole {
    /// gRPC port.
    pub grpc_port: i32,
    /// Membership port.
    pub membership_port: i32,
    /// HTTP API port; frontend only.
    pub http_port: Option<i32>,
    /// Number of pods; `None` leaves it to whoever scales the Deployment.
    pub replicas: Option<i32>,
    /// Compute resources.
    pub resources: Option<ResourceRequirements>,
}

impl ValidRole {
    /// The role with nothing set.
    #[must_use]
    pub fn default_of(role: Role) -> Self {
        Self {
            grpc_port: role.grpc_port(),
            membership_port: role.membership_port(),
            http_port: (role == Role::Frontend).then_some(7243),
            replicas: None,
            resources: None,
        }
    }
}

/// What a store is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreKind {
    /// Histories, tasks, metadata.
    Default,
    /// The list of workflows.
    Visibility,
}

impl StoreKind {
    /// The word in labels, Job names and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Visibility => "visibility",
        }
    }

    /// The embedded schema that `temporal-sql-tool update-schema --schema-name` takes.
    #[must_use]
    pub fn schema_name(self) -> &'static str {
        match self {
            Self::Default => "postgresql/v12/temporal",
            Self::Visibility => "postgresql/v12/visibility",
        }
    }
}

/// A PostgreSQL store.
#[derive(Clone, Debug)]
pub struct ValidStore {
    /// What it is for.
    pub kind: StoreKind,
    /// Key in the server's config.
    pub name: String,
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
    /// Where its password is, if it has one.
    pub password: Option<SecretKey>,
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
    /// Whether to create the database.
    pub create: bool,
}

impl ValidStore {
    /// `host:port/database`, what the recorded schema version belongs to.
    #[must_use]
    pub fn identity(&self) -> String {
        format!("{}/{}", self.address(), self.database)
    }

    /// `host:port`, an IPv6 host in brackets.
    #[must_use]
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
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

/// The Web UI.
#[derive(Clone, Debug)]
pub struct ValidUi {
    /// Image reference with tag or digest.
    pub image: String,
    /// Image tag.
    pub version: String,
    /// Number of pods; `None` leaves it alone.
    pub replicas: Option<i32>,
    /// Compute resources.
    pub resources: Option<ResourceRequirements>,
    /// Labels and annotations of its Service.
    pub service: ObjectMetadata,
    /// Its Ingress, when wanted.
    pub ingress: Option<ValidIngress>,
}

/// The pod with Temporal's tools.
#[derive(Clone, Debug)]
pub struct ValidAdminTools {
    /// Image reference with tag or digest.
    pub image: String,
    /// Image tag.
    pub version: String,
    /// Compute resources.
    pub resources: Option<ResourceRequirements>,
}

/// The server's metrics.
#[derive(Clone, Debug)]
pub struct ValidMetrics {
    /// Listen port.
    pub port: i32,
    /// `prometheus.io/*` annotations on the pods.
    pub annotate: bool,
    /// ServiceMonitors, when wanted.
    pub monitors: Option<ValidMonitors>,
    /// Tag values left out, by tag.
    pub exclude_tags: BTreeMap<String, Vec<String>>,
    /// Histogram boundaries by unit.
    pub boundaries: BTreeMap<String, Vec<f64>>,
    /// Prefix of metric names.
    pub prefix: Option<String>,
}
