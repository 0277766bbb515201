//! Server-side apply: merge, removal of what a manager dropped, conflicts.
//!
//! Faithful (after structured-merge-diff): the applied set replaces the manager's last one; fields
//! of the last set that nobody owns any more are removed, with what is under them; changing a field
//! of another manager is a conflict, or takes it over with force; equal values are owned together.

use serde_json::Value;

use super::{
    fields::{self, FieldSet, Path},
    managers::{Manager, Managers},
    shape::{ListType, Shape},
};

/// Applies a configuration to the live object (`Null` when there is none); the conflicts if any.
pub fn apply(
    live: &Value,
    config: &Value,
    manager: &Manager,
    managers: &mut Managers,
    shape: Shape<'_>,
    force: bool,
) -> Result<Value, Vec<(String, String)>> {
    let last = managers.fields_of(manager);
    let applied: FieldSet = fields::leaves(config, shape).into_keys().collect();
    managers.set(manager, applied);

    let mut object = merge(live, config, shape);
    for path in named(&last) {
        if !managers.own_at_or_under(&path) {
            fields::remove(&mut object, &path, shape);
        }
    }

    let difference = fields::compare(&fields::leaves(live, shape), &fields::leaves(&object, shape));
    let conflicts = managers.conflicts(manager, &difference);
    if !force && !conflicts.is_empty() {
        return Err(conflicts);
    }
    managers.take_over(manager, &difference);
    Ok(object)
}

/// The paths of a set and all that lead to them, parents first.
fn named(set: &FieldSet) -> FieldSet {
    let prefixes = |path: &Path| (1..=path.len()).map(|end| path[..end].to_vec()).collect::<Vec<_>>();
    set.iter().flat_map(prefixes).collect()
}

/// The live value with the applied one laid over it.
pub fn merge(live: &Value, applied: &Value, shape: Shape<'_>) -> Value {
    match (live, applied) {
        (Value::Object(live), Value::Object(applied)) if !shape.is_atomic_map() => {
            let mut merged = live.clone();
            for (name, value) in applied {
                let before = live.get(name).unwrap_or(&Value::Null);
                merged.insert(name.clone(), merge(before, value, shape.field(name)));
            }
            Value::Object(merged)
        }
        (Value::Array(live), Value::Array(applied)) if !matches!(shape.list_type(), ListType::Atomic) => {
            merge_list(live, applied, shape)
        }
        _ => applied.clone(),
    }
}

/// Keyed lists and sets: live items keep their place, applied ones their order among themselves.
fn merge_list(live: &[Value], applied: &[Value], shape: Shape<'_>) -> Value {
    let elements =
        |items: &[Value]| -> Vec<Option<String>> { items.iter().map(|item| shape.item_element(item)).collect() };
    let (left, right) = (elements(live), elements(applied));
    let mut shared = right.iter().filter(|element| left.contains(element));
    let mut next_shared = shared.next();
    let mut merged = Vec::new();
    let (mut l, mut r) = (0, 0);
    while l < live.len() || r < applied.len() {
        let same = l < live.len() && r < applied.len() && left[l] == right[r];
        if !same && l < live.len() && !right.contains(&left[l]) {
            merged.push(live[l].clone());
            l += 1;
        } else if !same && l < live.len() && (r == applied.len() || next_shared != Some(&left[l])) {
            l += 1;
        } else {
            let before = left.iter().position(|element| *element == right[r]);
            let before = before.map_or(&Value::Null, |at| &live[at]);
            merged.push(merge(before, &applied[r], shape.item()));
            if !before.is_null() {
                next_shared = shared.next();
            }
            l += usize::from(same);
            r += 1;
        }
    }
    Value::Array(merged)
}
