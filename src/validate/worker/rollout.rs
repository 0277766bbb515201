//! How a new version takes over, and what becomes of the old ones, with every default.

use crate::api::worker::{
    GateInput, GateQuery, GateSpec, GateWorkflow, OnFailure, RolloutSpec, Step, Strategy, SunsetSpec,
};
use crate::validate::{Invalid, Problems, duration};
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// Most steps.
const STEPS: usize = 20;
/// Times a gate's workflow is run again, at most.
const RETRIES: i32 = 10;
/// Workflows that may fail on a version with a share, at most: each is looked at.
const FAILING: i32 = 20;

/// How a new version takes over, and what becomes of the old ones.
#[derive(Clone, Debug, PartialEq)]
pub struct RolloutPolicy {
    /// How traffic moves.
    pub strategy: Strategy,
    /// No traffic is moved for the time being.
    pub paused: bool,
    /// The build id that is to be current now.
    pub promote: Option<String>,
    /// The steps, each with a greater share than the one before.
    pub steps: Vec<StepPolicy>,
    /// What must pass before the version gets any traffic.
    pub gate: Option<GatePolicy>,
    /// So many workflows may fail on a version that has a share; none: they are not looked at.
    pub max_failing: Option<usize>,
    /// What is done when it is not good.
    pub on_failure: OnFailure,
    /// A version that was current so recently becomes current again at once.
    pub rollback_window: Duration,
    /// How long the pods of a drained version stay.
    pub scale_down_after: Duration,
    /// How long after it is drained a version stays.
    pub delete_after: Duration,
}

impl Default for RolloutPolicy {
    fn default() -> Self {
        Self {
            strategy: Strategy::AllAtOnce,
            paused: false,
            promote: None,
            steps: Vec::new(),
            gate: None,
            max_failing: Some(0),
            on_failure: OnFailure::Rollback,
            rollback_window: Duration::from_secs(3600),
            scale_down_after: Duration::from_secs(3600),
            delete_after: Duration::from_secs(24 * 3600),
        }
    }
}

/// A share of new workflows for a time.
#[derive(Clone, Debug, PartialEq)]
pub struct StepPolicy {
    /// Percent.
    pub percent: f32,
    /// How long at least.
    pub pause: Duration,
    /// What must pass before the next step.
    pub gate: Option<GatePolicy>,
}

/// What must pass: everything that is named.
#[derive(Clone, Debug, PartialEq)]
pub struct GatePolicy {
    /// A workflow that must complete.
    pub workflow: Option<WorkflowRule>,
    /// A query whose every result must be in bounds.
    pub query: Option<GateRule>,
}

/// A workflow that is run on the new version and must complete.
#[derive(Clone, PartialEq)]
pub struct WorkflowRule {
    /// Its type.
    pub type_: String,
    /// Its task queue; none: the one workflow queue that the version polls.
    pub task_queue: Option<String>,
    /// Its one argument.
    pub input: Option<Value>,
    /// Where its one argument is.
    pub input_from: Option<GateInput>,
    /// How long it may take.
    pub timeout: Duration,
    /// How often it is run, at most.
    pub attempts: u32,
}

/// Arguments of users have no place in a log.
impl fmt::Debug for WorkflowRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { type_, task_queue, timeout, attempts, .. } = self;
        write!(f, "workflow {type_} on {task_queue:?} within {timeout:?}, {attempts} times")
    }
}

/// A query whose every result must be in bounds.
#[derive(Clone, Debug, PartialEq)]
pub struct GateRule {
    /// Where it is asked.
    pub url: String,
    /// The query, with `$deployment`, `$build_id` and `$namespace` as written.
    pub query: String,
    /// The least that is good.
    pub min: Option<f64>,
    /// The most that is good.
    pub max: Option<f64>,
}

/// Reads it.
///
/// # Errors
/// With every problem in it.
pub fn read(rollout: Option<&RolloutSpec>, sunset: Option<&SunsetSpec>) -> Result<RolloutPolicy, Invalid> {
    let mut problems = Problems::default();
    let mut policy = RolloutPolicy::default();
    if let Some(spec) = rollout {
        of_rollout(spec, &mut policy, &mut problems);
    }
    if let Some(spec) = sunset {
        of_sunset(spec, &mut policy, &mut problems);
    }
    if problems.0.is_empty() { Ok(policy) } else { Err(Invalid { problems: problems.0 }) }
}

fn of_rollout(spec: &RolloutSpec, policy: &mut RolloutPolicy, problems: &mut Problems) {
    let steps = spec.steps.as_deref().unwrap_or_default();
    policy.strategy = spec.strategy.unwrap_or_default();
    policy.paused = spec.paused;
    policy.promote = spec.promote.clone().filter(|id| !id.is_empty());
    policy.on_failure = spec.on_failure.unwrap_or_default();
    policy.rollback_window =
        time("spec.rollout.rollbackWindow", spec.rollback_window.as_deref(), policy.rollback_window, problems);
    if policy.strategy == Strategy::Progressive {
        problems.require(
            !steps.is_empty(),
            "spec.rollout.steps",
            "strategy Progressive needs at least one step; add one, or choose AllAtOnce",
        );
    } else {
        problems.require(steps.is_empty(), "spec.rollout.steps", "go with strategy Progressive; set it or remove them");
    }
    problems.require(steps.len() <= STEPS, "spec.rollout.steps", "at most 20; remove some");
    problems.require(
        steps.windows(2).all(|two| matches!(two, [a, b] if a.percent < b.percent)),
        "spec.rollout.steps",
        "each step's percent must be more than that of the one before; put them in order",
    );
    policy.steps = steps.iter().enumerate().map(|(at, spec)| step(at, spec, problems)).collect();
    policy.gate = spec.gate.as_ref().map(|spec| gate("spec.rollout.gate", spec, problems));
    let failing = spec.max_failing_workflows.unwrap_or(0);
    let field = "spec.rollout.maxFailingWorkflows";
    problems.require((-1..=FAILING).contains(&failing), field, "must be from -1 to 20; correct it");
    policy.max_failing = usize::try_from(failing).ok();
}

fn step(at: usize, spec: &Step, problems: &mut Problems) -> StepPolicy {
    let field = format!("spec.rollout.steps[{at}]");
    problems.require((1..=99).contains(&spec.percent), &format!("{field}.percent"), "must be from 1 to 99; correct it");
    // a whole number up to 99 has its place in any float
    let percent = f32::from(i16::try_from(spec.percent).unwrap_or(0));
    let pause = time(&format!("{field}.pause"), Some(&spec.pause), Duration::ZERO, problems);
    let gate = spec.gate.as_ref().map(|spec| gate(&format!("{field}.gate"), spec, problems));
    StepPolicy { percent, pause, gate }
}

fn gate(field: &str, spec: &GateSpec, problems: &mut Problems) -> GatePolicy {
    problems.require(
        spec.workflow.is_some() || spec.prometheus.is_some(),
        field,
        "needs a workflow or a prometheus query; add one, or remove the gate",
    );
    GatePolicy {
        workflow: spec.workflow.as_ref().map(|spec| workflow(&format!("{field}.workflow"), spec, problems)),
        query: spec.prometheus.as_ref().map(|spec| query(&format!("{field}.prometheus"), spec, problems)),
    }
}

fn workflow(field: &str, spec: &GateWorkflow, problems: &mut Problems) -> WorkflowRule {
    problems.require(!spec.type_.is_empty(), &format!("{field}.type"), "is empty; name a workflow type");
    problems.require(
        spec.input.is_none() || spec.input_from.is_none(),
        field,
        "input and inputFrom exclude each other; remove one of them",
    );
    if let Some(from) = &spec.input_from {
        problems.require(
            from.config_map_key_ref.is_some() != from.secret_key_ref.is_some(),
            &format!("{field}.inputFrom"),
            "exactly one of configMapKeyRef and secretKeyRef is needed",
        );
    }
    let timeout = time(&format!("{field}.timeout"), spec.timeout.as_deref(), Duration::from_secs(3600), problems);
    problems.require(!timeout.is_zero(), &format!("{field}.timeout"), "must be more than nothing; correct it");
    let retries = spec.retries.unwrap_or(0);
    problems.require((0..=RETRIES).contains(&retries), &format!("{field}.retries"), "must be from 0 to 10; correct it");
    WorkflowRule {
        type_: spec.type_.clone(),
        task_queue: spec.task_queue.clone(),
        input: spec.input.clone(),
        input_from: spec.input_from.clone(),
        timeout,
        attempts: u32::try_from(retries).unwrap_or(0) + 1,
    }
}

fn query(field: &str, spec: &GateQuery, problems: &mut Problems) -> GateRule {
    let has_scheme = spec.url.starts_with("http://") || spec.url.starts_with("https://");
    problems.require(
        has_scheme && spec.url.parse::<http::Uri>().is_ok_and(|uri| uri.host().is_some_and(|host| !host.is_empty())),
        &format!("{field}.url"),
        "must be an http or https URL such as http://prometheus.monitoring:9090; correct it",
    );
    problems.require(!spec.query.trim().is_empty(), &format!("{field}.query"), "is empty; write a PromQL query");
    problems.require(
        spec.min.is_some() || spec.max.is_some(),
        field,
        "needs min or max, or nothing could fail; set one of them",
    );
    let (min, max) =
        (bound(field, "min", spec.min.as_deref(), problems), bound(field, "max", spec.max.as_deref(), problems));
    if let (Some(min), Some(max)) = (min, max) {
        problems.require(min <= max, field, "min must not exceed max, or nothing could pass; correct one of them");
    }
    GateRule { url: spec.url.clone(), query: spec.query.clone(), min, max }
}

fn bound(field: &str, name: &str, text: Option<&str>, problems: &mut Problems) -> Option<f64> {
    let number = text?.parse::<f64>().ok().filter(|number| number.is_finite());
    problems.require(number.is_some(), &format!("{field}.{name}"), "must be a decimal number; correct it");
    number
}

fn of_sunset(spec: &SunsetSpec, policy: &mut RolloutPolicy, problems: &mut Problems) {
    let (down, delete) = ("spec.sunset.scaleDownAfter", "spec.sunset.deleteAfter");
    policy.scale_down_after = time(down, spec.scale_down_after.as_deref(), policy.scale_down_after, problems);
    // what is longer than the default moves it
    let default = policy.delete_after.max(policy.scale_down_after);
    policy.delete_after = time(delete, spec.delete_after.as_deref(), default, problems);
    problems.require(
        policy.delete_after >= policy.scale_down_after,
        delete,
        "must be at least scaleDownAfter, since pods go before their Deployment does; make it longer",
    );
}

fn time(field: &str, text: Option<&str>, default: Duration, problems: &mut Problems) -> Duration {
    let Some(text) = text else { return default };
    duration::parse(text).unwrap_or_else(|| {
        problems.add(field, "must be a Go duration such as 30s or 1h30m; correct it");
        default
    })
}

#[cfg(test)]
mod tests;
