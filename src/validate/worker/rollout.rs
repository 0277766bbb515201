//! How a new version takes over, with every default.

use crate::api::worker::{RolloutSpec, SunsetSpec};
use crate::validate::Invalid;

/// How a new version takes over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RolloutPolicy {}

/// Reads it.
pub fn read(_: Option<&RolloutSpec>, _: Option<&SunsetSpec>) -> Result<RolloutPolicy, Invalid> {
    Ok(RolloutPolicy {})
}
