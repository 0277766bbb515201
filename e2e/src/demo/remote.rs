//! The demo on a cluster that is there already, with published images.

use std::net::{TcpListener, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum;
use serde_json::Value;

use super::operator::{self, Install};
use super::{Kube, Profile, summary, temporal};
use crate::build;
use crate::command::{Background, Cmd};
use crate::failure::WithRemedy;
use crate::host::is_there;
use crate::image::{OPERATOR, for_docker};
use crate::layout::Layout;
use crate::step::Screen;

/// How the operator's image gets into the cluster.
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
    let python = build::python(screen, layout)?;
    let image = match registry {
        Some(registry) => Some(push(screen, layout, registry)?),
        None => {
            load(screen, layout, &kube, context, loading)?;
            None
        }
    };
    // Without a hash of what is in the image, the time makes the operator start anew with it.
    let image_key =
        if loading == Some(Loading::None) { String::new() } else { format!("{:?}", std::time::SystemTime::now()) };
    operator::install(screen, layout, &kube, &Install { image_key, image })?;
    operator::sample(screen, layout, &kube, profile)?;
    let (forward, address) = port_forward(&kube, profile.namespace(), &format!("svc/{}", profile.frontend()), 7233)?;
    let hello = temporal::run_workflow(screen, layout, &python, &address)?;
    drop(forward);
    summary::remote(&kube, profile, &hello)
}

fn push(screen: &Screen, layout: &Layout, registry: &str) -> Result<(String, String)> {
    let (name, tag) = OPERATOR.split_once(':').unwrap_or((OPERATOR, "dev"));
    let name = format!("{}/{name}", registry.trim_end_matches('/'));
    let reference = format!("{name}:{tag}");
    for_docker(screen, layout, &reference)?;
    screen
        .step(&format!("docker push {reference}"), |_| Cmd::new("docker").args(["push", &reference]).run())
        .remedy("`docker login` may be needed")?;
    Ok((name, tag.to_owned()))
}

fn load(screen: &Screen, layout: &Layout, kube: &Kube, context: &str, loading: Option<Loading>) -> Result<()> {
    let loading = match loading {
        Some(loading) => loading,
        None => guess(kube, context)?,
    };
    match loading {
        Loading::None => Ok(()),
        Loading::Minikube if !is_there("docker") => {
            let build = || {
                Cmd::new("minikube")
                    .args(["-p", context, "image", "build", "-t", OPERATOR, "."])
                    .dir(&layout.repo)
                    .run()
            };
            screen.step("minikube image build", |_| build())
        }
        Loading::Minikube => {
            for_docker(screen, layout, OPERATOR)?;
            screen.step("minikube image load", |_| {
                Cmd::new("minikube").args(["-p", context, "image", "load", "--overwrite=true", OPERATOR]).run()
            })
        }
        Loading::Kind => {
            for_docker(screen, layout, OPERATOR)?;
            let name = context.strip_prefix("kind-").unwrap_or(context);
            screen.step("kind load docker-image", |_| {
                Cmd::new("kind").args(["load", "docker-image", OPERATOR, "--name", name]).run()
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

/// A way to a service that lasts as long as the value.
fn port_forward(kube: &Kube, namespace: &str, target: &str, port: u16) -> Result<(Background, String)> {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).context("there is no free port")?.port();
    let forward = kube.kubectl().args(["-n", namespace, "port-forward", target, &format!("{free}:{port}")]).spawn()?;
    let address = format!("127.0.0.1:{free}");
    let late = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(&address).is_err() {
        if Instant::now() > late {
            bail!("`kubectl port-forward {target}` does not answer");
        }
        sleep(Duration::from_millis(100));
    }
    Ok((forward, address))
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
