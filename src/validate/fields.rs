//! Reads the spec field by field into a [`ValidCluster`].

use super::cluster::{ValidAdminTools, ValidCluster, ValidUi};
use super::datastore::{StoreKind, ValidStore};
use super::roles::ValidRole;
use super::{
    Problems, dynamic_config, images, ingress, job, log, observability, overrides, pools, resources, roles, rollout,
    server_config, store, version,
};
use crate::api::allowed::From;
use crate::api::services::Role;
use crate::api::ui::UiSpec;
use crate::api::{TemporalCluster, TemporalClusterSpec};
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
    let way = read_version(resource, problems);
    let version = way.as_ref().map(|way| way.next.clone());
    let mut notes = Vec::new();
    images::check(spec, problems, &mut notes);
    resources::check(spec, problems);
    let persistence = &spec.persistence;
    let default_store = store::read(StoreKind::Default, &persistence.default_store, problems);
    let visibility_store = store::read(StoreKind::Visibility, &persistence.visibility_store, problems);
    let secondary = persistence.secondary_visibility_store.as_ref();
    let secondary_visibility_store = secondary.and_then(|s| store::read(StoreKind::SecondaryVisibility, s, problems));
    let metrics = observability::metrics(spec.metrics.as_deref(), problems, &mut notes);
    let roles = roles::read(spec.services.as_ref(), spec.size, metrics.as_ref().map(|m| m.port), problems);
    problems.require(
        spec.allowed_namespaces.as_ref().is_none_or(|a| (a.from == Some(From::Selector)) == a.selector.is_some()),
        "spec.allowedNamespaces",
        "from: Selector and selector belong together; give both or neither",
    );
    let history = roles.get(&Role::History);
    let most = history.and_then(|r| r.autoscaling.as_ref()).map(|a| a.max);
    for (field, pods) in [("replicas", history.and_then(|r| r.replicas)), ("autoscaling.maxReplicas", most)] {
        problems.require(
            pods.is_none_or(|pods| pods <= spec.num_history_shards),
            &format!("spec.services.history.{field}"),
            "must not exceed spec.numHistoryShards, since a pod without a shard never turns ready; give fewer",
        );
    }
    let dynamic_config_poll =
        dynamic_config::read(spec.dynamic_config.as_ref(), version.as_ref(), problems, &mut notes);
    let log = log::read(spec.log.as_ref(), problems, &mut notes);
    let server_config = server_config::read(spec.server_config.as_ref(), problems, &mut notes);
    let job_pod = job::read(spec, problems);
    let rollout = rollout::read(resource, problems);
    let (default_store, visibility_store, Way { next: version, target }) = (default_store?, visibility_store?, way?);
    // checked even when it is off
    let ui = spec.ui.as_ref().map(|ui| read_ui(spec, ui, &version, problems));
    let ui = ui.filter(|_| spec.ui.as_ref().is_some_and(|ui| ui.enabled));
    let admin_tools = read_admin_tools(spec, &version, problems);
    let stores: Vec<_> = [&default_store, &visibility_store].into_iter().chain(&secondary_visibility_store).collect();
    store::check_apart(&stores, problems);
    store::check_kinds(&visibility_store, secondary_visibility_store.as_ref(), problems);
    dynamic_config::check_writing_mode(spec.dynamic_config.as_ref(), secondary_visibility_store.is_some(), problems);
    let gcp_service_account = store::gcp_service_account(persistence, problems);
    let owner = resource.controller_owner_ref(&()).filter(|o| !o.uid.is_empty());
    let reached = resource.status.as_ref().and_then(|s| s.rollout.as_ref());
    let proven = reached.is_some_and(|r| !r.proven.is_empty());
    let step = reached.and_then(|r| Role::parse(&r.step.as_ref()?.role));
    let recorded = resource.status.as_ref().and_then(|s| s.persistence.as_ref());
    let moving = recorded.is_some_and(|p| p.visibility_move.is_some());
    Some(ValidCluster {
        namespace: resource.namespace().unwrap_or_else(|| "default".to_owned()),
        // offline, what it will be in the end
        established: owner.is_none() || proven,
        // one long step, not one for each role: each change is delivered to all pods
        shards_move: step.is_some_and(Role::shares_out),
        owner,
        temporal_name: spec.cluster_name.clone().unwrap_or_else(|| name.clone()),
        image: images::or_default(spec.image.as_ref(), "temporalio/server", spec.image_registry.as_deref()),
        admin_tools_image: admin_tools_image(spec),
        admin_tools,
        image_pull_secrets: spec.image_pull_secrets.clone().unwrap_or_default(),
        history_shards: spec.num_history_shards,
        ui,
        log,
        server_config,
        dynamic_config: spec.dynamic_config.as_ref().map(|d| d.values.clone()).unwrap_or_default(),
        job_ttl_seconds: spec.job_ttl_seconds_after_finished.unwrap_or(300),
        job_resources: spec.job_resources.clone(),
        job_pod,
        gcp_service_account,
        warnings: [warnings(&version, &roles, spec.num_history_shards, &stores), notes].concat(),
        rollout,
        target,
        name,
        roles,
        writes_both: secondary_visibility_store.is_some() || moving,
        default_store,
        visibility_store,
        secondary_visibility_store,
        metrics,
        dynamic_config_poll,
        version,
    })
}

/// The version to run now, and the one wanted in the end.
struct Way {
    next: Version,
    target: Version,
}

/// `spec.version`, else the version chosen earlier, else the newest; refuses a way that Temporal does not allow.
fn read_version(resource: &TemporalCluster, problems: &mut Problems) -> Option<Way> {
    let present = resource.status.as_ref().and_then(|s| s.version.as_deref()).and_then(|v| Version::parse(v).ok());
    let Some(text) = resource.spec.version.as_deref() else {
        let chosen = present.unwrap_or_else(version::newest);
        return Some(Way { next: chosen.clone(), target: chosen });
    };
    let target = version::parse(text).map_err(|message| problems.add("spec.version", message)).ok()?;
    let path = present.map_or_else(|| Ok(Vec::new()), |from| version::path(&from, &target));
    let path = path.map_err(|refusal| problems.add("spec.version", refusal)).unwrap_or_default();
    let next = path.first().unwrap_or(&target).clone();
    if path.len() > 1 && resource.spec.image.as_ref().is_some_and(|i| i.contains('@')) {
        let refusal = format!(
            "the way to {target} leads through {next}, and spec.image is one image by its digest; set spec.version to {next} with the image of that version first"
        );
        problems.add("spec.version", refusal);
    }
    Some(Way { next, target })
}

fn read_ui(spec: &TemporalClusterSpec, ui: &UiSpec, server: &Version, problems: &mut Problems) -> ValidUi {
    let tested = version::Release::of(server).map_or("latest", |r| r.ui);
    let tag = ui.version.clone().unwrap_or_else(|| tested.to_owned());
    let image = images::or_default(ui.image.as_ref(), "temporalio/ui", spec.image_registry.as_deref());
    ValidUi {
        image: images::reference(&image, &tag),
        version: tag,
        replicas: ui.replicas,
        resources: ui.resources.clone(),
        service: ui.service.clone().unwrap_or_default(),
        overrides: overrides::read("spec.ui.overrides", ui.overrides.as_ref(), problems).into_iter().collect(),
        ingress: ui.ingress.as_ref().map(|i| ingress::read(i, problems)),
    }
}

/// `admintools.image` also names the image of the schema Jobs, whether or not the tools' pod is wanted.
fn admin_tools_image(spec: &TemporalClusterSpec) -> String {
    let named = spec.admintools.as_ref().and_then(|a| a.image.as_ref());
    images::or_default(named, "temporalio/admin-tools", spec.image_registry.as_deref())
}

fn read_admin_tools(spec: &TemporalClusterSpec, server: &Version, problems: &mut Problems) -> Option<ValidAdminTools> {
    let tools = spec.admintools.as_ref()?;
    let overrides = overrides::read("spec.admintools.overrides", tools.overrides.as_ref(), problems);
    let tag = tools.version.clone().unwrap_or_else(|| version::tools_for(server).to_string());
    tools.enabled.then(|| ValidAdminTools {
        image: images::reference(&admin_tools_image(spec), &tag),
        version: tag,
        resources: tools.resources.clone(),
        overrides: overrides.into_iter().collect(),
    })
}

fn warnings(version: &Version, roles: &BTreeMap<Role, ValidRole>, shards: i32, stores: &[&ValidStore]) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(release) = version::Release::of(version).filter(|r| r.tested() != *version) {
        warnings.push(format!("server {version} is not tested with this operator; {} is", release.tested()));
    }
    let history = roles.get(&Role::History).map_or(1, ValidRole::most_pods);
    if shards < history * 4 {
        warnings.push(format!(
            "{shards} history shards are few for {history} history pods: a pod that gets none never turns ready; make the next cluster with at least {}",
            history * 16
        ));
    }
    warnings.extend(pools::warnings(roles, stores));
    warnings
}
