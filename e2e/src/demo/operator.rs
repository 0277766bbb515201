//! Installs the operator and the sample, and waits until the operator says that it is ready.

use std::path::{Component, Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};

use super::{Kube, Profile};
use crate::command::put;
use crate::failure::WithRemedy;
use crate::layout::Layout;
use crate::step::{Screen, Step};

/// Where `config/default` installs the operator.
pub const OPERATOR_NAMESPACE: &str = "temporal-operator-system";
/// Name of its Deployment, Lease and ServiceAccount.
pub const OPERATOR: &str = "temporal-operator";
const PATIENCE: Duration = Duration::from_secs(600);

/// How the operator is installed.
#[derive(Debug)]
pub struct Install {
    /// What its image was made from: a new one restarts it, though the image's name is the same.
    pub image_key: String,
    /// Another image than the manifests' own, as name and tag.
    pub image: Option<(String, String)>,
}

/// Applies `config/default` and waits for the operator to run.
pub fn install(screen: &Screen, layout: &Layout, kube: &Kube, how: &Install) -> Result<()> {
    screen.step("install the operator", |_| {
        let overlay = layout.cache.join("overlay");
        let base = relative(
            &layout.repo.join("config/default").canonicalize().context("config/default is not there")?,
            &overlay,
        )?;
        let text = serde_json::to_vec_pretty(&kustomization(&base, how)).context("cannot write the overlay")?;
        put(&overlay.join("kustomization.yaml"), text)?;
        let applied = kube.kubectl().args(["apply", "--server-side", "--force-conflicts", "-k"]).arg(&overlay).run();
        applied.remedy(format!("`{} apply --server-side -k config/default` shows the same", kube.command()))?;
        let known = kube
            .kubectl()
            .args(["wait", "--for=condition=Established", "crd/temporalclusters.temporal.io", "--timeout=60s"])
            .run();
        known.context("the API server does not take the operator's kinds")?;
        let deployment = format!("deploy/{OPERATOR}");
        let ready =
            kube.kubectl().args(["-n", OPERATOR_NAMESPACE, "rollout", "status", &deployment, "--timeout=180s"]).run();
        let advice =
            format!("`{} -n {OPERATOR_NAMESPACE} describe pods` and `logs {deployment}` say why", kube.command());
        ready.context("the operator does not start").remedy(advice)
    })
}

fn kustomization(base: &str, how: &Install) -> Value {
    let patch = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": OPERATOR, "namespace": OPERATOR_NAMESPACE},
        "spec": {"template": {"metadata": {"annotations": {"temporal.io/image-key": how.image_key}}}},
    });
    let mut all = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [base],
        "patches": [{"target": {"kind": "Deployment", "name": OPERATOR}, "patch": patch.to_string()}],
    });
    if let Some((name, tag)) = &how.image {
        all["images"] = json!([{"name": OPERATOR, "newName": name, "newTag": tag}]);
    }
    all
}

/// Applies the sample and follows the operator's words until the cluster is ready.
pub fn sample(screen: &Screen, layout: &Layout, kube: &Kube, profile: Profile) -> Result<()> {
    let dir = layout.repo.join("config/samples").join(profile.name());
    screen.step(&format!("apply config/samples/{}", profile.name()), |_| {
        let applied = kube.kubectl().args(["apply", "-k"]).arg(&dir).run();
        applied.remedy(format!("`{} apply -k {}` shows the same", kube.command(), dir.display()))
    })?;
    screen.step("Temporal cluster ready", |step| {
        follow(step, kube, profile.namespace(), "temporalcluster", profile.name()).map(drop)
    })
}

/// Follows the operator's words on a resource until it is ready; the resource.
pub(super) fn follow(step: &Step, kube: &Kube, namespace: &str, kind: &str, name: &str) -> Result<Value> {
    let began = Instant::now();
    let mut said = String::new();
    loop {
        let object = kube.get(namespace, kind, name)?;
        if is_ready(&object) {
            return Ok(object);
        }
        let message = object["status"]["message"].as_str().unwrap_or("waiting for the operator");
        if message != said {
            step.now(message);
            said = message.to_owned();
        }
        if began.elapsed() > PATIENCE {
            let minutes = PATIENCE.as_secs() / 60;
            let late: Result<Value> = Err(anyhow!("{kind} {name} is not ready after {minutes} min: {said}"));
            return late.remedy(format!("`{} -n {namespace} describe {kind} {name}` says more", kube.command()));
        }
        sleep(Duration::from_millis(500));
    }
}

/// Ready, and for the newest generation.
fn is_ready(object: &Value) -> bool {
    let generation = object["metadata"]["generation"].as_u64();
    let conditions = object["status"]["conditions"].as_array();
    let ready = conditions.into_iter().flatten().find(|c| c["type"] == "Ready" && c["status"] == "True");
    generation.is_some() && ready.is_some_and(|c| c["observedGeneration"].as_u64() == generation)
}

/// The path from a directory to another: kustomize takes no absolute ones.
pub(super) fn relative(to: &Path, from: &Path) -> Result<String> {
    std::fs::create_dir_all(from).with_context(|| format!("cannot make {}", from.display()))?;
    let from = from.canonicalize().with_context(|| format!("cannot find {}", from.display()))?;
    let shared = to.components().zip(from.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    let path: PathBuf = up.chain(to.components().skip(shared)).collect();
    match path.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => bail!("{} is no text", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_counts_only_for_the_newest_generation() {
        let object = |observed: u64| json!({"metadata": {"generation": 2}, "status": {"conditions": [{"type": "Ready", "status": "True", "observedGeneration": observed}]}});
        assert!(is_ready(&object(2)));
        assert!(!is_ready(&object(1)));
        assert!(!is_ready(&json!({"metadata": {"generation": 1}})));
    }

    #[test]
    fn paths_go_up_to_the_shared_directory() {
        let dir = std::env::temp_dir().canonicalize().unwrap();
        let from = dir.join(format!("testbed-{}", std::process::id()));
        assert_eq!(relative(&dir.join("a/b"), &from).unwrap(), "../a/b");
        std::fs::remove_dir(&from).unwrap();
    }
}
