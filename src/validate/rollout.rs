//! Rules and defaults of rollouts.

use super::before_upgrade;
use super::duration;
use super::{Problems, ValidBeforeUpgrade};
use crate::api::rollout::{OnFailure, RolloutSpec};
use crate::api::{TemporalCluster, annotations};
use kube::ResourceExt;
use std::time::Duration;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(600);
/// A history pod waits up to 13 s for the moment at which it joins its ring, acquires its shards, and then 5 s more.
const LEAST_TIMEOUT: Duration = Duration::from_secs(30);
const MOST_TIMEOUT: Duration = Duration::from_secs(24 * 3600);
/// Longest value of the restart annotation; it becomes one of every pod.
const LONGEST_MARK: usize = 256;

/// How changes are rolled out.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidRollout {
    /// What happens to a role that is not proven in time.
    pub on_failure: OnFailure,
    /// Nothing new is begun.
    pub paused: bool,
    /// How long a role may take.
    pub step_timeout: Duration,
    /// Value of the annotation `temporal.io/restartedAt`.
    pub restarted_at: Option<String>,
    /// The Job that must succeed before an upgrade.
    pub before_upgrade: Option<ValidBeforeUpgrade>,
}

/// Reads the rollout settings.
pub(super) fn read(resource: &TemporalCluster, problems: &mut Problems) -> ValidRollout {
    let spec = resource.spec.rollout.clone().unwrap_or_default();
    let restarted_at = resource.annotations().get(annotations::RESTARTED_AT).filter(|v| !v.is_empty()).cloned();
    problems.require(
        restarted_at.as_ref().is_none_or(|v| v.len() <= LONGEST_MARK),
        "metadata.annotations[temporal.io/restartedAt]",
        "at most 256 characters; a time will do",
    );
    ValidRollout {
        on_failure: spec.on_failure.unwrap_or_default(),
        paused: spec.paused.unwrap_or(false),
        step_timeout: timeout(&spec, problems),
        restarted_at,
        before_upgrade: spec.before_upgrade.as_ref().and_then(|job| before_upgrade::read(job, problems)),
    }
}

fn timeout(spec: &RolloutSpec, problems: &mut Problems) -> Duration {
    match spec.step_timeout.as_deref().map(duration::parse) {
        None => DEFAULT_TIMEOUT,
        Some(Some(time)) if (LEAST_TIMEOUT..=MOST_TIMEOUT).contains(&time) => time,
        Some(_) => {
            problems.add("spec.rollout.stepTimeout", "must be a Go duration from 30s to 24h, for example 10m");
            DEFAULT_TIMEOUT
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(None, Some(600))]
    #[case(Some("30s"), Some(30))]
    #[case(Some("1h"), Some(3600))]
    #[case(Some("29s"), None)]
    #[case(Some("25h"), None)]
    #[case(Some("soon"), None)]
    fn timeouts(#[case] text: Option<&str>, #[case] seconds: Option<u64>) {
        let spec = RolloutSpec { step_timeout: text.map(str::to_owned), ..RolloutSpec::default() };
        let mut problems = Problems::default();
        let time = timeout(&spec, &mut problems);
        assert_eq!(problems.0.is_empty().then_some(time.as_secs()), seconds);
    }
}
