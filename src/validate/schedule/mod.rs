//! From a `TemporalSchedule` to what Temporal is to have.

mod action;
mod times;

use super::{Invalid, Problems, is_dns_label};
use crate::api::annotations;
use crate::api::schedule::{Overlap, PolicySpec, StateSpec, TemporalSchedule};
use crate::schedule::{Definition, Input, Policy, State, duration as go};
use kube::ResourceExt;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// A schedule as it can be carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidSchedule {
    /// Its id in Temporal.
    pub id: String,
    /// Kubernetes namespace of its resource.
    pub namespace: String,
    /// Kubernetes namespace and name of its `TemporalNamespace`.
    pub namespace_ref: (String, String),
    /// What it does.
    pub definition: Definition,
    /// How it begins.
    pub state: State,
    /// The same as written, to be remembered.
    pub declared_state: StateSpec,
    /// Notes on it, given when it is made; `None` when the manifest leaves them open.
    pub memo: Option<BTreeMap<String, Input>>,
    /// `spec.schedule` as written, to be known again.
    pub declared: String,
    /// Whether it goes with its resource.
    pub deletes: bool,
    /// Whether its resource is being deleted.
    pub deleting: bool,
}

/// Reads a manifest.
///
/// # Errors
/// With every problem in it.
pub fn read(resource: &TemporalSchedule) -> Result<ValidSchedule, Invalid> {
    let mut problems = Problems::default();
    let spec = &resource.spec;
    let namespace = resource.namespace().unwrap_or_else(|| "default".to_owned());
    let reference = &spec.namespace_ref;
    problems.require(!reference.name.is_empty(), "spec.namespaceRef.name", "is empty; name a TemporalNamespace");
    let foreign = reference.namespace_from(&namespace);
    problems.require(
        is_dns_label(&foreign),
        "spec.namespaceRef.namespace",
        "must be the name of a Kubernetes namespace; correct it",
    );
    let let_go = resource.annotations().get(annotations::LET_GO).is_some_and(|value| value == "true");
    let declared_state = spec.schedule.state.clone().unwrap_or_default();
    let valid = ValidSchedule {
        id: resource.name_any(),
        namespace_ref: (foreign, reference.name.clone()),
        namespace,
        definition: Definition {
            times: times::read(spec.schedule.spec.as_ref(), &mut problems),
            workflow: action::read(&spec.schedule.action.workflow, &mut problems),
            policy: policy(spec.schedule.policy.as_ref(), &mut problems),
            search_attributes: spec
                .search_attributes
                .as_ref()
                .map(|all| search_attributes("spec.searchAttributes", all, &mut problems)),
        },
        state: state(&declared_state, &mut problems),
        declared_state,
        memo: spec.memo.as_ref().map(memo),
        declared: serde_json::to_string(&spec.schedule).unwrap_or_default(),
        deletes: spec.allow_deletion && !let_go,
        deleting: resource.metadata.deletion_timestamp.is_some(),
    };
    if problems.0.is_empty() { Ok(valid) } else { Err(Invalid { problems: problems.0 }) }
}

fn policy(spec: Option<&PolicySpec>, problems: &mut Problems) -> Policy {
    let spec = spec.cloned().unwrap_or_default();
    let field = "spec.schedule.policy.catchupWindow";
    let window = spec.catchup_window.as_deref().map(|text| duration(field, text, problems));
    problems.require(
        window.is_none_or(|window| window >= Duration::from_secs(10)),
        field,
        "must be at least 10s, the least that Temporal keeps",
    );
    Policy {
        overlap: number_of(spec.overlap.unwrap_or_default()),
        catchup_window: window.unwrap_or(Policy::default().catchup_window),
        pause_on_failure: spec.pause_on_failure.unwrap_or(false),
    }
}

/// Temporal's numbers (`temporal/api/enums/v1/schedule.proto`).
fn number_of(overlap: Overlap) -> i32 {
    match overlap {
        Overlap::Skip => 1,
        Overlap::BufferOne => 2,
        Overlap::BufferAll => 3,
        Overlap::CancelOther => 4,
        Overlap::TerminateOther => 5,
        Overlap::AllowAll => 6,
    }
}

fn state(spec: &StateSpec, problems: &mut Problems) -> State {
    let remaining = spec.remaining_actions.unwrap_or(0);
    let limited = spec.limited_actions.unwrap_or(false);
    let field = "spec.schedule.state.remainingActions";
    problems.require(remaining >= 0, field, "must not be negative");
    problems.require(
        remaining == 0 || limited,
        field,
        "counts only with limitedActions: true; set that, or remove the number",
    );
    State { notes: spec.notes.clone().unwrap_or_default(), paused: spec.paused.unwrap_or(false), limited, remaining }
}

fn memo(spec: &Map<String, Value>) -> BTreeMap<String, Input> {
    spec.iter().map(|(name, value)| (name.clone(), Input::Json(value.clone()))).collect()
}

/// Search attributes hold words, numbers, truths and lists of words.
fn search_attributes(field: &str, all: &Map<String, Value>, problems: &mut Problems) -> Map<String, Value> {
    for (name, value) in all {
        let fits = match value {
            Value::String(_) | Value::Number(_) | Value::Bool(_) => true,
            Value::Array(list) => list.iter().all(Value::is_string),
            Value::Null | Value::Object(_) => false,
        };
        problems.require(
            fits,
            &format!("{field}.{name}"),
            "must be a string, a number, a boolean or a list of strings",
        );
    }
    all.clone()
}

/// A Go duration; zero when it is none, which is noted.
fn duration(field: &str, text: &str, problems: &mut Problems) -> Duration {
    let parsed = go::parse(text);
    problems.require(
        parsed.is_some(),
        field,
        "must be a Go duration of hours, minutes and seconds, not negative, such as 1h30m; a day is 24h",
    );
    parsed.unwrap_or_default()
}

/// Zero when it is not given.
fn optional_duration(field: &str, text: Option<&str>, problems: &mut Problems) -> Duration {
    text.map(|text| duration(field, text, problems)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
