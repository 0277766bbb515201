//! What the state of a Job and its pod tells.

use crate::api::jobs::STEPS;
use crate::api::labels;
use crate::plan::remedies::with_remedy;
use crate::plan::{Observed, pods};
use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::api::core::v1::{ContainerState, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

pub(super) fn succeeded(job: &Job) -> bool {
    condition(job, "Complete").is_some()
}

pub(super) fn failed_at(job: &Job) -> Option<Timestamp> {
    let failed = condition(job, "Failed")?;
    Some(failed.last_transition_time.as_ref().map_or(Timestamp::UNIX_EPOCH, |t| t.0))
}

/// The Job's condition of that type, if it is true.
fn condition<'a>(job: &'a Job, type_: &str) -> Option<&'a JobCondition> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|c| c.type_ == type_ && c.status == "True")
}

/// Its pod; the newest one, where Kubernetes tries again.
pub(super) fn pod_of<'a>(job: &Job, seen: &'a Observed) -> Option<&'a Pod> {
    let name = job.name_any();
    let pods = seen.pods.iter().filter(|p| p.labels().get(labels::JOB_NAME).is_some_and(|n| *n == name));
    pods.max_by_key(|p| p.creation_timestamp().map(|t| t.0)).map(AsRef::as_ref)
}

/// Why a Job does not get on: it has no pod, or one that is held back.
pub(super) fn held_back(job: &Job, seen: &Observed, now: Timestamp) -> Option<String> {
    match pod_of(job, seen) {
        Some(pod) => pods::held_back(pod, now),
        None => seen.refusals.get(&job.name_any()).map(|said| format!("its pod cannot be made: {}", with_remedy(said))),
    }
}

/// `at create-database: <what the tool said last>`, as far as it is known.
pub(super) fn last_words(job: &Job, seen: &Observed) -> String {
    let status = pod_of(job, seen).and_then(|p| p.status.as_ref());
    let mut containers: Vec<_> = status
        .into_iter()
        .flat_map(|s| s.init_container_statuses.iter().flatten().chain(s.container_statuses.iter().flatten()))
        .collect();
    // a sidecar that was stopped when a step had failed is not the reason
    containers.sort_by_key(|c| !STEPS.contains(&c.name.as_str()));
    for container in containers {
        let ended = container.state.as_ref().and_then(|s: &ContainerState| s.terminated.as_ref());
        if let Some(ended) = ended.filter(|e| e.exit_code != 0) {
            return format!("at {}: {}", container.name, pods::ended(ended));
        }
    }
    // one that ran out of its time has no pod any more
    let late = condition(job, "Failed").filter(|c| c.reason.as_deref() == Some("DeadlineExceeded"));
    late.map_or("without saying why", |_| "since its activeDeadlineSeconds were over").to_owned()
}
