//! What a worker's pod template may say.

use crate::api::labels::{self, WORKER_PREFIX};
use crate::api::worker::{CA_VOLUME, TLS_VOLUME};
use crate::validate::{Problems, embedded, is_own_label};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::{Map, Value};

/// What each container is given.
pub const OWN_ENV: [&str; 4] =
    ["TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_DEPLOYMENT_NAME", "TEMPORAL_WORKER_BUILD_ID"];

/// With a connection, what each container is given as well: this variable, and all that begin so.
const OWN_KEY_ENV: &str = "TEMPORAL_API_KEY";
const OWN_TLS_ENV: &str = "TEMPORAL_TLS";

/// Reads it strictly, and notes what may not be in it.
pub(super) fn check(written: &Map<String, Value>, connected: bool, problems: &mut Problems) {
    let template = embedded::typed("spec.template", &Value::Object(written.clone()), problems);
    let Some(template): Option<PodTemplateSpec> = template else { return };
    let metadata = template.metadata.unwrap_or_default();
    let own = "is the operator's own; remove it";
    for (map, keys) in [("labels", metadata.labels), ("annotations", metadata.annotations)] {
        for key in keys.into_iter().flatten().map(|(key, _)| key).filter(|key| is_reserved(key)) {
            problems.add(format!("spec.template.metadata.{map}[{key}]"), own);
        }
    }
    let Some(spec) = template.spec else { return problems.add("spec.template.spec", "is needed") };
    problems.require(
        spec.restart_policy.as_deref().is_none_or(|policy| policy == "Always"),
        "spec.template.spec.restartPolicy",
        "must be Always, as in every Deployment; remove it",
    );
    problems.require(!spec.containers.is_empty(), "spec.template.spec.containers", "needs a container; add one");
    for volume in
        spec.volumes.iter().flatten().filter(|v| connected && [TLS_VOLUME, CA_VOLUME].contains(&v.name.as_str()))
    {
        let message = "is the operator's own with a connection; give yours another name";
        problems.add(format!("spec.template.spec.volumes[{}]", volume.name), message);
    }
    let lists = [("containers", spec.containers), ("initContainers", spec.init_containers.unwrap_or_default())];
    for (list, containers) in lists {
        for (i, container) in containers.iter().enumerate() {
            let path = format!("spec.template.spec.{list}[{i}]");
            let image = container.image.as_deref().unwrap_or_default();
            problems.require(!image.is_empty(), &format!("{path}.image"), "is needed; name an image");
            for variable in container.env.iter().flatten().filter(|v| is_given(&v.name, connected)) {
                let message = "is given to each container by the operator; remove it";
                problems.add(format!("{path}.env[{}]", variable.name), message);
            }
        }
    }
}

fn is_given(name: &str, connected: bool) -> bool {
    OWN_ENV.contains(&name) || (connected && (name.starts_with(OWN_TLS_ENV) || name == OWN_KEY_ENV))
}

fn is_reserved(key: &str) -> bool {
    key.starts_with(WORKER_PREFIX) || key == labels::HEADLESS || is_own_label(key)
}
