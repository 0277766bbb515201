//! Rules of `jobInitContainers` and `jobScheduling`.

use super::embedded::{list, typed};
use super::{Problems, is_dns_label};
use crate::api::TemporalClusterSpec;
use crate::api::jobs::STEPS;
use k8s_openapi::api::core::v1::{Affinity, Container, Toleration};
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
    let init_containers: Vec<Container> = list(path, spec.job_init_containers.as_ref(), problems);
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
    let tolerations = scheduling.tolerations.as_ref();
    let tolerations = tolerations.map(|all| list(&format!("{path}.tolerations"), Some(all), problems));
    ValidJobPod {
        init_containers,
        affinity: scheduling.affinity.as_ref().and_then(|a| typed(&format!("{path}.affinity"), a, problems)),
        tolerations,
        node_selector: scheduling.node_selector,
        priority_class_name: scheduling.priority_class_name,
    }
}
