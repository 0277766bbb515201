//! JSON patch (RFC 6902) and JSON merge patch (RFC 7386).
//!
//! As on the real server, a `test` for null holds where nothing stands.

use serde_json::Value;

/// Carries out the operations in turn; what went wrong if one cannot be.
pub fn patch(document: &mut Value, operations: &Value) -> Result<(), String> {
    let operations = operations.as_array().ok_or("a JSON patch is a list of operations")?;
    operations.iter().try_for_each(|operation| carry_out(document, operation))
}

fn carry_out(document: &mut Value, operation: &Value) -> Result<(), String> {
    let pointer = |field: &str| operation[field].as_str().ok_or(format!("{field} is missing"));
    let path = pointer("path")?;
    let value = operation["value"].clone();
    match operation["op"].as_str().unwrap_or_default() {
        "add" => add(document, path, value),
        "remove" => remove(document, path).map(drop),
        "replace" => {
            remove(document, path)?;
            add(document, path, value)
        }
        "move" => {
            let value = remove(document, pointer("from")?)?;
            add(document, path, value)
        }
        "copy" => {
            let from = pointer("from")?;
            let value = document.pointer(from).cloned().ok_or(format!("{from} is missing"))?;
            add(document, path, value)
        }
        "test" if document.pointer(path).unwrap_or(&Value::Null) == &value => Ok(()),
        "test" => Err(format!("testing value {path} failed")),
        other => Err(format!("unexpected operation {other}")),
    }
}

fn add(document: &mut Value, path: &str, value: Value) -> Result<(), String> {
    let Some((parent, last)) = path.rsplit_once('/') else {
        *document = value;
        return Ok(());
    };
    match document.pointer_mut(parent) {
        Some(Value::Object(fields)) => drop(fields.insert(unescape(last), value)),
        Some(Value::Array(items)) if last == "-" => items.push(value),
        Some(Value::Array(items)) => {
            let at = last.parse().ok().filter(|at| *at <= items.len());
            items.insert(at.ok_or(format!("{path} is out of bounds"))?, value);
        }
        _ => return Err(format!("{path} is missing")),
    }
    Ok(())
}

fn remove(document: &mut Value, path: &str) -> Result<Value, String> {
    let (parent, last) = path.rsplit_once('/').ok_or("the root cannot be removed")?;
    let removed = match document.pointer_mut(parent) {
        Some(Value::Object(fields)) => fields.remove(&unescape(last)),
        Some(Value::Array(items)) => last.parse().ok().filter(|at| *at < items.len()).map(|at: usize| items.remove(at)),
        _ => None,
    };
    removed.ok_or(format!("{path} is missing"))
}

fn unescape(name: &str) -> String {
    name.replace("~1", "/").replace("~0", "~")
}

/// Lays the patch over the document; null removes.
pub fn merge(document: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *document = patch.clone();
        return;
    };
    if !document.is_object() {
        *document = Value::Object(serde_json::Map::new());
    }
    let Value::Object(fields) = document else { return };
    for (name, patch) in patch {
        if patch.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name.clone()).or_insert(Value::Null), patch);
        }
    }
}
