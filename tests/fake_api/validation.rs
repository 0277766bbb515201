//! The refusals (422) that an operator can run into.
//!
//! Faithful: names and label values, immutable ConfigMaps and Secrets, Deployment and ReplicaSet
//! selectors, Job templates, cluster addresses, role references, types of Secrets, finalizers added
//! during a deletion. Left out: all other validation, of built-in kinds and by CRD schemas.

use serde_json::Value;

use super::{
    errors::{self, Failure},
    kinds::Kind,
    schema,
};

pub fn check_new(kind: &Kind, object: &Value) -> Result<(), Failure> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let longest = if matches!(kind.kind.as_str(), "Service" | "Job" | "Namespace") { 63 } else { 253 };
    let path_segment = kind.group == "rbac.authorization.k8s.io";
    if !path_segment && (name.len() > longest || !is_dns_name(name)) {
        let why = format!("Invalid value: \"{name}\": must be a lowercase RFC 1123 name");
        return Err(errors::invalid(kind, name, "metadata.name", &why));
    }
    for (label, value) in object["metadata"]["labels"].as_object().into_iter().flatten() {
        if !value.as_str().is_some_and(is_label_value) {
            let why = format!("Invalid value: {value}: not a valid value of label {label}");
            return Err(errors::invalid(kind, name, "metadata.labels", &why));
        }
    }
    if let Some(schema) = &kind.schema
        && let Some((field, wanted)) = schema::null_field(object, schema, "")
    {
        let why = format!("Invalid value: \"null\": {field} in body must be of type {wanted}: \"null\"");
        return Err(errors::invalid(kind, name, &field, &why));
    }
    let selects = &object["spec"]["selector"]["matchLabels"];
    if kind.group == "apps" && !is_subset(selects, &object["spec"]["template"]["metadata"]["labels"]) {
        let why = "Invalid value: `selector` does not match template `labels`";
        return Err(errors::invalid(kind, name, "spec.template.metadata.labels", why));
    }
    let strategy = &object["spec"]["strategy"];
    if strategy["type"] == "Recreate" && !strategy["rollingUpdate"].is_null() {
        let why = "Forbidden: may not be specified when strategy `type` is 'Recreate'";
        return Err(errors::invalid(kind, name, "spec.strategy.rollingUpdate", why));
    }
    Ok(())
}

pub fn check_changed(kind: &Kind, before: &Value, after: &Value) -> Result<(), Failure> {
    let name = after["metadata"]["name"].as_str().unwrap_or_default();
    for pointer in immutable_fields(kind, before) {
        if before.pointer(pointer) != after.pointer(pointer) {
            let field = pointer.trim_start_matches('/').replace('/', ".");
            let why = if before["immutable"] == true {
                "Forbidden: field is immutable when `immutable` is set"
            } else {
                "Invalid value: field is immutable"
            };
            return Err(errors::invalid(kind, name, &field, why));
        }
    }
    let finalizers = |object: &Value| object["metadata"]["finalizers"].as_array().cloned();
    let had = finalizers(before).unwrap_or_default();
    let added = finalizers(after).into_iter().flatten().any(|finalizer| !had.contains(&finalizer));
    if before["metadata"].get("deletionTimestamp").is_some() && added {
        let why = "Forbidden: no new finalizers can be added if the object is being deleted";
        return Err(errors::invalid(kind, name, "metadata.finalizers", why));
    }
    Ok(())
}

fn immutable_fields(kind: &Kind, before: &Value) -> &'static [&'static str] {
    let immutable = before["immutable"] == true;
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "ConfigMap") if immutable => &["/data", "/binaryData", "/immutable"],
        ("", "Secret") if immutable => &["/data", "/immutable", "/type"],
        ("", "Secret") => &["/type"],
        ("", "Service") if before["spec"]["type"] == "ClusterIP" => &["/spec/clusterIP"],
        ("apps", _) => &["/spec/selector"],
        ("batch", "Job") => &["/spec/template", "/spec/selector", "/spec/completions", "/spec/completionMode"],
        ("rbac.authorization.k8s.io", "RoleBinding") => &["/roleRef"],
        _ => &[],
    }
}

fn is_dns_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let allowed = name.bytes().all(|byte| inner(byte) || byte == b'-' || byte == b'.');
    allowed && name.bytes().next().is_some_and(inner) && name.bytes().last().is_some_and(inner)
}

fn is_label_value(value: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let ends = value.bytes().next().into_iter().chain(value.bytes().last());
    value.len() <= 63 && value.bytes().all(allowed) && ends.into_iter().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_subset(part: &Value, whole: &Value) -> bool {
    part.as_object().into_iter().flatten().all(|(name, value)| whole.get(name) == Some(value))
}
