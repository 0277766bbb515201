//! The sample, many times.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::fake_nodes;
use crate::demo::Kube;
use crate::layout::Layout;

/// A list of so many clusters like the sample `demo`, each with databases of its own, all on the fake nodes.
pub(super) fn list(kube: &Kube, layout: &Layout, count: usize) -> Result<String> {
    let sample = sample(kube, layout)?;
    let items: Vec<Value> = (1..=count).map(|number| cluster(&sample, number)).collect();
    Ok(json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string())
}

/// The first of them.
pub(super) fn first(kube: &Kube, layout: &Layout) -> Result<Value> {
    Ok(cluster(&sample(kube, layout)?, 1))
}

/// Name of a cluster.
pub(super) fn name(number: usize) -> String {
    format!("scale-{number:03}")
}

/// Name of its database.
pub(super) fn database(number: usize) -> String {
    format!("scale_{number:03}")
}

fn sample(kube: &Kube, layout: &Layout) -> Result<Value> {
    let sample = layout.repo.join("config/samples/demo/temporalcluster.yaml");
    // kubectl turns YAML into JSON; nothing is asked of the server
    let convert = ["create", "--dry-run=client", "--validate=false", "-o", "json", "-f"];
    let text = kube.kubectl().args(convert).arg(&sample).output()?;
    serde_json::from_str(&text).context("kubectl's answer is no JSON")
}

fn cluster(sample: &Value, number: usize) -> Value {
    let mut cluster = sample.clone();
    cluster["metadata"] = json!({"name": name(number)});
    let spec = &mut cluster["spec"];
    let on_fake_nodes = json!({"deployment": {"spec": {"template": {"spec": fake_nodes::placement()}}}});
    spec["services"] = json!({"overrides": on_fake_nodes});
    spec["ui"]["overrides"] = on_fake_nodes;
    spec["jobScheduling"] = fake_nodes::placement();
    // how long it takes is what is measured; nothing is given up for that
    spec["rollout"] = json!({"stepTimeout": "1h"});
    for (store, suffix) in [("defaultStore", ""), ("visibilityStore", "_visibility")] {
        spec["persistence"][store]["sql"]["databaseName"] = format!("{}{suffix}", database(number)).into();
    }
    cluster
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_clusters_share_a_name_or_a_database() {
        let sample = json!({"spec": {"ui": {"enabled": true}, "persistence": {}}});
        let (one, two) = (cluster(&sample, 1), cluster(&sample, 2));
        for path in [
            "/metadata/name",
            "/spec/persistence/defaultStore/sql/databaseName",
            "/spec/persistence/visibilityStore/sql/databaseName",
        ] {
            assert_ne!(one.pointer(path).unwrap(), two.pointer(path).unwrap(), "{path}");
        }
        assert_ne!(
            one.pointer("/spec/persistence/defaultStore/sql/databaseName"),
            one.pointer("/spec/persistence/visibilityStore/sql/databaseName")
        );
        assert_eq!(one.pointer("/spec/ui/enabled").unwrap(), true);
    }
}
