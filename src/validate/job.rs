//! Rules of `jobInitContainers` and `jobScheduling`.

use super::{Problems, embedded, is_dns_label};
use crate::api::TemporalClusterSpec;
use crate::api::jobs::STEPS;
use k8s_openapi::api::core::v1::{Affinity, Container, Toleration};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What users add to the schema Jobs' pods.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ValidJobPod {
    /// Containers that run before the operator's.
    pub init_containers: Vec<Container>,
    /// Labels of the node.
    pub node_selector: Option<BTreeMap<String, String>>,
    /// Affinity.
    pub affinity: Option<Affinity>,
    /// Tolerations.
    pub tolerations: Option<Vec<Toleration>>,
    /// Priority class.
    pub priority_class_name: Option<String>,
}

/// Reads both fields.
pub(super) fn read(spec: &TemporalClusterSpec, problems: &mut Problems) -> ValidJobPod {
    let path = "spec.jobInitContainers";
    let listed = spec.job_init_containers.iter().flatten().enumerate();
    let init_containers: Vec<Container> =
        listed.filter_map(|(i, value)| typed(&format!("{path}[{i}]"), value, problems)).collect();
    let mut names = BTreeSet::new();
    for container in &init_containers {
        let name = container.name.as_str();
        problems.require(
            !STEPS.contains(&name),
            path,
            "create-database, check-owner, setup-schema, put-template, create-index and schema-script-runner are the Job's own containers; choose another name",
        );
        problems.require(is_dns_label(name), path, "a name is at most 63 small letters, digits and -; correct it");
        problems.require(names.insert(name), path, "two containers have the same name; rename one");
        problems.require(
            container.image.as_deref().is_some_and(|i| !i.is_empty()),
            path,
            "every container needs an image; name one",
        );
    }
    let scheduling = spec.job_scheduling.clone().unwrap_or_default();
    let path = "spec.jobScheduling";
    let tolerations = scheduling.tolerations.as_ref().map(|all| {
        let numbered = all.iter().enumerate();
        numbered.filter_map(|(i, value)| typed(&format!("{path}.tolerations[{i}]"), value, problems)).collect()
    });
    ValidJobPod {
        init_containers,
        affinity: scheduling.affinity.as_ref().and_then(|a| typed(&format!("{path}.affinity"), a, problems)),
        tolerations,
        node_selector: scheduling.node_selector,
        priority_class_name: scheduling.priority_class_name,
    }
}

/// A Kubernetes type out of a free-form value. A field that Kubernetes does not know is refused: left out, it might turn
/// a sidecar into a container that never ends.
fn typed<T: DeserializeOwned + Serialize>(path: &str, value: &Value, problems: &mut Problems) -> Option<T> {
    match serde_json::from_value::<T>(value.clone()) {
        Err(error) => {
            problems.add(path, format!("is not of the form that Kubernetes wants ({error}); correct it"));
            None
        }
        Ok(read) => {
            let known = serde_json::to_value(&read).unwrap_or_default();
            if let Some(field) = embedded::lost(value, &known, path) {
                problems.add(field, "no such field in Kubernetes; correct or remove it");
            }
            Some(read)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_field_that_kubernetes_does_not_know_is_named() {
        let given = json!({"name": "a", "image": "b", "env": [{"name": "X", "vale": "y"}], "stdin": null});
        let mut problems = Problems::default();
        let read: Option<Container> = typed("p", &given, &mut problems);
        assert!(read.is_some());
        assert_eq!(problems.0[0].field, "p.env[0].vale");
        let given = json!({"name": "a", "image": "b", "resources": {"limits": {"cpu": 1}}, "env": [], "args": ["x"]});
        let mut problems = Problems::default();
        let read: Option<Container> = typed("p", &given, &mut problems);
        assert!(problems.0.is_empty(), "{read:?} {:?}", problems.0);
    }
}
