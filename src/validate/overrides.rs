//! Rules of `overrides`. What depends on the generated Deployment is checked when it is made (`build::overrides`).

use super::Problems;
use crate::api::overrides::{
    DeploymentSpecOverride, JsonPatchOp, JsonPatchOperation, OWN_LABELS, OWN_PREFIX, OverrideMetadata, Overrides,
};
use json_patch::PatchOperation;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Fields of a Deployment that no operation may change, as JSON pointers.
const OWN_FIELDS: [&str; 8] = [
    "/apiVersion",
    "/kind",
    "/metadata/name",
    "/metadata/namespace",
    "/metadata/ownerReferences",
    "/spec/selector",
    "/spec/replicas",
    "/status",
];

/// Changes to a generated Deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidOverride {
    /// Path of the field, for example `spec.services.overrides.deployment`.
    pub field: String,
    /// Labels of the Deployment.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the Deployment.
    pub annotations: BTreeMap<String, String>,
    /// Labels of its pods.
    pub pod_labels: BTreeMap<String, String>,
    /// Annotations of its pods.
    pub pod_annotations: BTreeMap<String, String>,
    /// A strategic merge patch of the PodSpec.
    pub pod: Map<String, Value>,
    /// A JSON patch of the whole Deployment.
    pub json_patch: Vec<PatchOperation>,
}

/// Reads the overrides at a path; `None` when there are none.
pub(super) fn read(path: &str, overrides: Option<&Overrides>, problems: &mut Problems) -> Option<ValidOverride> {
    let overrides = overrides?;
    let shape = "not a field of overrides, which are deployment.metadata, deployment.spec.template or deployment.jsonPatch; remove it";
    unknown(path, &overrides.rest, shape, problems);
    let deployment = overrides.deployment.as_ref()?;
    let field = format!("{path}.deployment");
    unknown(&field, &deployment.rest, shape, problems);
    problems.require(
        deployment.spec.is_none() || deployment.json_patch.is_none(),
        &field,
        "spec and jsonPatch exclude each other; write all of it as jsonPatch",
    );
    let (labels, annotations) = metadata(&format!("{field}.metadata"), deployment.metadata.as_ref(), problems);
    check_spec(&format!("{field}.spec"), deployment.spec.as_ref(), problems);
    let template = deployment.spec.as_ref().and_then(|s| s.template.as_ref());
    let template_path = format!("{field}.spec.template");
    let (pod_labels, pod_annotations) =
        metadata(&format!("{template_path}.metadata"), template.and_then(|t| t.metadata.as_ref()), problems);
    if let Some(template) = template {
        unknown(&template_path, &template.rest, "only metadata and spec can be changed; remove it", problems);
    }
    let mut json_patch = Vec::new();
    for (i, operation) in deployment.json_patch.iter().flatten().enumerate() {
        json_patch.extend(read_operation(&format!("{field}.jsonPatch[{i}]"), operation, problems));
    }
    let pod = template.and_then(|t| t.spec.clone()).unwrap_or_default();
    Some(ValidOverride { field, labels, annotations, pod_labels, pod_annotations, pod, json_patch })
}

fn unknown(path: &str, rest: &Map<String, Value>, message: &str, problems: &mut Problems) {
    for key in rest.keys() {
        problems.add(format!("{path}.{key}"), message);
    }
}

fn check_spec(path: &str, spec: Option<&DeploymentSpecOverride>, problems: &mut Problems) {
    let Some(spec) = spec else { return };
    let by_patch = "only template is merged; change other fields by jsonPatch";
    problems.require(
        spec.replicas.is_none(),
        &format!("{path}.replicas"),
        "remove it and set replicas beside overrides",
    );
    problems.require(spec.selector.is_none(), &format!("{path}.selector"), "cannot change; remove it");
    problems.require(spec.strategy.is_none(), &format!("{path}.strategy"), by_patch);
    unknown(path, &spec.rest, by_patch, problems);
}

type Texts = BTreeMap<String, String>;

fn metadata(path: &str, metadata: Option<&OverrideMetadata>, problems: &mut Problems) -> (Texts, Texts) {
    let Some(metadata) = metadata else { return Default::default() };
    let own = "is the operator's own; remove it";
    for key in metadata.labels.iter().flat_map(|l| l.keys()).filter(|key| is_own_label(key)) {
        problems.add(format!("{path}.labels[{key}]"), own);
    }
    for key in metadata.annotations.iter().flat_map(|a| a.keys()).filter(|key| key.starts_with(OWN_PREFIX)) {
        problems.add(format!("{path}.annotations[{key}]"), own);
    }
    unknown(path, &metadata.rest, "only labels and annotations can be changed; remove it", problems);
    (metadata.labels.clone().unwrap_or_default(), metadata.annotations.clone().unwrap_or_default())
}

/// Whether a label is one that overrides may not touch.
#[must_use]
pub fn is_own_label(key: &str) -> bool {
    OWN_LABELS.contains(&key) || key.starts_with(OWN_PREFIX)
}

fn read_operation(path: &str, operation: &JsonPatchOperation, problems: &mut Problems) -> Option<PatchOperation> {
    if operation.path.is_empty() {
        problems.add(path, "path must name a field of the Deployment, for example /spec/template/spec/volumes/-");
        return None;
    }
    let own = operation.op != JsonPatchOp::Test
        && OWN_FIELDS
            .iter()
            .any(|f| operation.path.strip_prefix(f).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    problems.require(
        !own,
        path,
        "name, namespace, ownerReferences, selector, replicas and status of the Deployment are the operator's own; remove the operation (for the number of pods set replicas beside overrides)",
    );
    if operation.op.has_value() && operation.value.is_none() {
        problems.add(path, "add, replace and test need a value that is not null");
        return None;
    }
    let moves = matches!(operation.op, JsonPatchOp::Move | JsonPatchOp::Copy);
    if moves != operation.from.is_some() {
        problems.add(path, "move and copy need from, other operations have none");
        return None;
    }
    let wanted = json!({
        "op": operation.op, "path": operation.path, "from": operation.from.clone().unwrap_or_default(),
        "value": operation.value,
    });
    match serde_json::from_value(wanted) {
        Ok(operation) => Some(operation),
        Err(error) => {
            problems.add(path, format!("path and from must be JSON pointers such as /spec/template/spec: {error}"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// What kubectl refuses as unknown fields, and what no rule of the CRD can see.
    #[rstest]
    #[case(json!({"service": {}}), "o.service")]
    #[case(json!({"deployment": {"status": {}}}), "o.deployment.status")]
    #[case(json!({"deployment": {"metadata": {"name": "x"}}}), "o.deployment.metadata.name")]
    #[case(json!({"deployment": {"metadata": {"labels": {"temporal.io/config-hash": "x"}}}}), "o.deployment.metadata.labels[temporal.io/config-hash]")]
    #[case(json!({"deployment": {"spec": {"minReadySeconds": 5}}}), "o.deployment.spec.minReadySeconds")]
    #[case(json!({"deployment": {"spec": {"template": {"kind": "Pod"}}}}), "o.deployment.spec.template.kind")]
    #[case(json!({"deployment": {"jsonPatch": [{"op": "add", "path": "/spec/paused"}]}}), "o.deployment.jsonPatch[0]")]
    #[case(json!({"deployment": {"jsonPatch": [{"op": "add", "path": "/metadata/name/x", "value": 1}]}}), "o.deployment.jsonPatch[0]")]
    #[case(json!({"deployment": {"jsonPatch": [{"op": "test", "path": "/spec/a~2", "value": 1}]}}), "o.deployment.jsonPatch[0]")]
    fn refused_by_name(#[case] overrides: Value, #[case] field: &str) {
        let mut problems = Problems::default();
        read("o", Some(&serde_json::from_value(overrides).unwrap()), &mut problems);
        let fields: Vec<_> = problems.0.iter().map(|p| p.field.as_str()).collect();
        assert_eq!(fields, [field], "{:?}", problems.0);
    }
}
