//! What holds a pod back, in one part of a sentence.

use super::remedies::with_remedy;
use super::words::reason_in;
use crate::api::conditions::shorten;
use crate::api::redact::without_credentials;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod, PodCondition};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

/// Kubernetes' messages may be long lists.
const LIMIT: usize = 400;
/// Waiting for these is normal.
const PASSING: [&str; 2] = ["PodInitializing", "ContainerCreating"];

/// Volumes and network of a pod are there within this time, unless something is missing.
const START: SignedDuration = SignedDuration::from_secs(20);

/// Why a pod does not get on; `None` when it just needs time.
#[must_use]
pub fn held_back(pod: &Pod, now: Timestamp) -> Option<String> {
    let status = pod.status.as_ref()?;
    let name = pod.name_any();
    let unscheduled = status.conditions.iter().flatten().find(|c| c.type_ == "PodScheduled" && c.status == "False");
    if let Some(condition) = unscheduled {
        let why = condition.message.as_deref().unwrap_or("no reason given");
        return Some(format!("pod {name} cannot be scheduled: {}", shorten(why, LIMIT)));
    }
    if status.phase.as_deref() == Some("Failed") && status.reason.is_some() {
        let why = status.message.as_deref().or(status.reason.as_deref()).unwrap_or_default();
        return Some(format!("pod {name} was ended by the node: {}", shorten(why.trim(), LIMIT)));
    }
    let containers = status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten());
    containers.filter(|c| !c.ready).find_map(|c| container_held_back(c, &name)).or_else(|| not_begun(pod, now))
}

/// A volume that cannot be mounted is told in events only.
fn not_begun(pod: &Pod, now: Timestamp) -> Option<String> {
    let status = pod.status.as_ref().filter(|s| s.phase.as_deref() == Some("Pending"))?;
    let idle = |c: &&PodCondition| c.type_ == "PodReadyToStartContainers" && c.status == "False";
    let since = status.conditions.iter().flatten().find(idle)?.last_transition_time.as_ref()?.0;
    let name = pod.name_any();
    (now.duration_since(since) > START).then(|| {
        format!("pod {name} has not begun; its events say what is missing, such as a key of a Secret that is mounted")
    })
}

fn container_held_back(container: &ContainerStatus, pod: &str) -> Option<String> {
    let place = format!("container {} of pod {pod}", container.name);
    let state = container.state.as_ref();
    let waiting = state.and_then(|s| s.waiting.as_ref());
    let reason = waiting.and_then(|w| w.reason.as_deref()).filter(|r| !PASSING.contains(r));
    let last = container.last_state.as_ref().and_then(|s| s.terminated.as_ref());
    match (reason, last) {
        (Some("CrashLoopBackOff"), Some(last)) => Some(format!("{place} ends with: {}", ended(last))),
        // the kubelet goes from the one to the other and back; the cause is the same
        (Some("ErrImagePull" | "ImagePullBackOff"), _) => {
            let said = waiting.and_then(|w| w.message.as_deref()).unwrap_or("no reason given").trim();
            let cause = said.rsplit_once("ErrImagePull: ").map_or(said, |(_, cause)| cause);
            let words = format!("cannot pull its image {}: {}", container.image, shorten(cause, LIMIT));
            Some(format!("{place} {}", with_remedy(&words)))
        }
        (Some(reason), _) => {
            let said = waiting
                .and_then(|w| w.message.as_deref())
                .map(|m| shorten(without_credentials(m).trim(), LIMIT))
                .unwrap_or_default();
            let said = if said.is_empty() { reason.to_owned() } else { format!("{reason}: {said}") };
            Some(format!("{place} is in {}", with_remedy(&said)))
        }
        // running again, for the moment: one restart is no trouble, more are
        (None, Some(last)) if container.restart_count > 1 && last.exit_code != 0 => {
            Some(format!("{place} ends with: {}", ended(last)))
        }
        _ => None,
    }
}

/// What a container said last, with a remedy where one is known.
#[must_use]
pub fn ended(end: &ContainerStateTerminated) -> String {
    let said = end.message.as_deref().map(reason_in).filter(|m| !m.is_empty());
    match (said, end.reason.as_deref()) {
        (Some(said), _) => with_remedy(&said),
        (None, Some("OOMKilled")) => {
            "OOMKilled, it needed more memory than its limit (raise resources.limits.memory)".to_owned()
        }
        (None, _) => format!("exit code {}, no reason in the last lines of its log", end.exit_code),
    }
}

/// Why a Deployment cannot make its pods, in the API server's words: a quota, a policy, a limit.
#[must_use]
pub fn not_made(deployment: &Deployment) -> Option<String> {
    let conditions = deployment.status.as_ref()?.conditions.as_ref()?;
    let failure = conditions.iter().find(|c| c.type_ == "ReplicaFailure" && c.status == "True")?;
    let said = failure.message.as_deref().or(failure.reason.as_deref()).unwrap_or("no reason given");
    Some(format!("a pod cannot be made: {}", with_remedy(&shorten(said.trim(), LIMIT))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    fn pod(status: &Value) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": "p"}, "status": status})).unwrap()
    }

    #[allow(clippy::needless_pass_by_value)] // written in place
    fn container(state: Value, last: Value, restarts: i32) -> Value {
        json!({"containerStatuses": [{"name": "service", "image": "i", "imageID": "", "ready": false,
            "restartCount": restarts, "state": state, "lastState": last}]})
    }

    fn ended_with(message: &str) -> Value {
        json!({"terminated": {"exitCode": 1, "reason": "Error", "message": message}})
    }

    #[rstest]
    #[case::creating(container(json!({"waiting": {"reason": "ContainerCreating"}}), json!({}), 0), None)]
    #[case::no_key(
        container(json!({"waiting": {"reason": "CreateContainerConfigError", "message": "couldn't find key k in Secret ns/s"}}), json!({}), 0),
        Some("container service of pod p is in CreateContainerConfigError: couldn't find key k in Secret ns/s (put that key into the Secret")
    )]
    #[case::no_image(
        container(json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"i\": ErrImagePull: failed to pull: connection refused"}}), json!({}), 0),
        Some("container service of pod p cannot pull its image i: failed to pull: connection refused (correct the image")
    )]
    #[case::crash(
        container(json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}), ended_with("Unable to start server. Error: pq: password authentication failed for user \"t\""), 1),
        Some("container service of pod p ends with: pq: password authentication failed for user \"t\" (correct the password")
    )]
    #[case::between_crashes(container(json!({"running": {}}), ended_with("boom"), 2), Some("container service of pod p ends with: boom"))]
    #[case::one_restart(container(json!({"running": {}}), ended_with("boom"), 1), None)]
    #[case::killed(
        container(json!({"waiting": {"reason": "CrashLoopBackOff"}}), json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}), 3),
        Some("container service of pod p ends with: OOMKilled")
    )]
    #[case::no_node(
        json!({"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}]}),
        Some("pod p cannot be scheduled: 0/1 nodes are available")
    )]
    #[case::starting(
        json!({"phase": "Pending", "conditions": [{"type": "PodReadyToStartContainers", "status": "False", "lastTransitionTime": "1970-01-01T00:16:30Z"}]}),
        None
    )]
    #[case::no_volume(
        json!({"phase": "Pending", "conditions": [{"type": "PodReadyToStartContainers", "status": "False", "lastTransitionTime": "1970-01-01T00:16:00Z"}]}),
        Some("pod p has not begun")
    )]
    #[case::evicted(
        json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory."}),
        Some("pod p was ended by the node: The node was low on memory.")
    )]
    fn pods(#[case] status: Value, #[case] expected: Option<&str>) {
        let said = held_back(&pod(&status), Timestamp::from_second(1_000).unwrap());
        match expected {
            None => assert_eq!(said, None),
            Some(words) => assert!(said.as_deref().unwrap_or_default().starts_with(words), "{said:?}"),
        }
    }

    #[test]
    fn a_quota_is_said_by_the_deployment() {
        let deployment: Deployment = serde_json::from_value(json!({"status": {"conditions": [
            {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
             "message": "pods \"x\" is forbidden: exceeded quota: q"}]}}))
        .unwrap();
        let said = not_made(&deployment).unwrap();
        assert!(said.starts_with("a pod cannot be made: pods \"x\" is forbidden: exceeded quota: q (raise"), "{said}");
    }
}
