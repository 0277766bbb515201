//! The audit log: one line per request, the refused ones included.

use super::operation::Request;

/// One request.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub user: String,
    pub verb: &'static str,
    pub group: String,
    pub resource: String,
    pub namespace: String,
    pub name: String,
    pub subresource: Option<String>,
    /// Whether the verb is one that writes.
    pub write: bool,
    /// Whether the request changed anything in the store.
    pub changed: bool,
    /// HTTP status of the answer.
    pub code: u16,
}

impl Call {
    pub fn new(user: &str, request: &Request, changed: bool, code: u16) -> Self {
        let target = &request.target;
        Self {
            user: user.to_owned(),
            verb: request.operation.verb(),
            group: target.kind.group.clone(),
            resource: target.kind.plural.clone(),
            namespace: target.namespace.clone(),
            name: target.name.clone(),
            subresource: target.subresource.clone(),
            write: request.operation.is_write(),
            changed,
            code,
        }
    }

    /// Leases and Events change without any progress being made.
    pub fn is_bookkeeping(&self) -> bool {
        matches!(self.resource.as_str(), "leases" | "events")
    }
}
