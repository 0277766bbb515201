//! The pods of a version: the user's template, with what makes it a worker of this version.

use super::connection::{self, mounts, volumes};
use super::{Surroundings, object_labels, references, select};
use crate::api::annotations;
use crate::build::server::literal;
use crate::validate::ValidWorker;
use k8s_openapi::api::core::v1::{Container, EnvVar, PodTemplateSpec, TopologySpreadConstraint, VolumeMount};

pub(super) fn template(
    worker: &ValidWorker,
    build_id: &str,
    mut template: PodTemplateSpec,
    around: &Surroundings<'_>,
) -> PodTemplateSpec {
    let env = environment(worker, build_id, around);
    let (volumes, mounts) = worker.home.connection().map(|c| (volumes(c), mounts(c))).unwrap_or_default();
    if let Some(spec) = &mut template.spec {
        for container in spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten()) {
            complete(container, &env, &mounts);
        }
        if !volumes.is_empty() {
            spec.volumes.get_or_insert_default().extend(volumes);
        }
        if spec.topology_spread_constraints.as_ref().is_none_or(Vec::is_empty) {
            spec.topology_spread_constraints = Some(vec![over_nodes(worker, build_id)]);
        }
    }
    let configs = configs(&template, around);
    let metadata = template.metadata.get_or_insert_default();
    metadata.labels.get_or_insert_default().extend(object_labels(worker, build_id));
    if let Some(configs) = configs {
        metadata.annotations.get_or_insert_default().insert(annotations::SECRETS.to_owned(), configs);
    }
    template
}

/// What each container is given. The names are reserved, and those of the user may refer to them.
fn environment(worker: &ValidWorker, build_id: &str, around: &Surroundings<'_>) -> Vec<EnvVar> {
    let address = literal("TEMPORAL_ADDRESS", around.address);
    let mut all = vec![address, literal("TEMPORAL_NAMESPACE", worker.home.namespace())];
    if !build_id.is_empty() {
        all.push(literal("TEMPORAL_DEPLOYMENT_NAME", &worker.deployment_name));
        all.push(literal("TEMPORAL_WORKER_BUILD_ID", build_id));
    }
    all.extend(worker.home.connection().into_iter().flat_map(|c| connection::environment(c, around)));
    all
}

fn complete(container: &mut Container, env: &[EnvVar], mounts: &[VolumeMount]) {
    let users = container.env.take().unwrap_or_default();
    container.env = Some([env.to_vec(), users].concat());
    if !mounts.is_empty() {
        container.volume_mounts.get_or_insert_default().extend_from_slice(mounts);
    }
    // why a worker does not start: the status says it
    container.termination_message_policy.get_or_insert_with(|| "FallbackToLogsOnError".to_owned());
}

/// The versions of what the template refers to, so that a change of it restarts the pods; not part of a build id.
fn configs(template: &PodTemplateSpec, around: &Surroundings<'_>) -> Option<String> {
    let versions = references::of_template(template).into_iter().filter_map(|config| {
        let version = around.configs.get(&config)?.as_ref()?;
        Some(format!("{config}={version}"))
    });
    let all: Vec<String> = versions.collect();
    (!all.is_empty()).then(|| all.join(","))
}

/// One node that goes takes few pods with it, as far as there is room.
fn over_nodes(worker: &ValidWorker, build_id: &str) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        max_skew: 1,
        topology_key: "kubernetes.io/hostname".to_owned(),
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        label_selector: Some(select(worker, build_id)),
        match_label_keys: Some(vec!["pod-template-hash".to_owned()]),
        ..TopologySpreadConstraint::default()
    }
}
