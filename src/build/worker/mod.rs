//! The objects of a `TemporalWorker`: of each version a Deployment, a budget, and its template to make it again from.

mod connection;
mod pods;
mod references;
mod version;

pub use connection::connection_references;
pub use references::{ConfigRef, ConfigVersions, references};
pub use version::{build_id, object_name};

use super::Object;
use super::object::hash_of;
use crate::api::{annotations, labels};
use crate::validate::ValidWorker;
use k8s_openapi::api::apps::v1::{
    ControllerRevision, Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment,
};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Old ReplicaSets kept of each Deployment; a version's template is in its revision anyway.
const HISTORY_LIMIT: i32 = 2;

/// A version, as its Deployment is to be. The one of unversioned workers has an empty build id.
#[derive(Clone, Copy, Debug)]
pub struct Version<'a> {
    /// Its build id.
    pub build_id: &'a str,
    /// Its template, as written.
    pub template: &'a Map<String, Value>,
    /// Number of pods; `None` leaves it alone.
    pub replicas: Option<i32>,
}

/// What the pods of every version are given.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// Host and port of the frontend.
    pub address: &'a str,
    /// The Secret of the client certificate has the authorities of the server's as well.
    pub client_has_ca: bool,
    /// Versions of the Secrets and ConfigMaps that templates refer to.
    pub configs: &'a ConfigVersions,
}

/// The Deployment of a version; none when its template is not one that this operator can read.
#[must_use]
pub fn deployment(worker: &ValidWorker, version: &Version<'_>, around: &Surroundings<'_>) -> Option<Object> {
    let template: PodTemplateSpec = serde_json::from_value(Value::Object(version.template.clone())).ok()?;
    let given = (annotations::REPLICAS.to_owned(), "given".to_owned());
    let annotations = version.replicas.is_some().then(|| BTreeMap::from([given]));
    Some(Object::Deployment(Box::new(Deployment {
        metadata: ObjectMeta { annotations, ..metadata(worker, version.build_id) },
        spec: Some(DeploymentSpec {
            replicas: version.replicas,
            selector: select(worker, version.build_id),
            strategy: Some(worker.strategy.clone().unwrap_or_else(surge)),
            min_ready_seconds: worker.min_ready_seconds,
            progress_deadline_seconds: worker.progress_deadline_seconds,
            revision_history_limit: Some(HISTORY_LIMIT),
            template: pods::template(worker, version.build_id, template, around),
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    })))
}

/// New pods come before old ones go: a worker that goes lets its tasks time out or ends them.
fn surge() -> DeploymentStrategy {
    DeploymentStrategy {
        type_: Some("RollingUpdate".to_owned()),
        rolling_update: Some(RollingUpdateDeployment {
            max_surge: Some(IntOrString::Int(1)),
            max_unavailable: Some(IntOrString::Int(0)),
        }),
    }
}

/// The template of a version, to make its Deployment again from. It cannot change, so another template is another object.
#[must_use]
pub fn revision(worker: &ValidWorker, build_id: &str, number: i64, template: &Map<String, Value>) -> Object {
    let data = Value::Object(template.clone());
    let name = format!("{}-{}", worker.name, hash_of(&format!("{build_id}\n{data}")));
    Object::ControllerRevision(Box::new(ControllerRevision {
        metadata: ObjectMeta { name: Some(name), ..metadata(worker, build_id) },
        revision: number,
        data: Some(RawExtension(data)),
    }))
}

/// One pod of a version at a time may be evicted; an unhealthy one always.
#[must_use]
pub fn disruption_budget(worker: &ValidWorker, build_id: &str) -> Object {
    Object::PodDisruptionBudget(Box::new(PodDisruptionBudget {
        metadata: metadata(worker, build_id),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            selector: Some(select(worker, build_id)),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    }))
}

/// What selects the pods of all versions.
#[must_use]
pub fn selector(worker: &ValidWorker) -> String {
    format!("{}={}", labels::WORKER, worker.name)
}

/// What selects the pods of a version.
fn selecting(worker: &ValidWorker, build_id: &str) -> BTreeMap<String, String> {
    let mut all = BTreeMap::from([(labels::WORKER.to_owned(), worker.name.clone())]);
    if !build_id.is_empty() {
        all.insert(labels::BUILD_ID.to_owned(), build_id.to_owned());
    }
    all
}

fn select(worker: &ValidWorker, build_id: &str) -> LabelSelector {
    LabelSelector { match_labels: Some(selecting(worker, build_id)), ..LabelSelector::default() }
}

fn metadata(worker: &ValidWorker, build_id: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(object_name(worker, build_id)),
        namespace: Some(worker.own.clone()),
        labels: Some(object_labels(worker, build_id)),
        owner_references: worker.owner.clone().map(|owner| vec![owner]),
        ..ObjectMeta::default()
    }
}

fn object_labels(worker: &ValidWorker, build_id: &str) -> BTreeMap<String, String> {
    let mut all = selecting(worker, build_id);
    let ours = [
        (labels::NAME, worker.name.as_str()),
        (labels::INSTANCE, worker.name.as_str()),
        (labels::COMPONENT, labels::WORKER_COMPONENT),
        (labels::PART_OF, labels::PART_OF_VALUE),
        (labels::MANAGED_BY, labels::MANAGED_BY_VALUE),
    ];
    all.extend(ours.map(|(key, value)| (key.to_owned(), value.to_owned())));
    all
}

#[cfg(test)]
mod tests;
