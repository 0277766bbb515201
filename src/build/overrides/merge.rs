//! Strategic merge of a PodSpec, as `kubectl patch` does it.
//!
//! Two differences to Kubernetes: an entry that is new to a list is put after those that are there, so that the server
//! stays the first container and its variables come before those that refer to them; and `$patch: replace` inside an
//! entry replaces that entry alone.

use serde_json::{Map, Value};

/// Lists that are merged entry by entry, and the field that tells entries apart (`patchMergeKey` in Kubernetes'
/// `core/v1/types.go`). All other lists are replaced as a whole.
const MERGE_KEYS: [(&str, &str); 13] = [
    ("containers", "name"),
    ("env", "name"),
    ("ephemeralContainers", "name"),
    ("hostAliases", "ip"),
    ("imagePullSecrets", "name"),
    ("initContainers", "name"),
    ("ports", "containerPort"),
    ("resourceClaims", "name"),
    ("schedulingGates", "name"),
    ("topologySpreadConstraints", "topologyKey"),
    ("volumeDevices", "devicePath"),
    ("volumeMounts", "mountPath"),
    ("volumes", "name"),
];

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";

/// The field that tells the entries of a list apart.
pub(super) fn merge_key(list: &str) -> Option<&'static str> {
    MERGE_KEYS.into_iter().find(|(name, _)| *name == list).map(|(_, key)| key)
}

/// A patch that cannot be merged.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MergeError {
    /// Where in the patch, for example `.containers[0].env[1]`.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

type Merged = Result<(), MergeError>;

fn wrong(path: &str, message: impl Into<String>) -> Merged {
    Err(MergeError { path: path.to_owned(), message: message.into() })
}

/// Merges a patch into an object.
pub(super) fn merge(target: &mut Value, patch: &Map<String, Value>) -> Merged {
    merge_object(target, patch, "")
}

/// What an object's `$patch` asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Directive {
    Merge,
    Replace,
    Delete,
}

fn directive(patch: &Map<String, Value>, path: &str) -> Result<Directive, MergeError> {
    match patch.get(DIRECTIVE).map(|d| d.as_str().unwrap_or_default()) {
        None | Some("merge") => Ok(Directive::Merge),
        Some("replace") => Ok(Directive::Replace),
        Some("delete") => Ok(Directive::Delete),
        Some(_) => {
            Err(MergeError { path: format!("{path}.{DIRECTIVE}"), message: "must be merge, replace or delete".into() })
        }
    }
}

fn merge_object(target: &mut Value, patch: &Map<String, Value>, path: &str) -> Merged {
    let replace = directive(patch, path)? == Directive::Replace;
    if replace || !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(fields) = target else { return Ok(()) };
    for (key, value) in patch.iter().filter(|(key, _)| *key != DIRECTIVE && *key != RETAIN_KEYS) {
        let path = format!("{path}.{key}");
        if key.starts_with('$') {
            return wrong(&path, "is not carried out: entries keep their order and new ones follow; remove it");
        }
        merge_field(fields, key, value, &path)?;
    }
    match patch.get(RETAIN_KEYS) {
        Some(Value::Array(keys)) => fields.retain(|key, _| keys.iter().any(|k| k == key)),
        Some(_) => return wrong(&format!("{path}.{RETAIN_KEYS}"), "must be a list of field names"),
        None => {}
    }
    Ok(())
}

fn merge_field(fields: &mut Map<String, Value>, key: &str, value: &Value, path: &str) -> Merged {
    match value {
        Value::Null => drop(fields.remove(key)),
        Value::Object(patch) if directive(patch, path)? == Directive::Delete => drop(fields.remove(key)),
        Value::Object(patch) => merge_object(fields.entry(key).or_insert(Value::Null), patch, path)?,
        Value::Array(patch) => {
            let target = fields.entry(key).or_insert(Value::Null);
            match merge_key(key) {
                Some(by) => merge_list(target, patch, by, path)?,
                None => *target = whole_list(patch, path)?,
            }
        }
        other => drop(fields.insert(key.to_owned(), other.clone())),
    }
    Ok(())
}

/// An entry that says nothing but `$patch: replace`: the list is replaced by the other entries.
fn is_replace_all(entry: &Value) -> bool {
    entry.as_object().is_some_and(|e| e.len() == 1 && e.get(DIRECTIVE).is_some_and(|d| d == "replace"))
}

/// A list that has no merge key takes the place of the old one.
fn whole_list(patch: &[Value], path: &str) -> Result<Value, MergeError> {
    let mut entries = Vec::new();
    for (i, entry) in patch.iter().enumerate().filter(|(_, e)| !is_replace_all(e)) {
        match entry {
            Value::Object(fields) if fields.contains_key(DIRECTIVE) => {
                let message = "this list is replaced as a whole, its entries cannot be patched; remove $patch and give all entries";
                return wrong(&format!("{path}[{i}]"), message).map(|()| Value::Null);
            }
            Value::Object(fields) => {
                let mut new = Value::Null;
                merge_object(&mut new, fields, &format!("{path}[{i}]"))?;
                entries.push(new);
            }
            other => entries.push(other.clone()),
        }
    }
    Ok(Value::Array(entries))
}

fn merge_list(target: &mut Value, patch: &[Value], by: &str, path: &str) -> Merged {
    if !target.is_array() || patch.iter().any(is_replace_all) {
        *target = Value::Array(Vec::new());
    }
    let Value::Array(entries) = target else { return Ok(()) };
    for (i, entry) in patch.iter().enumerate().filter(|(_, e)| !is_replace_all(e)) {
        let path = format!("{path}[{i}]");
        let Some(fields) = entry.as_object() else { return wrong(&path, "must be an object") };
        let Some(name) = fields.get(by) else {
            return wrong(&path, format!("needs {by}, by which entries of this list are told apart"));
        };
        let found = entries.iter().position(|e| e.get(by) == Some(name));
        match (directive(fields, &path)?, found) {
            (Directive::Delete, _) => entries.retain(|e| e.get(by) != Some(name)),
            (_, Some(at)) => merge_object(&mut entries[at], fields, &path)?,
            (_, None) => {
                let mut new = Value::Null;
                merge_object(&mut new, fields, &path)?;
                entries.push(new);
            }
        }
    }
    Ok(())
}
