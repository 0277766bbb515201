//! From a gRPC status to a [`TemporalError`].

use std::error::Error;

use prost::Message;
use tonic::{Code, Status};

use super::TemporalError;
use super::error::bounded;

/// The TLS library's words (rustls 0.23, `error.rs`) when a connection will not come about by itself. By the time they are
/// heard they are text: HTTP/2 keeps nothing else of an error.
const UNTRUSTED: [&str; 3] = ["invalid peer certificate", "received fatal alert", "received corrupt message"];

/// `google.rpc.Status` as Temporal attaches it to errors, as far as we read it.
#[derive(Clone, PartialEq, Message)]
struct RichStatus {
    #[prost(message, repeated, tag = "3")]
    details: Vec<Detail>,
}

/// `google.protobuf.Any` without its value: the kind of failure alone.
#[derive(Clone, PartialEq, Message)]
struct Detail {
    #[prost(string, tag = "1")]
    type_url: String,
}

/// The class of a failed call.
pub(super) fn error_of(call: &'static str, status: &Status) -> TemporalError {
    let message = bounded(status.message());
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => unreachable_by(call, status),
        // Made by our side when the connection breaks in the middle of a call.
        Code::Unknown | Code::Internal if status.source().is_some() => unreachable_by(call, status),
        Code::PermissionDenied | Code::Unauthenticated => TemporalError::Denied { call, message },
        Code::Unimplemented => TemporalError::Protocol { call, detail: message },
        // tonic and prost have no type for these.
        Code::Internal if message.starts_with("failed to decode Protobuf message") => {
            TemporalError::Protocol { call, detail: message }
        }
        Code::OutOfRange if message.starts_with("Error, decoded message length too large") => {
            TemporalError::Protocol { call, detail: message }
        }
        code => TemporalError::Refused { call, code: name_of(code), failure: failure_of(status), message },
    }
}

/// The innermost cause says what a person can act upon ("Connection refused"); the outer ones say "transport error".
fn unreachable_by(call: &'static str, status: &Status) -> TemporalError {
    let mut cause: Option<&(dyn Error + 'static)> = status.source();
    let mut reason = status.message().to_owned();
    while let Some(error) = cause {
        reason = error.to_string();
        cause = error.source();
    }
    let reason = bounded(&reason);
    if UNTRUSTED.iter().any(|words| reason.contains(words)) {
        return TemporalError::Untrusted { call, reason };
    }
    TemporalError::Unreachable { call, reason }
}

/// `temporal.api.errordetails.v1.NamespaceNotFoundFailure` → `NamespaceNotFoundFailure`.
fn failure_of(status: &Status) -> Option<String> {
    let rich = RichStatus::decode(status.details()).ok()?;
    let kind = rich.details.first()?.type_url.rsplit(['.', '/']).next()?;
    Some(bounded(kind))
}

const fn name_of(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Status::unavailable("Frontend is not healthy yet"), "Unreachable", true)]
    #[case(Status::deadline_exceeded("late"), "Unreachable", true)]
    #[case(Status::cancelled("Timeout expired"), "Unreachable", true)]
    #[case(Status::from_error(Box::new(std::io::Error::other("reset"))), "Unreachable", true)]
    #[case(Status::permission_denied("Request unauthorized."), "Denied", false)]
    #[case(Status::unauthenticated("x"), "Denied", false)]
    #[case(Status::unimplemented("unknown service"), "Protocol", false)]
    #[case(Status::internal("failed to decode Protobuf message: x"), "Protocol", false)]
    #[case(Status::out_of_range("Error, decoded message length too large: found 9"), "Protocol", false)]
    #[case(Status::internal("database"), "Refused", true)]
    #[case(Status::resource_exhausted("busy"), "Refused", true)]
    #[case(Status::invalid_argument("x"), "Refused", false)]
    fn classes(#[case] status: Status, #[case] class: &str, #[case] transient: bool) {
        let error = error_of("X", &status);
        assert_eq!((error.class(), error.is_transient()), (class, transient), "{error}");
    }

    #[test]
    fn the_innermost_cause_is_told() {
        let error = error_of("X", &Status::from_error(Box::new(std::io::Error::other("connection reset"))));
        assert_eq!(error.to_string(), "Temporal does not answer X: connection reset");
    }

    #[test]
    fn temporals_kind_of_failure_is_read() {
        let type_url = "type.googleapis.com/temporal.api.errordetails.v1.NamespaceNotFoundFailure".to_owned();
        let rich = RichStatus { details: vec![Detail { type_url }] }.encode_to_vec();
        let error = error_of("X", &Status::with_details(Code::NotFound, "no", rich.into()));
        let TemporalError::Refused { code, failure, .. } = error else { panic!("{error}") };
        assert_eq!((code, failure.as_deref()), ("NOT_FOUND", Some("NamespaceNotFoundFailure")));
    }
}
