//! What the schema does not see; the rest is in `tests/admission`.
#![allow(clippy::needless_pass_by_value, reason = "values are written in place")]

use super::*;
use rstest::rstest;
use serde_json::json;

fn manifest(spec: Value) -> TemporalSchedule {
    let mut all = json!({
        "metadata": {"name": "nightly", "namespace": "team"},
        "spec": {
            "namespaceRef": {"name": "orders"},
            "schedule": {"action": {"workflow": {"type": "Report", "taskQueue": "reports"}}},
        },
    });
    merge(&mut all["spec"], spec);
    serde_json::from_value(all).unwrap()
}

fn merge(target: &mut Value, patch: Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(target.entry(key).or_insert(Value::Null), value);
            }
        }
        (target, patch) => *target = patch,
    }
}

fn times(spec: Value) -> TemporalSchedule {
    manifest(json!({"schedule": {"spec": spec}}))
}

#[rstest]
#[case(times(json!({"crons": ["0 25 * * *"]})), "spec.schedule.spec.crons[0]: the hour \"25\" is not from 0 to 23")]
#[case(times(json!({"crons": ["0 1 * * *", "@every 10ms"]})), "spec.schedule.spec.crons[1]: the distance is less than 1s")]
#[case(times(json!({"crons": ["TZ=UTC 0 1 * * *", "0 2 * * *"]})), "spec.schedule.spec.crons: name different time zones")]
#[case(times(json!({"calendars": [{"comment": "é".repeat(150)}]})), "spec.schedule.spec.calendars[0].comment: at most 200")]
#[case(manifest(json!({"searchAttributes": {"Team": {"a": 1}}})), "spec.searchAttributes.Team: must be a string")]
#[case(
    manifest(json!({"schedule": {"action": {"workflow": {"searchAttributes": {"Teams": [1]}}}}})),
    "spec.schedule.action.workflow.searchAttributes.Teams: must be a string"
)]
fn what_the_schema_does_not_see_is_named(#[case] manifest: TemporalSchedule, #[case] words: &str) {
    let refusal = read(&manifest).unwrap_err().to_string();
    assert!(refusal.starts_with(words), "{refusal}");
}

#[test]
fn the_least_manifest_has_temporals_defaults() {
    let valid = read(&manifest(json!({}))).unwrap();
    assert_eq!((valid.id.as_str(), valid.namespace_ref), ("nightly", ("team".to_owned(), "orders".to_owned())));
    assert_eq!(valid.definition.policy, Policy::default());
    assert!(valid.definition.times.is_empty());
    assert_eq!(valid.state, State::default());
}

#[test]
fn a_cron_string_is_the_calendar_that_temporal_makes_of_it() {
    let cron = read(&times(json!({"crons": ["CRON_TZ=Europe/Paris 30 8 * * MON-FRI"]}))).unwrap();
    let calendar = read(&times(json!({
        "calendars": [{"minute": [{"start": 30}], "hour": [{"start": 8}], "dayOfWeek": [{"start": 1, "end": 5}]}],
        "timezoneName": "Europe/Paris",
    })));
    assert_eq!(cron.definition, calendar.unwrap().definition);
}

#[test]
fn a_range_without_start_begins_with_the_least() {
    let valid = read(&times(json!({"calendars": [{"dayOfMonth": [{"end": 31}], "month": [{"end": 3}], "hour": []}]})));
    let wanted = crate::schedule::Calendar { month: [1, 2, 3].into(), ..Default::default() };
    assert_eq!(valid.unwrap().definition.times.calendars, [wanted].into());
}

#[rstest]
#[case(json!(2), 2.0)]
#[case(json!("1.5"), 1.5)]
#[case(json!("1500m"), 1.5)]
fn coefficients(#[case] number: Value, #[case] wanted: f64) {
    let retry = json!({"schedule": {"action": {"workflow": {"retryPolicy": {"backoffCoefficient": number}}}}});
    let valid = read(&manifest(retry)).unwrap();
    assert!((valid.definition.workflow.retry.unwrap().coefficient - wanted).abs() < 1e-9);
}
