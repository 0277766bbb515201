//! Field sets: which leaves an object has, where they differ from another's, and their FieldsV1 form.
//!
//! A path is written in the elements of FieldsV1 (`f:spec`, `k:{"name":"a"}`, `v:"x"`), so that
//! encoding is nesting. Faithful: granular maps, keyed lists and sets are walked, items of keyed
//! lists are members of their own, atomic nodes are leaves. Left out: `.` of maps and structs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::shape::{ListType, Shape};

pub type Path = Vec<String>;
pub type FieldSet = BTreeSet<Path>;
/// The value at each leaf; `Null` at the membership of an item in a keyed list.
pub type Leaves = BTreeMap<Path, Value>;

/// Metadata that only the server writes; nobody owns it.
pub const SERVER_METADATA: &[&str] = &[
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
];

/// The leaves of an object, without apiVersion, kind and the server's own metadata.
pub fn leaves(object: &Value, shape: Shape<'_>) -> Leaves {
    let mut owned = object.clone();
    if let Some(owned) = owned.as_object_mut() {
        owned.remove("apiVersion");
        owned.remove("kind");
        if let Some(metadata) = owned.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|field, _| !SERVER_METADATA.contains(&field.as_str()));
            if metadata.is_empty() {
                owned.remove("metadata");
            }
        }
        if owned.is_empty() {
            return Leaves::new();
        }
    }
    let mut leaves = Leaves::new();
    walk(&owned, shape, &mut Vec::new(), &mut leaves);
    leaves
}

fn walk(value: &Value, shape: Shape<'_>, path: &mut Path, leaves: &mut Leaves) {
    match value {
        Value::Object(fields) if !fields.is_empty() && !shape.is_atomic_map() => {
            for (name, value) in fields {
                path.push(format!("f:{name}"));
                walk(value, shape.field(name), path, leaves);
                path.pop();
            }
        }
        Value::Array(items) if !matches!(shape.list_type(), ListType::Atomic) => {
            for item in items {
                path.extend(shape.item_element(item));
                if matches!(shape.list_type(), ListType::Set) || shape.item().is_atomic_map() {
                    leaves.insert(path.clone(), item.clone());
                } else {
                    leaves.insert(path.clone(), Value::Null);
                    walk_members(item, shape.item(), path, leaves);
                }
                path.pop();
            }
        }
        leaf => {
            leaves.insert(path.clone(), leaf.clone());
        }
    }
}

fn walk_members(item: &Value, shape: Shape<'_>, path: &mut Path, leaves: &mut Leaves) {
    for (name, value) in item.as_object().into_iter().flatten() {
        path.push(format!("f:{name}"));
        walk(value, shape.field(name), path, leaves);
        path.pop();
    }
}

/// What a write did to an object.
pub struct Difference {
    /// Leaves that are new or have another value.
    pub set: FieldSet,
    pub removed: FieldSet,
}

pub fn compare(before: &Leaves, after: &Leaves) -> Difference {
    let changed = after.iter().filter(|(path, value)| before.get(*path) != Some(value));
    let removed = before.keys().filter(|path| !after.contains_key(*path));
    Difference { set: changed.map(|(path, _)| path.clone()).collect(), removed: removed.cloned().collect() }
}

/// Removes the node at the path with all that is under it; a map or list that this empties is null.
pub fn remove(value: &mut Value, path: &[String], shape: Shape<'_>) {
    let Some((element, rest)) = path.split_first() else { return };
    let emptied = match value {
        Value::Object(fields) => {
            let name = element.trim_start_matches("f:");
            if rest.is_empty() {
                fields.remove(name).is_some() && fields.is_empty()
            } else {
                fields.get_mut(name).into_iter().for_each(|child| remove(child, rest, shape.field(name)));
                false
            }
        }
        Value::Array(items) => {
            let at = items.iter().position(|item| shape.item_element(item).as_ref() == Some(element));
            match at {
                Some(at) if rest.is_empty() => {
                    items.remove(at);
                    items.is_empty()
                }
                Some(at) => {
                    remove(&mut items[at], rest, shape.item());
                    false
                }
                None => false,
            }
        }
        _ => false,
    };
    if emptied {
        *value = Value::Null;
    }
}

/// FieldsV1 of a set.
pub fn encode(fields: &FieldSet) -> Value {
    let mut root = Map::new();
    for path in fields {
        encode_path(&mut root, path);
    }
    Value::Object(root)
}

fn encode_path(node: &mut Map<String, Value>, path: &[String]) {
    let Some((element, rest)) = path.split_first() else { return };
    let child = node.entry(element.clone()).or_insert_with(|| Value::Object(Map::new()));
    let Value::Object(child) = child else { return };
    if rest.is_empty() && element.starts_with("k:") {
        child.insert(".".into(), Value::Object(Map::new()));
    }
    encode_path(child, rest);
}

/// The set behind FieldsV1.
pub fn decode(fields: &Value) -> FieldSet {
    let mut set = FieldSet::new();
    decode_into(fields, &mut Vec::new(), &mut set);
    set
}

fn decode_into(node: &Value, path: &mut Path, set: &mut FieldSet) {
    let Some(children) = node.as_object() else { return };
    if (children.is_empty() || children.contains_key(".")) && !path.is_empty() {
        set.insert(path.clone());
    }
    for (element, child) in children.iter().filter(|(element, _)| *element != ".") {
        path.push(element.clone());
        decode_into(child, path, set);
        path.pop();
    }
}

/// `.spec.containers[name="a"].image`, as conflicts name a field.
pub fn display(path: &[String]) -> String {
    path.iter().map(|element| display_element(element)).collect()
}

fn display_element(element: &str) -> String {
    match element.split_once(':') {
        Some(("f", name)) => format!(".{name}"),
        Some(("v", value)) => format!("[={value}]"),
        Some(("k", keys)) => {
            let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
            let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("[{}]", keys.join(","))
        }
        _ => element.to_owned(),
    }
}
