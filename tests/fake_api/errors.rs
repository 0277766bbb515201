//! Error answers: `Status` objects with the reason, code, message and details of the real server.

use kube::core::response::{Status, StatusCause, StatusDetails, reason};
use serde_json::{Value, json};

use super::kinds::Kind;

/// What every operation of the server may answer instead of an object.
pub type Failure = Box<Status>;

/// The body of an error answer.
pub fn status_body(failure: &Status) -> Value {
    let mut body = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}});
    let status = serde_json::to_value(failure).unwrap_or_default();
    if let (Some(body), Value::Object(status)) = (body.as_object_mut(), status) {
        body.extend(status);
    }
    body
}

fn failure(code: u16, reason: &str, message: &str) -> Status {
    Status::failure(message, reason).with_code(code)
}

fn details(kind: &Kind, name: &str) -> StatusDetails {
    StatusDetails {
        name: name.to_owned(),
        group: kind.group.clone(),
        kind: kind.plural.clone(),
        uid: String::new(),
        causes: Vec::new(),
        retry_after_seconds: 0,
    }
}

pub fn not_found(kind: &Kind, name: &str) -> Failure {
    let message = format!("{} \"{name}\" not found", kind.qualified_plural());
    failure(404, reason::NOT_FOUND, &message).with_details(details(kind, name)).boxed()
}

pub fn unserved() -> Failure {
    failure(404, reason::NOT_FOUND, "the server could not find the requested resource").boxed()
}

pub fn already_exists(kind: &Kind, name: &str, terminating: bool) -> Failure {
    let prefix = if terminating { "object is being deleted: " } else { "" };
    let message = format!("{prefix}{} \"{name}\" already exists", kind.qualified_plural());
    failure(409, reason::ALREADY_EXISTS, &message).with_details(details(kind, name)).boxed()
}

pub fn conflict(kind: &Kind, name: &str, why: &str) -> Failure {
    let resource = kind.qualified_plural();
    let message = format!("Operation cannot be fulfilled on {resource} \"{name}\": {why}");
    failure(409, reason::CONFLICT, &message).with_details(details(kind, name)).boxed()
}

/// Another field manager owns what an apply wants to change: one (manager, field) per conflict.
pub fn apply_conflict(conflicts: &[(String, String)]) -> Failure {
    let plural = if conflicts.len() == 1 { "" } else { "s" };
    let listed: Vec<String> =
        conflicts.iter().map(|(manager, field)| format!("conflict with {manager}: {field}")).collect();
    let message = format!("Apply failed with {} conflict{plural}: {}", conflicts.len(), listed.join("\n"));
    let causes = conflicts.iter().map(|(manager, field)| StatusCause {
        reason: "FieldManagerConflict".into(),
        message: format!("conflict with {manager}"),
        field: field.clone(),
    });
    let mut details = details(&Kind::default(), "");
    details.causes = causes.collect();
    failure(409, reason::CONFLICT, &message).with_details(details).boxed()
}

pub fn invalid(kind: &Kind, name: &str, field: &str, why: &str) -> Failure {
    let message = format!("{} \"{name}\" is invalid: {field}: {why}", kind.qualified_kind());
    let mut details = details(kind, name);
    details.kind.clone_from(&kind.kind);
    let reason = match why.split_once(' ') {
        Some(("Required", _)) => "FieldValueRequired",
        Some(("Forbidden:", _)) => "FieldValueForbidden",
        _ if why.contains("must be of type") => "FieldValueTypeInvalid",
        _ => "FieldValueInvalid",
    };
    details.causes = vec![StatusCause { reason: reason.into(), message: why.to_owned(), field: field.to_owned() }];
    failure(422, reason::INVALID, &message).with_details(details).boxed()
}

pub fn unprocessable(message: &str) -> Failure {
    failure(422, reason::INVALID, message).boxed()
}

pub fn bad_request(message: &str) -> Failure {
    failure(400, reason::BAD_REQUEST, message).boxed()
}

pub fn internal(message: &str) -> Failure {
    failure(500, reason::UNKNOWN, message).boxed()
}

/// An applied configuration with a field that its schema does not declare.
pub fn untyped(kind: &Kind, namespace: &str, name: &str, field: &str) -> Failure {
    let message = format!(
        "failed to create typed patch object ({namespace}/{name}; {}, Kind={}): {field}: field not declared in schema",
        kind.api_version(),
        kind.kind
    );
    internal(&message)
}

pub fn field_manager_required() -> Failure {
    let options = Kind { group: "meta.k8s.io".into(), kind: "PatchOptions".into(), ..Kind::default() };
    invalid(&options, "", "fieldManager", "Required value: is required for apply patch")
}

pub fn method_not_allowed() -> Failure {
    let message = "the server does not allow this method on the requested resource";
    failure(405, reason::METHOD_NOT_ALLOWED, message).boxed()
}

pub fn unsupported_media_type(content_type: &str) -> Failure {
    let message = format!("the body of the request was in an unknown format: {content_type}");
    failure(415, reason::UNSUPPORTED_MEDIA_TYPE, &message).boxed()
}

pub fn namespace_terminating(kind: &Kind, name: &str, namespace: &str) -> Failure {
    let message = format!(
        "{} \"{name}\" is forbidden: unable to create new content in namespace {namespace} because \
         it is being terminated",
        kind.qualified_plural()
    );
    let mut details = details(kind, name);
    details.causes = vec![StatusCause {
        reason: "NamespaceTerminating".into(),
        message: format!("namespace {namespace} is being terminated"),
        field: "metadata.namespace".into(),
    }];
    failure(403, reason::FORBIDDEN, &message).with_details(details).boxed()
}
