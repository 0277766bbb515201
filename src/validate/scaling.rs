//! Rules and defaults of scaling on work.

use super::duration::parse;
use super::{Invalid, Problems};
use crate::api::worker::ScalingSpec;
use crate::scaling::Policy;
use std::time::Duration;

const DEFAULT_MIN: i32 = 1;
const DEFAULT_AGE: Duration = Duration::from_secs(10);
const DEFAULT_UTILIZATION: i32 = 75;
const DEFAULT_DOWN_AFTER: Duration = Duration::from_secs(120);
const DEFAULT_IDLE_AFTER: Duration = Duration::from_secs(300);
/// Most pods of a version.
const MOST_PODS: i32 = 1000;
/// Samples are kept for somewhat more than the longest of these times.
const MOST: Duration = Duration::from_secs(3600);
/// Temporal's own figures are up to 10 s old.
const LEAST: Duration = Duration::from_secs(10);

/// Reads the scaling settings.
///
/// # Errors
/// With every field that cannot be carried out.
pub fn read(spec: &ScalingSpec) -> Result<Policy, Invalid> {
    let mut problems = Problems::default();
    let min = spec.min.unwrap_or(DEFAULT_MIN.min(spec.max));
    problems.require((1..=MOST_PODS).contains(&spec.max), "spec.scaling.max", "must be from 1 to 1000");
    problems.require(min >= 0, "spec.scaling.min", "must not be negative");
    problems.require(min <= spec.max, "spec.scaling.min", "must not exceed max; lower it, or raise max");
    let backlog_per_pod = spec.backlog_per_pod.map(u32::try_from);
    let sensible = !matches!(backlog_per_pod, Some(Err(_) | Ok(0)));
    problems.require(sensible, "spec.scaling.backlogPerPod", "must be at least 1");
    let utilization = spec.slot_utilization.unwrap_or(DEFAULT_UTILIZATION);
    let percent = (1..=100).contains(&utilization);
    problems.require(percent, "spec.scaling.slotUtilization", "must be a percentage from 1 to 100");
    let policy = Policy {
        min,
        max: spec.max,
        backlog_per_pod: backlog_per_pod.and_then(Result::ok),
        max_backlog_age: time(
            &spec.max_backlog_age,
            Duration::from_secs(1),
            DEFAULT_AGE,
            "maxBacklogAge",
            &mut problems,
        ),
        slot_utilization: f64::from(utilization) / 100.0,
        scale_down_after: time(&spec.scale_down_after, LEAST, DEFAULT_DOWN_AFTER, "scaleDownAfter", &mut problems),
        idle_after: time(&spec.idle_after, LEAST, DEFAULT_IDLE_AFTER, "idleAfter", &mut problems),
    };
    if problems.0.is_empty() { Ok(policy) } else { Err(Invalid { problems: problems.0 }) }
}

fn time(text: &Option<String>, least: Duration, default: Duration, field: &str, problems: &mut Problems) -> Duration {
    let Some(text) = text else { return default };
    match parse(text).filter(|time| (least..=MOST).contains(time)) {
        Some(time) => time,
        None => {
            let least = super::duration::write(least);
            let message = format!("must be a Go duration from {least} to 1h, for example 2m");
            problems.add(format!("spec.scaling.{field}"), message);
            default
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn defaults() {
        let policy = read(&ScalingSpec { max: 5, ..ScalingSpec::default() }).unwrap();
        assert_eq!((policy.min, policy.max, policy.backlog_per_pod), (1, 5, None));
        assert!((policy.slot_utilization - 0.75).abs() < 1e-9);
        let times = [policy.max_backlog_age, policy.scale_down_after, policy.idle_after];
        assert_eq!(times.map(|time| time.as_secs()), [10, 120, 300]);
    }

    #[rstest]
    #[case(r#"{"min": 3, "max": 2}"#, "spec.scaling.min")]
    #[case(r#"{"min": -1, "max": 2}"#, "spec.scaling.min")]
    #[case(r#"{"max": 0}"#, "spec.scaling.max")]
    #[case(r#"{"max": 1001}"#, "spec.scaling.max")]
    #[case(r#"{"max": 2, "backlogPerPod": 0}"#, "spec.scaling.backlogPerPod")]
    #[case(r#"{"max": 2, "slotUtilization": 101}"#, "spec.scaling.slotUtilization")]
    #[case(r#"{"max": 2, "maxBacklogAge": "500ms"}"#, "spec.scaling.maxBacklogAge")]
    #[case(r#"{"max": 2, "scaleDownAfter": "soon"}"#, "spec.scaling.scaleDownAfter")]
    #[case(r#"{"max": 2, "idleAfter": "2h"}"#, "spec.scaling.idleAfter")]
    fn refused(#[case] spec: &str, #[case] field: &str) {
        let invalid = read(&serde_json::from_str(spec).unwrap()).unwrap_err();
        assert_eq!(invalid.problems.iter().map(|p| p.field.as_str()).collect::<Vec<_>>(), [field]);
    }
}
