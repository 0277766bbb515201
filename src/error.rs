//! The classes of trouble that decide what follows: a condition, a growing delay, a slow retry.

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
            kube::Error::Api(status) if status.is_invalid() || status.is_forbidden() || status.code == 400 => {
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
    use kube::core::Status;
    use rstest::rstest;

    #[rstest]
    #[case(422, "Invalid", "spec.x: Not found", Class::User)]
    #[case(403, "Forbidden", "exceeded quota", Class::User)]
    #[case(
        500,
        "",
        "failed to create typed patch object (ns/c; apps/v1, Kind=Deployment): .spec.x: field not declared in schema",
        Class::User
    )]
    #[case(500, "InternalError", "etcdserver: request timed out", Class::Transient)]
    fn answers_of_the_api_server(#[case] code: u16, #[case] reason: &str, #[case] message: &str, #[case] class: Class) {
        let status = Status { code, ..Status::failure(message, reason) };
        assert_eq!(Class::of(&kube::Error::Api(Box::new(status))), class);
    }
}
