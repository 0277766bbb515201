//! How often Temporal is asked, and how long an answer counts.

use super::{Need, Sample};
use std::time::Duration;

/// Between two looks at a version whose work goes its way.
const STEADY: Duration = Duration::from_secs(15);
/// Between two looks while something waits, moves, or sleeps. Temporal's own figures are up to 10 s old.
const CLOSE: Duration = Duration::from_secs(10);
/// A sample that is older says nothing of the present. It is longer than a token bucket makes anybody wait for the next.
pub const STALE: Duration = Duration::from_secs(120);

/// When a version with this history is to be asked about again, counted from its last sample.
#[must_use]
pub fn due(need: Need, present: i32, history: &[Sample]) -> Duration {
    let calm = history.last().is_some_and(|last| last.backlog == 0 && last.ready == present);
    if calm && need != Need::Candidate && present > 1 { STEADY } else { CLOSE }
}
