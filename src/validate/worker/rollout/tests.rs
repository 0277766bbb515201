//! What is read, and what is refused.

use super::*;
use rstest::rstest;
use serde_json::json;

fn reads(rollout: Value, sunset: Value) -> Result<RolloutPolicy, Invalid> {
    let rollout: Option<RolloutSpec> = serde_json::from_value(rollout).unwrap();
    let sunset: Option<SunsetSpec> = serde_json::from_value(sunset).unwrap();
    read(rollout.as_ref(), sunset.as_ref())
}

#[test]
fn nothing_is_every_default() {
    assert_eq!(reads(json!(null), json!(null)), Ok(RolloutPolicy::default()));
    assert_eq!(reads(json!({}), json!({})), Ok(RolloutPolicy::default()));
}

#[test]
fn everything_is_read() {
    let gate = json!({
        "workflow": {"type": "Check", "input": {"a": 1}, "timeout": "5m", "retries": 2},
        "prometheus": {"url": "https://prometheus.monitoring:9090/x", "query": "up", "min": "-0.5", "max": "3"},
    });
    let rollout = json!({
        "strategy": "Progressive", "promote": "v1", "paused": true, "gate": gate, "onFailure": "Pause",
        "rollbackWindow": "0s", "steps": [{"percent": 5, "pause": "10m"}, {"percent": 50, "pause": "0s", "gate": gate}],
    });
    let policy = reads(rollout, json!({"scaleDownAfter": "0s", "deleteAfter": "30m"})).unwrap();
    let gate = policy.gate.clone().unwrap();
    assert_eq!(policy.steps[1].gate.as_ref(), Some(&gate));
    assert_eq!((policy.steps[0].percent, policy.steps[0].pause), (5.0, Duration::from_secs(600)));
    assert_eq!((policy.rollback_window, policy.scale_down_after), (Duration::ZERO, Duration::ZERO));
    assert_eq!(policy.delete_after, Duration::from_secs(1800));
    assert_eq!(gate.workflow.as_ref().map(|w| (w.attempts, w.timeout)), Some((3, Duration::from_secs(300))));
    assert_eq!(gate.query.as_ref().map(|q| (q.min, q.max)), Some((Some(-0.5), Some(3.0))));
    assert!(!format!("{policy:?}").contains("\"a\""), "an argument is told");
}

#[test]
fn a_long_scale_down_moves_the_default_of_the_deletion() {
    let policy = reads(json!(null), json!({"scaleDownAfter": "48h"})).unwrap();
    assert_eq!(policy.delete_after, Duration::from_secs(48 * 3600));
}

#[rstest]
#[case::no_steps(json!({"strategy": "Progressive"}), "spec.rollout.steps")]
#[case::steps_without_strategy(json!({"steps": [{"percent": 5, "pause": "1m"}]}), "spec.rollout.steps")]
#[case::order(json!({"strategy": "Progressive", "steps": [{"percent": 50, "pause": "1m"}, {"percent": 5, "pause": "1m"}]}), "spec.rollout.steps")]
#[case::twice(json!({"strategy": "Progressive", "steps": [{"percent": 5, "pause": "1m"}, {"percent": 5, "pause": "1m"}]}), "spec.rollout.steps")]
#[case::hundred(json!({"strategy": "Progressive", "steps": [{"percent": 100, "pause": "1m"}]}), "spec.rollout.steps[0].percent")]
#[case::none(json!({"strategy": "Progressive", "steps": [{"percent": 0, "pause": "1m"}]}), "spec.rollout.steps[0].percent")]
#[case::pause(json!({"strategy": "Progressive", "steps": [{"percent": 1, "pause": "7d"}]}), "spec.rollout.steps[0].pause")]
#[case::window(json!({"rollbackWindow": "an hour"}), "spec.rollout.rollbackWindow")]
#[case::empty_gate(json!({"gate": {}}), "spec.rollout.gate")]
#[case::inputs(json!({"gate": {"workflow": {"type": "C", "input": 1, "inputFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}}}), "spec.rollout.gate.workflow")]
#[case::input_from_nowhere(json!({"gate": {"workflow": {"type": "C", "inputFrom": {}}}}), "spec.rollout.gate.workflow.inputFrom")]
#[case::no_time(json!({"gate": {"workflow": {"type": "C", "timeout": "0s"}}}), "spec.rollout.gate.workflow.timeout")]
#[case::retries(json!({"gate": {"workflow": {"type": "C", "retries": 11}}}), "spec.rollout.gate.workflow.retries")]
#[case::scheme(json!({"gate": {"prometheus": {"url": "ftp://p", "query": "up", "min": "1"}}}), "spec.rollout.gate.prometheus.url")]
#[case::no_host(json!({"gate": {"prometheus": {"url": "http://", "query": "up", "min": "1"}}}), "spec.rollout.gate.prometheus.url")]
#[case::no_bound(json!({"gate": {"prometheus": {"url": "http://p", "query": "up"}}}), "spec.rollout.gate.prometheus")]
#[case::crossed(json!({"gate": {"prometheus": {"url": "http://p", "query": "up", "min": "2", "max": "1"}}}), "spec.rollout.gate.prometheus")]
#[case::word(json!({"gate": {"prometheus": {"url": "http://p", "query": "up", "min": "inf"}}}), "spec.rollout.gate.prometheus.min")]
#[case::no_query(json!({"gate": {"prometheus": {"url": "http://p", "query": " ", "min": "1"}}}), "spec.rollout.gate.prometheus.query")]
fn refused(#[case] rollout: Value, #[case] field: &str) {
    let problems = reads(rollout, json!(null)).unwrap_err().problems;
    assert_eq!(problems.iter().map(|p| p.field.as_str()).collect::<Vec<_>>(), [field]);
}

#[rstest]
#[case(json!({"scaleDownAfter": "1h", "deleteAfter": "59m"}), "spec.sunset.deleteAfter")]
#[case(json!({"scaleDownAfter": "x"}), "spec.sunset.scaleDownAfter")]
#[case(json!({"deleteAfter": "x"}), "spec.sunset.deleteAfter")]
fn refused_sunset(#[case] sunset: Value, #[case] field: &str) {
    let problems = reads(json!(null), sunset).unwrap_err().problems;
    assert_eq!(problems.iter().map(|p| p.field.as_str()).collect::<Vec<_>>(), [field]);
}
