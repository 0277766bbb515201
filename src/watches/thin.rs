//! What is kept of the objects whose status a plan reads: no more than it reads. What the rest of an object says is known
//! by its [`Mark`](super::Mark) to have stayed, or is looked up.
//!
//! It is kept in a form of its own. The API's types have room for every field, which takes some KiB of each object, however
//! little is in them; they are made anew for whoever plans.

use crate::api::{annotations, labels};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStatus};
use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscaler, HorizontalPodAutoscalerStatus};
use k8s_openapi::api::batch::v1::{Job, JobStatus};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodStatus, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use std::collections::BTreeMap;

/// Of a Deployment: how far it is, and which template it has by its hash and labels; not how its pods are made.
#[derive(Debug)]
pub struct ThinDeployment {
    meta: Meta,
    replicas: Option<i32>,
    /// Labels of its pods.
    of_pods: Option<Words>,
    status: Option<DeploymentStatus>,
}

impl ThinDeployment {
    pub(super) fn of(whole: &Deployment) -> Self {
        let of_pods = whole.spec.as_ref().and_then(|spec| spec.template.metadata.as_ref());
        let status = whole.status.as_ref().map(|status| DeploymentStatus {
            conditions: trouble(status.conditions.as_ref(), |c| {
                c.type_ == "ReplicaFailure" || (c.type_ == "Progressing" && c.status == "False")
            }),
            ..status.clone()
        });
        let notes = [annotations::TEMPLATE_HASH, annotations::REPLICAS, annotations::HELD];
        Self {
            meta: Meta::of(&whole.metadata, &[labels::COMPONENT, labels::BUILD_ID], &notes),
            replicas: whole.spec.as_ref().and_then(|spec| spec.replicas),
            of_pods: of_pods.map(|m| words(m.labels.as_ref(), &[labels::VERSION, labels::CONFIG_HASH])),
            status,
        }
    }

    /// The Deployment, as far as the plan reads it.
    pub(super) fn whole(&self) -> Deployment {
        let of_pods = self.of_pods.as_ref().map(|all| ObjectMeta { labels: map(all), ..ObjectMeta::default() });
        let template = PodTemplateSpec { metadata: of_pods, spec: None };
        let spec = DeploymentSpec { replicas: self.replicas, template, ..DeploymentSpec::default() };
        Deployment { metadata: self.meta.whole(), spec: Some(spec), status: self.status.clone() }
    }
}

/// Of an autoscaler: whether it acts.
#[derive(Debug)]
pub struct ThinAutoscaler {
    meta: Meta,
    status: Option<Box<HorizontalPodAutoscalerStatus>>,
}

impl ThinAutoscaler {
    pub(super) fn of(whole: &HorizontalPodAutoscaler) -> Self {
        let status = whole.status.as_ref().map(|status| HorizontalPodAutoscalerStatus {
            conditions: trouble(status.conditions.as_ref(), |c| c.status == "False"),
            ..HorizontalPodAutoscalerStatus::default()
        });
        Self { meta: Meta::of(&whole.metadata, &[], &[]), status: status.map(Box::new) }
    }

    /// The autoscaler, as far as the plan reads it.
    pub(super) fn whole(&self) -> HorizontalPodAutoscaler {
        HorizontalPodAutoscaler { metadata: self.meta.whole(), spec: None, status: self.status.as_deref().cloned() }
    }
}

/// Of a Job: whether it has ended, and how.
#[derive(Debug)]
pub struct ThinJob {
    meta: Meta,
    status: Option<Box<JobStatus>>,
}

impl ThinJob {
    pub(super) fn of(whole: &Job) -> Self {
        let status = whole.status.as_ref().map(|status| JobStatus {
            active: status.active,
            conditions: status.conditions.clone(),
            ..JobStatus::default()
        });
        let meta = Meta::of(&whole.metadata, &[labels::STORE, labels::COMPONENT], &[annotations::ATTEMPT]);
        Self { meta, status: status.map(Box::new) }
    }

    /// The Job, as far as the plan reads it.
    pub(super) fn whole(&self) -> Job {
        Job { metadata: self.meta.whole(), spec: None, status: self.status.as_deref().cloned() }
    }
}

/// Of a pod: where it is, whether it is ready, and what holds it back.
#[derive(Debug)]
pub struct ThinPod {
    meta: Meta,
    status: Option<Box<PodStatus>>,
}

impl ThinPod {
    pub(super) fn of(whole: &Pod) -> Self {
        let held_back = |all: Option<&Vec<ContainerStatus>>| trouble(all, |c| !c.ready);
        let status = whole.status.as_ref().map(|status| PodStatus {
            phase: status.phase.clone(),
            reason: status.reason.clone(),
            message: status.message.clone(),
            pod_ip: status.pod_ip.clone(),
            conditions: trouble(status.conditions.as_ref(), |c| c.status == "False" || c.type_ == "Ready"),
            init_container_statuses: held_back(status.init_container_statuses.as_ref()),
            container_statuses: held_back(status.container_statuses.as_ref()),
            ..PodStatus::default()
        });
        let kept = [labels::COMPONENT, labels::JOB_NAME, labels::BUILD_ID];
        Self { meta: Meta::of(&whole.metadata, &kept, &[]), status: status.map(Box::new) }
    }

    /// The pod, as far as the plan reads it.
    pub(super) fn whole(&self) -> Pod {
        Pod { metadata: self.meta.whole(), spec: None, status: self.status.as_deref().cloned() }
    }
}

/// Labels or annotations.
type Words = Box<[(&'static str, Box<str>)]>;

/// Of the metadata.
#[derive(Debug)]
struct Meta {
    name: Option<Box<str>>,
    generation: Option<i64>,
    created: Option<Time>,
    deleted: Option<Time>,
    labels: Words,
    annotations: Words,
}

impl Meta {
    fn of(whole: &ObjectMeta, labels: &[&'static str], annotations: &[&'static str]) -> Self {
        Self {
            name: whole.name.as_deref().map(Box::from),
            generation: whole.generation,
            created: whole.creation_timestamp.clone(),
            deleted: whole.deletion_timestamp.clone(),
            labels: words(whole.labels.as_ref(), labels),
            annotations: words(whole.annotations.as_ref(), annotations),
        }
    }

    fn whole(&self) -> ObjectMeta {
        ObjectMeta {
            name: self.name.as_deref().map(str::to_owned),
            generation: self.generation,
            creation_timestamp: self.created.clone(),
            deletion_timestamp: self.deleted.clone(),
            labels: map(&self.labels),
            annotations: map(&self.annotations),
            ..ObjectMeta::default()
        }
    }
}

fn words(all: Option<&BTreeMap<String, String>>, keys: &[&'static str]) -> Words {
    let value = |key: &&'static str| Some((*key, Box::from(all?.get(*key)?.as_str())));
    keys.iter().filter_map(value).collect()
}

fn map(words: &Words) -> Option<BTreeMap<String, String>> {
    let map = || words.iter().map(|(key, value)| ((*key).to_owned(), value.to_string())).collect();
    (!words.is_empty()).then(map)
}

fn trouble<T: Clone>(all: Option<&Vec<T>>, counts: impl Fn(&T) -> bool) -> Option<Vec<T>> {
    let mut some: Vec<T> = all?.iter().filter(|one| counts(one)).cloned().collect();
    some.shrink_to_fit();
    (!some.is_empty()).then_some(some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn kept<K: serde::de::DeserializeOwned + serde::Serialize>(thin: fn(&K) -> K, whole: Value) -> Value {
        serde_json::to_value(thin(&serde_json::from_value(whole).unwrap())).unwrap()
    }

    fn container(name: &str, ready: bool) -> Value {
        json!({"name": name, "image": "i", "imageID": "", "ready": ready, "restartCount": 0})
    }

    #[test]
    fn of_a_pod_what_holds_it_back() {
        let condition = |type_: &str, status: &str| json!({"type": type_, "status": status});
        let whole = json!({
            "metadata": {"name": "p", "namespace": "ns", "annotations": {"a": "1"},
                "labels": {labels::COMPONENT: "history", labels::JOB_NAME: "j", "other": "1"}},
            "spec": {"containers": [{"name": "service"}]},
            "status": {"phase": "Pending", "podIP": "10.0.0.1", "hostIP": "10.0.0.2", "startTime": "2026-01-01T00:00:00Z",
                "conditions": [condition("Initialized", "True"), condition("PodScheduled", "False"), condition("Ready", "True")],
                "containerStatuses": [container("service", true), container("sidecar", false)]},
        });
        let expected = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "p", "labels": {labels::COMPONENT: "history", labels::JOB_NAME: "j"}},
            "status": {"phase": "Pending", "podIP": "10.0.0.1", "conditions": [condition("PodScheduled", "False"), condition("Ready", "True")],
                "containerStatuses": [container("sidecar", false)]},
        });
        assert_eq!(kept(|pod| ThinPod::of(pod).whole(), whole), expected);
    }

    #[test]
    fn of_a_deployment_how_far_it_is() {
        let of_pods = json!({labels::VERSION: "1.31.2", labels::CONFIG_HASH: "h"});
        let mut all = of_pods.clone();
        all["other"] = json!("1");
        let whole = json!({
            "metadata": {"name": "c-history", "generation": 3, "labels": {labels::COMPONENT: "history", "other": "1"},
                "annotations": {annotations::TEMPLATE_HASH: "t", annotations::APPLIED_HASH: "a", annotations::HELD: "10.0.0.1"}},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}},
                "template": {"metadata": {"labels": all}, "spec": {"containers": [{"name": "service"}]}}},
            "status": {"observedGeneration": 3, "readyReplicas": 1, "conditions": [
                {"type": "Available", "status": "True"}, {"type": "ReplicaFailure", "status": "True"}]},
        });
        let expected = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "c-history", "generation": 3, "labels": {labels::COMPONENT: "history"},
                "annotations": {annotations::TEMPLATE_HASH: "t", annotations::HELD: "10.0.0.1"}},
            "spec": {"replicas": 2, "selector": {}, "template": {"metadata": {"labels": of_pods}}},
            "status": {"observedGeneration": 3, "readyReplicas": 1,
                "conditions": [{"type": "ReplicaFailure", "status": "True"}]},
        });
        assert_eq!(kept(|deployment| ThinDeployment::of(deployment).whole(), whole), expected);
    }
}
