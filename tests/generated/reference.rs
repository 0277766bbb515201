//! The reference of a kind: every field of its schema, as the API server knows it.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSONSchemaProps};
use serde_json::Value;
use std::fmt::Write;

/// The page of a kind.
pub fn page(crd: &CustomResourceDefinition) -> String {
    let kind = &crd.spec.names.kind;
    let version = &crd.spec.versions[0];
    let root = version.schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
    let (guide, repeated) = match kind.as_str() {
        "TemporalCluster" => (
            "temporalcluster.md",
            " `history`, `matching`, `worker` and `internalFrontend` have the fields of `frontend`, `visibilityStore` and \
             `secondaryVisibilityStore` those of `defaultStore`, every `overrides` those of `services.overrides`.",
        ),
        "TemporalNamespace" => ("namespaces.md", ""),
        "TemporalSchedule" => ("schedules.md", ""),
        "TemporalWorker" => ("workers.md", " A `gate` of a step has the fields of `rollout.gate`."),
        other => panic!("no page explains {other}"),
    };
    let mut page = format!(
        "# {kind}, field by field\n\n`{}/{}`. Made from the types by `make generate`; what the fields do and how they work \
         together is in [{guide}](../{guide}).{repeated}\n",
        crd.spec.group, version.name
    );
    for part in ["spec", "status"] {
        let Some(schema) = root.properties.as_ref().and_then(|all| all.get(part)) else { continue };
        write!(page, "\n## {part}\n\n| Field | Type | Bounds | Meaning |\n|---|---|---|---|\n").unwrap();
        rows(&mut page, part, schema);
        let mut rules = String::new();
        rules_of(&mut rules, part, schema);
        if !rules.is_empty() {
            write!(page, "\n### Rules of {part}\n\nWhat the API server says when a manifest breaks one:\n\n{rules}")
                .unwrap();
        }
    }
    page
}

fn rows(page: &mut String, path: &str, schema: &JSONSchemaProps) {
    let required = schema.required.clone().unwrap_or_default();
    for (name, field) in schema.properties.iter().flatten() {
        let path = format!("{path}.{name}");
        let mut bounds = bounds(field);
        if required.contains(name) {
            bounds.insert(0, "required".to_owned());
        }
        let meaning = field.description.as_deref().unwrap_or_default().replace('\n', " ").replace('|', "\\|");
        writeln!(page, "| `{path}` | {} | {} | {meaning} |", type_of(field), bounds.join(", ")).unwrap();
        // the same block for each role and store is written once
        if !repeated(&path) {
            below(page, &path, field);
        }
    }
}

fn below(page: &mut String, path: &str, field: &JSONSchemaProps) {
    rows(page, path, field);
    if let Some(items) = item(field) {
        rows(page, &format!("{path}[]"), &items);
    }
    if let Some(values) = value(field) {
        rows(page, &format!("{path}.<key>"), &values);
        if let Some(items) = item(&values) {
            rows(page, &format!("{path}.<key>[]"), &items);
        }
    }
}

/// `history`, `matching` and `worker` have the fields of `frontend`, the visibility stores those of `defaultStore`, and every
/// `overrides` those of `services.overrides`.
fn repeated(path: &str) -> bool {
    let role =
        ["history", "matching", "worker", "internalFrontend"].iter().any(|r| path == format!("spec.services.{r}"));
    let store = path.starts_with("spec.persistence.") && path.ends_with("Store") && !path.ends_with("defaultStore");
    role || store || (path.ends_with(".overrides") && path != "spec.services.overrides")
}

fn item(field: &JSONSchemaProps) -> Option<JSONSchemaProps> {
    serde_json::from_value(serde_json::to_value(field.items.as_ref()?).ok()?).ok()
}

fn value(field: &JSONSchemaProps) -> Option<JSONSchemaProps> {
    serde_json::from_value(serde_json::to_value(field.additional_properties.as_ref()?).ok()?).ok()
}

fn type_of(field: &JSONSchemaProps) -> String {
    if field.x_kubernetes_int_or_string == Some(true) {
        return "integer or string".to_owned();
    }
    match field.type_.as_deref() {
        Some("array") => format!("list of {}", item(field).map_or_else(|| "values".to_owned(), |i| type_of(&i))),
        Some("object") => value(field).map_or_else(|| "object".to_owned(), |v| format!("map of {}", type_of(&v))),
        Some(plain) => plain.to_owned(),
        None => "any".to_owned(),
    }
}

fn bounds(field: &JSONSchemaProps) -> Vec<String> {
    let mut all = Vec::new();
    if let Some(values) = &field.enum_ {
        let words: Vec<String> = values
            .iter()
            .filter(|v| v.0 != Value::Null)
            .map(|v| format!("`{}`", v.0.as_str().unwrap_or_default()))
            .collect();
        all.push(words.join(" "));
    }
    let mut range = |low: Option<String>, high: Option<String>, what: &str| match (low, high) {
        (Some(low), Some(high)) => all.push(format!("{low} to {high}{what}")),
        (Some(low), None) => all.push(format!("at least {low}{what}")),
        (None, Some(high)) => all.push(format!("at most {high}{what}")),
        (None, None) => {}
    };
    range(field.minimum.map(|n| n.to_string()), field.maximum.map(|n| n.to_string()), "");
    range(field.min_length.map(|n| n.to_string()), field.max_length.map(|n| n.to_string()), " characters");
    range(field.min_items.map(|n| n.to_string()), field.max_items.map(|n| n.to_string()), " entries");
    range(None, field.max_properties.map(|n| n.to_string()), " keys");
    all
}

fn rules_of(rules: &mut String, path: &str, schema: &JSONSchemaProps) {
    for rule in schema.x_kubernetes_validations.iter().flatten() {
        writeln!(rules, "- {}", rule.message.as_deref().unwrap_or(&rule.rule)).unwrap();
    }
    for (name, field) in schema.properties.iter().flatten() {
        let path = format!("{path}.{name}");
        if !repeated(&path) {
            rules_of(rules, &path, field);
            item(field).iter().for_each(|i| rules_of(rules, &path, i));
        }
    }
}
