//! How work decides on the number of pods, with every default.

use crate::api::worker::ScalingSpec;
use crate::scaling::Policy;
use crate::validate::Invalid;

/// Reads it.
pub fn read(spec: &ScalingSpec) -> Result<Policy, Invalid> {
    let min = spec.min.unwrap_or(1);
    if min > spec.max {
        return Err(Invalid::one("spec.scaling", "min must not exceed max; lower one or raise the other"));
    }
    Ok(Policy { min, max: spec.max })
}
