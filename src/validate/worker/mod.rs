//! A `TemporalWorker` as it can be carried out.

mod change;
mod connection;
mod rollout;
mod template;

pub use change::check as change;
pub use connection::{Authorities, Caller, ServerTls, ValidConnection};
pub use rollout::{GatePolicy, GateRule, RolloutPolicy, StepPolicy, WorkflowRule};

use super::{Invalid, Problems, embedded, scaling};
use crate::api::reference::ClusterRef;
use crate::api::worker::{DeploymentSettings, QueueType, TaskQueueSpec, TemporalWorkerSpec, Versioning};
use crate::api::{SYSTEM_NAMESPACE, TemporalWorker, annotations};
use crate::scaling::Policy;
use k8s_openapi::api::apps::v1::DeploymentStrategy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt};
use serde_json::{Map, Value};

/// Longest `metadata.name`: a Deployment of a version has 11 characters more, and its name is a label of its pods.
const NAME_LIMIT: usize = 52;

/// A worker as it can be carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidWorker {
    /// The namespace of the resource.
    pub own: String,
    /// Its name.
    pub name: String,
    /// The resource as the owner of its objects.
    pub owner: Option<OwnerReference>,
    /// Whose workers they are.
    pub home: WorkerHome,
    /// Name of the Worker Deployment in Temporal.
    pub deployment_name: String,
    /// Whether versions are kept apart.
    pub versioned: bool,
    /// The build id that the manifest gives.
    pub build_id: Option<String>,
    /// The PodTemplateSpec, as written.
    pub template: Map<String, Value>,
    /// How the Deployments replace pods.
    pub strategy: Option<DeploymentStrategy>,
    /// Seconds a pod must be ready before it counts.
    pub min_ready_seconds: Option<i32>,
    /// Seconds without progress after which a rollout has failed.
    pub progress_deadline_seconds: Option<i32>,
    /// Number of pods.
    pub replicas: Option<i32>,
    /// How the work that waits decides on it.
    pub scaling: Option<Policy>,
    /// The task queues whose work counts for that; none: all that a version polls.
    pub task_queues: Vec<(String, QueueType)>,
    /// How a new version takes over.
    pub rollout: RolloutPolicy,
    /// Whether what Temporal has goes along with the resource.
    pub deletes: bool,
    /// The resource is being deleted.
    pub deleting: bool,
}

/// Whose workers they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerHome {
    /// Those of a Temporal namespace on a cluster.
    Cluster {
        /// The cluster.
        cluster: ClusterRef,
        /// The namespace in Temporal.
        namespace: String,
    },
    /// Those of a `TemporalNamespace`, by its namespace and name.
    Namespace((String, String)),
    /// Those of a Temporal namespace somewhere else.
    Outside {
        /// Where, and as whom to come there.
        connection: ValidConnection,
        /// The namespace in Temporal.
        namespace: String,
    },
}

impl WorkerHome {
    /// The namespace in Temporal.
    #[must_use]
    pub fn namespace(&self) -> &str {
        match self {
            Self::Cluster { namespace, .. } | Self::Outside { namespace, .. } => namespace,
            Self::Namespace((_, name)) => name,
        }
    }

    /// How to come to a Temporal that no cluster describes.
    #[must_use]
    pub fn connection(&self) -> Option<&ValidConnection> {
        match self {
            Self::Outside { connection, .. } => Some(connection),
            Self::Cluster { .. } | Self::Namespace(_) => None,
        }
    }
}

/// The worker as it can be carried out, or everything that is wrong with it.
pub fn read(resource: &TemporalWorker) -> Result<ValidWorker, Invalid> {
    let mut problems = Problems::default();
    let (own, name, spec) = (resource.namespace().unwrap_or_default(), resource.name_any(), &resource.spec);
    problems.require(
        (1..=NAME_LIMIT).contains(&name.len()) && !name.contains('.'),
        "metadata.name",
        "at most 52 characters and no dot, since Deployments are named after it and Temporal takes no dot; choose another name",
    );
    problems.require(
        spec.connection_ref.is_none(),
        "spec.connectionRef",
        "Connections of the official worker controller are not read; write what it says into spec.connection",
    );
    let home = home(&own, spec, &mut problems);
    let versioned = spec.versioning.unwrap_or_default() == Versioning::Versioned;
    of_versions(spec, versioned, &mut problems);
    problems.require(
        spec.replicas.is_none() || spec.scaling.is_none(),
        "spec.replicas",
        "scaling decides on the number of pods; remove one of them",
    );
    template::check(&spec.template, spec.connection.is_some(), &mut problems);
    let settings = spec.deployment.clone().unwrap_or_default();
    let strategy = strategy(&settings, &mut problems);
    let scaling = problems.take(spec.scaling.as_ref().map(scaling).transpose()).flatten();
    let rollout = problems.take(rollout::read(spec.rollout.as_ref(), spec.sunset.as_ref()));
    let let_go = resource.annotations().get(annotations::LET_GO).is_some_and(|v| v == "true");
    match (home, rollout) {
        (Some(home), Some(rollout)) if problems.0.is_empty() => Ok(ValidWorker {
            owner: resource.controller_owner_ref(&()).filter(|o| !o.uid.is_empty()),
            home,
            deployment_name: spec.deployment_name.clone().unwrap_or_else(|| format!("{own}/{name}")),
            own,
            name,
            versioned,
            build_id: spec.build_id.clone(),
            template: spec.template.clone(),
            strategy,
            min_ready_seconds: settings.min_ready_seconds,
            progress_deadline_seconds: settings.progress_deadline_seconds,
            replicas: spec.replicas,
            scaling,
            task_queues: spec.scaling.iter().flat_map(|s| s.task_queues.iter().flatten()).flat_map(of_queue).collect(),
            rollout,
            // unversioned workers leave nothing in Temporal
            deletes: versioned && spec.allow_deletion && !let_go,
            deleting: resource.metadata.deletion_timestamp.is_some(),
        }),
        _ => Err(Invalid { problems: problems.0 }),
    }
}

impl Problems {
    /// What was read, its problems noted.
    fn take<T>(&mut self, read: Result<T, Invalid>) -> Option<T> {
        read.map_err(|invalid| self.0.extend(invalid.problems)).ok()
    }
}

fn home(own: &str, spec: &TemporalWorkerSpec, problems: &mut Problems) -> Option<WorkerHome> {
    let homes = [spec.cluster_ref.is_some(), spec.namespace_ref.is_some(), spec.connection.is_some()];
    problems.require(
        homes.iter().filter(|given| **given).count() == 1,
        "spec",
        "exactly one of clusterRef, namespaceRef and connection is needed; name a TemporalCluster and spec.namespace, or a TemporalNamespace, or say where Temporal is",
    );
    problems.require(
        spec.namespace_ref.is_some() != spec.namespace.is_some(),
        "spec.namespace",
        "the Temporal namespace goes with clusterRef and connection, and namespaceRef has its own; set or remove it",
    );
    problems.require(
        spec.namespace.as_deref() != Some(""),
        "spec.namespace",
        "must name a namespace in Temporal; set it",
    );
    let system = spec.namespace.as_deref() == Some(SYSTEM_NAMESPACE);
    problems.require(!system, "spec.namespace", "temporal-system is Temporal's own namespace; choose another one");
    for (field, reference) in [("spec.clusterRef", &spec.cluster_ref), ("spec.namespaceRef", &spec.namespace_ref)] {
        let named = reference.as_ref().is_none_or(|r| !r.name.is_empty());
        problems.require(named, &format!("{field}.name"), "must name a resource; set it");
    }
    let connection = spec.connection.as_ref().map(|connection| connection::read(connection, problems));
    match (&spec.cluster_ref, &spec.namespace_ref, &spec.namespace) {
        (None, None, Some(namespace)) => {
            connection.map(|connection| WorkerHome::Outside { connection, namespace: namespace.clone() })
        }
        (Some(cluster), None, Some(namespace)) => Some(WorkerHome::Cluster {
            cluster: ClusterRef { namespace: cluster.namespace_from(own), name: cluster.name.clone() },
            namespace: namespace.clone(),
        }),
        (None, Some(namespace), _) => {
            Some(WorkerHome::Namespace((namespace.namespace_from(own), namespace.name.clone())))
        }
        _ => None,
    }
}

/// What goes with versions, and what goes without.
fn of_versions(spec: &TemporalWorkerSpec, versioned: bool, problems: &mut Problems) {
    let used =
        spec.rollout.is_some() || spec.sunset.is_some() || spec.build_id.is_some() || spec.deployment_name.is_some();
    problems.require(
        versioned || !used,
        "spec",
        "rollout, sunset, buildID and deploymentName go with versioning: Versioned; remove them or change it",
    );
    let queues = spec.scaling.as_ref().is_none_or(|s| s.task_queues.as_ref().is_some_and(|q| !q.is_empty()));
    problems.require(
        versioned || queues,
        "spec.scaling.taskQueues",
        "unversioned workers do not tell Temporal their task queues; name them",
    );
    let name = spec.deployment_name.as_deref().unwrap_or("-");
    problems.require(
        !name.is_empty() && !name.contains(['.', ':']),
        "spec.deploymentName",
        "Temporal takes no . and no : in it; choose another name",
    );
    let inner = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let fits = |id: &str| {
        let ends =
            id.starts_with(|c: char| c.is_ascii_alphanumeric()) && id.ends_with(|c: char| c.is_ascii_alphanumeric());
        id.len() <= 63 && ends && id.chars().all(inner)
    };
    problems.require(
        spec.build_id.as_deref().is_none_or(fits),
        "spec.buildID",
        "letters, digits, '-', '_' and '.', a letter or digit at both ends; correct it",
    );
}

/// A queue of each kind that counts.
fn of_queue(queue: &TaskQueueSpec) -> Vec<(String, QueueType)> {
    let types = queue.types.clone().unwrap_or_else(|| vec![QueueType::Workflow, QueueType::Activity]);
    types.into_iter().map(|type_| (queue.name.clone(), type_)).collect()
}

fn strategy(settings: &DeploymentSettings, problems: &mut Problems) -> Option<DeploymentStrategy> {
    let written = Value::Object(settings.strategy.clone()?);
    embedded::typed("spec.deployment.strategy", &written, problems)
}
