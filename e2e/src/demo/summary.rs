//! What there is at the end, and how to use it.

use anyhow::{Result, anyhow};

use super::worker::{Greeted, link};
use super::{Kube, Profile};
use crate::cluster::State;
use crate::failure::WithRemedy;
use crate::layout::Layout;

/// The end of the demo on the testbed.
pub fn local(
    layout: &Layout,
    kube: &Kube,
    profile: Profile,
    greeted: &Greeted,
    frontend: &str,
    ui: &str,
) -> Result<()> {
    let nodes = State::read(layout).map_or(1, |s| s.nodes);
    let version = version(kube, profile)?;
    profile.remember(layout)?;
    let (namespace, name) = (profile.namespace(), profile.name());
    println!("\nTemporal {version} runs on a Kubernetes of {nodes} node(s), made and watched by the operator.");
    println!("  workflow   {}", returned(greeted));
    println!("  Web UI     {}", link(&format!("http://{ui}"), greeted));
    println!("  frontend   {frontend}");
    println!("\nNext:");
    println!("  eval \"$(make -s env)\"                            # kubectl and temporal for this cluster");
    println!("  kubectl -n {namespace} get temporalcluster,pods");
    println!("  kubectl -n {namespace} get temporalworker         # the worker that ran it: examples/hello");
    println!(
        "  make example NAME=hello                          # change something there, and see the new version take over"
    );
    println!("  temporal workflow list");
    println!(
        "  kubectl -n {namespace} edit temporalcluster {name}   # change something and watch `get temporalcluster -w`"
    );
    println!("  make down                                        # nothing stays but the caches");
    Ok(())
}

/// The end of the demo on another cluster.
pub fn remote(kube: &Kube, profile: Profile, greeted: &Greeted) -> Result<()> {
    let kubectl = kube.command();
    println!("\nTemporal {} runs, made and watched by the operator.", version(kube, profile)?);
    let (namespace, frontend, ui) = (profile.namespace(), profile.frontend(), profile.ui());
    println!("  workflow   {}", returned(greeted));
    println!("\nNext:");
    println!("  {kubectl} -n {namespace} port-forward svc/{ui} 8080         # the Web UI: http://localhost:8080");
    println!("  {kubectl} -n {namespace} port-forward svc/{frontend} 7233   # for `temporal workflow list`");
    println!("  {kubectl} -n {namespace} get temporalcluster,temporalworker,pods");
    println!(
        "  {kubectl} delete -k config/samples/{} && {kubectl} delete -k config/default   # removes it all",
        profile.name()
    );
    Ok(())
}

fn returned(greeted: &Greeted) -> String {
    let Greeted { id, text, build, seconds } = greeted;
    format!("{id} returned {text:?} in {seconds:.2} s, on version {build} of the worker")
}

fn version(kube: &Kube, profile: Profile) -> Result<String> {
    let cluster = kube.get(profile.namespace(), "temporalcluster", profile.name())?;
    let version = cluster["status"]["version"].as_str().or(cluster["spec"]["version"].as_str());
    Ok(version.unwrap_or_default().to_owned())
}

/// Prints the shell's exports for the testbed, and nothing else.
pub fn env(layout: &Layout) -> Result<()> {
    if State::read(layout).is_none() {
        return Err(anyhow!("there is no cluster")).remedy("`make demo` makes one");
    }
    let kube = Kube::testbed(layout);
    println!("export KUBECONFIG={}", quote(&layout.kubeconfig().display().to_string()));
    println!("export PATH={}:\"$PATH\"", quote(&layout.bin().display().to_string()));
    let profile = Profile::last(layout);
    let service = |name: &str| kube.service_ip(profile.namespace(), name).ok();
    if let Some(ip) = service(&profile.frontend()) {
        println!("export TEMPORAL_ADDRESS={ip}:7233");
    }
    if let Some(ip) = service(&profile.ui()) {
        println!("export TEMPORAL_UI=http://{ip}:8080");
    }
    Ok(())
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_text_is_one_word_of_a_shell() {
        assert_eq!(quote("/a b/it's"), r"'/a b/it'\''s'");
    }
}
