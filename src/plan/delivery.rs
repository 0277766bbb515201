//! How a changed dynamic config reaches the pods that run.

use super::Observed;
use crate::api::TemporalClusterStatus;
use crate::api::labels;
use crate::api::services::Role;
use crate::build::config::DYNAMIC_CONFIG;
use crate::build::{Kind, Object};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

/// Pods that mount a ConfigMap which changes now. The kubelet looks once a minute whether it has, and at once when the pod
/// itself changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Hash of the ConfigMap, for an annotation of the pods.
    pub hash: String,
    /// Names of the pods.
    pub pods: Vec<String>,
}

/// The server pods, when the dynamic config is about to change in a cluster that has served: who changes a setting waits for
/// it, and a rollout's settings should be there before the shards move. Pods that are made later read it when they start.
pub(super) fn of_dynamic_config(objects: &[Object], old: &TemporalClusterStatus, seen: &Observed) -> Option<Delivery> {
    old.version.as_ref()?;
    let name = format!("{}-{DYNAMIC_CONFIG}", seen.cluster);
    let wanted = objects.iter().find(|o| o.kind() == Kind::ConfigMap && o.key().name == name)?;
    if !seen.lives(&wanted.key()) || seen.has_been_sent(wanted) {
        return None;
    }
    let pods = seen.pods.iter().filter(|pod| serves(pod)).map(|pod| pod.name_any()).collect();
    Some(Delivery { hash: wanted.sealed().ok()?.hash, pods })
}

/// A pod of a role of the server that does not end.
fn serves(pod: &Pod) -> bool {
    let component = pod.labels().get(labels::COMPONENT);
    component.is_some_and(|name| Role::parse(name).is_some()) && pod.metadata.deletion_timestamp.is_none()
}
