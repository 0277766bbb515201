//! The validated cluster: every default filled in, every rule checked.

use super::ValidOverride;
use super::datastore::{SecretKey, ValidStore};
use super::ingress::ValidIngress;
use super::job::ValidJobPod;
use super::log::ValidLog;
use super::observability::ValidMetrics;
use super::roles::ValidRole;
use super::rollout::ValidRollout;
use crate::api::observability::ConstrainedValue;
use crate::api::services::Role;
use crate::api::ui::ObjectMetadata;
use k8s_openapi::api::core::v1::{LocalObjectReference, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use semver::Version;
use serde_json::{Map, Value};
use std::borrow::Cow;
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
    /// Server version to run now: the wanted one, or the next on the way to it.
    pub version: Version,
    /// Server version wanted in the end.
    pub target: Version,
    /// The cluster has been rolled out once, so that pods take part in a change of the rings.
    pub established: bool,
    /// A rollout is replacing, or is about to replace, the pods that hold history shards.
    pub shards_move: bool,
    /// How changes are rolled out.
    pub rollout: ValidRollout,
    /// Image of the server: repository, whose tag is the version, or digest.
    pub image: String,
    /// Image of the schema tools: repository, whose tag is the tools' version, or digest.
    pub admin_tools_image: String,
    /// Secrets with which images are pulled.
    pub image_pull_secrets: Vec<LocalObjectReference>,
    /// Number of history shards.
    pub history_shards: i32,
    /// The roles that are wanted: four, or five with the internal frontend.
    pub roles: BTreeMap<Role, ValidRole>,
    /// The default store.
    pub default_store: ValidStore,
    /// The visibility store.
    pub visibility_store: ValidStore,
    /// The second visibility store, when two are written.
    pub secondary_visibility_store: Option<ValidStore>,
    /// Some pod may know two visibility stores, and is to write both.
    pub writes_both: bool,
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
    /// What users add to the schema Jobs' pods.
    pub job_pod: ValidJobPod,
    /// Google service account of the generated ServiceAccounts.
    pub gcp_service_account: Option<String>,
    /// What the user should know although it is carried out.
    pub warnings: Vec<String>,
}

impl ValidCluster {
    /// Every store, the default one first.
    pub fn stores(&self) -> impl Iterator<Item = &ValidStore> {
        std::iter::once(&self.default_store).chain(self.visibility_stores())
    }

    /// The visibility stores, the one that is read first.
    pub fn visibility_stores(&self) -> impl Iterator<Item = &ValidStore> {
        std::iter::once(&self.visibility_store).chain(&self.secondary_visibility_store)
    }

    /// Both visibility stores, the one that is read first; `None` when there is one.
    #[must_use]
    pub fn two_visibility_stores(&self) -> Option<[&ValidStore; 2]> {
        Some([&self.visibility_store, self.secondary_visibility_store.as_ref()?])
    }

    /// Keys of Secrets its pods read, those of the schema Jobs included.
    #[must_use]
    pub fn secret_keys(&self) -> Vec<&SecretKey> {
        self.stores().flat_map(|s| s.server_secrets().into_iter().chain(s.job_secrets())).collect()
    }

    /// Names of the Secrets its pods read, those of the schema Jobs included; each once.
    #[must_use]
    pub fn secret_names(&self) -> Vec<&str> {
        each_once(self.secret_keys())
    }

    /// Names of the Secrets that server pods read, each once.
    #[must_use]
    pub fn server_secret_names(&self) -> Vec<&str> {
        each_once(self.stores().flat_map(ValidStore::server_secrets).collect())
    }

    /// Whether nothing new is begun. A cluster that is made for the first time has nothing to pause.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.rollout.paused && self.established
    }

    /// Whether the cluster has a frontend for its own calls.
    #[must_use]
    pub fn has_internal_frontend(&self) -> bool {
        self.roles.contains_key(&Role::InternalFrontend)
    }

    /// The role's settings; the defaults of one that is not wanted.
    #[must_use]
    pub fn role(&self, role: Role) -> Cow<'_, ValidRole> {
        self.roles.get(&role).map_or_else(|| Cow::Owned(ValidRole::default_of(role)), Cow::Borrowed)
    }
}

fn each_once(keys: Vec<&SecretKey>) -> Vec<&str> {
    let mut names: Vec<_> = keys.into_iter().map(|k| k.secret.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
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
    /// Changes to the Deployment.
    pub overrides: Vec<ValidOverride>,
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
    /// Changes to the Deployment.
    pub overrides: Vec<ValidOverride>,
}
