//! Rules and defaults of `autoscaling`.

use super::Problems;
use super::embedded::{list, typed};
use crate::api::services::{AutoscalingSpec, Role};
use k8s_openapi::api::autoscaling::v2::{
    HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscalerBehavior, MetricSpec, MetricTarget, ResourceMetricSource,
};
use serde_json::Value;

/// A third is left for the time until one more pod helps: it starts, joins its ring at the next common moment, and takes
/// over shards or task queues, which is most of a minute.
const CPU_PERCENT: i32 = 70;
/// Longer than a pod takes from its start to its share of the work.
const UP_PERIOD: i32 = 60;
const DOWN_PERIOD: i32 = 120;
/// A pod that leaves moves shards and task queues twice when it is needed again, so the need is awaited for longer.
const DOWN_AFTER: i32 = 600;

/// How a role is scaled.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidAutoscaling {
    /// Fewest pods.
    pub min: i32,
    /// Most pods.
    pub max: i32,
    /// What is measured.
    pub metrics: Vec<MetricSpec>,
    /// How fast.
    pub behavior: HorizontalPodAutoscalerBehavior,
}

/// Reads the settings at a path.
pub(super) fn read(path: &str, role: Role, spec: &AutoscalingSpec, problems: &mut Problems) -> ValidAutoscaling {
    let (min, max) = (spec.min_replicas.unwrap_or(1), spec.max_replicas);
    problems.require(min >= 1, &format!("{path}.minReplicas"), "must be at least 1");
    problems.require(
        min <= max,
        &format!("{path}.maxReplicas"),
        "minReplicas must not exceed maxReplicas; lower one or raise the other",
    );
    let metrics: Vec<MetricSpec> = list(&format!("{path}.metrics"), spec.metrics.as_ref(), problems);
    let users = spec.behavior.clone().map(Value::Object);
    let users = users.and_then(|b| typed(&format!("{path}.behavior"), &b, problems));
    let users: HorizontalPodAutoscalerBehavior = users.unwrap_or_default();
    let ours = behavior(role);
    ValidAutoscaling {
        min,
        max,
        metrics: if spec.metrics.as_ref().is_none_or(Vec::is_empty) { vec![cpu()] } else { metrics },
        behavior: HorizontalPodAutoscalerBehavior {
            scale_up: users.scale_up.or(ours.scale_up),
            scale_down: users.scale_down.or(ours.scale_down),
        },
    }
}

fn cpu() -> MetricSpec {
    let target = MetricTarget {
        type_: "Utilization".to_owned(),
        average_utilization: Some(CPU_PERCENT),
        ..MetricTarget::default()
    };
    let resource = Some(ResourceMetricSource { name: "cpu".to_owned(), target });
    MetricSpec { type_: "Resource".to_owned(), resource, ..MetricSpec::default() }
}

/// One pod at a time where pods share work out by their number. Frontends come as fast as Kubernetes lets them.
fn behavior(role: Role) -> HorizontalPodAutoscalerBehavior {
    let one_in =
        |period_seconds: i32| Some(vec![HPAScalingPolicy { type_: "Pods".to_owned(), value: 1, period_seconds }]);
    HorizontalPodAutoscalerBehavior {
        scale_up: role
            .shares_out()
            .then(|| HPAScalingRules { policies: one_in(UP_PERIOD), ..HPAScalingRules::default() }),
        scale_down: Some(HPAScalingRules {
            policies: one_in(DOWN_PERIOD),
            stabilization_window_seconds: Some(DOWN_AFTER),
            ..HPAScalingRules::default()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    fn read_spec(role: Role, spec: Value) -> (ValidAutoscaling, Vec<String>) {
        let mut problems = Problems::default();
        let valid = read("p", role, &serde_json::from_value(spec).unwrap(), &mut problems);
        (valid, problems.0.into_iter().map(|p| p.field).collect())
    }

    #[rstest]
    #[case(json!({"maxReplicas": 3, "metrics": [{"type": "Resource", "resorce": {}}]}), "p.metrics[0].resorce")]
    #[case(json!({"maxReplicas": 3, "behavior": {"scaleUp": {"policy": []}}}), "p.behavior.scaleUp.policy")]
    #[case(json!({"maxReplicas": 3, "minReplicas": 4}), "p.maxReplicas")]
    #[case(json!({"maxReplicas": 3, "minReplicas": 0}), "p.minReplicas")]
    fn strictly(#[case] spec: Value, #[case] field: &str) {
        assert_eq!(read_spec(Role::Frontend, spec).1, [field]);
    }

    #[test]
    fn rings_change_by_one_pod_at_a_time_unless_the_user_says_otherwise() {
        let (history, problems) = read_spec(Role::History, json!({"maxReplicas": 3}));
        assert!(problems.is_empty());
        assert_eq!(history.behavior.scale_up.unwrap().policies.unwrap()[0].value, 1);
        assert!(read_spec(Role::Frontend, json!({"maxReplicas": 3})).0.behavior.scale_up.is_none());
        let users = json!({"maxReplicas": 3, "behavior": {"scaleUp": {"stabilizationWindowSeconds": 5}}});
        let behavior = read_spec(Role::History, users).0.behavior;
        assert_eq!(behavior.scale_up.unwrap().policies, None, "theirs as a whole");
        assert_eq!(behavior.scale_down.unwrap().stabilization_window_seconds, Some(600), "ours beside it");
    }
}
