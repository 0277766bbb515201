//! A step that is not proven in time: what is said of it, and the way back.

use super::role::{RoleView, template_hash};
use super::timeout;
use crate::api::conditions::{self, MEMBERSHIP_HEALTHY, SERVICES_READY, whole_seconds};
use crate::api::rollout::{FailedStep, OnFailure, RolloutStatus, RolloutStep};
use crate::api::services::Role;
use crate::api::{TemporalClusterStatus, annotations};
use crate::build::Object;
use crate::plan::Observed;
use crate::validate::ValidCluster;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use semver::Version;

/// The failure of before, as long as the same is wanted of that role and was not reached after all.
pub(super) fn still(before: &RolloutStatus, views: &[RoleView<'_>]) -> Option<FailedStep> {
    let failed = before.failed.as_ref()?;
    let view = views.iter().find(|v| v.role.name() == failed.role)?;
    (view.wanted_hash == failed.template && !view.is_proven_new()).then(|| failed.clone())
}

/// A step that has had its time.
pub(super) fn overdue(
    cluster: &ValidCluster,
    before: &RolloutStatus,
    views: &[RoleView<'_>],
    seen: &Observed,
    old: &TemporalClusterStatus,
    now: Timestamp,
) -> Option<FailedStep> {
    let step = before.step.as_ref()?;
    let view = views.iter().find(|v| v.role.name() == step.role && v.wanted_hash == step.template)?;
    let late = is_late(cluster, step, now) && view.is_on_its_way();
    late.then(|| {
        let left = left_alone(cluster, view, before, seen, old);
        FailedStep {
            role: step.role.clone(),
            template: step.template.clone(),
            at: Time(whole_seconds(now)),
            rolled_back: left.is_none(),
            message: message(cluster, view.role, left, old),
        }
    })
}

/// Whether a step has had its time. Then the way back is looked for.
#[must_use]
pub fn is_late(cluster: &ValidCluster, step: &RolloutStep, now: Timestamp) -> bool {
    now.duration_since(step.started_at.0) >= timeout(cluster)
}

/// Why a role does not get back what it had; `None` when it does.
fn left_alone(
    cluster: &ValidCluster,
    view: &RoleView<'_>,
    before: &RolloutStatus,
    seen: &Observed,
    old: &TemporalClusterStatus,
) -> Option<&'static str> {
    let reached = old.version.as_deref().and_then(|v| Version::parse(v).ok());
    let other_minor = reached.is_some_and(|v| v.minor != cluster.version.minor);
    match () {
        () if cluster.rollout.on_failure == OnFailure::Pause => Some("spec.rollout.onFailure is Pause"),
        () if view.role == Role::History && other_minor => {
            Some("history pods of an older minor version may not read what newer ones wrote")
        }
        () if template_before(view, before, seen).is_none() => Some("its last proven ReplicaSet is gone"),
        () => None,
    }
}

/// What was seen when the time was over.
fn message(cluster: &ValidCluster, role: Role, left: Option<&str>, old: &TemporalClusterStatus) -> String {
    let saw = [SERVICES_READY, MEMBERSHIP_HEALTHY]
        .into_iter()
        .filter_map(|type_| conditions::get(&old.conditions, type_))
        .find(|c| c.status != "True")
        .map_or("Its pods were not proven.", |c| c.message.as_str());
    let done = match left {
        None => "It gets back what was last proven".to_owned(),
        Some(why) => format!("It is left as it is, since {why}"),
    };
    format!(
        "The rollout to server {} stopped at the {role} role, which was not proven within {}: {saw} {done}; the rest serves on. Correct the manifest, or set the annotation temporal.io/restartedAt to another value to try again.",
        cluster.version,
        in_words(cluster.rollout.step_timeout.as_secs()),
    )
}

fn in_words(seconds: u64) -> String {
    if seconds.is_multiple_of(60) { format!("{} min", seconds / 60) } else { format!("{seconds} s") }
}

/// The Deployment with the pod template that was last proven; the rest of it as it is wanted.
pub(super) fn way_back(view: &RoleView<'_>, before: &RolloutStatus, seen: &Observed) -> Option<Object> {
    let (hash, template) = template_before(view, before, seen)?;
    let Object::Deployment(mut deployment) = view.wanted.clone() else { return None };
    deployment.spec.as_mut()?.template = template;
    let notes = deployment.metadata.annotations.get_or_insert_default();
    notes.insert(annotations::TEMPLATE_HASH.to_owned(), hash);
    Some(Object::Deployment(deployment))
}

/// Where the way back leads: the template of the ReplicaSet that was last proven.
fn template_before(view: &RoleView<'_>, before: &RolloutStatus, seen: &Observed) -> Option<(String, PodTemplateSpec)> {
    let hash = before.proven.get(view.role.name())?;
    let is_it = |set: &&k8s_openapi::api::apps::v1::ReplicaSet| {
        template_hash(set.metadata.annotations.as_ref()).as_ref() == Some(hash)
    };
    let mut template = seen.revisions.iter().find(is_it)?.spec.as_ref()?.template.clone()?;
    // the Deployment's controller adds it
    template.metadata.as_mut()?.labels.as_mut()?.remove("pod-template-hash");
    Some((hash.clone(), template))
}
