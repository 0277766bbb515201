//! What was seen of a cluster: plain data, filled by `observe`.

use crate::api::labels;
use crate::api::services::Role;
use crate::build::{Object, ObjectKey};
use crate::plan::ROLL_ORDER;
use crate::plan::neighbours::Taken;
use crate::plan::split::Apart;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Everything a plan may look at besides the spec, the old status and the clock.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// `metadata.name` of the cluster.
    pub cluster: String,
    /// Every object that carries our labels and is owned by the cluster.
    pub children: Vec<Child>,
    /// Its Deployments.
    pub deployments: Vec<Arc<Deployment>>,
    /// Its Jobs.
    pub jobs: Vec<Arc<Job>>,
    /// Its autoscalers.
    pub autoscalers: Vec<Arc<HorizontalPodAutoscaler>>,
    /// Its pods, as far as the plan reads them; none while everything is as it should be.
    pub pods: Vec<Arc<Pod>>,
    /// ReplicaSets of a role that must perhaps go back; looked up only then.
    pub revisions: Vec<ReplicaSet>,
    /// Config hashes of its ReplicaSets, old ones included.
    pub replica_set_configs: BTreeSet<String>,
    /// `resourceVersion` of each Secret its pods read; `None` when the Secret does not exist.
    pub secrets: BTreeMap<String, Option<String>>,
    /// What the API server said when it refused a Job's pod, by Job; looked up only for a Job that has none.
    pub refusals: BTreeMap<String, String>,
    /// A database of the cluster that another TemporalCluster has.
    pub taken: Option<Taken>,
    /// What Temporal itself says.
    pub temporal: TemporalView,
    /// Pods that Temporal's rings are apart of.
    pub apart: Apart,
    /// Whether the API server has the kind ServiceMonitor.
    pub monitors_served: bool,
}

/// An object of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// Kind and name.
    pub key: ObjectKey,
    /// Its config hash label, if any.
    pub config_hash: Option<String>,
    /// Its hash annotation: what was last wanted of it.
    pub applied_hash: Option<String>,
}

/// Temporal's own view, asked through the frontend.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum TemporalView {
    /// Not asked, because no frontend is up.
    #[default]
    NotAsked,
    /// Asked without an answer.
    Silent {
        /// Why, in one sentence.
        why: String,
        /// Since when it has been silent.
        since: Timestamp,
        /// The rings, where a frontend answers and another role does not answer it.
        rings: Option<Rings>,
    },
    /// It answered.
    Seen(Membership),
}

impl TemporalView {
    /// The rings, as far as a frontend has told.
    #[must_use]
    pub fn rings(&self) -> Option<&Rings> {
        match self {
            Self::NotAsked => None,
            Self::Silent { rings, .. } => rings.as_ref(),
            Self::Seen(membership) => Some(&membership.rings),
        }
    }
}

/// Members (`ip:grpcPort`) of each role's ring, by the name of the role.
pub type Rings = BTreeMap<String, BTreeSet<String>>;

/// Number of members in a role's ring.
#[must_use]
pub fn members(rings: &Rings, role: Role) -> i32 {
    i32::try_from(rings.get(role.name()).map_or(0, BTreeSet::len)).unwrap_or(i32::MAX)
}

/// The rings and the shards.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Membership {
    /// The rings, as the frontend that was asked knows them.
    pub rings: Rings,
    /// Number of shards the database was made with.
    pub shards: u32,
    /// Number of shards that some history pod owns.
    pub owned_shards: u32,
    /// Temporal's name of the cluster.
    pub cluster_name: String,
    /// Why workflows cannot be listed; `None` when they can.
    pub visibility_failure: Option<String>,
    /// Why they cannot be listed from the second visibility store; `None` when they can, or when there is none.
    pub secondary_failure: Option<String>,
}

impl Membership {
    /// Whether the frontend that answered has that role in its config.
    #[must_use]
    pub fn knows(&self, role: Role) -> bool {
        role != Role::InternalFrontend || self.rings.contains_key(role.name())
    }

    /// Number of members in a role's ring.
    #[must_use]
    pub fn members(&self, role: Role) -> i32 {
        members(&self.rings, role)
    }
}

impl Observed {
    /// The Deployment of a role.
    #[must_use]
    pub fn role_deployment(&self, role: Role) -> Option<&Deployment> {
        let name = self.role_deployment_name(role);
        self.deployments.iter().find(|d| d.metadata.name.as_ref() == Some(&name)).map(AsRef::as_ref)
    }

    /// Name of a role's Deployment.
    #[must_use]
    pub fn role_deployment_name(&self, role: Role) -> String {
        format!("{}-{role}", self.cluster)
    }

    /// Whether the cluster has this object.
    #[must_use]
    pub fn lives(&self, key: &ObjectKey) -> bool {
        self.children.iter().any(|c| c.key == *key)
    }

    /// Whether the object was last sent as it is wanted now.
    #[must_use]
    pub fn has_been_sent(&self, object: &Object) -> bool {
        let key = object.key();
        let sent = self.children.iter().find(|c| c.key == key).and_then(|c| c.applied_hash.as_ref());
        object.sealed().is_ok_and(|wanted| sent == Some(&wanted.hash))
    }

    /// `resourceVersion` of a Secret that exists.
    #[must_use]
    pub fn secret_version(&self, name: &str) -> Option<&str> {
        self.secrets.get(name)?.as_deref()
    }

    /// Config hashes that some pod may still be started with.
    #[must_use]
    pub fn config_hashes_in_use(&self) -> BTreeSet<String> {
        let live = self.deployments.iter().filter_map(|d| {
            d.spec.as_ref()?.template.metadata.as_ref()?.labels.as_ref()?.get(labels::CONFIG_HASH).cloned()
        });
        self.replica_set_configs.iter().cloned().chain(live).collect()
    }

    /// Pods of a component (a role, `ui` or `schema`).
    pub fn pods_of<'a>(&'a self, component: &'a str) -> impl Iterator<Item = &'a Pod> {
        self.pods
            .iter()
            .map(AsRef::as_ref)
            .filter(move |p| p.labels().get(labels::COMPONENT).is_some_and(|c| c == component))
    }

    /// Pods of all roles of the server.
    pub fn server_pods(&self) -> impl Iterator<Item = &Pod> {
        ROLL_ORDER.iter().flat_map(|role| self.pods_of(role.name()))
    }
}
