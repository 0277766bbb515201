//! Between Temporal's messages and the form in which schedules are compared.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use prost::Message;
use serde_json::{Map, Value};

use super::super::proto::common::{Memo, Payload, Payloads, RetryPolicy, SearchAttributes, WorkflowType};
use super::super::proto::schedule::{
    self as proto, Schedule, ScheduleAction, SchedulePolicies, ScheduleSpec, ScheduleState, StructuredCalendarSpec,
    schedule_action::Action,
};
use super::super::proto::started::NewWorkflowExecutionInfo;
use super::super::proto::taskqueue::TaskQueue;
use super::super::proto::workflow::DescribeScheduleResponse;
use crate::schedule::{Calendar, Definition, Found, Input, Interval, Policy, Range, Retry, State, Times, Workflow};

const ENCODING: &str = "encoding";
const JSON: &str = "json/plain";
/// How SDKs write that there is nothing.
const NULL: &str = "binary/null";
/// Search attributes that servers give to the schedules' own workflows.
const SERVERS_ATTRIBUTES: [&str; 2] = ["BuildIds", "BinaryChecksums"];

/// What a server says of a schedule.
pub(super) fn found(answer: DescribeScheduleResponse) -> Found {
    let schedule = answer.schedule.unwrap_or_default();
    let info = answer.info.unwrap_or_default();
    let attributes = answer.search_attributes.map(|all| values(&all.indexed_fields)).unwrap_or_default();
    let is_users = |name: &String| !name.starts_with("Temporal") && !SERVERS_ATTRIBUTES.contains(&name.as_str());
    let state = schedule.state.clone().unwrap_or_default();
    Found {
        raw: schedule.encode_to_vec(),
        definition: Definition {
            times: times(schedule.spec.unwrap_or_default()),
            workflow: schedule.action.and_then(|action| action.action).map(workflow).unwrap_or_default(),
            policy: policy(schedule.policies.unwrap_or_default()),
            search_attributes: Some(attributes.into_iter().filter(|(name, _)| is_users(name)).collect()),
        },
        state: State {
            notes: state.notes,
            paused: state.paused,
            limited: state.limited_actions,
            remaining: state.remaining_actions,
        },
        memo: answer.memo.map(|memo| inputs(&memo.fields)).unwrap_or_default(),
        token: answer.conflict_token,
        updated: info.update_time.and_then(timestamp),
        has_future: !info.future_action_times.is_empty(),
    }
}

fn times(spec: ScheduleSpec) -> Times {
    let interval = |spec: proto::IntervalSpec| Interval { every: span(spec.interval), offset: span(spec.phase) };
    Times {
        calendars: spec.structured_calendar.into_iter().map(calendar).collect(),
        intervals: spec.interval.into_iter().map(interval).collect(),
        excluded: spec.exclude_structured_calendar.into_iter().map(calendar).collect(),
        start: spec.start_time.and_then(timestamp),
        end: spec.end_time.and_then(timestamp),
        jitter: span(spec.jitter),
        time_zone: spec.timezone_name,
    }
}

fn calendar(spec: StructuredCalendarSpec) -> Calendar {
    let numbers = |ranges: Vec<proto::Range>| -> BTreeSet<i32> {
        let range = |range: proto::Range| Range { start: range.start, end: range.end, step: range.step };
        ranges.into_iter().map(range).flat_map(Range::numbers).collect()
    };
    Calendar {
        second: numbers(spec.second),
        minute: numbers(spec.minute),
        hour: numbers(spec.hour),
        day_of_month: numbers(spec.day_of_month),
        month: numbers(spec.month),
        year: (!spec.year.is_empty()).then(|| numbers(spec.year)),
        day_of_week: numbers(spec.day_of_week),
        comment: spec.comment,
    }
}

fn workflow(Action::StartWorkflow(info): Action) -> Workflow {
    Workflow {
        id: Some(info.workflow_id),
        type_: info.workflow_type.unwrap_or_default().name,
        task_queue: info.task_queue.unwrap_or_default().name,
        inputs: info.input.unwrap_or_default().payloads.iter().map(input).collect(),
        execution_timeout: span(info.workflow_execution_timeout),
        run_timeout: span(info.workflow_run_timeout),
        task_timeout: span(info.workflow_task_timeout),
        retry: info.retry_policy.map(|policy| Retry {
            initial: span(policy.initial_interval),
            coefficient: policy.backoff_coefficient,
            maximum: span(policy.maximum_interval),
            attempts: policy.maximum_attempts,
            fatal: policy.non_retryable_error_types,
        }),
        memo: info.memo.map(|memo| inputs(&memo.fields)).unwrap_or_default(),
        search_attributes: info.search_attributes.map(|all| values(&all.indexed_fields)).unwrap_or_default(),
    }
}

fn policy(policies: SchedulePolicies) -> Policy {
    let default = Policy::default();
    Policy {
        overlap: if policies.overlap_policy == 0 { default.overlap } else { policies.overlap_policy },
        catchup_window: policies.catchup_window.map_or(default.catchup_window, |window| span(Some(window))),
        pause_on_failure: policies.pause_on_failure,
    }
}

/// What is declared, over what a server has: what no manifest can say stays.
pub(super) fn laid_over(base: Schedule, definition: &Definition, state: &State, id: &str) -> Schedule {
    let old_spec = base.spec.unwrap_or_default();
    let old_policies = base.policies.unwrap_or_default();
    let old_workflow = match base.action.and_then(|action| action.action) {
        Some(Action::StartWorkflow(info)) => info,
        None => NewWorkflowExecutionInfo::default(),
    };
    let workflow = started(old_workflow, &definition.workflow, id);
    Schedule {
        spec: Some(ScheduleSpec { timezone_data: old_spec.timezone_data, ..spec_of(&definition.times) }),
        action: Some(ScheduleAction { action: Some(Action::StartWorkflow(workflow)) }),
        policies: Some(SchedulePolicies {
            overlap_policy: definition.policy.overlap,
            catchup_window: duration(definition.policy.catchup_window),
            pause_on_failure: definition.policy.pause_on_failure,
            keep_original_workflow_id: old_policies.keep_original_workflow_id,
        }),
        state: Some(ScheduleState {
            notes: state.notes.clone(),
            paused: state.paused,
            limited_actions: state.limited,
            remaining_actions: state.remaining,
        }),
    }
}

fn spec_of(times: &Times) -> ScheduleSpec {
    let interval = |interval: &Interval| proto::IntervalSpec {
        interval: duration(interval.every),
        phase: duration(interval.offset),
    };
    ScheduleSpec {
        interval: times.intervals.iter().map(interval).collect(),
        start_time: times.start.map(moment),
        end_time: times.end.map(moment),
        jitter: duration(times.jitter),
        structured_calendar: times.calendars.iter().map(structured).collect(),
        exclude_structured_calendar: times.excluded.iter().map(structured).collect(),
        timezone_name: times.time_zone.clone(),
        timezone_data: Vec::new(),
    }
}

fn structured(calendar: &Calendar) -> StructuredCalendarSpec {
    let ranges = |numbers: &BTreeSet<i32>| -> Vec<proto::Range> {
        let range = |range: Range| proto::Range { start: range.start, end: range.end, step: range.step };
        Range::of(numbers).into_iter().map(range).collect()
    };
    StructuredCalendarSpec {
        second: ranges(&calendar.second),
        minute: ranges(&calendar.minute),
        hour: ranges(&calendar.hour),
        day_of_month: ranges(&calendar.day_of_month),
        month: ranges(&calendar.month),
        year: calendar.year.as_ref().map(ranges).unwrap_or_default(),
        day_of_week: ranges(&calendar.day_of_week),
        comment: calendar.comment.clone(),
    }
}

fn started(base: NewWorkflowExecutionInfo, workflow: &Workflow, id: &str) -> NewWorkflowExecutionInfo {
    let kept = Some(base.workflow_id.clone()).filter(|id| !id.is_empty());
    let payloads_of = |inputs: &[Input]| inputs.iter().filter_map(payload).collect();
    NewWorkflowExecutionInfo {
        workflow_id: workflow.id.clone().or(kept).unwrap_or_else(|| id.to_owned()),
        workflow_type: Some(WorkflowType { name: workflow.type_.clone() }),
        task_queue: Some(TaskQueue { name: workflow.task_queue.clone() }),
        input: (!workflow.inputs.is_empty()).then(|| Payloads { payloads: payloads_of(&workflow.inputs) }),
        workflow_execution_timeout: duration(workflow.execution_timeout),
        workflow_run_timeout: duration(workflow.run_timeout),
        workflow_task_timeout: duration(workflow.task_timeout),
        retry_policy: workflow.retry.as_ref().map(|retry| RetryPolicy {
            initial_interval: duration(retry.initial),
            backoff_coefficient: retry.coefficient,
            maximum_interval: duration(retry.maximum),
            maximum_attempts: retry.attempts,
            non_retryable_error_types: retry.fatal.clone(),
        }),
        memo: (!workflow.memo.is_empty()).then(|| Memo { fields: payloads(&workflow.memo) }),
        search_attributes: (!workflow.search_attributes.is_empty())
            .then(|| SearchAttributes { indexed_fields: attributes(&workflow.search_attributes) }),
        ..base
    }
}

/// Search attributes as payloads; the server knows their types.
pub(super) fn attributes(all: &Map<String, Value>) -> HashMap<String, Payload> {
    all.iter().map(|(name, value)| (name.clone(), json(value))).collect()
}

/// Values as payloads. What is no JSON was never declared.
pub(super) fn payloads(all: &BTreeMap<String, Input>) -> HashMap<String, Payload> {
    all.iter().filter_map(|(name, value)| Some((name.clone(), payload(value)?))).collect()
}

fn payload(input: &Input) -> Option<Payload> {
    match input {
        Input::Json(value) => Some(json(value)),
        Input::Other(_) => None,
    }
}

fn json(value: &Value) -> Payload {
    let metadata = HashMap::from([(ENCODING.to_owned(), JSON.as_bytes().to_vec())]);
    Payload { metadata, data: value.to_string().into_bytes() }
}

fn inputs(fields: &HashMap<String, Payload>) -> BTreeMap<String, Input> {
    fields.iter().map(|(name, payload)| (name.clone(), input(payload))).collect()
}

fn input(payload: &Payload) -> Input {
    let encoding = payload.metadata.get(ENCODING).map(Vec::as_slice).unwrap_or_default();
    let value = if encoding == NULL.as_bytes() {
        Some(Value::Null)
    } else if encoding == JSON.as_bytes() {
        serde_json::from_slice(&payload.data).ok()
    } else {
        None
    };
    value.map_or_else(|| Input::Other(String::from_utf8_lossy(encoding).into_owned()), Input::Json)
}

fn values(fields: &HashMap<String, Payload>) -> Map<String, Value> {
    let value = |payload: &Payload| match input(payload) {
        Input::Json(value) => value,
        Input::Other(encoding) => Value::String(encoding),
    };
    fields.iter().map(|(name, payload)| (name.clone(), value(payload))).collect()
}

/// Zero is not sent: on the wire it would be another thing than nothing.
fn duration(span: Duration) -> Option<prost_types::Duration> {
    prost_types::Duration::try_from(span).ok().filter(|_| !span.is_zero())
}

fn span(duration: Option<prost_types::Duration>) -> Duration {
    duration.and_then(|duration| Duration::try_from(duration).ok()).unwrap_or_default()
}

fn timestamp(moment: prost_types::Timestamp) -> Option<Timestamp> {
    Timestamp::new(moment.seconds, moment.nanos).ok()
}

fn moment(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() }
}

#[cfg(test)]
mod tests;
