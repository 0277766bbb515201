//! How a changed dynamic config reaches the pods that run.

use super::Observed;
use super::rollout::is_ending;
use crate::api::TemporalClusterStatus;
use crate::build::config::DYNAMIC_CONFIG;
use crate::build::{Kind, Object, ObjectKey, child_name};
use crate::validate::ValidCluster;
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
pub(super) fn of_dynamic_config(
    cluster: &ValidCluster,
    objects: &[Object],
    old: &TemporalClusterStatus,
    seen: &Observed,
) -> Option<Delivery> {
    old.version.as_ref()?;
    let key = ObjectKey { kind: Kind::ConfigMap, name: child_name(cluster, DYNAMIC_CONFIG) };
    let wanted = objects.iter().find(|o| o.key() == key)?;
    if !seen.lives(&key) || seen.has_been_sent(wanted) {
        return None;
    }
    let pods = seen.server_pods().filter(|pod| !is_ending(pod)).map(ResourceExt::name_any).collect();
    Some(Delivery { hash: wanted.sealed().ok()?.hash, pods })
}
