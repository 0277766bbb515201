//! The watch of autoscalers. Their status is written every few seconds, with what was just measured; that is in the store,
//! and wakes nobody.

use super::{Events, Index, ThinAutoscaler, Watched, config, indexed, live};
use futures::future::ready;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Event, watcher};
use kube::{Api, ResourceExt};
use serde_json::json;
use std::collections::HashMap;

/// A watch of the autoscalers that carry our label.
pub(super) fn watch(
    api: Api<HorizontalPodAutoscaler>,
) -> (Index<Watched<ThinAutoscaler>>, Events<HorizontalPodAutoscaler>) {
    let (index, events) = indexed(watcher(api, config()).default_backoff(), read);
    let mut known = Known::default();
    let events = events.try_filter(move |event| ready(known.is_news(event))).touched_objects();
    (index, events.boxed())
}

/// Its status moves with every measurement, and it has no generation: what matters of it stands for its version.
fn read(scaler: &HorizontalPodAutoscaler) -> Option<(String, Watched<ThinAutoscaler>)> {
    let (owner, mut watched) = super::watched(scaler, ThinAutoscaler::of)?;
    let spec = json!(scaler.spec);
    watched.found.mark = watched.found.mark.with_version(&essence(scaler)).with_spec(&spec);
    Some((owner, watched))
}

/// The hash of what matters of each autoscaler, by uid.
#[derive(Default)]
struct Known(HashMap<String, u64>);

impl Known {
    fn is_news(&mut self, event: &Event<HorizontalPodAutoscaler>) -> bool {
        match event {
            Event::Apply(scaler) | Event::InitApply(scaler) => {
                let now = live::hash(&essence(scaler));
                self.0.insert(scaler.uid().unwrap_or_default(), now) != Some(now)
            }
            Event::Delete(scaler) => {
                self.0.remove(&scaler.uid().unwrap_or_default());
                true
            }
            Event::Init | Event::InitDone => true,
        }
    }
}

/// What the operator writes, and whether it can scale.
fn essence(scaler: &HorizontalPodAutoscaler) -> String {
    let conditions = scaler.status.iter().flat_map(|s| s.conditions.iter().flatten());
    let conditions: Vec<_> = conditions.map(|c| (&c.type_, &c.status, &c.reason)).collect();
    json!([scaler.spec, scaler.labels(), scaler.annotations(), scaler.metadata.deletion_timestamp, conditions])
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn scaler(max: i32, status: &Value) -> HorizontalPodAutoscaler {
        serde_json::from_value(json!({
            "metadata": {"name": "c-history", "uid": "u"},
            "spec": {"maxReplicas": max, "scaleTargetRef": {"kind": "Deployment", "name": "c-history"}},
            "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn what_was_measured_is_no_news() {
        let active = |status: &str| json!([{"type": "ScalingActive", "status": status}]);
        let mut known = Known::default();
        let mut news = |event| known.is_news(&event);
        let measured = |n: i32| json!({"desiredReplicas": n, "conditions": active("True")});
        assert!(news(Event::InitApply(scaler(3, &measured(1)))));
        assert!(!news(Event::Apply(scaler(3, &measured(2)))));
        assert!(news(Event::Apply(scaler(4, &measured(2)))));
        assert!(news(Event::Apply(scaler(4, &json!({"desiredReplicas": 2, "conditions": active("False")})))));
        assert!(news(Event::Delete(scaler(4, &measured(2)))));
        assert!(news(Event::Apply(scaler(4, &measured(2)))), "one made anew");
    }

    #[test]
    fn what_was_measured_leaves_the_mark_as_it_was() {
        let mark = |version: &str, max: i32, status: &Value| {
            let mut scaler = scaler(max, status);
            scaler.metadata.resource_version = Some(version.to_owned());
            let owner =
                json!([{"apiVersion": "temporal.io/v1beta1", "kind": "TemporalCluster", "name": "c", "uid": "u"}]);
            scaler.metadata.owner_references = serde_json::from_value(owner).unwrap();
            read(&scaler).unwrap().1.found.mark
        };
        let before = mark("1", 3, &json!({"desiredReplicas": 1}));
        assert_eq!(mark("2", 3, &json!({"desiredReplicas": 2})), before, "nothing is to be seen");
        assert!(!mark("3", 4, &json!({"desiredReplicas": 2})).is_still(&before));
        let inactive = json!({"conditions": [{"type": "ScalingActive", "status": "False"}]});
        let told = mark("4", 3, &inactive);
        assert!(told != before && told.is_still(&before), "news for the plan, and nothing to send");
    }
}
