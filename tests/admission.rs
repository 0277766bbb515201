//! What the API server refuses by the rules in the CRD, the loop refuses as well, should a rule be missing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

#[path = "admission/namespaces.rs"]
mod namespaces;
#[path = "admission/schedules.rs"]
mod schedules;
#[path = "admission/table.rs"]
mod table;
#[path = "admission/workers.rs"]
mod workers;

use serde::de::DeserializeOwned;
use serde_json::Value;
use table::Case;
use temporal_operator::api::{TemporalCluster, TemporalNamespace, TemporalSchedule, TemporalWorker};
use temporal_operator::validate::{self, Invalid};

/// Bounds that only the schema checks, since nothing depends on them.
const SCHEMA_ONLY: [&str; 15] = [
    "too many shards",
    "a name with a dot",
    "a name that begins with a digit",
    "an empty cluster name",
    "a cluster name with a space",
    "a TTL of nothing",
    "no UI pods",
    "fewer than no connections",
    "a store name with a space",
    "dynamic config without values",
    "no Google service account",
    "a database that grants nothing",
    "a priority without a name",
    "a tools version with a space",
    "a UI version with a colon",
];

#[test]
fn validate_agrees_with_the_table() {
    let cases = table::cases();
    assert!(cases.iter().filter(|c| c.refusal.is_some()).count() >= 60);
    agrees(&table::base(), &cases, |cluster: &TemporalCluster| validate::cluster(cluster).map(drop));
}

#[test]
fn validate_agrees_with_the_table_of_schedules() {
    let cases = schedules::cases();
    assert!(cases.iter().filter(|c| c.refusal.is_some()).count() >= 40);
    agrees(&schedules::base(), &cases, |schedule: &TemporalSchedule| validate::schedule(schedule).map(drop));
}

/// Bounds of workers that only the schema checks.
const WORKERS_SCHEMA_ONLY: [&str; 18] = [
    "fewer pods than none",
    "a deadline of nothing",
    "no steps",
    "steps of nothing",
    "steps down",
    "steps on the spot",
    "a step of all",
    "a pause in words",
    "a gate of nothing",
    "a gate that nothing fails",
    "a URL of another kind",
    "a bound in words",
    "an input from nowhere",
    "a sunset in days",
    "no backlog at all",
    "more than all slots",
    "an age in words",
    "a queue without a name",
];

#[test]
fn validate_agrees_with_the_table_of_workers() {
    let mut cases = workers::cases();
    assert!(cases.iter().filter(|c| c.refusal.is_some()).count() >= 50);
    cases.retain(|c| !WORKERS_SCHEMA_ONLY.contains(&c.name));
    agrees(&workers::base(), &cases, |worker: &TemporalWorker| validate::worker(worker).map(drop));
}

/// Whether the loop takes and refuses what the table says.
fn agrees<K: DeserializeOwned>(base: &Value, cases: &[Case], validate: impl Fn(&K) -> Result<(), Invalid>) {
    let mut wrong = Vec::new();
    for case in cases.iter().filter(|c| !SCHEMA_ONLY.contains(&c.name)) {
        let mut manifest = base.clone();
        table::merge(&mut manifest, &case.patch);
        // what does not even fit the types is refused by them
        let Ok(object) = serde_json::from_value::<K>(manifest) else {
            if case.refusal.is_none() {
                wrong.push(format!("{}: does not fit the types", case.name));
            }
            continue;
        };
        match (validate(&object), case.refusal) {
            (Ok(()), Some(_)) => wrong.push(format!("{}: taken", case.name)),
            (Err(invalid), None) => wrong.push(format!("{}: refused: {invalid}", case.name)),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Bounds of namespaces that only the schema checks.
const NAMESPACES_SCHEMA_ONLY: [&str; 2] = ["an owner's address that is a letter", "a hundred and one attributes"];

#[test]
fn validate_agrees_with_the_table_of_namespaces() {
    let mut wrong = Vec::new();
    let cases = namespaces::cases();
    assert!(cases.iter().filter(|c| c.refusal.is_some()).count() >= 25);
    for case in cases.iter().filter(|c| !NAMESPACES_SCHEMA_ONLY.contains(&c.name)) {
        let mut manifest = namespaces::base();
        table::merge(&mut manifest, &case.patch);
        let Ok(namespace) = serde_json::from_value::<TemporalNamespace>(manifest) else {
            if case.refusal.is_none() {
                wrong.push(format!("{}: does not fit the types", case.name));
            }
            continue;
        };
        match (validate::namespace(&namespace), case.refusal) {
            (Ok(_), Some(_)) => wrong.push(format!("{}: taken", case.name)),
            (Err(invalid), None) => wrong.push(format!("{}: refused: {invalid}", case.name)),
            // what a rule says, validate says in the same words
            (Err(invalid), Some(words)) if words.starts_with("spec.") && !words.contains("Unsupported") => {
                let said = invalid.to_string();
                if !said.contains(words) {
                    wrong.push(format!("{}: says {said:?}, not {words:?}", case.name));
                }
            }
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_sample_of_a_namespace_is_taken() {
    let sample = std::fs::read_to_string("config/samples/namespace/temporalnamespace.yaml").unwrap();
    let namespace: TemporalNamespace = serde_yaml::from_str(&sample).unwrap();
    let valid = validate::namespace(&namespace).unwrap();
    assert_eq!(valid.cluster.to_string(), "temporal-demo/demo");
}
