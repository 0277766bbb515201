//! What may go wrong in a reconcile, each with its class.

use crate::apply::ApplyError;
use crate::error::{Class, words};
use crate::observe::ObserveError;
use crate::report::ReportError;
use crate::temporal::TemporalError;

/// A failed reconcile. A manifest that cannot be carried out is not one: it is reported as a condition.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading failed.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// Writing an object failed.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// Writing the status failed.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// Temporal did not do what it was asked to.
    #[error(transparent)]
    Temporal(#[from] TemporalError),
    /// Temporal does not take the operator's credentials, or they cannot be used.
    #[error("{0}")]
    Credentials(String),
    /// Writing the finalizer failed.
    #[error("cannot write the finalizer: {}", words(.0))]
    Finalizer(#[from] kube::Error),
    /// The lease is lost; another operator works now.
    #[error("this operator leads no longer")]
    NotLeader,
    /// The reconcile took longer than its deadline.
    #[error("the reconcile did not end within {0} s")]
    Deadline(u64),
    /// The reconcile panicked.
    #[error("the reconcile panicked: {0}")]
    Panic(String),
}

impl Error {
    /// One sentence without its full stop, fit for a condition.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Observe(ObserveError::Kube(e)) => format!("cannot read from the API server: {}", words(e)),
            other => other.to_string(),
        }
    }

    /// Its class.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            // somebody else wrote a finalizer meanwhile
            Self::Finalizer(kube::Error::Api(status)) if status.is_invalid() => Class::Transient,
            Self::Observe(ObserveError::Kube(e)) | Self::Report(ReportError::Kube(e)) | Self::Finalizer(e) => {
                Class::of(e)
            }
            Self::Observe(ObserveError::GateInput(_)) | Self::Credentials(_) => Class::User,
            Self::Temporal(e) => class_of(e),
            Self::Apply(e) => e.class(),
            Self::Deadline(_) | Self::NotLeader => Class::Transient,
            Self::Report(ReportError::Status(_)) | Self::Panic(_) => Class::Bug,
        }
    }
}

/// The class of an answer of Temporal's, by its gRPC code.
fn class_of(error: &TemporalError) -> Class {
    match error {
        _ if error.is_transient() => Class::Transient,
        // somebody else was faster; the next look tells
        TemporalError::Refused { code: "NOT_FOUND" | "ALREADY_EXISTS", .. } => Class::Transient,
        TemporalError::Protocol { .. } => Class::Bug,
        _ => Class::User,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("RESOURCE_EXHAUSTED", Class::Transient)]
    #[case("NOT_FOUND", Class::Transient)]
    #[case("INVALID_ARGUMENT", Class::User)]
    #[case("FAILED_PRECONDITION", Class::User)]
    fn classes_of_refusals(#[case] code: &'static str, #[case] class: Class) {
        let error = TemporalError::Refused { call: "X", code, failure: None, message: "m".to_owned() };
        assert_eq!(Error::from(error).class(), class);
    }

    #[test]
    fn classes_of_other_answers() {
        let silent = TemporalError::Unreachable { call: "X", reason: "r".to_owned() };
        assert_eq!(Error::from(silent).class(), Class::Transient);
        let denied = TemporalError::Denied { call: "X", message: "m".to_owned() };
        assert_eq!(Error::from(denied).class(), Class::User);
        let unknown = TemporalError::Protocol { call: "X", detail: "d".to_owned() };
        assert_eq!(Error::from(unknown).class(), Class::Bug);
    }
}
