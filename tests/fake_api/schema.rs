//! What the schema of a custom resource does to an object on its way in.
//!
//! Faithful: unknown fields are pruned unless preserved, and refused in an apply; defaults are filled in, null is dropped
//! where a default stands. Left out: validation (types other than of null, bounds,
//! CEL rules).

use serde_json::{Map, Value};

/// Prunes and defaults a custom resource.
pub fn normalise(object: &mut Value, schema: &Value) {
    let Some(fields) = object.as_object_mut() else { return };
    let kept: Map<String, Value> = ["apiVersion", "kind", "metadata"]
        .into_iter()
        .filter_map(|field| Some((field.to_owned(), fields.remove(field)?)))
        .collect();
    prune(object, schema);
    default(object, schema);
    if let Some(fields) = object.as_object_mut() {
        fields.extend(kept);
    }
}

/// The first field that the schema does not declare, which no apply may set.
pub fn undeclared_field(object: &Value, schema: &Value) -> Option<String> {
    let fields = object.as_object()?;
    let own = |name: &&String| !matches!(name.as_str(), "apiVersion" | "kind" | "metadata");
    fields.keys().filter(own).find_map(|name| undeclared_under(&fields[name], schema, name))
}

fn undeclared_under(value: &Value, parent: &Value, name: &str) -> Option<String> {
    let schema = match parent["properties"].get(name) {
        Some(schema) => schema,
        None if parent["x-kubernetes-preserve-unknown-fields"] == true => return None,
        None if is_embedded_type(parent, name) || parent["additionalProperties"] == true => return None,
        None if parent["additionalProperties"].is_object() => &parent["additionalProperties"],
        None => return Some(format!(".{name}")),
    };
    let deeper = match value {
        Value::Object(fields) => fields.iter().find_map(|(name, value)| undeclared_under(value, schema, name)),
        Value::Array(items) => items.iter().find_map(|item| {
            let fields = item.as_object()?;
            fields.iter().find_map(|(name, value)| undeclared_under(value, &schema["items"], name))
        }),
        _ => None,
    };
    deeper.map(|field| format!(".{name}{field}"))
}

/// The first field that is null though its schema says otherwise, with the type it should have.
pub fn null_field(value: &Value, schema: &Value, path: &str) -> Option<(String, String)> {
    let under = |name: &str, value: &Value, schema: &Value| null_field(value, schema, &format!("{path}.{name}"));
    match value {
        Value::Null if schema["nullable"] != true => {
            let wanted = schema["type"].as_str()?;
            Some((path.trim_start_matches('.').to_owned(), wanted.to_owned()))
        }
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let declared = schema["properties"].get(name);
            under(name, value, declared.unwrap_or(&schema["additionalProperties"]))
        }),
        Value::Array(items) => items.iter().find_map(|item| null_field(item, &schema["items"], path)),
        _ => None,
    }
}

fn prune(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(fields) => {
            let declared = &schema["properties"];
            let additional = &schema["additionalProperties"];
            if schema["x-kubernetes-preserve-unknown-fields"] != true && !allows_more(additional) {
                fields.retain(|name, _| declared.get(name).is_some() || is_embedded_type(schema, name));
            }
            for (name, value) in fields {
                match declared.get(name) {
                    Some(schema) => prune(value, schema),
                    None if additional.is_object() => prune(value, additional),
                    None => {}
                }
            }
        }
        Value::Array(items) if schema["items"].is_object() => {
            items.iter_mut().for_each(|item| prune(item, &schema["items"]));
        }
        _ => {}
    }
}

fn allows_more(additional: &Value) -> bool {
    additional.is_object() || additional == true
}

fn is_embedded_type(schema: &Value, name: &str) -> bool {
    schema["x-kubernetes-embedded-resource"] == true && matches!(name, "apiVersion" | "kind" | "metadata")
}

fn default(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(fields) => {
            for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
                default_field(fields, name, schema);
            }
            let additional = &schema["additionalProperties"];
            if additional.is_object() {
                fields.values_mut().for_each(|value| default(value, additional));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| default(item, &schema["items"])),
        _ => {}
    }
}

fn default_field(fields: &mut Map<String, Value>, name: &str, schema: &Value) {
    if let Some(fallback) = schema.get("default") {
        let null = fields.get(name).is_some_and(Value::is_null) && schema["nullable"] != true;
        if null || !fields.contains_key(name) {
            fields.insert(name.to_owned(), fallback.clone());
        }
    }
    if let Some(value) = fields.get_mut(name) {
        default(value, schema);
    }
}
