//! The Secrets and ConfigMaps that a template refers to: a change of one restarts the pods.

use k8s_openapi::api::core::v1::{Container, PodTemplateSpec, Volume};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A Secret or ConfigMap of the worker's namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum ConfigRef {
    ConfigMap(String),
    Secret(String),
}

impl fmt::Display for ConfigRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConfigMap(name) => write!(f, "configmap/{name}"),
            Self::Secret(name) => write!(f, "secret/{name}"),
        }
    }
}

/// `resourceVersion` of each; `None` for one that does not exist.
pub type ConfigVersions = BTreeMap<ConfigRef, Option<String>>;

/// Every one that a template refers to.
#[must_use]
pub fn references(template: &Map<String, Value>) -> BTreeSet<ConfigRef> {
    let template = serde_json::from_value::<PodTemplateSpec>(Value::Object(template.clone()));
    template.map(|template| of_template(&template)).unwrap_or_default()
}

pub(super) fn of_template(template: &PodTemplateSpec) -> BTreeSet<ConfigRef> {
    let Some(spec) = &template.spec else { return BTreeSet::new() };
    let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let mut all: BTreeSet<ConfigRef> = containers.flat_map(of_container).collect();
    all.extend(spec.volumes.iter().flatten().flat_map(of_volume));
    all
}

fn of_container(container: &Container) -> Vec<ConfigRef> {
    let mut all = Vec::new();
    for from in container.env.iter().flatten().filter_map(|v| v.value_from.as_ref()) {
        all.extend(from.secret_key_ref.as_ref().map(|r| ConfigRef::Secret(r.name.clone())));
        all.extend(from.config_map_key_ref.as_ref().map(|r| ConfigRef::ConfigMap(r.name.clone())));
    }
    for from in container.env_from.iter().flatten() {
        all.extend(from.secret_ref.as_ref().map(|r| ConfigRef::Secret(r.name.clone())));
        all.extend(from.config_map_ref.as_ref().map(|r| ConfigRef::ConfigMap(r.name.clone())));
    }
    all
}

pub(super) fn of_volume(volume: &Volume) -> Vec<ConfigRef> {
    let mut all = Vec::new();
    all.extend(volume.secret.as_ref().and_then(|s| s.secret_name.clone()).map(ConfigRef::Secret));
    all.extend(volume.config_map.as_ref().map(|c| ConfigRef::ConfigMap(c.name.clone())));
    for source in volume.projected.iter().flat_map(|p| p.sources.iter().flatten()) {
        all.extend(source.secret.as_ref().map(|s| ConfigRef::Secret(s.name.clone())));
        all.extend(source.config_map.as_ref().map(|c| ConfigRef::ConfigMap(c.name.clone())));
    }
    all
}
