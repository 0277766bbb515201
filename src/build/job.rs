//! The Job that brings one store to the schema of a server version.
//!
//! Its steps are containers that run one after the other, so that the step that fails is known by name and its last words
//! reach the status. Each step may be repeated. PostgreSQL: create the database, see that it is not another Temporal
//! cluster's, set the schema up, update it. Elasticsearch: put the index template, create the index, update both.

use super::metadata::{SCHEMA_ACCOUNT, child_name, metadata, names, object_labels};
use super::object::hash_of;
use super::server::{from_secret, literal, pull_secrets, some};
use super::{Object, SecretVersions, elasticsearch, owner_check, security, store_tls};
use crate::api::jobs::{CHECK_STEP, CREATE_STEP, SETUP_STEP, UPDATE_STEP};
use crate::api::{annotations, labels};
use crate::validate::version::tools_for;
use crate::validate::{Engine, ValidCluster, ValidSql, ValidStore, image_reference};
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{Container, EnvVar, PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

/// Name of the Job of a try: short, and different whenever its pod or a Secret it reads would be.
#[must_use]
pub fn name(cluster: &ValidCluster, store: &ValidStore, secrets: &SecretVersions, attempt: u32) -> String {
    let pod = serde_json::to_string(&pod(cluster, store)).unwrap_or_default();
    let read: Vec<_> = store.job_secrets().into_iter().map(|key| secrets.get(&key.secret)).collect();
    let inputs = format!("{pod}\n{read:?}\n{attempt}");
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
    let users = &cluster.job_pod;
    let mut steps = steps(cluster, store);
    let last = steps.pop();
    PodSpec {
        restart_policy: Some("Never".to_owned()),
        service_account_name: Some(child_name(cluster, SCHEMA_ACCOUNT)),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        image_pull_secrets: pull_secrets(cluster),
        security_context: Some(security::pod(1000)),
        node_selector: users.node_selector.clone(),
        affinity: users.affinity.clone(),
        tolerations: users.tolerations.clone(),
        priority_class_name: users.priority_class_name.clone(),
        volumes: some(store_tls::volumes(store).chain(owner_check::applies(store).then(owner_check::volume)).collect()),
        init_containers: Some(users.init_containers.iter().cloned().chain(steps).collect()),
        containers: last.into_iter().collect(),
        ..PodSpec::default()
    }
}

/// The steps in order; the last one is the update.
fn steps(cluster: &ValidCluster, store: &ValidStore) -> Vec<Container> {
    match &store.engine {
        Engine::Sql(sql) => sql_steps(cluster, store, sql),
        Engine::Elasticsearch(search) => {
            let tool = |name, arguments: &[&str]| {
                let environment = elasticsearch::environment(store, search);
                step(cluster, store, name, elasticsearch::TOOL, arguments, environment)
            };
            elasticsearch::steps(search, store.create).iter().map(|(name, args)| tool(name, args)).collect()
        }
    }
}

fn sql_steps(cluster: &ValidCluster, store: &ValidStore, sql: &ValidSql) -> Vec<Container> {
    let tool = |name, arguments: &[&str]| {
        step(cluster, store, name, "temporal-sql-tool", arguments, sql_environment(store, sql))
    };
    let mut all = Vec::new();
    if store.create {
        all.push(tool(CREATE_STEP, &["create-database"]));
    }
    if owner_check::applies(store) {
        all.push(owner_check::step(tool(CHECK_STEP, &[])));
    }
    all.push(tool(SETUP_STEP, &["setup-schema", "--version", "0.0"]));
    all.push(tool(UPDATE_STEP, &["update-schema", "--schema-name", store.kind.schema_name()]));
    all
}

fn step(
    cluster: &ValidCluster,
    store: &ValidStore,
    name: &str,
    tool: &str,
    arguments: &[&str],
    environment: Vec<EnvVar>,
) -> Container {
    Container {
        name: name.to_owned(),
        image: Some(image_reference(&cluster.admin_tools_image, &tools_for(&cluster.version).to_string())),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: Some(vec![tool.to_owned()]),
        args: Some(arguments.iter().map(|a| (*a).to_owned()).collect()),
        env: Some(environment),
        resources: cluster.job_resources.clone(),
        security_context: Some(security::container()),
        volume_mounts: some(store_tls::mounts(store).collect()),
        // the tool's last words become the reason in the status
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        ..Container::default()
    }
}

/// The tool reads everything from the environment, so that no password is on a command line.
fn sql_environment(store: &ValidStore, sql: &ValidSql) -> Vec<EnvVar> {
    let mut all = vec![
        literal("SQL_PLUGIN", sql.plugin),
        // the tool puts a colon and the port after it
        literal("SQL_HOST", &sql.bracketed_host()),
        literal("SQL_PORT", &sql.port.to_string()),
        literal("SQL_USER", store.migration.as_ref().map_or(&sql.user, |m| &m.user)),
        literal("SQL_DATABASE", &sql.database),
    ];
    let password = store.migration.as_ref().map_or(store.password.as_ref(), |m| m.password.as_ref());
    all.extend(password.map(|key| from_secret("SQL_PASSWORD", key)));
    if !sql.connect_attributes.is_empty() {
        // escaped as the tool unescapes it; that also keeps Kubernetes from seeing its own $(…) in a value
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&sql.connect_attributes).finish();
        all.push(literal("SQL_CONNECT_ATTRIBUTES", &query));
    }
    all.extend(store_tls::environment(store, "SQL"));
    all
}
