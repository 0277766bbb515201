//! The demo on a cluster that is there already, with published images.

use anyhow::{Context, Result, anyhow};
use clap::ValueEnum;
use serde_json::Value;

use super::operator::{self, Install};
use super::worker::{self, Worker};
use super::{Kube, Profile, summary};
use crate::command::Cmd;
use crate::failure::WithRemedy;
use crate::host::is_there;
use crate::image::{Image, for_docker, source};
use crate::layout::Layout;
use crate::step::Screen;

/// The images that no registry has.
const OWN: [Image; 2] = [Image::Operator, Image::Hello];

/// How the project's images get into the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Loading {
    /// By `minikube image load`.
    Minikube,
    /// By `kind load docker-image`.
    Kind,
    /// Not at all: it is there.
    None,
}

/// Runs the demo on the cluster of a context.
pub fn demo(
    screen: &Screen,
    layout: &Layout,
    profile: Profile,
    context: &str,
    registry: Option<&str>,
    loading: Option<Loading>,
) -> Result<()> {
    let kube = Kube::context(layout, context);
    let reached = kube.kubectl().args(["get", "--raw", "/version"]).output();
    reached
        .with_context(|| format!("the cluster of context {context} does not answer"))
        .remedy("`kubectl config get-contexts` lists the contexts")?;
    let loading = match registry {
        Some(_) => None,
        None => Some(loading.map_or_else(|| guess(&kube, context), Ok)?),
    };
    for image in OWN {
        match (registry, loading) {
            (Some(registry), _) => push(screen, layout, &image, registry)?,
            (None, Some(loading)) => load(screen, layout, &image, context, loading)?,
            (None, None) => {}
        }
    }
    let renamed = |image: Image| registry.map(|registry| pushed(&image, registry));
    // Without a hash of what is in the image, the time makes a pod start anew with it.
    let image_key =
        if loading == Some(Loading::None) { String::new() } else { format!("{:?}", std::time::SystemTime::now()) };
    let install = Install { image_key: image_key.clone(), image: renamed(Image::Operator) };
    operator::install(screen, layout, &kube, &install)?;
    operator::sample(screen, layout, &kube, profile)?;
    let how = Worker { image_key, image: renamed(Image::Hello) };
    let greeted = worker::greet(screen, layout, &kube, profile, &how)?;
    summary::remote(&kube, profile, &greeted)
}

/// The image's name and tag in a registry.
fn pushed(image: &Image, registry: &str) -> (String, String) {
    let (name, tag) = image.own().split_once(':').unwrap_or((image.own(), "dev"));
    (format!("{}/{name}", registry.trim_end_matches('/')), tag.to_owned())
}

fn push(screen: &Screen, layout: &Layout, image: &Image, registry: &str) -> Result<()> {
    let (name, tag) = pushed(image, registry);
    let reference = format!("{name}:{tag}");
    for_docker(screen, layout, image, &reference)?;
    screen
        .step(&format!("docker push {reference}"), |_| Cmd::new("docker").args(["push", &reference]).run())
        .remedy("`docker login` may be needed")
}

fn load(screen: &Screen, layout: &Layout, image: &Image, context: &str, loading: Loading) -> Result<()> {
    let name = image.own();
    match loading {
        Loading::None => Ok(()),
        Loading::Minikube if !is_there("docker") => screen.step(&format!("minikube image build {name}"), |_| {
            let build = Cmd::new("minikube").args(["-p", context, "image", "build", "-t", name, "."]);
            build.dir(source(layout, image)).run()
        }),
        Loading::Minikube => {
            for_docker(screen, layout, image, name)?;
            screen.step(&format!("minikube image load {name}"), |_| {
                Cmd::new("minikube").args(["-p", context, "image", "load", "--overwrite=true", name]).run()
            })
        }
        Loading::Kind => {
            for_docker(screen, layout, image, name)?;
            let cluster = context.strip_prefix("kind-").unwrap_or(context);
            screen.step(&format!("kind load docker-image {name}"), |_| {
                Cmd::new("kind").args(["load", "docker-image", name, "--name", cluster]).run()
            })
        }
    }
}

/// What made the cluster: minikube says so in the kubeconfig, kind in the context's name.
fn guess(kube: &Kube, context: &str) -> Result<Loading> {
    if context.starts_with("kind-") {
        return Ok(Loading::Kind);
    }
    let config: Value = serde_json::from_str(&kube.kubectl().args(["config", "view", "-o", "json"]).output()?)
        .context("the kubeconfig is no JSON")?;
    if is_minikubes(&config, context) {
        return Ok(Loading::Minikube);
    }
    let unknown: Result<Loading> = Err(anyhow!("it is not known how images get into the cluster of context {context}"));
    unknown.remedy("give REGISTRY=HOST/PATH that the cluster can pull from, or IMAGE_LOAD=minikube, kind or none")
}

fn is_minikubes(config: &Value, context: &str) -> bool {
    let contexts = config["contexts"].as_array().into_iter().flatten();
    let extensions =
        contexts.filter(|c| c["name"] == context).filter_map(|c| c["context"]["extensions"].as_array()).flatten();
    extensions.into_iter().any(|e| e["extension"]["provider"].as_str().is_some_and(|p| p.starts_with("minikube")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn minikube_is_told_by_its_mark_in_the_kubeconfig() {
        let config = json!({"contexts": [
            {"name": "mine", "context": {"extensions": [{"name": "context_info", "extension": {"provider": "minikube.sigs.k8s.io"}}]}},
            {"name": "other", "context": {}},
        ]});
        assert!(is_minikubes(&config, "mine"));
        assert!(!is_minikubes(&config, "other"));
    }
}
