//! The objects of the versions.

use super::numbers::Planned;
use super::{Fate, Seen, Sight};
use crate::build::worker::{Surroundings, Version, deployment, disruption_budget, revision};
use crate::build::{Object, ObjectKey};
use crate::plan::Changes;
use crate::plan::autoscaling::handover;
use std::collections::BTreeSet;

/// What is to be there. Nothing is changed as long as it is not known how the pods find Temporal.
pub(super) fn of(sight: &Sight<'_>, seen: &Seen, versions: &[Planned<'_>]) -> Changes {
    let Some(address) = address(sight, seen) else { return Changes::default() };
    let around = Surroundings { address, client_has_ca: seen.client_has_ca, configs: &seen.configs };
    let mut objects: Vec<Object> = versions.iter().flat_map(|version| of_version(sight, version, &around)).collect();
    objects.sort_by_key(Object::kind);
    let wanted: BTreeSet<ObjectKey> = objects.iter().map(Object::key).collect();
    // what has lost its template cannot be built again, so it is left alone
    let left: BTreeSet<&str> = versions
        .iter()
        .filter(|v| v.template.is_none() && !v.goes())
        .filter_map(|v| v.deployment?.metadata.name.as_deref())
        .collect();
    let prune = seen.children.iter().filter(|key| !wanted.contains(key) && !left.contains(key.name.as_str())).cloned();
    Changes {
        prune: prune.collect(),
        handovers: objects.iter().filter_map(|o| handover(o, seen.deployments.values())).collect(),
        objects,
        delivery: None,
        replacement: None,
    }
}

/// Pods are begun with when the cluster serves; from then on they are kept, whatever becomes of it.
fn address<'a>(sight: &Sight<'_>, seen: &'a Seen) -> Option<&'a str> {
    let begun = !seen.deployments.is_empty() || !seen.revisions.is_empty();
    let known = sight.seat.home().is_some() || (sight.seat.waits() && begun);
    seen.address.as_deref().filter(|_| known)
}

fn of_version(sight: &Sight<'_>, version: &Planned<'_>, around: &Surroundings<'_>) -> Vec<Object> {
    let (worker, build_id) = (sight.valid, version.build_id);
    let Some(template) = version.template.filter(|_| !version.goes()) else { return Vec::new() };
    let mut all = Vec::new();
    if worker.versioned {
        all.push(revision(worker, build_id, version.number, template));
    }
    if version.fate == Some(Fate::Rests) && version.deployment.is_none() {
        return all; // it is made again when it is needed
    }
    all.extend(deployment(worker, &Version { build_id, template, replicas: version.pods }, around));
    if version.size() > 0 {
        all.push(disruption_budget(worker, build_id));
    }
    all
}
