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
            kube::Error::SerdeError(_) => Self::Bug,
            _ => Self::Transient,
        }
    }
}
