//! What a manifest of a worker becomes, and what a change of it would do, offline.

use crate::api::worker::Strategy;
use crate::build::worker::{ConfigVersions, Surroundings, Version, build_id, deployment, disruption_budget, revision};
use crate::build::{Kind, Object, ObjectKey};
use crate::plan::preview::{Change, Preview, Step, body, differ, of_deployment};
use crate::validate::{GatePolicy, RolloutPolicy, ValidWorker, duration};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The objects of a worker that is new, in the order they are applied. `address`: host and port of the frontend.
#[must_use]
pub fn objects(worker: &ValidWorker, address: &str) -> Vec<Object> {
    let pods = given(worker).or(Some(begins_with(worker)));
    let mut all = of_version(worker, (&build_id(worker), &worker.template, 1), pods, address);
    all.sort_by_key(Object::kind);
    all
}

/// What would be done to make of the one worker the other.
#[must_use]
pub fn preview(old: &ValidWorker, new: &ValidWorker, addresses: (&str, &str)) -> Preview {
    let (before, after) = (build_id(old), build_id(new));
    let first = of_version(old, (&before, &old.template, 1), given(old), addresses.0);
    let mut then = Vec::new();
    if before == after {
        let number = if old.template == new.template { 1 } else { 2 };
        then.extend(of_version(new, (&after, &new.template, number), given(new), addresses.1));
    } else {
        // the pods of the version before stay, as the new manifest has them
        then.extend(of_version(new, (&before, &old.template, 1), given(new), addresses.1));
        let pods = given(new).or(Some(begins_with(new)));
        then.extend(of_version(new, (&after, &new.template, 2), pods, addresses.1));
    }
    let changes = differ(&bodies(&first), &bodies(&then));
    let mut steps = steps(&changes);
    if before != after {
        steps.extend(rollout(&new.rollout, &after, &before).into_iter().map(Step::Traffic));
    }
    Preview { steps, changes }
}

fn steps(changes: &[Change]) -> Vec<Step> {
    let is_deployment = |change: &Change| change.key.kind == Kind::Deployment;
    let keys = |are: &dyn Fn(&Change) -> bool| {
        let keys: Vec<ObjectKey> = changes.iter().filter(|c| are(c)).map(|c| c.key.clone()).collect();
        Some(keys).filter(|keys| !keys.is_empty())
    };
    let plain = keys(&|change| !is_deployment(change) && change.after.is_some());
    let deployments = changes.iter().filter(|change| is_deployment(change));
    let gone = keys(&|change| change.after.is_none());
    let mut steps: Vec<Step> = plain.map(Step::Apply).into_iter().collect();
    steps.extend(deployments.filter_map(|change| of_deployment(None, change)));
    steps.extend(gone.map(Step::Remove));
    steps
}

fn bodies(objects: &[Object]) -> BTreeMap<ObjectKey, Value> {
    objects.iter().filter_map(|object| Some((object.key(), body(object)?))).collect()
}

/// The objects of a version: its build id, its template and its place in the order of versions.
fn of_version(
    worker: &ValidWorker,
    (build_id, template, number): (&str, &Map<String, Value>, i64),
    replicas: Option<i32>,
    address: &str,
) -> Vec<Object> {
    // what Secrets hold is not known offline
    let around = Surroundings { address, client_has_ca: false, configs: &ConfigVersions::new() };
    let mut all: Vec<Object> =
        deployment(worker, &Version { build_id, template, replicas }, &around).into_iter().collect();
    if worker.versioned {
        all.push(revision(worker, build_id, number, template));
    }
    if replicas != Some(0) {
        all.push(disruption_budget(worker, build_id));
    }
    all
}

/// Number of pods that the manifest gives; none where work or somebody else decides on it.
fn given(worker: &ValidWorker) -> Option<i32> {
    let least = i32::from(worker.versioned);
    match (&worker.scaling, worker.replicas) {
        (Some(_), _) => None,
        (None, Some(given)) => Some(given.max(least)),
        (None, None) => worker.versioned.then_some(1),
    }
}

/// Number of pods of a Deployment that is new.
fn begins_with(worker: &ValidWorker) -> i32 {
    let least = i32::from(worker.versioned);
    worker.scaling.as_ref().map_or(1, |policy| policy.min.max(least))
}

/// What becomes of a new version, and of the one before, in sentences without their full stop.
fn rollout(policy: &RolloutPolicy, new: &str, old: &str) -> Vec<String> {
    let mut steps = vec![format!("Wait until the pods of version {new} are ready and poll its task queues")];
    let promoted = policy.promote.as_deref() == Some(new);
    if policy.paused {
        steps.push("Move no traffic as long as spec.rollout.paused is true".to_owned());
    }
    match policy.strategy {
        _ if promoted => {}
        Strategy::Manual => {
            steps.push(format!(
                "Leave version {new} without traffic until spec.rollout.promote names it, or somebody moves traffic in Temporal"
            ));
        }
        Strategy::AllAtOnce => steps.extend(gate(policy.gate.as_ref(), new)),
        Strategy::Progressive => {
            steps.extend(gate(policy.gate.as_ref(), new));
            for step in &policy.steps {
                let (percent, pause) = (step.percent, duration::write(step.pause));
                steps.push(format!("Give version {new} {percent} % of new workflows, for {pause} at least"));
                steps.extend(gate(step.gate.as_ref(), new));
            }
        }
    }
    if promoted || policy.strategy != Strategy::Manual {
        steps.push(format!("Make version {new} current"));
    }
    let (down, delete) = (duration::write(policy.scale_down_after), duration::write(policy.delete_after));
    steps.push(format!(
        "Keep the pods of version {old} while workflows are pinned to it; remove them {down} after the last one, and the version {delete} after it"
    ));
    steps
}

fn gate(gate: Option<&GatePolicy>, new: &str) -> Vec<String> {
    let Some(gate) = gate else { return Vec::new() };
    let workflow = gate.workflow.as_ref().map(|rule| {
        let timeout = duration::write(rule.timeout);
        let again = if rule.attempts > 1 { format!(", {} times at most", rule.attempts) } else { String::new() };
        format!("Run workflow {} on version {new}{again}; it must complete within {timeout}", rule.type_)
    });
    let query =
        gate.query.as_ref().map(|rule| format!("Ask {} for the query of the gate; it must be in bounds", rule.url));
    workflow.into_iter().chain(query).collect()
}
