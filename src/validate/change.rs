//! What may not change between two manifests of one cluster; the CRD's transition rules, for use offline.

use super::{Invalid, Problems, version};
use crate::api::TemporalClusterSpec;

/// Whether the one spec may become the other. Each is valid by itself.
///
/// # Errors
/// What may not change.
pub fn check(old: &TemporalClusterSpec, new: &TemporalClusterSpec) -> Result<(), Invalid> {
    let mut problems = Problems::default();
    problems.require(
        old.num_history_shards == new.num_history_shards,
        "spec.numHistoryShards",
        "cannot change; the database keeps the first number. Put the old number back",
    );
    problems.require(
        old.cluster_name == new.cluster_name,
        "spec.clusterName",
        "cannot change; Temporal keeps it in the database. Put the old name back",
    );
    let parsed = |spec: &TemporalClusterSpec| spec.version.as_deref().and_then(|v| version::parse(v).ok());
    if let (Some(from), Some(to)) = (parsed(old), parsed(new))
        && let Err(refusal) = version::path(&from, &to)
    {
        problems.add("spec.version", refusal);
    }
    if problems.0.is_empty() { Ok(()) } else { Err(Invalid { problems: problems.0 }) }
}
