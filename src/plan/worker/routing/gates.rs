//! What must pass before a version gets more traffic.

use super::{Act, GateRun, Question, Scene};
use crate::api::worker::QueueType;
use crate::build::hash_of;
use crate::plan::worker::{FailingOn, Query, RunState};
use crate::validate::{GatePolicy, GateRule, WorkflowRule};

/// How a gate stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Standing {
    /// It has passed.
    Passed,
    /// It has not yet: why, as a clause.
    Waits(String),
    /// It must be asked first.
    Asks(Question),
    /// A run must be started first.
    Runs(Box<GateRun>),
    /// It cannot be carried out as it is written: why, as a clause.
    Unclear(String),
    /// It has failed: why, as a clause.
    Failed(String),
}

impl Standing {
    /// What is to be done for it.
    pub(super) fn act(&self) -> Option<Act> {
        match self {
            Self::Runs(run) => Some(Act::RunGate(run.clone())),
            _ => None,
        }
    }
}

/// The gate before step `step`, counted from 0. The query comes last: what it says grows old.
pub(super) fn of(scene: &Scene<'_>, step: usize, gate: Option<&GatePolicy>) -> Standing {
    let Some(gate) = gate else { return Standing::Passed };
    let workflow = gate.workflow.as_ref().map_or(Standing::Passed, |rule| workflow(scene, step, rule));
    match (workflow, &gate.query) {
        (Standing::Passed, Some(rule)) => query(scene, rule),
        (workflow, _) => workflow,
    }
}

/// Whether Temporal sees workflows fail on the version, which has a share.
pub(super) fn failing(scene: &Scene<'_>) -> Standing {
    let Some(most) = scene.policy.max_failing else { return Standing::Passed };
    let build_id = scene.target.build_id;
    let Some(failing) = scene.routing.asked.failing.get(build_id) else {
        let since = scene.routing.ramping_since.unwrap_or(scene.now);
        return Standing::Asks(Question::Failing(FailingOn { build_id: build_id.to_owned(), since, most: most + 1 }));
    };
    match failing {
        Err(why) => Standing::Waits(format!("whether workflows fail on it cannot be told: {why}")),
        Ok(failing) if failing.len() <= most => Standing::Passed,
        Ok(failing) => {
            let first = failing.first().map_or("", String::as_str);
            let words = match failing.len() {
                1 => format!("the workflow tasks of workflow {first} fail on it"),
                many => format!("the workflow tasks of {many} workflows or more fail on it, such as those of {first}"),
            };
            Standing::Failed(words)
        }
    }
}

/// The same gate of the same version and step has the same name, so that it is run once.
fn name(scene: &Scene<'_>, step: usize, rule: &WorkflowRule) -> String {
    let argument = serde_json::to_string(&(&rule.input, &rule.input_from)).unwrap_or_default();
    let rules = hash_of(&format!("{} {:?} {argument}", rule.type_, rule.task_queue));
    format!("gate:{}:{step}:{rules}", scene.target.build_id)
}

fn workflow(scene: &Scene<'_>, step: usize, rule: &WorkflowRule) -> Standing {
    let gate = name(scene, step, rule);
    let Some(runs) = scene.routing.asked.runs.get(&gate) else {
        return Standing::Asks(Question::Runs(gate, rule.attempts));
    };
    if runs.contains(&RunState::Completed) {
        return Standing::Passed;
    }
    match runs.last() {
        Some(RunState::Open) => Standing::Waits(format!("workflow {} of its gate is running", rule.type_)),
        Some(RunState::Ended(how)) if u32::try_from(runs.len()).is_ok_and(|runs| runs >= rule.attempts) => {
            let times = if rule.attempts > 1 { format!(" for the {}. time", rule.attempts) } else { String::new() };
            Standing::Failed(format!("workflow {} of its gate {how}{times}", rule.type_))
        }
        _ => match queue(scene, rule) {
            Ok(task_queue) => Standing::Runs(Box::new(GateRun {
                attempt: u32::try_from(runs.len()).unwrap_or(u32::MAX).saturating_add(1),
                gate,
                build_id: scene.target.build_id.to_owned(),
                type_: rule.type_.clone(),
                task_queue,
                input: rule.input.clone(),
                input_from: rule.input_from.clone(),
                timeout: rule.timeout,
            })),
            Err(why) => Standing::Unclear(why),
        },
    }
}

fn queue(scene: &Scene<'_>, rule: &WorkflowRule) -> Result<String, String> {
    let known = scene.routing.versions.get(scene.target.build_id);
    let polled = known.iter().flat_map(|version| &version.queues).filter(|queue| queue.type_ == QueueType::Workflow);
    let mut names: Vec<&str> = polled.map(|queue| queue.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    match (&rule.task_queue, names.as_slice()) {
        (Some(name), names) if names.contains(&name.as_str()) => Ok(name.clone()),
        (Some(name), _) => Err(format!("it does not poll task queue {name} of its gate's workflow")),
        (None, [only]) => Ok((*only).to_owned()),
        (None, []) => Err("it polls no task queue for workflows, and its gate has one".to_owned()),
        (None, _) => Err("it polls several task queues for workflows; name one in the gate's taskQueue".to_owned()),
    }
}

fn query(scene: &Scene<'_>, rule: &GateRule) -> Standing {
    let build_id = scene.target.build_id.to_owned();
    let query = Query { url: rule.url.clone(), query: rule.query.clone(), build_id };
    match scene.routing.asked.queries.get(&query) {
        None => Standing::Asks(Question::Query(query)),
        Some(Err(why)) => Standing::Waits(format!("the query of its gate has no answer: {why}")),
        Some(Ok(values)) => judged(values, rule),
    }
}

fn judged(values: &[f64], rule: &GateRule) -> Standing {
    // not a number is in no bounds
    let is_good = |value: f64| rule.min.is_none_or(|min| value >= min) && rule.max.is_none_or(|max| value <= max);
    let bad = values.iter().find(|value| !is_good(**value));
    match (bad, values) {
        (_, []) => Standing::Failed("the query of its gate has no result".to_owned()),
        (Some(bad), _) => {
            let least = rule.min.map(|min| format!(", at least {min}")).unwrap_or_default();
            let most = rule.max.map(|max| format!(", at most {max}")).unwrap_or_default();
            Standing::Failed(format!("the query of its gate gives {bad}, and is to give{}", bounds(&least, &most)))
        }
        (None, _) => Standing::Passed,
    }
}

fn bounds(least: &str, most: &str) -> String {
    format!("{least}{most}").trim_start_matches(',').to_owned()
}
