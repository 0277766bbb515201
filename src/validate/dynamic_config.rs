//! Rules of dynamic config, and which keys each server knows.

use super::{Problems, duration};
use crate::api::observability::{Constraints, DynamicConfigSpec, is_task_queue_type, task_type_since};
use semver::Version;
use std::time::Duration;

/// The server refuses a shorter poll interval (server 1.30 `dynamicconfig/file_based_client.go`).
const LEAST_POLL: Duration = Duration::from_secs(5);
const DEFAULT_POLL: Duration = Duration::from_secs(10);

/// Keys by minor version, one a line; written by `src/validate/dynamic_config_keys/extract.sh`.
const KEYS: [(u64, &str); 3] = [
    (30, include_str!("dynamic_config_keys/1.30.txt")),
    (31, include_str!("dynamic_config_keys/1.31.txt")),
    (32, include_str!("dynamic_config_keys/1.32.txt")),
];
/// Keys named in a warning.
const NAMED: usize = 3;
/// A typing error is closer than this to what was meant: 1 is equal.
const CLOSE: f64 = 0.75;

/// Checks keys and constraints; the poll interval.
pub(super) fn read(
    spec: Option<&DynamicConfigSpec>,
    version: Option<&Version>,
    problems: &mut Problems,
    warnings: &mut Vec<String>,
) -> Duration {
    let Some(spec) = spec else { return DEFAULT_POLL };
    for (key, values) in &spec.values {
        let field = format!("spec.dynamicConfig.values[{key}]");
        problems.require(!key.trim().is_empty(), &field, "a key must have a name");
        problems.require(!values.is_empty(), &field, "must have at least one value; remove the key instead");
        for constraints in values.iter().filter_map(|v| v.constraints.as_ref()) {
            check(constraints, version, &format!("{field}.constraints"), problems);
        }
    }
    warnings.extend(version.and_then(|v| unknown_keys(spec.values.keys(), v)));
    match spec.poll_interval.as_deref().map(duration::parse) {
        None => DEFAULT_POLL,
        Some(Some(poll)) if poll >= LEAST_POLL => poll,
        Some(_) => {
            problems.add("spec.dynamicConfig.pollInterval", "must be a Go duration of at least 5s, for example 10s");
            DEFAULT_POLL
        }
    }
}

/// With which two visibility stores are both written (server 1.30–1.32 `visibility/manager_selector.go`).
pub const WRITING_MODE: &str = "system.secondaryVisibilityWritingMode";
/// Its value.
pub const WRITE_BOTH: &str = "dual";
/// From which of two visibility stores workflows are listed, by namespace.
pub const READ_SECOND: &str = "system.enableReadFromSecondaryVisibility";

/// Beside a second visibility store any other mode would leave one of the two behind.
pub(super) fn check_writing_mode(spec: Option<&DynamicConfigSpec>, two: bool, problems: &mut Problems) {
    let values = spec.into_iter().flat_map(|s| &s.values).filter(|(key, _)| key.eq_ignore_ascii_case(WRITING_MODE));
    for (key, _) in values.filter(|(_, values)| two && values.iter().any(|v| v.value != WRITE_BOTH)) {
        problems.add(
            format!("spec.dynamicConfig.values[{key}]"),
            "must be dual beside persistence.secondaryVisibilityStore, or one of the two stores would be left behind; remove it, the operator sets it",
        );
    }
}

/// A constraint that the server cannot read makes it refuse the whole file (server 1.30–1.32
/// `dynamicconfig/yaml_loader.go`, `convertYamlConstraints`).
fn check(constraints: &Constraints, version: Option<&Version>, field: &str, problems: &mut Problems) {
    if let Some(name) = &constraints.task_queue_type {
        problems.require(
            is_task_queue_type(name),
            &format!("{field}.taskQueueType"),
            "unknown; use Workflow, Activity or Nexus",
        );
    }
    let needs = |since: u64| version.is_none_or(|v| v.minor >= since);
    if let Some(name) = &constraints.task_type {
        let field = format!("{field}.taskType");
        match task_type_since(name) {
            None => problems.add(field, "unknown; use a history task type of Temporal, such as TransferActivityTask"),
            Some(since) if !needs(since) => {
                problems.add(field, format!("servers know {name} from 1.{since} on; remove the value"));
            }
            Some(_) => {}
        }
    }
    problems.require(
        constraints.chasm_task_type.is_none() || needs(31),
        &format!("{field}.chasmTaskType"),
        "servers know it from 1.31 on; remove the value",
    );
    problems.require(constraints.shard_id.is_none_or(|s| s >= 0), &format!("{field}.shardId"), "must not be negative");
    for key in constraints.unknown.keys() {
        problems.add(
            format!("{field}.{key}"),
            "unknown constraint; use namespace, namespaceId, taskQueueName, taskQueueType, taskType, shardId, destination or chasmTaskType",
        );
    }
}

/// What to say of keys that the server ignores. It compares them without regard to case (`dynamicconfig/key.go`).
fn unknown_keys<'a>(keys: impl Iterator<Item = &'a String>, version: &Version) -> Option<String> {
    let (_, known) = KEYS.iter().find(|(minor, _)| *minor == version.minor)?;
    let unknown: Vec<_> = keys.filter(|key| !known.lines().any(|k| k.eq_ignore_ascii_case(key))).collect();
    let named: Vec<_> = unknown
        .iter()
        .take(NAMED)
        .map(|key| nearest(key, known).map_or_else(|| format!("{key:?}"), |k| format!("{key:?} (is {k:?} meant?)")))
        .collect();
    let more = match unknown.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let text =
        format!("server {version} ignores the dynamic config of keys it does not know: {}{more}", named.join(", "));
    (!unknown.is_empty()).then_some(text)
}

/// The known key that is most like this one, if any is.
fn nearest<'a>(key: &str, known: &'a str) -> Option<&'a str> {
    let key = key.to_lowercase();
    let likeness = |k: &'a str| (strsim::normalized_damerau_levenshtein(&key, &k.to_lowercase()), k);
    let best = known.lines().map(likeness).max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.filter(|(likeness, _)| *likeness >= CLOSE).map(|(_, key)| key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::version::RELEASES;
    use rstest::rstest;
    use serde_json::{Value, json};

    fn said(minor: u64, spec: &Value) -> (Vec<String>, Vec<String>) {
        let spec = serde_json::from_value(json!({"values": spec})).unwrap();
        let (mut problems, mut warnings) = (Problems::default(), Vec::new());
        read(Some(&spec), Some(&Version::new(1, minor, 0)), &mut problems, &mut warnings);
        (problems.0.into_iter().map(|p| format!("{}: {}", p.field, p.message)).collect(), warnings)
    }

    #[test]
    fn every_supported_server_has_its_keys() {
        for release in &RELEASES {
            let keys = KEYS.iter().find(|(minor, _)| *minor == release.minor).unwrap().1;
            assert!(keys.lines().count() > 500, "{}", release.minor);
            assert!(keys.lines().any(|k| k == "limit.blobSize.error"));
        }
    }

    #[test]
    fn keys_are_known_whatever_their_case() {
        let (refused, warnings) = said(31, &json!({"LIMIT.blobsize.error": [{"value": 1}]}));
        assert_eq!((refused, warnings), (Vec::new(), Vec::new()));
    }

    #[test]
    fn a_typing_error_is_told_with_what_was_meant() {
        let (_, warnings) = said(31, &json!({"limit.blobSise.error": [{"value": 1}], "zzz": [{"value": 1}]}));
        assert_eq!(
            warnings,
            [
                "server 1.31.0 ignores the dynamic config of keys it does not know: \"limit.blobSise.error\" (is \"limit.blobSize.error\" meant?), \"zzz\""
            ]
        );
    }

    #[rstest]
    #[case("dual", true, true)]
    #[case("off", true, false)]
    #[case("on", true, false)]
    #[case("off", false, true)]
    fn two_visibility_stores_are_both_written(#[case] mode: &str, #[case] two: bool, #[case] taken: bool) {
        let spec = serde_json::from_value(json!({"values": {WRITING_MODE.to_uppercase(): [{"value": mode}]}})).unwrap();
        let mut problems = Problems::default();
        check_writing_mode(Some(&spec), two, &mut problems);
        assert_eq!(problems.0.is_empty(), taken, "{:?}", problems.0);
    }

    #[rstest]
    #[case(30, json!({"taskQueueType": "Workflow", "taskType": "UserTimer"}), None)]
    #[case(30, json!({"taskQueueType": "TASK_QUEUE_TYPE_NEXUS", "taskType": "TASK_TYPE_USER_TIMER"}), None)]
    #[case(32, json!({"taskType": "WorkerCommands", "chasmTaskType": "a"}), None)]
    #[case(31, json!({"taskType": "WorkerCommands"}), Some("from 1.32 on"))]
    #[case(30, json!({"chasmTaskType": "a"}), Some("from 1.31 on"))]
    #[case(31, json!({"taskType": "Timer"}), Some("taskType: unknown"))]
    #[case(31, json!({"taskType": "Unspecified"}), Some("taskType: unknown"))]
    #[case(31, json!({"taskQueueType": "workflow"}), Some("taskQueueType: unknown"))]
    #[case(31, json!({"shardId": -1}), Some("must not be negative"))]
    #[case(31, json!({"nameSpace": "a"}), Some("constraints.nameSpace: unknown constraint"))]
    fn constraints_are_checked(#[case] minor: u64, #[case] constraints: Value, #[case] refusal: Option<&str>) {
        let (refused, _) = said(minor, &json!({"limit.blobSize.error": [{"value": 1, "constraints": constraints}]}));
        match refusal {
            None => assert!(refused.is_empty(), "{refused:?}"),
            Some(words) => assert!(refused.len() == 1 && refused[0].contains(words), "{refused:?}"),
        }
    }
}
