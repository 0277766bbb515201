//! The same objects, applied by a person who knows the right order and waits in the right places.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{Bed, PATIENCE};
use crate::command::Cmd;
use crate::demo::Kube;

const ROLES: [&str; 4] = ["frontend", "history", "matching", "worker"];

/// From the first apply to the last role available, seconds.
pub(super) fn run(bed: &Bed, operator: &Path) -> Result<f64> {
    let objects = objects(bed.kube, operator, bed.namespace, bed.manifest()?)?;
    let is = |object: &&Value, kind: &str| object["kind"] == kind;
    let role = |object: &&Value| {
        is(object, "Deployment") && ROLES.iter().any(|r| object["metadata"]["name"] == format!("demo-{r}"))
    };
    let jobs: Vec<&Value> = objects.iter().filter(|o| is(o, "Job")).collect();
    let roles: Vec<&Value> = objects.iter().filter(role).collect();
    let rest: Vec<&Value> = objects.iter().filter(|o| !is(o, "Job") && !role(o)).collect();

    let started = Instant::now();
    apply(bed, &rest)?;
    for job in jobs {
        apply(bed, &[job])?;
        let name = job["metadata"]["name"].as_str().context("a Job has a name")?;
        bed.kubectl(["wait", "--for=condition=Complete", &format!("job/{name}"), PATIENCE]).run()?;
    }
    apply(bed, &roles)?;
    let names = ROLES.map(|r| format!("deployment/demo-{r}"));
    let wait = ["wait", "--for=condition=Available", PATIENCE];
    bed.kubectl(wait.into_iter().chain(names.iter().map(String::as_str))).run()?;
    Ok(started.elapsed().as_secs_f64())
}

/// What `temporal-operator plan` prints of a manifest.
pub(super) fn objects(kube: &Kube, operator: &Path, namespace: &str, manifest: String) -> Result<Vec<Value>> {
    let plan = Cmd::new(operator).args(["plan", "--filename", "-", "--namespace", namespace]);
    let printed = plan.input(manifest).output()?;
    // kubectl turns YAML into JSON; nothing is asked of the server
    let convert = ["create", "--dry-run=client", "--validate=false", "-o", "json", "-f", "-"];
    let text = kube.kubectl().args(convert).input(printed).output()?;
    let stream = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
    let mut all = Vec::new();
    for document in stream {
        let document = document.context("kubectl's answer is no JSON")?;
        match document["items"].as_array() {
            Some(items) => all.extend(items.iter().cloned()),
            None => all.push(document),
        }
    }
    Ok(all)
}

fn apply(bed: &Bed, objects: &[&Value]) -> Result<()> {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    bed.kubectl(["apply", "--server-side", "-f", "-"]).input(list.to_string()).run()
}
