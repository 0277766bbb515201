//! The Deployments of the server's roles.

use super::config::{CONFIG_DIR, CONFIG_FILE, DYNAMIC_CONFIG, DYNAMIC_CONFIG_DIR};
use super::metadata::{child_name, metadata, object_labels, selector};
use super::object::hash_of;
use super::{Object, SecretVersions, ServerConfig, autoscaler, overrides, probes, security, store_tls};
use crate::api::services::{Role, SERVER_CONTAINER};
use crate::api::{annotations, labels};
use crate::validate::{Invalid, SecretKey, ValidCluster, ValidRole, image_reference};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, Container, ContainerPort, EmptyDirVolumeSource, EnvVar, EnvVarSource, ObjectFieldSelector,
    PodSpec, PodTemplateSpec, SecretKeySelector, TopologySpreadConstraint, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::BTreeMap;

/// Volume of the log file.
const LOG: &str = "log";
/// The server image's user.
const USER: i64 = 1000;
/// Worst case of a default shutdown is about 15 s (server 1.30–1.32, `service/*/service.go`); twice that and more.
const GRACE_SECONDS: i64 = 60;
/// How long a new pod is ready before an old one goes. A matching pod answers before it is in its ring, a frontend before
/// every node sends to it, which the old ones, who still serve while they leave, bridge too. Not for history, which says
/// that it serves 5 s after it has its shards.
const fn settle_seconds(role: Role) -> Option<i32> {
    match role {
        Role::History => None,
        Role::Matching => Some(5),
        Role::Frontend | Role::InternalFrontend | Role::Worker => Some(2),
    }
}

/// Old ReplicaSets kept for a way back; each keeps its config map.
const HISTORY_LIMIT: i32 = 3;

/// The Deployment of a role with this config. `first`: the number of pods to begin with where the spec gives none.
///
/// # Errors
/// When overrides do not fit the generated Deployment.
pub fn deployment(
    cluster: &ValidCluster,
    role: Role,
    config: &ServerConfig,
    secrets: &SecretVersions,
    first: Option<i32>,
) -> Result<Object, Invalid> {
    let settings = cluster.role(role);
    let replicas = settings.replicas.or(first);
    let mut metadata = metadata(cluster, role.name(), role.name());
    metadata.labels.get_or_insert_default().insert(labels::VERSION.to_owned(), cluster.version.to_string());
    let generated = Deployment {
        metadata,
        spec: Some(DeploymentSpec {
            replicas,
            selector: LabelSelector { match_labels: Some(selector(cluster, role.name())), ..LabelSelector::default() },
            strategy: Some(strategy(cluster, role)),
            min_ready_seconds: settle_seconds(role),
            revision_history_limit: Some(HISTORY_LIMIT),
            template: template(cluster, role, config, secrets),
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    };
    let mut deployment = overrides::apply(generated, SERVER_CONTAINER, &settings.overrides)?;
    if let Some(scaling) = &settings.autoscaling {
        autoscaler::check(role, scaling, &deployment)?;
    }
    let template = deployment.spec.as_ref().map(|s| &s.template);
    let hash = hash_of(&serde_json::to_string(&template).unwrap_or_default());
    let notes = deployment.metadata.annotations.get_or_insert_default();
    notes.insert(annotations::TEMPLATE_HASH.to_owned(), hash);
    if replicas.is_some() {
        notes.insert(annotations::REPLICAS.to_owned(), "given".to_owned());
    }
    Ok(Object::Deployment(Box::new(deployment)))
}

/// Pods are replaced one by one: servers that start take processors from those that serve. A surge pod of history must own
/// a shard to turn ready, which is likely only with many shards per pod; with few, one pod makes room first.
fn strategy(cluster: &ValidCluster, role: Role) -> DeploymentStrategy {
    let pods = cluster.role(role).most_pods();
    let surge = i32::from(role != Role::History || cluster.history_shards >= 8 * (pods + 1));
    DeploymentStrategy {
        type_: Some("RollingUpdate".into()),
        rolling_update: Some(RollingUpdateDeployment {
            max_surge: Some(IntOrString::Int(surge)),
            max_unavailable: Some(IntOrString::Int(1 - surge)),
        }),
    }
}

fn template(cluster: &ValidCluster, role: Role, config: &ServerConfig, secrets: &SecretVersions) -> PodTemplateSpec {
    let settings = cluster.role(role);
    let mut pod_labels = object_labels(cluster, role.name());
    pod_labels.insert(labels::VERSION.to_owned(), cluster.version.to_string());
    pod_labels.insert(labels::CONFIG_HASH.to_owned(), config.hash.clone());
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(pod_labels),
            annotations: pod_annotations(cluster, secrets),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            service_account_name: Some(child_name(cluster, role.name())),
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            image_pull_secrets: pull_secrets(cluster),
            security_context: Some(security::pod(USER)),
            termination_grace_period_seconds: Some(GRACE_SECONDS),
            topology_spread_constraints: some(spread(cluster, role, &settings)),
            init_containers: some(init_containers(&settings)),
            containers: vec![container(cluster, role)],
            affinity: settings.affinity.clone(),
            tolerations: some(settings.tolerations.clone()),
            priority_class_name: settings.priority_class.clone(),
            volumes: Some(volumes(cluster, config)),
            ..PodSpec::default()
        }),
    }
}

/// A list that is left out when it is empty.
pub(super) fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

/// A user's init containers, made fit for the *restricted* standard unless they say how they want to run.
fn init_containers(settings: &ValidRole) -> Vec<Container> {
    let fit = |container: &Container| Container {
        security_context: container.security_context.clone().or_else(|| Some(security::foreign_container())),
        ..container.clone()
    };
    settings.init_containers.iter().map(fit).collect()
}

/// A constraint that names no pods would spread nothing: it counts the pods of the role. Without any, pods are spread over
/// zones and nodes as far as there is room, those of each revision by themselves.
fn spread(cluster: &ValidCluster, role: Role, settings: &ValidRole) -> Vec<TopologySpreadConstraint> {
    let of_role = || LabelSelector { match_labels: Some(selector(cluster, role.name())), ..LabelSelector::default() };
    if settings.topology_spread.is_empty() {
        let over = |topology: &str| TopologySpreadConstraint {
            max_skew: 1,
            topology_key: topology.to_owned(),
            when_unsatisfiable: "ScheduleAnyway".to_owned(),
            label_selector: Some(of_role()),
            match_label_keys: Some(vec!["pod-template-hash".to_owned()]),
            ..TopologySpreadConstraint::default()
        };
        return ["topology.kubernetes.io/zone", "kubernetes.io/hostname"].map(over).to_vec();
    }
    let counting = |constraint: &TopologySpreadConstraint| TopologySpreadConstraint {
        label_selector: constraint.label_selector.clone().or_else(|| Some(of_role())),
        ..constraint.clone()
    };
    settings.topology_spread.iter().map(counting).collect()
}

pub(super) fn pull_secrets(cluster: &ValidCluster) -> Option<Vec<k8s_openapi::api::core::v1::LocalObjectReference>> {
    (!cluster.image_pull_secrets.is_empty()).then(|| cluster.image_pull_secrets.clone())
}

fn pod_annotations(cluster: &ValidCluster, secrets: &SecretVersions) -> Option<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    all.extend(cluster.rollout.restarted_at.clone().map(|at| (annotations::RESTARTED_AT.to_owned(), at)));
    let read: Vec<String> = cluster
        .server_secret_names()
        .into_iter()
        .filter_map(|name| secrets.get(name).map(|version| format!("{name}={version}")))
        .collect();
    if !read.is_empty() {
        all.insert(annotations::SECRETS.to_owned(), read.join(","));
    }
    if let Some(metrics) = cluster.metrics.as_ref().filter(|m| m.annotate) {
        let scrape = [("scrape", "true"), ("scheme", "http"), ("path", "/metrics")];
        all.extend(scrape.map(|(k, v)| (format!("prometheus.io/{k}"), v.to_owned())));
        all.insert("prometheus.io/port".to_owned(), metrics.port.to_string());
    }
    (!all.is_empty()).then_some(all)
}

fn volumes(cluster: &ValidCluster, config: &ServerConfig) -> Vec<Volume> {
    let mut all = vec![
        config_volume("config", config.name(cluster)),
        config_volume("dynamicconfig", child_name(cluster, DYNAMIC_CONFIG)),
    ];
    all.extend(cluster.stores().flat_map(store_tls::volumes));
    all.extend(cluster.log.file.is_some().then(|| empty_volume(LOG)));
    all
}

fn config_volume(volume: &str, config_map: String) -> Volume {
    Volume {
        name: volume.to_owned(),
        config_map: Some(ConfigMapVolumeSource { name: config_map, ..ConfigMapVolumeSource::default() }),
        ..Volume::default()
    }
}

/// A volume that begins empty with each pod.
pub(super) fn empty_volume(name: &str) -> Volume {
    Volume { name: name.to_owned(), empty_dir: Some(EmptyDirVolumeSource::default()), ..Volume::default() }
}

/// A volume that the container may write to.
pub(super) fn writable_mount(name: &str, path: &str) -> VolumeMount {
    VolumeMount { name: name.to_owned(), mount_path: path.to_owned(), ..VolumeMount::default() }
}

fn container(cluster: &ValidCluster, role: Role) -> Container {
    let settings = cluster.role(role);
    let probes = probes::of(cluster, role, &settings);
    let mount = |name: &str, path: &str| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    };
    let mut mounts = vec![mount("config", CONFIG_DIR), mount("dynamicconfig", DYNAMIC_CONFIG_DIR)];
    mounts.extend(cluster.stores().flat_map(store_tls::mounts));
    mounts.extend(cluster.log.directory().map(|dir| writable_mount(LOG, dir)));
    Container {
        name: SERVER_CONTAINER.to_owned(),
        image: Some(image_reference(&cluster.image, &cluster.version.to_string())),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        // not the image's entrypoint, which derives addresses of its own; --allow-no-auth silences a warning
        command: Some(["temporal-server", "--allow-no-auth", "start"].map(str::to_owned).to_vec()),
        env: Some(environment(cluster, role)),
        ports: Some(ports(cluster, role)),
        resources: settings.resources.clone(),
        security_context: Some(security::container()),
        startup_probe: Some(probes.startup),
        readiness_probe: Some(probes.readiness),
        liveness_probe: Some(probes.liveness),
        volume_mounts: Some(mounts),
        // why a server does not start: the status says it
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        ..Container::default()
    }
}

fn environment(cluster: &ValidCluster, role: Role) -> Vec<EnvVar> {
    let mut all = vec![
        EnvVar {
            name: "POD_IP".to_owned(),
            value_from: Some(EnvVarSource {
                field_ref: Some(ObjectFieldSelector {
                    field_path: "status.podIP".into(),
                    ..ObjectFieldSelector::default()
                }),
                ..EnvVarSource::default()
            }),
            ..EnvVar::default()
        },
        literal("TEMPORAL_SERVICES", role.name()),
        literal("TEMPORAL_SERVER_CONFIG_FILE_PATH", &format!("{CONFIG_DIR}/{CONFIG_FILE}")),
        // no call to the outside on the cluster's behalf
        literal("TEMPORAL_VERSION_CHECK_DISABLED", "1"),
    ];
    all.extend(cluster.role(role).go_memory_limit.as_ref().map(|limit| literal("GOMEMLIMIT", limit)));
    for store in cluster.stores() {
        all.extend(store.password.as_ref().map(|key| from_secret(&store.password_env(), key)));
    }
    all
}

pub(super) fn literal(name: &str, value: &str) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value.to_owned()), ..EnvVar::default() }
}

pub(super) fn from_secret(name: &str, key: &SecretKey) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(SecretKeySelector {
                name: key.secret.clone(),
                key: key.key.clone(),
                ..SecretKeySelector::default()
            }),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    }
}

fn ports(cluster: &ValidCluster, role: Role) -> Vec<ContainerPort> {
    let settings = cluster.role(role);
    let named = [
        ("rpc", Some(settings.grpc_port)),
        ("membership", Some(settings.membership_port)),
        ("http", settings.http_port),
        ("metrics", cluster.metrics.as_ref().map(|m| m.port)),
    ];
    named.into_iter().filter_map(|(name, port)| port.map(|p| container_port(name, p))).collect()
}

pub(super) fn container_port(name: &str, port: i32) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: port,
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}
