//! Nodes beside those of the cluster, lent to whoever wants to lose some. Nothing is scheduled to one that does not
//! tolerate its taint, and they go when they are given back.

use anyhow::Result;

use super::daemon::{Daemon, kill_shims};
use super::state::lock;
use super::{State, cgroup, config, down, kubectl, network, up};
use crate::build::clear;
use crate::image::{self, Image};
use crate::layout::{Layout, Node};
use crate::step::Screen;

/// The taint of a lent node.
pub const TAINT: &str = "e2e.temporal.io/lent";

/// Nodes that are there until this value goes.
#[derive(Debug)]
pub struct Lent {
    layout: Layout,
    nodes: Vec<Node>,
}

impl Lent {
    /// Adds so many nodes that can run servers of this version; none when the cluster's own leave no room for them.
    pub fn some(screen: &Screen, layout: &Layout, count: usize, version: &str) -> Result<Option<Self>> {
        let own = State::read(layout).map(State::list).unwrap_or_default();
        let nodes: Vec<Node> = Node::all().into_iter().filter(|node| !own.contains(node)).take(count).collect();
        if own.is_empty() || nodes.len() < count {
            return Ok(None);
        }
        let images = [Image::cluster(), vec![Image::Server(version.to_owned())]].concat();
        let archives = images.iter().map(|i| image::make(screen, layout, i)).collect::<Result<Vec<_>>>()?;
        let _lock = lock(layout)?;
        // one that is begun is taken away again, however far it came
        let lent = Self { layout: layout.clone(), nodes };
        let all = [own, lent.nodes.clone()].concat();
        lent.nodes.iter().try_for_each(|node| take_away(layout, *node))?;
        screen.step(&format!("lend {count} node(s)"), |_| {
            network::make(&all)?;
            config::write(layout, &all)?;
            lent.nodes.iter().try_for_each(|node| cgroup::make(*node))?;
            up::containerds(layout, &lent.nodes)?;
            image::load(screen, layout, &lent.nodes, &archives)?;
            up::nodes_ready(layout, &lent.nodes, Some(TAINT))
        })?;
        Ok(Some(lent))
    }

    /// The nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        for node in &self.nodes {
            if let Err(error) = take_away(&self.layout, *node) {
                eprintln!("{} cannot be taken away: {error:#}", node.name());
            }
        }
    }
}

/// Takes a node away with everything on it. The images in its containerd stay.
fn take_away(layout: &Layout, node: Node) -> Result<()> {
    let name = node.name();
    let daemons = ["kubelet", "kube-proxy"].map(|what| Daemon::new(layout, &node.own(what)));
    daemons.iter().for_each(Daemon::ask_to_end);
    daemons.iter().try_for_each(Daemon::stop)?;
    kubectl(layout).args(["delete", "node", &name, "--ignore-not-found"]).run()?;
    // its pods have nobody left who could say that they have ended
    let on_it = format!("--field-selector=spec.nodeName={name}");
    kubectl(layout).args(["delete", "pods", "--all-namespaces", &on_it, "--force", "--grace-period=0"]).succeeds();
    down::kill_pods(node)?;
    let containerd = Daemon::new(layout, &node.own("containerd"));
    if containerd.pid().is_some() {
        down::remove_containers(layout, node)?;
    }
    containerd.stop()?;
    while kill_shims(&node.socket(layout)) > 0 {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let kubelet = layout.data().join(node.own("kubelet"));
    for dir in [kubelet.clone(), layout.run().join(node.own("containerd"))] {
        down::unmount(&dir)?;
    }
    down::kill_pods(node)?;
    cgroup::remove(node)?;
    network::remove_node(node)?;
    clear(&kubelet)
}
