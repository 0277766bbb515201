//! What may go wrong in a reconcile, each with its class.

use crate::apply::ApplyError;
use crate::error::{Class, words};
use crate::observe::ObserveError;
use crate::report::ReportError;

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
            Self::Observe(ObserveError::Kube(e)) | Self::Report(ReportError::Kube(e)) => Class::of(e),
            Self::Apply(e) => e.class(),
            Self::Deadline(_) => Class::Transient,
            Self::Report(ReportError::Status(_)) | Self::Panic(_) => Class::Bug,
        }
    }
}
