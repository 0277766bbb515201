//! In which fields two definitions differ, by the names of the manifest.

use super::Definition;

/// The fields of a `TemporalSchedule` in which Temporal has something else than the manifest. What the manifest leaves open
/// (the workflow's id, the schedule's own search attributes) may be anything.
#[must_use]
pub fn differences(wanted: &Definition, found: &Definition) -> Vec<&'static str> {
    let (times, other) = (&wanted.times, &found.times);
    let (workflow, started) = (&wanted.workflow, &found.workflow);
    let (policy, kept) = (&wanted.policy, &found.policy);
    let all = [
        ("schedule.spec.calendars or crons", times.calendars == other.calendars),
        ("schedule.spec.intervals or crons", times.intervals == other.intervals),
        ("schedule.spec.excludeCalendars", times.excluded == other.excluded),
        ("schedule.spec.startAt", times.start == other.start),
        ("schedule.spec.endAt", times.end == other.end),
        ("schedule.spec.jitter", times.jitter == other.jitter),
        ("schedule.spec.timezoneName", times.time_zone == other.time_zone),
        ("schedule.action.workflow.id", workflow.id.is_none() || workflow.id == started.id),
        ("schedule.action.workflow.type", workflow.type_ == started.type_),
        ("schedule.action.workflow.taskQueue", workflow.task_queue == started.task_queue),
        ("schedule.action.workflow.inputs", workflow.inputs == started.inputs),
        ("schedule.action.workflow.executionTimeout", workflow.execution_timeout == started.execution_timeout),
        ("schedule.action.workflow.runTimeout", workflow.run_timeout == started.run_timeout),
        ("schedule.action.workflow.taskTimeout", workflow.task_timeout == started.task_timeout),
        ("schedule.action.workflow.retryPolicy", workflow.retry == started.retry),
        ("schedule.action.workflow.memo", workflow.memo == started.memo),
        ("schedule.action.workflow.searchAttributes", workflow.search_attributes == started.search_attributes),
        ("schedule.policy.overlap", policy.overlap == kept.overlap),
        ("schedule.policy.catchupWindow", policy.catchup_window == kept.catchup_window),
        ("schedule.policy.pauseOnFailure", policy.pause_on_failure == kept.pause_on_failure),
        ("searchAttributes", wanted.search_attributes.is_none() || wanted.search_attributes == found.search_attributes),
    ];
    all.into_iter().filter(|(_, same)| !same).map(|(field, _)| field).collect()
}
