//! The Job that brings one store to the schema of a server version.
//!
//! Its steps (create the database, see that it is not another Temporal cluster's, set the schema up, update it) are containers that run one after the other, so
//! that the step that fails is known by name and its last words reach the status. Each step may be repeated.

use super::metadata::{SCHEMA_ACCOUNT, child_name, metadata, names, object_labels};
use super::object::hash_of;
use super::server::{from_secret, literal, pull_secrets};
use super::{Object, SecretVersions, owner_check, security};
use crate::api::{annotations, labels};
use crate::validate::version::tools_for;
use crate::validate::{ValidCluster, ValidStore};
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{Container, EnvVar, PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

/// Name of the container that updates the schema; the Go operator's, which users' patches rely on.
pub const UPDATE_STEP: &str = "schema-script-runner";
/// Name of the container that creates the database.
pub const CREATE_STEP: &str = "create-database";
/// Name of the container that sets the schema up.
pub const SETUP_STEP: &str = "setup-schema";

/// Name of the Job of a try: short, and different whenever its pod or the password it reads would be.
#[must_use]
pub fn name(cluster: &ValidCluster, store: &ValidStore, secrets: &SecretVersions, attempt: u32) -> String {
    let pod = serde_json::to_string(&pod(cluster, store)).unwrap_or_default();
    let secret = store.password.as_ref().and_then(|p| secrets.get(&p.secret));
    let inputs = format!("{pod}\n{secret:?}\n{attempt}");
    // 8 digits: the longest name then has just the 63 characters that a label takes
    let mut hash = hash_of(&inputs);
    hash.truncate(8);
    child_name(cluster, &format!("schema-{}-{hash}", store.kind.name()))
}

/// The Job of the n-th try (from 1). It does not retry by itself: the operator reads why it failed and tries again
/// with a growing delay.
#[must_use]
pub fn schema(cluster: &ValidCluster, store: &ValidStore, secrets: &SecretVersions, attempt: u32) -> Object {
    let mut meta = metadata(cluster, "", names::SCHEMA);
    meta.name = Some(name(cluster, store, secrets, attempt));
    let store_label = (labels::STORE.to_owned(), store.kind.name().to_owned());
    meta.labels.get_or_insert_default().extend([store_label.clone()]);
    meta.annotations = Some(BTreeMap::from([
        (annotations::ATTEMPT.to_owned(), attempt.to_string()),
        (annotations::SCHEMA_TARGET.to_owned(), cluster.version.to_string()),
    ]));
    let mut pod_labels = object_labels(cluster, names::SCHEMA);
    pod_labels.extend([store_label]);
    Object::Job(Box::new(Job {
        metadata: meta,
        spec: Some(JobSpec {
            backoff_limit: Some(0),
            parallelism: Some(1),
            completions: Some(1),
            ttl_seconds_after_finished: Some(cluster.job_ttl_seconds),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(pod_labels),
                    annotations: owner_check::applies(store).then(|| [owner_check::annotation(cluster)].into()),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod(cluster, store)),
            },
            ..JobSpec::default()
        }),
        ..Job::default()
    }))
}

fn pod(cluster: &ValidCluster, store: &ValidStore) -> PodSpec {
    let mut before = Vec::new();
    if store.create {
        before.push(step(cluster, store, CREATE_STEP, &["create-database"]));
    }
    let checks = owner_check::applies(store);
    if checks {
        before.push(owner_check::step(step(cluster, store, owner_check::CHECK_STEP, &[])));
    }
    before.push(step(cluster, store, SETUP_STEP, &["setup-schema", "--version", "0.0"]));
    let update = ["update-schema", "--schema-name", store.kind.schema_name()];
    PodSpec {
        restart_policy: Some("Never".to_owned()),
        service_account_name: Some(child_name(cluster, SCHEMA_ACCOUNT)),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        image_pull_secrets: pull_secrets(cluster),
        security_context: Some(security::pod(1000)),
        init_containers: Some(before),
        containers: vec![step(cluster, store, UPDATE_STEP, &update)],
        volumes: checks.then(|| vec![owner_check::volume()]),
        ..PodSpec::default()
    }
}

fn step(cluster: &ValidCluster, store: &ValidStore, name: &str, arguments: &[&str]) -> Container {
    Container {
        name: name.to_owned(),
        image: Some(format!("{}:{}", cluster.admin_tools_image, tools_for(&cluster.version))),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: Some(vec!["temporal-sql-tool".to_owned()]),
        args: Some(arguments.iter().map(|a| (*a).to_owned()).collect()),
        env: Some(environment(store)),
        resources: cluster.job_resources.clone(),
        security_context: Some(security::container()),
        // the tool's last words become the reason in the status
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        ..Container::default()
    }
}

/// The tool reads everything from the environment, so that no password is on a command line.
fn environment(store: &ValidStore) -> Vec<EnvVar> {
    let mut all = vec![
        literal("SQL_PLUGIN", store.plugin),
        literal("SQL_HOST", &store.host),
        literal("SQL_PORT", &store.port.to_string()),
        literal("SQL_USER", &store.user),
        literal("SQL_DATABASE", &store.database),
    ];
    all.extend(store.password.as_ref().map(|key| from_secret("SQL_PASSWORD", key)));
    if !store.connect_attributes.is_empty() {
        let query: Vec<String> = store.connect_attributes.iter().map(|(k, v)| format!("{k}={v}")).collect();
        all.push(literal("SQL_CONNECT_ATTRIBUTES", &query.join("&")));
    }
    all
}
