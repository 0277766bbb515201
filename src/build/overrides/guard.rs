//! What must be the same after a user's changes, however they were made.

use super::merge::merge_key;
use crate::api::overrides::OWN_PREFIX;
use crate::validate::is_own_label;
use serde_json::{Map, Value};

/// The first thing that is broken: its path in the Deployment, and what is wrong and what to do.
pub(super) fn broken(before: &Value, after: &Value, container: &str) -> Option<(String, String)> {
    let keeps =
        |path: &str, remedy: &str| (path.to_owned(), format!("is the operator's own and would change; {remedy}"));
    if !after.is_object() || others(before, "", &["metadata", "spec"]) != others(after, "", &["metadata", "spec"]) {
        return Some(keeps("/", "change only metadata and spec"));
    }
    let names = ["labels", "annotations"];
    if others(before, "/metadata", &names) != others(after, "/metadata", &names) {
        return Some(keeps("/metadata", "of metadata change only labels and annotations"));
    }
    let fixed = [("/spec/selector", "leave it out"), ("/spec/replicas", "set replicas beside overrides")];
    if let Some((path, remedy)) = fixed.into_iter().find(|(p, _)| before.pointer(p) != after.pointer(p)) {
        return Some(keeps(path, remedy));
    }
    for parent in ["/metadata", "/spec/template/metadata"] {
        for (map, is_own) in [("labels", is_own_label as fn(&str) -> bool), ("annotations", is_own_annotation)] {
            let path = format!("{parent}/{map}");
            if own(before, &path, is_own) != own(after, &path, is_own) {
                let remedy = "keep app.kubernetes.io/name, part-of, component, instance and managed-by and those of temporal.io/ as they are";
                return Some(keeps(&path, remedy));
            }
        }
    }
    let containers = after.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    if !containers.is_some_and(|all| all.iter().any(|c| c["name"] == container)) {
        let message = format!("must have the container {container:?}; keep it, it is Temporal's");
        return Some(("/spec/template/spec/containers".to_owned(), message));
    }
    repeated(after.pointer("/spec/template/spec")?, "/spec/template/spec")
}

fn is_own_annotation(key: &str) -> bool {
    key.starts_with(OWN_PREFIX)
}

/// The fields of an object but for some.
fn others<'a>(value: &'a Value, path: &str, but: &[&str]) -> Vec<(&'a String, &'a Value)> {
    let fields = value.pointer(path).and_then(Value::as_object);
    fields.into_iter().flatten().filter(|(key, _)| !but.contains(&key.as_str())).collect()
}

fn own<'a>(value: &'a Value, path: &str, is_own: fn(&str) -> bool) -> Vec<(&'a String, &'a Value)> {
    let fields = value.pointer(path).and_then(Value::as_object);
    fields.into_iter().flatten().filter(|(key, _)| is_own(key)).collect()
}

/// A list that names one thing twice, which server-side apply cannot take.
fn repeated(value: &Value, path: &str) -> Option<(String, String)> {
    let fields: &Map<String, Value> = value.as_object()?;
    fields.iter().find_map(|(name, field)| {
        let path = format!("{path}/{name}");
        let Value::Array(entries) = field else { return repeated(field, &path) };
        if let Some(by) = merge_key(name).filter(|by| *by != "topologyKey") {
            let identity = |entry: &Value| {
                let protocol = entry.get("protocol").and_then(Value::as_str).unwrap_or("TCP").to_owned();
                (entry.get(by).cloned(), protocol)
            };
            let twice =
                entries.iter().enumerate().find(|(i, e)| entries[..*i].iter().any(|o| identity(o) == identity(e)));
            if let Some((_, entry)) = twice {
                return Some((path, format!("has two entries with {by} {}; change the one that is there", entry[by])));
            }
        }
        entries.iter().enumerate().find_map(|(i, entry)| repeated(entry, &format!("{path}/{i}")))
    })
}
