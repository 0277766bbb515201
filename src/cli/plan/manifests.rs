//! The documents of a file that `plan` is about.

use crate::cli::Failure;
use kube::Resource;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_yaml::Value;
use std::io::Read;
use std::path::Path;
use temporal_operator::api::{TemporalCluster, TemporalNamespace, TemporalWorker};

/// What a file has of the kinds that become objects, and of those that these refer to.
#[derive(Default)]
pub(super) struct Manifests {
    pub clusters: Vec<TemporalCluster>,
    pub workers: Vec<TemporalWorker>,
    pub namespaces: Vec<TemporalNamespace>,
}

impl Manifests {
    /// Reads a file, or standard input. A resource without a namespace is in `namespace`.
    pub(super) fn read(path: &Path, namespace: &str) -> Result<Self, Failure> {
        let text = text_of(path)?;
        let mut all = Self::default();
        for document in serde_yaml::Deserializer::from_str(&text) {
            let value = Value::deserialize(document).map_err(|e| format!("{} is not YAML: {e}", path.display()))?;
            match value.get("kind").and_then(Value::as_str) {
                Some("TemporalCluster") => all.clusters.push(resource(value, path, namespace)?),
                Some("TemporalWorker") => all.workers.push(resource(value, path, namespace)?),
                Some("TemporalNamespace") => all.namespaces.push(resource(value, path, namespace)?),
                _ => {}
            }
        }
        Ok(all)
    }
}

fn resource<K>(value: Value, path: &Path, namespace: &str) -> Result<K, Failure>
where
    K: Resource<DynamicType = ()> + DeserializeOwned,
{
    let read = serde_yaml::from_value::<K>(value);
    let mut resource = read.map_err(|e| format!("{}: not a {}: {e}", path.display(), K::kind(&())))?;
    resource.meta_mut().namespace.get_or_insert_with(|| namespace.to_owned());
    Ok(resource)
}

fn text_of(path: &Path) -> Result<String, Failure> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()).into())
}
