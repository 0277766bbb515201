//! Reads the spec field by field into a [`ValidCluster`].

use super::cluster::{StoreKind, ValidCluster, ValidRole, ValidUi};
use super::{Problems, observability, store, version};
use crate::api::TemporalCluster;
use crate::api::services::{Role, ServiceSpec, ServicesSpec};
use crate::api::ui::UiSpec;
use kube::{Resource, ResourceExt};
use semver::Version;
use std::collections::BTreeMap;

/// Longest `metadata.name`: the longest child is `-internal-frontend-headless`, a DNS label of 63.
const NAME_LIMIT: usize = 36;

/// Reads everything, noting problems on the way; `None` when a part without default is missing.
pub(super) fn read(resource: &TemporalCluster, problems: &mut Problems) -> Option<ValidCluster> {
    let spec = &resource.spec;
    let name = resource.name_any();
    problems.require(
        (1..=NAME_LIMIT).contains(&name.len()),
        "metadata.name",
        "at most 36 characters, since names of its objects are made from it; choose a shorter one",
    );
    problems.require(spec.num_history_shards >= 1, "spec.numHistoryShards", "must be at least 1");
    let version = read_version(resource, problems);
    let persistence = &spec.persistence;
    let default_store =
        store::read(StoreKind::Default, "spec.persistence.defaultStore", &persistence.default_store, problems);
    let visibility_store =
        store::read(StoreKind::Visibility, "spec.persistence.visibilityStore", &persistence.visibility_store, problems);
    let metrics = observability::metrics(spec.metrics.as_ref(), problems);
    let roles = read_roles(spec.services.as_ref(), metrics.as_ref().map(|m| m.port), problems);
    problems.require(
        roles.get(&Role::History).and_then(|r| r.replicas).is_none_or(|r| r <= spec.num_history_shards),
        "spec.services.history.replicas",
        "must not exceed spec.numHistoryShards, since a pod without a shard never turns ready; give fewer",
    );
    let dynamic_config_poll = observability::dynamic_config_poll(spec.dynamic_config.as_ref(), problems);
    let (default_store, visibility_store, version) = (default_store?, visibility_store?, version?);
    problems.require(
        default_store.identity() != visibility_store.identity(),
        "spec.persistence.visibilityStore.sql.databaseName",
        "must differ from the default store's database; the schema version of both would share one row. Name a second database",
    );
    problems.require(
        default_store.name != visibility_store.name,
        "spec.persistence.visibilityStore.name",
        "must differ from the default store's name",
    );
    Some(ValidCluster {
        namespace: resource.namespace().unwrap_or_else(|| "default".to_owned()),
        owner: resource.controller_owner_ref(&()).filter(|o| !o.uid.is_empty()),
        temporal_name: spec.cluster_name.clone().unwrap_or_else(|| name.clone()),
        image: spec.image.clone().unwrap_or_else(|| "temporalio/server".to_owned()),
        admin_tools_image: admin_tools_image(resource),
        image_pull_secrets: spec.image_pull_secrets.clone().unwrap_or_default(),
        history_shards: spec.num_history_shards,
        ui: spec.ui.as_ref().filter(|ui| ui.enabled).map(|ui| read_ui(ui, &version)),
        log: observability::log(spec.log.as_ref()),
        dynamic_config: spec.dynamic_config.as_ref().map(|d| d.values.clone()).unwrap_or_default(),
        job_ttl_seconds: spec.job_ttl_seconds_after_finished.unwrap_or(300),
        job_resources: spec.job_resources.clone(),
        warnings: warnings(&version, &roles, spec.num_history_shards),
        name,
        roles,
        default_store,
        visibility_store,
        metrics,
        dynamic_config_poll,
        version,
    })
}

/// `spec.version`, else the version chosen earlier, else the newest; refuses a step that Temporal does not allow.
fn read_version(resource: &TemporalCluster, problems: &mut Problems) -> Option<Version> {
    let present = resource.status.as_ref().and_then(|s| s.version.as_deref()).and_then(|v| Version::parse(v).ok());
    let Some(text) = resource.spec.version.as_deref() else {
        return Some(present.unwrap_or_else(version::newest));
    };
    match version::parse(text) {
        Err(message) => {
            problems.add("spec.version", message);
            None
        }
        Ok(wanted) => {
            if let Some(refusal) = present.and_then(|from| version::refuse_step(&from, &wanted)) {
                problems.add("spec.version", refusal);
            }
            Some(wanted)
        }
    }
}

fn read_roles(
    services: Option<&ServicesSpec>,
    metrics: Option<i32>,
    problems: &mut Problems,
) -> BTreeMap<Role, ValidRole> {
    Role::ALL
        .into_iter()
        .map(|role| {
            let service = services.and_then(|s| match role {
                Role::Frontend => s.frontend.as_ref(),
                Role::History => s.history.as_ref(),
                Role::Matching => s.matching.as_ref(),
                Role::Worker => s.worker.as_ref(),
            });
            (role, read_role(role, service, metrics, problems))
        })
        .collect()
}

fn read_role(role: Role, service: Option<&ServiceSpec>, metrics: Option<i32>, problems: &mut Problems) -> ValidRole {
    let mut valid = ValidRole::default_of(role);
    if let Some(service) = service {
        valid.grpc_port = service.port.unwrap_or(valid.grpc_port);
        valid.membership_port = service.membership_port.unwrap_or(valid.membership_port);
        if role == Role::Frontend {
            // 0 is how the Go operator's manifests try to switch it off
            valid.http_port = service.http_port.map_or(valid.http_port, |p| (p > 0).then_some(p));
        } else if service.http_port.is_some_and(|p| p != 0) {
            problems.add(format!("spec.services.{role}.httpPort"), "only the frontend has an HTTP port; remove it");
        }
        valid.replicas = service.replicas;
        valid.resources.clone_from(&service.resources);
    }
    let path = format!("spec.services.{role}");
    problems.require(
        valid.replicas.is_none_or(|r| r >= 1),
        &format!("{path}.replicas"),
        "must be at least 1; delete the cluster to stop it",
    );
    let mut ports: Vec<i32> =
        [Some(valid.grpc_port), Some(valid.membership_port), valid.http_port, metrics].into_iter().flatten().collect();
    problems.require(ports.iter().all(|p| (1..=65535).contains(p)), &path, "ports must be from 1 to 65535");
    let count = ports.len();
    ports.sort_unstable();
    ports.dedup();
    problems.require(
        ports.len() == count,
        &path,
        "port, membershipPort, httpPort and the metrics port must differ; change one of them",
    );
    valid
}

fn read_ui(ui: &UiSpec, server: &Version) -> ValidUi {
    let tested = version::Release::of(server).map_or("latest", |r| r.ui);
    let tag = ui.version.clone().unwrap_or_else(|| tested.to_owned());
    ValidUi {
        image: format!("{}:{tag}", ui.image.as_deref().unwrap_or("temporalio/ui")),
        version: tag,
        replicas: ui.replicas,
        resources: ui.resources.clone(),
        service: ui.service.clone().unwrap_or_default(),
    }
}

/// `admintools.image` also names the repository of the schema Jobs, whether or not the tools' pod is wanted.
fn admin_tools_image(resource: &TemporalCluster) -> String {
    let named = resource.spec.admintools.as_ref().and_then(|a| a.rest.get("image")).and_then(|i| i.as_str());
    named.unwrap_or("temporalio/admin-tools").to_owned()
}

fn warnings(version: &Version, roles: &BTreeMap<Role, ValidRole>, shards: i32) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(release) = version::Release::of(version).filter(|r| r.tested() != *version) {
        warnings.push(format!("server {version} is not tested with this operator; {} is", release.tested()));
    }
    let history = roles.get(&Role::History).and_then(|r| r.replicas).unwrap_or(1);
    if shards < history * 4 {
        warnings.push(format!(
            "{shards} history shards are few for {history} history pods: a pod that gets none never turns ready; make the next cluster with at least {}",
            history * 16
        ));
    }
    warnings
}
