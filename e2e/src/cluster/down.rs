//! Takes the cluster down and leaves nothing of it on the host.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::daemon::{Daemon, kill_shims};
use super::state::lock;
use super::{State, cgroup, network};
use crate::host;
use crate::image::ctr;
use crate::layout::{Layout, Node};
use crate::step::Screen;

/// Ends the cluster, whatever state it is in. Built programs and the images in the containerds stay.
pub fn down(screen: &Screen, layout: &Layout) -> Result<()> {
    if !layout.testbed().exists() && network::remains().is_empty() {
        screen.say("there is no cluster");
        return Ok(());
    }
    host::need_root()?;
    let _lock = lock(layout)?;
    screen.step("take the cluster down", |_| {
        stop_everything(layout)?;
        State::forget(layout)
    })
}

/// Processes, mounts, cgroups, network.
pub fn stop_everything(layout: &Layout) -> Result<()> {
    let nodes = Node::all();
    let daemon = |name: String| Daemon::new(layout, &name);
    let first: Vec<Daemon> =
        nodes.iter().flat_map(|n| [daemon(n.own("kubelet")), daemon(n.own("kube-proxy"))]).collect();
    let control = ["kube-scheduler", "kube-controller-manager", "kube-apiserver"].map(|name| daemon(name.to_owned()));
    first.iter().chain(&control).for_each(Daemon::ask_to_end);
    first.iter().try_for_each(Daemon::stop)?;
    for node in &nodes {
        kill_pods(*node)?;
        if daemon(node.own("containerd")).pid().is_some() {
            remove_containers(layout, *node)?;
        }
    }
    control.iter().try_for_each(Daemon::stop)?;
    daemon("etcd".to_owned()).stop()?;
    let containerds: Vec<Daemon> = nodes.iter().map(|n| daemon(n.own("containerd"))).collect();
    containerds.iter().for_each(Daemon::ask_to_end);
    containerds.iter().try_for_each(Daemon::stop)?;
    while kill_shims(&layout.run()) > 0 {
        sleep(Duration::from_millis(50));
    }
    unmount(&layout.testbed())?;
    for node in &nodes {
        kill_pods(*node)?;
        cgroup::remove(*node)?;
    }
    network::remove()?;
    match network::remains().into_iter().chain(nodes.iter().flat_map(|n| cgroup::remains(*n))).next() {
        Some(rest) => bail!("{rest} is still there"),
        None => Ok(()),
    }
}

/// Removes what a containerd knows of containers; their processes have ended.
pub fn remove_containers(layout: &Layout, node: Node) -> Result<()> {
    let list = |what: &str| -> Result<Vec<String>> {
        let text = ctr(layout, node).args([what, "ls", "-q"]).output()?;
        Ok(text.lines().map(str::to_owned).collect())
    };
    let late = Instant::now() + Duration::from_secs(10);
    loop {
        let tasks = list("tasks")?;
        if !tasks.is_empty() {
            // One that has been removed in the meantime is an error to it; what counts is the list.
            ctr(layout, node).args(["tasks", "rm", "-f"]).args(&tasks).succeeds();
        }
        let containers = list("containers")?;
        if !containers.is_empty() {
            ctr(layout, node).args(["containers", "rm"]).args(&containers).succeeds();
        }
        if list("containers")?.is_empty() || Instant::now() > late {
            // What is left after that goes with the shims, and from the list at the next start.
            return Ok(());
        }
        sleep(Duration::from_millis(100));
    }
}

/// Ends every process of a node's pods.
pub fn kill_pods(node: Node) -> Result<()> {
    let late = Instant::now() + Duration::from_secs(10);
    while cgroup::kill_all(node)? > 0 {
        if Instant::now() > late {
            bail!("processes of {}'s pods do not end", node.name());
        }
        sleep(Duration::from_millis(30));
    }
    Ok(())
}

/// Unmounts everything below a directory.
pub fn unmount(below: &Path) -> Result<()> {
    for _ in 0..5 {
        let text = fs::read_to_string("/proc/self/mounts").context("cannot read /proc/self/mounts")?;
        let mounts = text
            .lines()
            .filter_map(|line| line.split(' ').nth(1))
            .map(|path| PathBuf::from(path.replace("\\040", " ")));
        let mut ours: Vec<PathBuf> = mounts.filter(|path| path.starts_with(below)).collect();
        if ours.is_empty() {
            return Ok(());
        }
        ours.sort();
        for path in ours.iter().rev() {
            let _ = nix::mount::umount2(path, nix::mount::MntFlags::MNT_DETACH);
        }
    }
    bail!("mounts below {} do not go", below.display())
}
