//! Rules of `schedule.action`.

use super::{memo, optional_duration, search_attributes};
use crate::api::schedule::{RetryPolicySpec, WorkflowSpec};
use crate::schedule::{Input, Retry, Workflow};
use crate::validate::Problems;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::time::Duration;

const PATH: &str = "spec.schedule.action.workflow";
/// Names of task queues that begin so are Temporal's own.
const OWN_QUEUES: &str = "/_sys/";
/// How timeouts are named among errors (server `common/retrypolicy`).
const TIMEOUT: &str = "TemporalTimeout:";
const TIMEOUTS: [&str; 4] = ["StartToClose", "ScheduleToStart", "ScheduleToClose", "Heartbeat"];

/// Reads the workflow to start.
pub(super) fn read(spec: &WorkflowSpec, problems: &mut Problems) -> Workflow {
    problems.require(
        !spec.type_.is_empty(),
        &format!("{PATH}.type"),
        "is empty; name the workflow as workers register it",
    );
    problems.require(
        !spec.task_queue.is_empty(),
        &format!("{PATH}.taskQueue"),
        "is empty; name the queue of the workers",
    );
    problems.require(
        !spec.task_queue.starts_with(OWN_QUEUES),
        &format!("{PATH}.taskQueue"),
        "names that begin with /_sys/ are Temporal's own; name the queue that your workers poll",
    );
    let mut limit =
        |field: &str, text: &Option<String>| optional_duration(&format!("{PATH}.{field}"), text.as_deref(), problems);
    let (execution_timeout, run_timeout) =
        (limit("executionTimeout", &spec.execution_timeout), limit("runTimeout", &spec.run_timeout));
    let task_timeout = limit("taskTimeout", &spec.task_timeout);
    Workflow {
        id: spec.id.clone().filter(|id| !id.is_empty()),
        type_: spec.type_.clone(),
        task_queue: spec.task_queue.clone(),
        inputs: spec.inputs.iter().flatten().cloned().map(Input::Json).collect(),
        execution_timeout,
        run_timeout,
        task_timeout,
        retry: spec.retry_policy.as_ref().map(|policy| retry(policy, problems)),
        memo: spec.memo.as_ref().map(memo).unwrap_or_default(),
        search_attributes: spec
            .search_attributes
            .as_ref()
            .map(|all| search_attributes(&format!("{PATH}.searchAttributes"), all, problems))
            .unwrap_or_default(),
    }
}

/// Temporal takes any policy here and looks at it when a workflow is due, which then fails to start unheard.
fn retry(spec: &RetryPolicySpec, problems: &mut Problems) -> Retry {
    let path = format!("{PATH}.retryPolicy");
    let initial = optional_duration(&format!("{path}.initialInterval"), spec.initial_interval.as_deref(), problems);
    let maximum = optional_duration(&format!("{path}.maximumInterval"), spec.maximum_interval.as_deref(), problems);
    let first = if initial.is_zero() { Duration::from_secs(1) } else { initial };
    problems.require(
        maximum.is_zero() || maximum >= first,
        &format!("{path}.maximumInterval"),
        "must not be less than initialInterval (default 1s), or no workflow would start; make it longer",
    );
    let attempts = spec.maximum_attempts.unwrap_or(0);
    problems.require(attempts >= 0, &format!("{path}.maximumAttempts"), "must not be negative; 0 is no limit");
    let fatal = spec.non_retryable_error_types.clone().unwrap_or_default();
    let is_known = |error: &String| error.strip_prefix(TIMEOUT).is_none_or(|kind| TIMEOUTS.contains(&kind));
    problems.require(
        fatal.iter().all(is_known),
        &format!("{path}.nonRetryableErrorTypes"),
        "behind TemporalTimeout: one of StartToClose, ScheduleToStart, ScheduleToClose, Heartbeat",
    );
    Retry {
        initial,
        coefficient: spec.backoff_coefficient.as_ref().map_or(0.0, |number| coefficient(&path, number, problems)),
        maximum,
        attempts,
        fatal,
    }
}

/// A Kubernetes quantity of which whole, decimal and milli numbers make sense.
fn coefficient(path: &str, number: &IntOrString, problems: &mut Problems) -> f64 {
    let parsed = match number {
        IntOrString::Int(number) => Some(f64::from(*number)),
        IntOrString::String(text) => decimal(text),
    };
    problems.require(
        parsed.is_some_and(|number| number >= 1.0),
        &format!("{path}.backoffCoefficient"),
        "must be a number of at least 1, such as 2 or \"1.5\"; 1 keeps the interval as it is",
    );
    parsed.unwrap_or(1.0)
}

fn decimal(text: &str) -> Option<f64> {
    let (number, part) = text.strip_suffix('m').map_or((text, 1.0), |milli| (milli, 0.001));
    let plain = number.chars().all(|c| c == '.' || c.is_ascii_digit());
    plain.then(|| number.parse::<f64>().ok()).flatten().map(|number| number * part)
}
