//! What is kept of the objects whose status a plan reads: no more than it reads. What the rest of an object says is known
//! by its [`Mark`](super::Mark) to have stayed, or is looked up.

use crate::api::{annotations, labels};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStatus};
use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscaler, HorizontalPodAutoscalerStatus};
use k8s_openapi::api::batch::v1::{Job, JobStatus};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodStatus, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

/// How far it is, and which template it has by its hash and labels; not how its pods are made.
pub(super) fn deployment(whole: &Deployment) -> Deployment {
    let spec = whole.spec.as_ref().map(|spec| {
        let of_pods = spec.template.metadata.as_ref().map(|m| ObjectMeta {
            labels: some_of(m.labels.as_ref(), &[labels::VERSION, labels::CONFIG_HASH]),
            ..ObjectMeta::default()
        });
        let template = PodTemplateSpec { metadata: of_pods, spec: None };
        DeploymentSpec { replicas: spec.replicas, template, ..DeploymentSpec::default() }
    });
    let status = whole.status.as_ref().map(|status| DeploymentStatus {
        conditions: trouble(status.conditions.as_ref(), |c| {
            c.type_ == "ReplicaFailure" || (c.type_ == "Progressing" && c.status == "False")
        }),
        ..status.clone()
    });
    let notes = [annotations::TEMPLATE_HASH, annotations::REPLICAS];
    Deployment { metadata: metadata(&whole.metadata, &[labels::COMPONENT, labels::BUILD_ID], &notes), spec, status }
}

/// Whether it acts.
pub(super) fn autoscaler(whole: &HorizontalPodAutoscaler) -> HorizontalPodAutoscaler {
    let status = whole.status.as_ref().map(|status| HorizontalPodAutoscalerStatus {
        conditions: trouble(status.conditions.as_ref(), |c| c.status == "False"),
        ..HorizontalPodAutoscalerStatus::default()
    });
    HorizontalPodAutoscaler { metadata: metadata(&whole.metadata, &[], &[]), spec: None, status }
}

/// Whether it has ended, and how.
pub(super) fn job(whole: &Job) -> Job {
    let status = whole.status.as_ref().map(|status| JobStatus {
        active: status.active,
        conditions: status.conditions.clone(),
        ..JobStatus::default()
    });
    let metadata = metadata(&whole.metadata, &[labels::STORE, labels::COMPONENT], &[annotations::ATTEMPT]);
    Job { metadata, spec: None, status }
}

/// Where it is, whether it is ready, and what holds it back.
pub(super) fn pod(whole: &Pod) -> Pod {
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
    Pod { metadata: metadata(&whole.metadata, &kept, &[]), spec: None, status }
}

fn metadata(whole: &ObjectMeta, labels: &[&str], annotations: &[&str]) -> ObjectMeta {
    ObjectMeta {
        name: whole.name.clone(),
        generation: whole.generation,
        creation_timestamp: whole.creation_timestamp.clone(),
        deletion_timestamp: whole.deletion_timestamp.clone(),
        labels: some_of(whole.labels.as_ref(), labels),
        annotations: some_of(whole.annotations.as_ref(), annotations),
        ..ObjectMeta::default()
    }
}

fn some_of(all: Option<&BTreeMap<String, String>>, keys: &[&str]) -> Option<BTreeMap<String, String>> {
    let some: BTreeMap<_, _> = all?.iter().filter(|(key, _)| keys.contains(&key.as_str())).collect();
    (!some.is_empty()).then(|| some.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect())
}

fn trouble<T: Clone>(all: Option<&Vec<T>>, counts: impl Fn(&T) -> bool) -> Option<Vec<T>> {
    let some: Vec<T> = all?.iter().filter(|one| counts(one)).cloned().collect();
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
        assert_eq!(kept(pod, whole), expected);
    }

    #[test]
    fn of_a_deployment_how_far_it_is() {
        let of_pods = json!({labels::VERSION: "1.31.2", labels::CONFIG_HASH: "h"});
        let mut all = of_pods.clone();
        all["other"] = json!("1");
        let whole = json!({
            "metadata": {"name": "c-history", "generation": 3, "labels": {labels::COMPONENT: "history", "other": "1"},
                "annotations": {annotations::TEMPLATE_HASH: "t", annotations::APPLIED_HASH: "a"}},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}},
                "template": {"metadata": {"labels": all}, "spec": {"containers": [{"name": "service"}]}}},
            "status": {"observedGeneration": 3, "readyReplicas": 1, "conditions": [
                {"type": "Available", "status": "True"}, {"type": "ReplicaFailure", "status": "True"}]},
        });
        let expected = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "c-history", "generation": 3, "labels": {labels::COMPONENT: "history"},
                "annotations": {annotations::TEMPLATE_HASH: "t"}},
            "spec": {"replicas": 2, "selector": {}, "template": {"metadata": {"labels": of_pods}}},
            "status": {"observedGeneration": 3, "readyReplicas": 1,
                "conditions": [{"type": "ReplicaFailure", "status": "True"}]},
        });
        assert_eq!(kept(deployment, whole), expected);
    }
}
