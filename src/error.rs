//! The classes of trouble that decide what follows: a condition, a growing delay, a slow retry.

/// How the API server begins the answer of an admission webhook, whose code is the webhook's own choice.
const WEBHOOK_REFUSAL: &str = "denied the request";

/// The API server's words without the structure they came in.
#[must_use]
pub fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        other => other.to_string(),
    }
}

/// Whether it was refused because the namespace is being deleted.
#[must_use]
pub fn is_terminating(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else { return false };
    let mut causes = status.details.iter().flat_map(|d| &d.causes);
    causes.any(|c| c.reason == "NamespaceTerminating")
}

/// What kind of trouble it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Somebody must change something; said in a condition.
    User,
    /// Goes away by itself; tried again with a growing delay.
    Transient,
    /// Ours; tried again slowly.
    Bug,
}

/// How server-side apply refuses a field that this version of Kubernetes does not have; it says so with code 500.
const NOT_TYPED: &str = "failed to create typed patch object";

impl Class {
    /// The label of metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Transient => "transient",
            Self::Bug => "bug",
        }
    }

    /// The class of an answer of the API server: refused by validation or rights is for somebody to change, all else
    /// passes.
    #[must_use]
    pub fn of(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status)
                if status.is_invalid()
                    || status.is_forbidden()
                    || status.code == 400
                    || status.message.contains(WEBHOOK_REFUSAL) =>
            {
                Self::User
            }
            kube::Error::Api(status) if status.message.starts_with(NOT_TYPED) => Self::User,
            kube::Error::SerdeError(_) => Self::Bug,
            _ => Self::Transient,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    fn answer(code: u16, reason: &str, message: &str, details: &Value) -> kube::Error {
        let status =
            json!({"status": "Failure", "code": code, "reason": reason, "message": message, "details": details});
        kube::Error::Api(serde_json::from_value(status).unwrap())
    }

    #[rstest]
    #[case::quota(403, "Forbidden", "services \"a\" is forbidden: exceeded quota: q", Class::User)]
    #[case::right(403, "Forbidden", "User \"x\" cannot create resource", Class::User)]
    #[case::immutable(422, "Invalid", "spec.selector: field is immutable", Class::User)]
    #[case::webhook(500, "InternalError", "admission webhook \"w\" denied the request: no", Class::User)]
    #[case::webhook_gone(500, "InternalError", "failed calling webhook \"w\": connection refused", Class::Transient)]
    #[case::untyped(
        500,
        "",
        "failed to create typed patch object (ns/c; apps/v1, Kind=Deployment): .spec.x: field not declared in schema",
        Class::User
    )]
    #[case::slow(500, "InternalError", "etcdserver: request timed out", Class::Transient)]
    #[case::busy(429, "TooManyRequests", "too many requests", Class::Transient)]
    #[case::gone(404, "NotFound", "namespaces \"n\" not found", Class::Transient)]
    fn classes(#[case] code: u16, #[case] reason: &str, #[case] message: &str, #[case] class: Class) {
        let error = answer(code, reason, message, &Value::Null);
        assert_eq!(Class::of(&error), class);
        assert_eq!(words(&error), message);
        assert!(!is_terminating(&error));
    }

    #[test]
    fn a_namespace_that_ends_is_known_by_its_cause() {
        let details =
            json!({"causes": [{"reason": "NamespaceTerminating", "message": "m", "field": "metadata.namespace"}]});
        assert!(is_terminating(&answer(403, "Forbidden", "is being terminated", &details)));
    }
}
