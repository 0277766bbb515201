//! What is said of a condition.

use crate::api::conditions::Truth;

/// A truth with its reason and sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// True, False or Unknown.
    pub truth: Truth,
    /// A CamelCase word.
    pub reason: &'static str,
    /// One sentence.
    pub message: String,
}

impl Verdict {
    pub(super) fn new(truth: Truth, reason: &'static str, message: impl Into<String>) -> Self {
        Self { truth, reason, message: message.into() }
    }
}
