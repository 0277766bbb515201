//! Rules of `rollout.beforeUpgrade`.

use super::{Problems, embedded, is_dns_label, is_own_label};
use crate::api::jobs::BeforeUpgradeSpec;
use crate::api::overrides::OWN_PREFIX;
use crate::api::ui::ObjectMetadata;
use k8s_openapi::api::batch::v1::JobSpec;
use k8s_openapi::api::core::v1::PodSpec;
use serde_json::Value;
use std::collections::BTreeSet;

const PATH: &str = "spec.rollout.beforeUpgrade";

/// The Job that must succeed before an upgrade.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidBeforeUpgrade {
    /// Its labels and annotations.
    pub metadata: ObjectMetadata,
    /// The rest of it, as written.
    pub spec: JobSpec,
}

/// Reads the template; `None` when it is none.
pub(super) fn read(template: &BeforeUpgradeSpec, problems: &mut Problems) -> Option<ValidBeforeUpgrade> {
    let path = format!("{PATH}.spec");
    let spec: JobSpec = embedded::typed(&path, &Value::Object(template.spec.clone()), problems)?;
    let metadata = template.metadata.clone().unwrap_or_default();
    check_metadata(&metadata, problems);
    check_job(&path, &spec, problems);
    match &spec.template.spec {
        Some(pod) => check_pod(&format!("{path}.template.spec"), pod, problems),
        None => problems.add(format!("{path}.template.spec"), "is missing; name the containers to run"),
    }
    Some(ValidBeforeUpgrade { metadata, spec })
}

fn check_metadata(metadata: &ObjectMetadata, problems: &mut Problems) {
    let own = "is written by the operator; remove it";
    for key in metadata.labels.iter().flat_map(|l| l.keys()).filter(|key| is_own_label(key)) {
        problems.add(format!("{PATH}.metadata.labels[{key}]"), own);
    }
    for key in metadata.annotations.iter().flat_map(|a| a.keys()).filter(|key| key.starts_with(OWN_PREFIX)) {
        problems.add(format!("{PATH}.metadata.annotations[{key}]"), own);
    }
}

/// What would keep the Job from ever running, or from being made.
fn check_job(path: &str, spec: &JobSpec, problems: &mut Problems) {
    problems.require(
        spec.suspend != Some(true),
        &format!("{path}.suspend"),
        "a Job that is suspended holds the upgrade up for ever; use spec.rollout.paused",
    );
    for (field, number) in [("parallelism", spec.parallelism), ("completions", spec.completions)] {
        problems.require(number.is_none_or(|n| n >= 1), &format!("{path}.{field}"), "must be at least 1");
    }
    problems.require(
        spec.selector.is_none() && spec.manual_selector.is_none(),
        &format!("{path}.selector"),
        "Kubernetes makes the selector; remove selector and manualSelector",
    );
}

fn check_pod(path: &str, pod: &PodSpec, problems: &mut Problems) {
    problems.require(
        pod.restart_policy.as_deref().is_none_or(|policy| ["Never", "OnFailure"].contains(&policy)),
        &format!("{path}.restartPolicy"),
        "must be Never or OnFailure; a Job's pod has to end",
    );
    problems.require(!pod.containers.is_empty(), &format!("{path}.containers"), "is empty; name the container to run");
    let mut names = BTreeSet::new();
    let lists =
        [("initContainers", pod.init_containers.as_deref().unwrap_or_default()), ("containers", &pod.containers)];
    for (list, i, container) in lists.iter().flat_map(|(l, all)| all.iter().enumerate().map(move |(i, c)| (l, i, c))) {
        let at = format!("{path}.{list}[{i}]");
        problems.require(
            is_dns_label(&container.name),
            &format!("{at}.name"),
            "a name is at most 63 small letters, digits and -; correct it",
        );
        problems.require(
            names.insert(&container.name),
            &format!("{at}.name"),
            "another container has this name; choose a different one",
        );
        problems.require(
            container.image.as_deref().is_some_and(|image| !image.is_empty()),
            &format!("{at}.image"),
            "every container needs an image; name one",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!({"template": {"spec": {"containers": [{"name": "a", "image": "b", "imge": "c"}]}}}),
        "spec.rollout.beforeUpgrade.spec.template.spec.containers[0].imge")]
    #[case(json!({"selector": {}, "template": {"spec": {"containers": [{"name": "a", "image": "b"}]}}}),
        "spec.rollout.beforeUpgrade.spec.selector")]
    #[case(json!({"template": {"spec": {"containers": [{"name": "a", "image": "b"}, {"name": "a", "image": "b"}]}}}),
        "spec.rollout.beforeUpgrade.spec.template.spec.containers[1].name")]
    #[case(json!({"template": {"spec": {"containers": [{"name": "a", "image": "b"}], "initContainers": [{"name": "c"}]}}}),
        "spec.rollout.beforeUpgrade.spec.template.spec.initContainers[0].image")]
    #[case(json!({"template": {}}), "spec.rollout.beforeUpgrade.spec.template.spec")]
    fn what_the_schema_does_not_see_is_named(#[case] spec: Value, #[case] field: &str) {
        let template: BeforeUpgradeSpec = serde_json::from_value(json!({"spec": spec})).unwrap();
        let mut problems = Problems::default();
        read(&template, &mut problems);
        let fields: Vec<_> = problems.0.iter().map(|p| p.field.as_str()).collect();
        assert_eq!(fields, [field], "{:?}", problems.0);
    }

    #[test]
    fn the_operators_own_labels_are_refused() {
        let template = json!({"metadata": {"labels": {"app.kubernetes.io/name": "x"}, "annotations": {"temporal.io/x": ""}},
            "spec": {"template": {"spec": {"containers": [{"name": "a", "image": "b"}]}}}});
        let mut problems = Problems::default();
        read(&serde_json::from_value(template).unwrap(), &mut problems);
        assert_eq!(problems.0.len(), 2, "{:?}", problems.0);
    }
}
