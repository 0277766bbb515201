//! Cases of TemporalSchedule.
#![allow(clippy::needless_pass_by_value, reason = "values are written in place")]

use super::table::Case;
use serde_json::{Value, json};

/// A manifest that is taken.
pub fn base() -> Value {
    json!({
        "apiVersion": "temporal.io/v1beta1",
        "kind": "TemporalSchedule",
        "metadata": {"name": "nightly"},
        "spec": {
            "namespaceRef": {"name": "orders"},
            "schedule": {
                "action": {"workflow": {"type": "Report", "taskQueue": "reports"}},
                "spec": {"crons": ["0 3 * * *"]},
            },
        },
    })
}

fn taken(name: &'static str, spec: Value) -> Case {
    Case { name, patch: json!({"spec": spec}), refusal: None }
}

fn refused(name: &'static str, spec: Value, words: &'static str) -> Case {
    Case { name, patch: json!({"spec": spec}), refusal: Some(words) }
}

fn times(change: Value) -> Value {
    json!({"schedule": {"spec": change}})
}

fn calendar(change: Value) -> Value {
    times(json!({"calendars": [change]}))
}

fn interval(every: &str, offset: Option<&str>) -> Value {
    let mut interval = json!({"every": every});
    if let Some(offset) = offset {
        interval["offset"] = json!(offset);
    }
    times(json!({"intervals": [interval]}))
}

fn crons(texts: &[&str]) -> Value {
    times(json!({"crons": texts}))
}

fn workflow(change: Value) -> Value {
    json!({"schedule": {"action": {"workflow": change}}})
}

fn retry(change: Value) -> Value {
    workflow(json!({"retryPolicy": change}))
}

fn policy(change: Value) -> Value {
    json!({"schedule": {"policy": change}})
}

fn state(change: Value) -> Value {
    json!({"schedule": {"state": change}})
}

/// Every case.
pub fn cases() -> Vec<Case> {
    [accepted(), references(), of_times(), of_workflows(), of_policies()].into_iter().flatten().collect()
}

fn accepted() -> Vec<Case> {
    vec![
        taken("the least", json!({})),
        taken("no times", json!({"schedule": {"spec": null}})),
        taken(
            "everything",
            json!({
                "namespaceRef": {"name": "orders", "namespace": "temporal"},
                "allowDeletion": true,
                "memo": {"team": "a", "numbers": [1, {"b": null}]},
                "searchAttributes": {"Team": "a", "Size": 3, "Share": 0.5, "Live": true, "Tags": ["a", "b"]},
                "schedule": {
                    "action": {"workflow": {
                        "id": "report", "inputs": [1, "a", {"b": [null]}, null], "executionTimeout": "24h", "runTimeout": "1h30m",
                        "taskTimeout": "10s", "memo": {"a": 1}, "searchAttributes": {"Team": "a"},
                        "retryPolicy": {
                            "initialInterval": "1s", "backoffCoefficient": "1.5", "maximumInterval": "1m", "maximumAttempts": 5,
                            "nonRetryableErrorTypes": ["Broken", "TemporalTimeout:StartToClose"],
                        },
                    }},
                    "spec": {
                        "calendars": [{
                            "second": [{"start": 0}], "minute": [{"start": 0, "end": 59, "step": 15}], "hour": [{"start": 8, "end": 18}],
                            "dayOfMonth": [{"end": 31}], "month": [{"end": 12}], "year": [{"start": 2026, "end": 2030}],
                            "dayOfWeek": [{"start": 1, "end": 5}], "comment": "working hours",
                        }],
                        "excludeCalendars": [{"month": [{"start": 12}], "dayOfMonth": [{"start": 24, "end": 26}], "hour": [{"end": 23}]}],
                        "intervals": [{"every": "1h", "offset": "19m"}, {"every": "672h"}],
                        "crons": ["CRON_TZ=Europe/Paris 0 12 * * MON-WED,FRI # noon", "CRON_TZ=Europe/Paris 30 0 12 1 */2 * 2027"],
                        "startAt": "2026-01-01T00:00:00Z", "endAt": "2030-01-01T00:00:00+01:00", "jitter": "1m30s",
                        "timezoneName": "Europe/Paris",
                    },
                    "policy": {"overlap": "bufferOne", "catchupWindow": "1h", "pauseOnFailure": true},
                    "state": {"notes": "until spring", "paused": true, "limitedActions": true, "remainingActions": 10},
                },
            }),
        ),
        taken("predefined times", crons(&["@hourly", "@daily # every day", "@every 90m/10m"])),
        taken("an end of nothing", calendar(json!({"hour": [{"start": 5, "end": 0}]}))),
        taken("a whole coefficient", retry(json!({"backoffCoefficient": 2}))),
        taken("a coefficient in thousandths", retry(json!({"backoffCoefficient": "1500m"}))),
        taken("a time zone of three parts", times(json!({"timezoneName": "America/Argentina/Buenos_Aires"}))),
    ]
}

fn references() -> Vec<Case> {
    vec![
        refused("no namespace", json!({"namespaceRef": null}), "spec.namespaceRef: Required value"),
        refused("a namespace without a name", json!({"namespaceRef": {"name": ""}}), "spec.namespaceRef.name"),
        refused("no action", json!({"schedule": {"action": null}}), "spec.schedule.action: Required value"),
    ]
}

fn of_times() -> Vec<Case> {
    let duration = "must be a Go duration of hours, minutes and seconds, not negative";
    let cron = "spec.crons: each must have 5, 6 or 7 fields";
    vec![
        refused("a second of 60", calendar(json!({"second": [{"start": 60}]})), "second[0].start"),
        refused("an hour of 24", calendar(json!({"hour": [{"start": 20, "end": 24}]})), "hour[0].end"),
        refused("a day 0", calendar(json!({"dayOfMonth": [{"start": 0}]})), "dayOfMonth[0].start"),
        refused("a month 13", calendar(json!({"month": [{"start": 13}]})), "month[0].start"),
        refused("a year before all servers", calendar(json!({"year": [{"start": 1999}]})), "year[0].start"),
        refused("an eighth day of the week", calendar(json!({"dayOfWeek": [{"start": 7}]})), "dayOfWeek[0].start"),
        refused("a step back", calendar(json!({"minute": [{"start": 1, "end": 9, "step": -1}]})), "minute[0].step"),
        refused(
            "a range over the end",
            calendar(json!({"hour": [{"start": 22, "end": 2}]})),
            "end: must not be before start",
        ),
        refused(
            "a range over the end in exclusions",
            times(json!({"excludeCalendars": [{"month": [{"start": 11, "end": 2}]}]})),
            "end: must not be before start",
        ),
        refused("an interval in days", interval("1d", None), duration),
        refused("a negative interval", interval("-1h", None), duration),
        refused("an interval of nothing", interval("0s", None), "intervals.every: must be at least 1s"),
        refused("no interval", times(json!({"intervals": [{"offset": "1m"}]})), "every: Required value"),
        refused("an offset in words", interval("1h", Some("soon")), duration),
        refused("an offset of the interval", interval("1h", Some("60m")), "offset must be less than every"),
        refused("a cron of 4 fields", crons(&["0 3 * *"]), cron),
        refused("a cron of 8 fields", crons(&["0 0 3 * * * 2027 1"]), cron),
        refused("a cron in words", crons(&["every night"]), cron),
        refused("a cron at reboot", crons(&["@reboot"]), cron),
        refused("an empty cron", crons(&[""]), "crons[0]"),
        refused("a time that is none", times(json!({"startAt": "tomorrow"})), "spec.schedule.spec.startAt"),
        refused(
            "a start after the end",
            times(json!({"startAt": "2027-01-01T00:00:00Z", "endAt": "2026-01-01T00:00:00Z"})),
            "spec.startAt: is after endAt",
        ),
        refused("a jitter below nothing", times(json!({"jitter": "-5s"})), duration),
        refused(
            "an offset as time zone",
            times(json!({"timezoneName": "+01:00"})),
            "spec.timezoneName: must be an IANA name",
        ),
        refused(
            "two time zones",
            times(json!({"timezoneName": "Europe/Rome", "crons": ["TZ=UTC 0 3 * * *"]})),
            "spec.timezoneName: a cron string names another time zone",
        ),
    ]
}

fn of_workflows() -> Vec<Case> {
    let coefficient = "retryPolicy.backoffCoefficient: must be a number of at least 1";
    vec![
        refused("no workflow type", workflow(json!({"type": null})), "workflow.type: Required value"),
        refused("an empty workflow type", workflow(json!({"type": ""})), "spec.schedule.action.workflow.type"),
        refused("no task queue", workflow(json!({"taskQueue": null})), "workflow.taskQueue: Required value"),
        refused("an empty task queue", workflow(json!({"taskQueue": ""})), "spec.schedule.action.workflow.taskQueue"),
        refused("a queue of Temporal's", workflow(json!({"taskQueue": "/_sys/a"})), "are Temporal's own"),
        refused(
            "inputs that are no list",
            workflow(json!({"inputs": {"a": 1}})),
            "spec.schedule.action.workflow.inputs",
        ),
        refused("a memo that is no object", workflow(json!({"memo": [1]})), "spec.schedule.action.workflow.memo"),
        refused("a timeout in days", workflow(json!({"runTimeout": "1d"})), "runTimeout"),
        refused("a coefficient below 1", retry(json!({"backoffCoefficient": "0.5"})), coefficient),
        refused("a coefficient of 0", retry(json!({"backoffCoefficient": 0})), coefficient),
        refused("a coefficient in words", retry(json!({"backoffCoefficient": "twice"})), coefficient),
        refused(
            "a longest interval before the first",
            retry(json!({"initialInterval": "1m", "maximumInterval": "30s"})),
            "retryPolicy.maximumInterval: must not be less than initialInterval",
        ),
        refused(
            "a longest interval before the default one",
            retry(json!({"maximumInterval": "500ms"})),
            "retryPolicy.maximumInterval: must not be less than initialInterval",
        ),
        refused("fewer attempts than none", retry(json!({"maximumAttempts": -1})), "retryPolicy.maximumAttempts"),
        refused(
            "a timeout that is none",
            retry(json!({"nonRetryableErrorTypes": ["TemporalTimeout:Never"]})),
            "behind TemporalTimeout: one of",
        ),
    ]
}

fn of_policies() -> Vec<Case> {
    vec![
        refused("an unknown overlap", policy(json!({"overlap": "queue"})), "spec.schedule.policy.overlap"),
        refused(
            "a short catch-up window",
            policy(json!({"catchupWindow": "5s"})),
            "policy.catchupWindow: must be at least 10s",
        ),
        refused(
            "a negative number of actions",
            state(json!({"limitedActions": true, "remainingActions": -1})),
            "remainingActions",
        ),
        refused(
            "actions without a limit",
            state(json!({"remainingActions": 3})),
            "state.remainingActions: counts only with limitedActions",
        ),
        refused("attributes that are no object", json!({"searchAttributes": ["a"]}), "spec.searchAttributes"),
    ]
}
