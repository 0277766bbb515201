//! A user's changes to a generated Deployment: labels and annotations, then a strategic merge patch of the pod or a
//! JSON patch of the whole.
//!
//! The strategic merge is our own (`merge`): `k8s_openapi::DeepMerge` knows no `$patch` and cannot take a field away.
//! The result is read back strictly, so that a word no Kubernetes type has is refused and not dropped.

mod guard;
mod merge;

use crate::validate::{Invalid, ValidOverride, embedded};
use json_patch::PatchOperation;
use k8s_openapi::api::apps::v1::Deployment;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The Deployment after all changes, each on top of the ones before. `container` is the one that must stay.
///
/// # Errors
/// When a change does not fit the Deployment, or touches what is the operator's.
pub fn apply(generated: Deployment, container: &str, overrides: &[ValidOverride]) -> Result<Deployment, Invalid> {
    let mut deployment = generated;
    for change in overrides {
        deployment = apply_one(&deployment, container, change)?;
    }
    Ok(deployment)
}

fn apply_one(before: &Deployment, container: &str, change: &ValidOverride) -> Result<Deployment, Invalid> {
    let field = &change.field;
    let before = serde_json::to_value(before).map_err(|error| Invalid::one(field, error.to_string()))?;
    let mut after = before.clone();
    add(&mut after, "/metadata", "labels", &change.labels);
    add(&mut after, "/metadata", "annotations", &change.annotations);
    add(&mut after, "/spec/template/metadata", "labels", &change.pod_labels);
    add(&mut after, "/spec/template/metadata", "annotations", &change.pod_annotations);
    let (step, below) = if change.json_patch.is_empty() {
        if let Some(pod) = after.pointer_mut("/spec/template/spec") {
            let at = format!("{field}.spec.template.spec");
            merge::merge(pod, &change.pod).map_err(|e| Invalid::one(format!("{at}{}", e.path), e.message))?;
        }
        ("spec", "")
    } else {
        patch(&mut after, &change.json_patch, field)?;
        ("jsonPatch", "the Deployment's ")
    };
    if let Some((path, message)) = guard::broken(&before, &after, container) {
        return Err(Invalid::one(format!("{field}.{step}"), format!("{path} {message}")));
    }
    embedded::read(&after)
        .map_err(|e| Invalid::one(format!("{field}.{step}"), format!("{below}{}: {}", e.path, e.message)))
}

/// Adds to a map of texts, which is made when it is not there.
fn add(deployment: &mut Value, parent: &str, map: &str, texts: &BTreeMap<String, String>) {
    let Some(Value::Object(parent)) = deployment.pointer_mut(parent).filter(|_| !texts.is_empty()) else { return };
    let found = parent.entry(map).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(found) = found {
        found.extend(texts.iter().map(|(key, text)| (key.clone(), json!(text))));
    }
}

/// Operation by operation, so that the one that does not fit can be named.
fn patch(deployment: &mut Value, operations: &[PatchOperation], field: &str) -> Result<(), Invalid> {
    // annotations are there to be added to, as in the Go operator's Deployments
    for parent in ["/metadata", "/spec/template/metadata"] {
        if let Some(Value::Object(parent)) = deployment.pointer_mut(parent) {
            parent.entry("annotations").or_insert_with(|| Value::Object(Map::new()));
        }
    }
    for (i, operation) in operations.iter().enumerate() {
        json_patch::patch(deployment, std::slice::from_ref(operation)).map_err(|error| {
            let from = match operation {
                PatchOperation::Move(o) => format!(" from {}", o.from),
                PatchOperation::Copy(o) => format!(" from {}", o.from),
                _ => String::new(),
            };
            Invalid::one(
                format!("{field}.jsonPatch[{i}]"),
                format!("does not fit the generated Deployment at {}{from}: {}; `temporal-operator plan` shows the Deployment without it", operation.path(), error.kind),
            )
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
