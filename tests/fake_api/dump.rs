//! The end state, normalised so that two runs that did the same compare equal.
//!
//! Left out of it: Leases and Events, resourceVersions, managedFields. Replaced by a word: uids
//! wherever they stand (by the name of the object), times, allocated addresses.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    store::{ObjectKey, Store},
    write::{remove_fields, text},
};

/// Every object by `Kind.group/namespace/name`; fields named in `ignored` are left out at any depth.
pub fn dump(store: &Store, ignored: &[&str]) -> BTreeMap<String, Value> {
    let names: BTreeMap<&str, String> =
        store.objects.iter().map(|(key, object)| (text(object, "uid"), title(key, object))).collect();
    let lasting = store.objects.iter().filter(|(key, _)| !matches!(key.plural.as_str(), "leases" | "events"));
    lasting
        .map(|(key, object)| {
            let mut object = object.clone();
            remove_fields(&mut object["metadata"], &["resourceVersion", "managedFields"]);
            normalise(&mut object, &names, ignored);
            (title(key, &object), object)
        })
        .collect()
}

fn title(key: &ObjectKey, object: &Value) -> String {
    let kind = object["kind"].as_str().unwrap_or_default();
    let dot = if key.group.is_empty() { "" } else { "." };
    format!("{kind}{dot}{}/{}/{}", key.group, key.namespace, key.name)
}

fn normalise(value: &mut Value, names: &BTreeMap<&str, String>, ignored: &[&str]) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !ignored.contains(&name.as_str()));
            for (name, value) in fields {
                if let Some(word) = volatile(name, value) {
                    *value = word.into();
                } else {
                    normalise(value, names, ignored);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| normalise(item, names, ignored)),
        Value::String(text) => {
            if let Some(name) = names.get(text.as_str()) {
                *text = format!("<uid of {name}>");
            }
        }
        _ => {}
    }
}

fn volatile(name: &str, value: &Value) -> Option<&'static str> {
    let time = name.ends_with("Time") || name.ends_with("Timestamp") || name.ends_with("At");
    let address = matches!(name, "clusterIP" | "clusterIPs" | "podIP" | "podIPs");
    match value {
        Value::String(_) if time => Some("<time>"),
        Value::String(address_of) if address && address_of == "None" => None,
        Value::Array(items) if address && items.first().is_some_and(|item| item == "None") => None,
        Value::String(_) | Value::Array(_) if address => Some("<address>"),
        _ => None,
    }
}
