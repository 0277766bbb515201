//! What may not change between two manifests of one worker; the CRD's transition rules, for use offline.

use super::{Invalid, Problems};
use crate::api::worker::TemporalWorkerSpec;

/// Whether the one spec may become the other. Each is valid by itself.
pub fn check(old: &TemporalWorkerSpec, new: &TemporalWorkerSpec) -> Result<(), Invalid> {
    let mut problems = Problems::default();
    let stay = "cannot change, since the versions would stay behind; make another TemporalWorker";
    for (same, field) in [
        (old.cluster_ref == new.cluster_ref, "spec.clusterRef"),
        (old.namespace == new.namespace, "spec.namespace"),
        (old.namespace_ref == new.namespace_ref, "spec.namespaceRef"),
        (old.deployment_name == new.deployment_name, "spec.deploymentName"),
    ] {
        problems.require(same, field, stay);
    }
    problems.require(
        old.versioning.unwrap_or_default() == new.versioning.unwrap_or_default(),
        "spec.versioning",
        "cannot change, since the pods of the one would stay beside those of the other; make another TemporalWorker",
    );
    if problems.0.is_empty() { Ok(()) } else { Err(Invalid { problems: problems.0 }) }
}
