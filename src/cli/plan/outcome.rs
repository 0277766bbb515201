//! What comes of a plan, for the exit code and on standard error.

use temporal_operator::validate::Invalid;

/// What the exit code says, the gravest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    Same,
    Changes,
    Restarts,
    Refused,
}

/// A line on standard error for each problem.
pub(super) fn refused(what: &str, invalid: &Invalid) -> Outcome {
    for problem in &invalid.problems {
        eprintln!("{what}: {}: {}", problem.field, problem.message);
    }
    Outcome::Refused
}
