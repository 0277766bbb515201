//! The Job that must succeed before an upgrade: the user's, with what it leaves open filled in.

use super::Object;
use super::metadata::{child_name, metadata, names, object_labels, under_ours};
use super::object::hash_of;
use super::{security, server::pull_secrets};
use crate::api::annotations;
use crate::validate::{ValidBeforeUpgrade, ValidCluster};
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use semver::Version;
use std::collections::BTreeMap;

/// Name of the Job: another one for another template, another target or another value of the restart annotation, which
/// is how a user asks for another try.
#[must_use]
pub fn name(cluster: &ValidCluster, users: &ValidBeforeUpgrade) -> String {
    let template = serde_json::to_string(&users.spec).unwrap_or_default();
    let inputs = format!("{template}\n{}\n{:?}", cluster.target, cluster.rollout.restarted_at);
    let mut hash = hash_of(&inputs);
    // with the longest name of a cluster that is 60 of the 63 characters that a label takes
    hash.truncate(8);
    child_name(cluster, &format!("{}-{hash}", names::BEFORE_UPGRADE))
}

/// The Job of an upgrade that begins at the version `from`.
#[must_use]
pub fn job(cluster: &ValidCluster, users: &ValidBeforeUpgrade, from: &Version) -> Object {
    let versions = BTreeMap::from([
        (annotations::FROM_VERSION.to_owned(), from.to_string()),
        (annotations::TARGET_VERSION.to_owned(), cluster.target.to_string()),
    ]);
    let own = metadata(cluster, "", names::BEFORE_UPGRADE);
    let metadata = ObjectMeta {
        name: Some(name(cluster, users)),
        labels: under_ours(users.metadata.labels.as_ref(), Some(object_labels(cluster, names::BEFORE_UPGRADE))),
        annotations: under_ours(users.metadata.annotations.as_ref(), Some(versions.clone())),
        ..own
    };
    let of_pod = users.spec.template.metadata.clone().unwrap_or_default();
    let template = PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: under_ours(of_pod.labels.as_ref(), Some(object_labels(cluster, names::BEFORE_UPGRADE))),
            annotations: under_ours(of_pod.annotations.as_ref(), Some(versions)),
            ..of_pod
        }),
        spec: users.spec.template.spec.clone().map(|given| pod(cluster, given)),
    };
    Object::Job(Box::new(Job {
        metadata,
        spec: Some(JobSpec {
            backoff_limit: users.spec.backoff_limit.or(Some(0)),
            ttl_seconds_after_finished: users.spec.ttl_seconds_after_finished.or(Some(cluster.job_ttl_seconds)),
            template,
            ..users.spec.clone()
        }),
        ..Job::default()
    }))
}

fn pod(cluster: &ValidCluster, given: PodSpec) -> PodSpec {
    PodSpec {
        restart_policy: given.restart_policy.or_else(|| Some("Never".to_owned())),
        // who names an account wants to speak as it
        automount_service_account_token: given
            .automount_service_account_token
            .or_else(|| given.service_account_name.is_none().then_some(false)),
        enable_service_links: given.enable_service_links.or(Some(false)),
        image_pull_secrets: given.image_pull_secrets.or_else(|| pull_secrets(cluster)),
        security_context: given.security_context.or_else(|| Some(security::pod(USER))),
        init_containers: given.init_containers.map(|all| all.into_iter().map(container).collect()),
        containers: given.containers.into_iter().map(container).collect(),
        ..given
    }
}

/// Some user that is not root; the images are of any kind.
const USER: i64 = 1000;

fn container(given: Container) -> Container {
    Container {
        security_context: given.security_context.or_else(|| Some(security::foreign_container())),
        // its last words become the reason in the status
        termination_message_policy: given
            .termination_message_policy
            .or_else(|| Some("FallbackToLogsOnError".to_owned())),
        ..given
    }
}
