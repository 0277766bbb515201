//! The example worker on the demo's cluster: applied as a TemporalWorker, and a workflow that it runs.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use serde_json::{Value, json};

use super::operator::{follow, relative};
use super::{Kube, Profile, TEMPORAL_NAMESPACE};
use crate::cluster::State;
use crate::command::put;
use crate::failure::WithRemedy;
use crate::image::{self, Image};
use crate::layout::Layout;
use crate::step::Screen;

const WORKER: &str = "hello";

/// What of the sample is not as it stands there.
#[derive(Debug)]
pub struct Worker {
    /// What its image was made from: another one is another version, though the image's name is the same.
    pub image_key: String,
    /// Another image than the manifest's own, as name and tag.
    pub image: Option<(String, String)>,
}

/// A workflow that has completed.
#[derive(Debug)]
pub struct Greeted {
    /// Its id.
    pub id: String,
    /// What it returned.
    pub text: String,
    /// The version of the worker that ran it.
    pub build: String,
    /// How long it took.
    pub seconds: f64,
}

/// Applies the sample, waits for the worker, and has it greet.
pub fn greet(screen: &Screen, layout: &Layout, kube: &Kube, profile: Profile, how: &Worker) -> Result<Greeted> {
    screen.step("apply config/samples/worker", |_| {
        let overlay = layout.cache.join("overlay-worker");
        let sample = layout.repo.join("config/samples/worker");
        let base = relative(&sample.canonicalize().context("config/samples/worker is not there")?, &overlay)?;
        let text =
            serde_json::to_vec_pretty(&kustomization(&base, profile, how)).context("cannot write the overlay")?;
        put(&overlay.join("kustomization.yaml"), text)?;
        kube.kubectl().args(["apply", "-k"]).arg(&overlay).run()
    })?;
    let worker =
        screen.step("worker ready", |step| follow(step, kube, profile.namespace(), "temporalworker", WORKER))?;
    screen.step("a workflow on the worker", |_| {
        let deployment = current(&worker).context("the worker has no current version with a Deployment")?;
        let exec = ["-n", profile.namespace(), "exec", &format!("deploy/{deployment}"), "--"];
        let said = kube.kubectl().args(exec).args(["hello", "greet"]).output()?;
        parse(&said).with_context(|| format!("the starter printed {said:?}"))
    })
}

fn kustomization(base: &str, profile: Profile, how: &Worker) -> Value {
    let patch = |kind: &str, body: Value| json!({"target": {"kind": kind}, "patch": body.to_string()});
    let named = |kind: &str, name: &str, spec: Value| {
        let body = json!({"apiVersion": "temporal.io/v1beta1", "kind": kind, "metadata": {"name": name}, "spec": spec});
        patch(kind, body)
    };
    let mark = json!({"template": {"metadata": {"annotations": {"image-key": how.image_key}}}});
    let mut all = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": profile.namespace(),
        "resources": [base],
        "patches": [
            named("TemporalNamespace", TEMPORAL_NAMESPACE, json!({"clusterRef": {"name": profile.name()}})),
            named("TemporalWorker", WORKER, mark),
        ],
    });
    if let Some((name, tag)) = &how.image {
        all["images"] = json!([{"name": WORKER, "newName": name, "newTag": tag}]);
    }
    all
}

/// The Deployment of the version that new workflows go to.
fn current(worker: &Value) -> Option<&str> {
    let status = &worker["status"];
    let versions = status["versions"].as_array()?;
    versions.iter().find(|version| version["buildID"] == status["current"])?["deployment"].as_str()
}

fn parse(said: &str) -> Result<Greeted> {
    let line: Value = serde_json::from_str(said.lines().next_back().unwrap_or_default())?;
    let text = |value: &Value| value.as_str().map(str::to_owned).context("a text is missing");
    Ok(Greeted {
        id: text(&line["id"])?,
        text: text(&line["result"]["text"])?,
        build: text(&line["result"]["workflow_build"])?,
        seconds: line["seconds"].as_f64().unwrap_or_default(),
    })
}

/// Runs an example again on the demo that is up: what has changed since is built and rolled out.
pub fn example(screen: &Screen, layout: &Layout, name: &str) -> Result<()> {
    if name != WORKER {
        return Err(anyhow!("there is no example {name}")).remedy("examples/ has: hello");
    }
    let state = State::read(layout).context("there is no cluster").remedy("`make demo` makes one")?;
    let made = image::make(screen, layout, &Image::Hello)?;
    image::load(screen, layout, &state.list(), std::slice::from_ref(&made))?;
    let (kube, profile) = (Kube::testbed(layout), Profile::last(layout));
    let how = Worker { image_key: made.key, image: None };
    let greeted = greet(screen, layout, &kube, profile, &how)?;
    let ui = kube.service_ip(profile.namespace(), &profile.ui())?;
    println!("\nVersion {} says {:?} ({:.2} s).", greeted.build, greeted.text, greeted.seconds);
    println!("  workflow   {}", link(&format!("http://{ui}:8080"), &greeted));
    println!("  worker     http://{ui}:8080/namespaces/{TEMPORAL_NAMESPACE}/worker-deployments");
    println!("  sources    {}", relative_to_here(&image::source(layout, &Image::Hello)));
    Ok(())
}

/// The workflow's page in the Web UI.
pub fn link(ui: &str, greeted: &Greeted) -> String {
    format!("{ui}/namespaces/{TEMPORAL_NAMESPACE}/workflows/{}", greeted.id)
}

fn relative_to_here(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worker_is_asked_in_a_pod_of_its_current_version() {
        let version = |id: &str| json!({"buildID": id, "deployment": format!("hello-{id}")});
        let worker = json!({"status": {"current": "b", "versions": [version("a"), version("b")]}});
        assert_eq!(current(&worker), Some("hello-b"));
        assert_eq!(current(&json!({"status": {"versions": [version("a")]}})), None);
    }

    #[test]
    fn the_starter_s_last_line_is_the_result() {
        let result = r#"{"text":"Hello, Temporal!","workflow_build":"dev-1","activity_build":"dev-1"}"#;
        let said = format!("noise\n{{\"id\":\"greeting-1\",\"result\":{result},\"seconds\":0.05}}\n");
        let greeted = parse(&said).unwrap();
        assert_eq!((greeted.id.as_str(), greeted.build.as_str()), ("greeting-1", "dev-1"));
        assert!(parse("{}").is_err());
    }
}
