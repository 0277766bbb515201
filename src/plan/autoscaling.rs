//! Numbers of pods that an autoscaler, or whoever scales, decides on.

use crate::api::annotations;
use crate::build::Object;
use crate::plan::{Handover, Observed};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

/// A number that the operator gave and gives no longer.
pub(super) fn handover<'a>(object: &Object, deployments: impl IntoIterator<Item = &'a Deployment>) -> Option<Handover> {
    let Object::Deployment(wanted) = object else { return None };
    let live = deployments.into_iter().find(|d| d.metadata.name == wanted.metadata.name)?;
    let given = live.annotations().contains_key(annotations::REPLICAS);
    let gives = wanted.spec.as_ref().is_some_and(|s| s.replicas.is_some());
    let replicas = live.spec.as_ref()?.replicas.filter(|_| given && !gives)?;
    Some(Handover { key: object.key(), replicas })
}

/// Until then metrics of new pods may just not be there yet.
const METRICS_ARE_THERE: SignedDuration = SignedDuration::from_mins(2);

/// What is to be said of an autoscaler that does not act.
pub(super) fn idle(seen: &Observed, now: Timestamp) -> Option<String> {
    let (name, reason, _) = inactive(seen).find(|(_, _, since)| now.duration_since(*since) >= METRICS_ARE_THERE)?;
    Some(format!(
        "the autoscaler {name} does not act ({reason}), the number of pods stays; see that its metrics are served (kubectl describe hpa {name})"
    ))
}

/// An autoscaler does not act yet; if it stays so, it is said.
pub(super) fn is_waited_for(seen: &Observed, now: Timestamp) -> bool {
    inactive(seen).any(|(_, _, since)| now.duration_since(since) < METRICS_ARE_THERE)
}

/// Autoscalers that do not act: name, reason, since when.
fn inactive(seen: &Observed) -> impl Iterator<Item = (String, &str, Timestamp)> {
    seen.autoscalers.iter().filter_map(|scaler| {
        let conditions = scaler.status.as_ref()?.conditions.as_ref()?;
        let wrong = conditions.iter().find(|c| c.type_ == "ScalingActive" && c.status == "False")?;
        let since = wrong.last_transition_time.as_ref()?.0;
        Some((scaler.name_any(), wrong.reason.as_deref().unwrap_or("no reason given"), since))
    })
}
