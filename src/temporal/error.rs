//! Why a call has failed, in classes that the operator acts upon.

use std::time::Duration;
use thiserror::Error;

/// Longest text of a server that is kept, in characters.
const MAX_TEXT: usize = 256;
/// How the reason begins of a call that had no answer in time.
const LATE: &str = "nothing within";

/// A failed call. Its text is one sentence, fit for a condition.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TemporalError {
    /// No answer: connect, timeout, or a frontend that is not ready. Try again later.
    #[error("Temporal does not answer {call}: {reason}")]
    Unreachable {
        /// The gRPC method, and whom it reached for where the canary knows.
        call: &'static str,
        /// What went wrong below.
        reason: String,
    },
    /// One of both sides does not trust the other: TLS. Waits for a change of certificates.
    #[error("the TLS connection to Temporal for {call} fails: {reason}")]
    Untrusted {
        /// The gRPC method.
        call: &'static str,
        /// The TLS library's words.
        reason: String,
    },
    /// The operator is not allowed to ask. Waits for a change of credentials or of the authorizer.
    #[error("Temporal denies the operator {call}: {message}")]
    Denied {
        /// The gRPC method.
        call: &'static str,
        /// The server's words.
        message: String,
    },
    /// The server has answered with an error.
    #[error("Temporal refuses {call} with {code}: {message}")]
    Refused {
        /// The gRPC method.
        call: &'static str,
        /// Name of the gRPC code, such as `NOT_FOUND`.
        code: &'static str,
        /// Temporal's kind of failure, such as `NamespaceNotFoundFailure`, where it gives one.
        failure: Option<String>,
        /// The server's words.
        message: String,
    },
    /// The answer is not what this operator understands: a bug of ours, or no Temporal at that address.
    #[error("Temporal's answer to {call} is not understood: {detail}")]
    Protocol {
        /// The gRPC method.
        call: &'static str,
        /// What is wrong with it.
        detail: String,
    },
}

impl TemporalError {
    /// Of a call that had no answer in time.
    pub(super) fn late(call: &'static str, deadline: Duration) -> Self {
        Self::Unreachable { call, reason: format!("{LATE} {deadline:?}") }
    }

    /// What is said of it, where this was said last. That a call had no answer in time tells less than what it was answered
    /// before: a frontend without its database does now the one, now the other, and the words would change each time.
    pub fn said_after(&self, before: &str) -> String {
        let text = self.to_string();
        let Self::Unreachable { reason, .. } = self else { return text };
        let same_call = text.strip_suffix(reason.as_str()).is_some_and(|call| before.starts_with(call));
        if reason.starts_with(LATE) && same_call { before.to_owned() } else { text }
    }

    /// The class as a word, for metrics and condition reasons.
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "Unreachable",
            Self::Untrusted { .. } => "Untrusted",
            Self::Denied { .. } => "Denied",
            Self::Refused { .. } => "Refused",
            Self::Protocol { .. } => "Protocol",
        }
    }

    /// Whether the frontend has answered, with its database's help, and another role has not answered it.
    pub fn is_of_another_role(&self) -> bool {
        let (Self::Unreachable { call, .. } | Self::Refused { call, .. }) = self else { return false };
        call.ends_with("(history)") || call.ends_with("(matching)")
    }

    /// Whether it is for a namespace that Temporal does not know.
    pub fn is_missing_namespace(&self) -> bool {
        let Self::Refused { code: "NOT_FOUND", failure, .. } = self else { return false };
        failure.as_deref() == Some("NamespaceNotFoundFailure")
    }

    /// Whether what was asked for is not there, in a namespace that Temporal knows.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Refused { code: "NOT_FOUND", .. }) && !self.is_missing_namespace()
    }

    /// Whether the same call may succeed later without anybody's doing.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { code, .. } => matches!(*code, "RESOURCE_EXHAUSTED" | "ABORTED" | "INTERNAL" | "UNKNOWN"),
            Self::Untrusted { .. } | Self::Denied { .. } | Self::Protocol { .. } => false,
        }
    }

    /// Whether other credentials, or other authorities, would help.
    pub fn is_about_credentials(&self) -> bool {
        matches!(self, Self::Untrusted { .. } | Self::Denied { .. })
    }
}

/// Text from outside on one line of bounded length.
pub(super) fn bounded(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(|c| !c.is_control()).collect();
    if line.is_empty() {
        return "no message".to_owned();
    }
    match line.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_one_bounded_line() {
        assert_eq!(bounded(" a\n\tb\u{7}  c "), "a b c");
        assert_eq!(bounded("\n"), "no message");
        let long = bounded(&"é".repeat(1000));
        assert_eq!(long.chars().count(), MAX_TEXT + 1);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn no_answer_in_time_does_not_replace_a_better_reason() {
        let answered = TemporalError::Unreachable { call: "ListNamespaces", reason: "no connection found".to_owned() };
        let late = |call| TemporalError::late(call, Duration::from_secs(3));
        let first = late("ListNamespaces").to_string();
        assert_eq!(first, "Temporal does not answer ListNamespaces: nothing within 3s");
        assert_eq!(answered.said_after(&first), answered.to_string());
        assert_eq!(late("ListNamespaces").said_after(&answered.to_string()), answered.to_string());
        assert_eq!(late("DescribeCluster").said_after(&answered.to_string()), late("DescribeCluster").to_string());
    }

    #[test]
    fn another_role_is_away() {
        let late = |call| TemporalError::late(call, Duration::from_secs(3)).is_of_another_role();
        assert!(late("DescribeWorkflowExecution (history)") && late("DescribeTaskQueue (matching)"));
        assert!(!late("GetSystemInfo (frontend)") && !late("DescribeNamespace (database)"));
    }

    #[test]
    fn sentences() {
        let error = TemporalError::Refused {
            call: "DescribeCluster",
            code: "RESOURCE_EXHAUSTED",
            failure: None,
            message: "namespace rate limit exceeded".to_owned(),
        };
        assert_eq!(
            error.to_string(),
            "Temporal refuses DescribeCluster with RESOURCE_EXHAUSTED: namespace rate limit exceeded"
        );
        assert_eq!(error.class(), "Refused");
        assert!(error.is_transient());
    }
}
