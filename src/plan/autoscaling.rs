//! Numbers of pods that an autoscaler, or whoever scales, decides on.

use crate::api::annotations;
use crate::build::Object;
use crate::plan::{Handover, Observed};
use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscaler, HorizontalPodAutoscalerCondition};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

/// A number that the operator gave and gives no longer.
pub(super) fn handover(object: &Object, seen: &Observed) -> Option<Handover> {
    let Object::Deployment(wanted) = object else { return None };
    let live = seen.deployments.iter().find(|d| d.metadata.name == wanted.metadata.name)?;
    let given = live.annotations().contains_key(annotations::REPLICAS);
    let gives = wanted.spec.as_ref().is_some_and(|s| s.replicas.is_some());
    let replicas = live.spec.as_ref()?.replicas.filter(|_| given && !gives)?;
    Some(Handover { key: object.key(), replicas })
}

/// Nothing is left to be said of autoscalers later.
pub(super) fn all_act(seen: &Observed) -> bool {
    seen.autoscalers.iter().all(|scaler| inactive(scaler).is_none())
}

/// Until then metrics of new pods may just not be there yet.
const METRICS_ARE_THERE: SignedDuration = SignedDuration::from_mins(2);

/// What is to be said of an autoscaler that does not act.
pub(super) fn idle(seen: &Observed, now: Timestamp) -> Option<String> {
    seen.autoscalers.iter().find_map(|scaler| {
        let wrong = inactive(scaler)?;
        let since = wrong.last_transition_time.as_ref()?.0;
        let reason = wrong.reason.as_deref().unwrap_or("no reason given");
        (now.duration_since(since) >= METRICS_ARE_THERE).then(|| {
            let name = scaler.name_any();
            format!(
                "the autoscaler {name} does not act ({reason}), the number of pods stays; see that its metrics are served (kubectl describe hpa {name})"
            )
        })
    })
}

/// The autoscaler's own word that it does not act.
fn inactive(scaler: &HorizontalPodAutoscaler) -> Option<&HorizontalPodAutoscalerCondition> {
    let conditions = scaler.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|c| c.type_ == "ScalingActive" && c.status == "False")
}
