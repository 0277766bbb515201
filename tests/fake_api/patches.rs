//! The patches that are no apply: JSON patch, JSON merge patch, strategic merge patch.
//!
//! Faithful: strategic merge by the usual merge keys with `$patch: delete` and `$patch: replace`,
//! refused for custom resources. Left out: `$setElementOrder` (ignored), `$retainKeys`,
//! `$deleteFromPrimitiveList`.

use serde_json::Value;

use super::{
    errors::{self, Failure},
    json_patch,
    kinds::Kind,
    shape::{ListType, Shape},
};

/// A patch by its content type.
#[derive(Clone, Debug)]
pub enum Patch {
    Json(Value),
    Merge(Value),
    Strategic(Value),
}

impl Patch {
    pub fn apply_to(&self, object: &Value, kind: &Kind) -> Result<Value, Failure> {
        let mut patched = object.clone();
        match self {
            Self::Json(operations) => {
                json_patch::patch(&mut patched, operations).map_err(|why| errors::unprocessable(&why))?;
            }
            Self::Merge(patch) => json_patch::merge(&mut patched, patch),
            Self::Strategic(_) if kind.is_custom() => {
                return Err(errors::unsupported_media_type("application/strategic-merge-patch+json"));
            }
            Self::Strategic(patch) => merge_strategic(&mut patched, patch, Shape::of(kind)),
        }
        Ok(patched)
    }
}

fn merge_strategic(value: &mut Value, patch: &Value, shape: Shape<'_>) {
    let Value::Object(fields) = patch else {
        *value = patch.clone();
        return;
    };
    if fields.get("$patch").is_some_and(|directive| directive == "replace") || !value.is_object() {
        *value = Value::Object(serde_json::Map::new());
    }
    let Some(object) = value.as_object_mut() else { return };
    for (name, patch) in fields.iter().filter(|(name, _)| !name.starts_with('$')) {
        match patch {
            Value::Null => drop(object.remove(name)),
            Value::Array(items) => {
                let list = object.entry(name.clone()).or_insert_with(|| Value::Array(Vec::new()));
                merge_strategic_list(list, items, shape.field(name));
            }
            patch => {
                let value = object.entry(name.clone()).or_insert(Value::Null);
                merge_strategic(value, patch, shape.field(name));
            }
        }
    }
}

fn merge_strategic_list(list: &mut Value, patches: &[Value], shape: Shape<'_>) {
    let (Value::Array(items), ListType::Map(keys)) = (&mut *list, shape.list_type()) else {
        *list = patches.to_vec().into();
        return;
    };
    let Some(key) = keys.first().copied() else { return };
    if patches.iter().any(|patch| patch["$patch"] == "replace") {
        items.clear();
    }
    for patch in patches.iter().filter(|patch| patch["$patch"] != "replace") {
        if patch["$patch"] == "delete" {
            items.retain(|item| item[key] != patch[key]);
        } else if let Some(item) = items.iter_mut().find(|item| item[key] == patch[key]) {
            merge_strategic(item, patch, shape.item());
        } else {
            items.push(patch.clone());
        }
    }
}
