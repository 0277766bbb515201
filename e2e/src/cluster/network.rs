//! The network: a bridge in a namespace of its own; host and nodes each have a link to it.
//!
//! Everything is made if it is not there, so that what an interrupted command left behind is completed.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::command::Cmd;
use crate::failure::WithRemedy;
use crate::layout::{FABRIC, FABRIC_CIDR, FAKE_PODS_CIDR, HOST_IP, HOST_LINK, Layout, Node, SERVICES_CIDR};

/// A node's link, in its namespace.
const NODE_LINK: &str = "eth0";
const BRIDGE: &str = "br0";

/// Makes the network of these nodes.
pub fn make(nodes: &[Node]) -> Result<()> {
    nobody_elses()?;
    namespace(FABRIC)?;
    if !has_link(Some(FABRIC), BRIDGE) {
        ip(Some(FABRIC), &["link", "add", BRIDGE, "type", "bridge"])?;
    }
    ip(Some(FABRIC), &["link", "set", BRIDGE, "up"])?;
    connect(None, HOST_LINK, "host", &format!("{HOST_IP}/24"))?;
    for node in nodes {
        namespace(&node.netns())?;
        ip(Some(&node.netns()), &["link", "set", "lo", "up"])?;
        connect(Some(&node.netns()), NODE_LINK, &node.name(), &format!("{}/24", node.ip()))?;
        // A node wants a default route. The host does not forward, so pods stay inside.
        ip(Some(&node.netns()), &["route", "replace", "default", "via", HOST_IP])?;
        settings(*node)?;
        ip(None, &["route", "replace", &node.pod_cidr(), "via", &node.ip()])?;
    }
    for node in nodes {
        for other in nodes.iter().filter(|other| *other != node) {
            ip(Some(&node.netns()), &["route", "replace", &other.pod_cidr(), "via", &other.ip()])?;
        }
    }
    ip(None, &["route", "replace", SERVICES_CIDR, "via", &Node::control_plane().ip()])
}

/// Makes this machine answer for every address of pods that are not there. What is sent to them arrives here, by the
/// nodes' default route.
pub fn answer_for_fake_pods() -> Result<()> {
    ip(None, &["route", "replace", "local", FAKE_PODS_CIDR, "dev", "lo"])
}

/// The opposite.
pub fn ignore_fake_pods() -> Result<()> {
    let there = Cmd::new("ip").args(["route", "show", "table", "local", FAKE_PODS_CIDR]).output()?;
    if there.trim().is_empty() { Ok(()) } else { ip(None, &["route", "del", "local", FAKE_PODS_CIDR, "dev", "lo"]) }
}

/// Removes all of it.
pub fn remove() -> Result<()> {
    ignore_fake_pods()?;
    // The routes go with the link.
    if has_link(None, HOST_LINK) {
        ip(None, &["link", "del", HOST_LINK])?;
    }
    for name in Node::all().into_iter().map(Node::netns).chain([FABRIC.to_owned()]) {
        remove_namespace(&name)?;
    }
    Ok(())
}

/// Removes a node's part of it.
pub fn remove_node(node: Node) -> Result<()> {
    // its port at the bridge goes with the other end
    remove_namespace(&node.netns())
}

/// What of it is there, for a report.
pub fn remains() -> Vec<String> {
    let names = Node::all().into_iter().map(Node::netns).chain([FABRIC.to_owned()]);
    let mut remains: Vec<String> =
        names.filter(|n| Path::new("/run/netns").join(n).exists()).map(|n| format!("network namespace {n}")).collect();
    if has_link(None, HOST_LINK) {
        remains.push(format!("network link {HOST_LINK}"));
    }
    remains
}

/// Takes a node's link down. Nothing is told to anyone, its pods run on.
pub fn cut(node: Node) -> Result<()> {
    ip(Some(FABRIC), &["link", "set", &node.name(), "down"])
}

/// Brings a node's link back.
pub fn join(node: Node) -> Result<()> {
    ip(Some(FABRIC), &["link", "set", &node.name(), "up"])
}

/// The nodes to which the host's connections to a Service lead, by the first node's table of them.
pub fn nodes_behind(service_ip: &str) -> Result<Vec<Node>> {
    let table = Cmd::inside(&Node::control_plane().netns(), "cat").arg("/proc/net/nf_conntrack").output()?;
    let (from, to) = (format!("src={HOST_IP} "), format!("dst={service_ip} "));
    let ours = table.lines().filter(|l| l.contains("ESTABLISHED") && l.contains(&from) && l.contains(&to));
    // the second source is that of the answers
    let ends = ours.filter_map(|line| line.split(' ').filter_map(|word| word.strip_prefix("src=")).nth(1));
    let mut nodes: Vec<Node> = ends.filter_map(Node::of_pod).collect();
    nodes.dedup();
    Ok(nodes)
}

fn nobody_elses() -> Result<()> {
    for line in Cmd::new("ip").args(["-o", "addr", "show", "to", FABRIC_CIDR]).output()?.lines() {
        if !line.contains(HOST_LINK) {
            let taken: Result<()> =
                Err(anyhow::anyhow!("the network {FABRIC_CIDR} is in use on this machine: {}", line.trim()));
            taken.remedy("take that network down; the testbed's addresses are fixed")?;
        }
    }
    Ok(())
}

fn namespace(name: &str) -> Result<()> {
    if ip(Some(name), &["link", "show", "lo"]).is_ok() {
        return Ok(());
    }
    // An interrupted `ip netns add` leaves a file that is no namespace.
    remove_namespace(name)?;
    Cmd::new("ip").args(["netns", "add", name]).run()
}

fn remove_namespace(name: &str) -> Result<()> {
    let file = Path::new("/run/netns").join(name);
    if file.exists() && Cmd::new("ip").args(["netns", "del", name]).run().is_err() {
        let _ = nix::mount::umount2(&file, nix::mount::MntFlags::MNT_DETACH);
        std::fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
    }
    Ok(())
}

/// A link from a namespace (or the host) to a port of the bridge. Both ends are made by one call.
fn connect(netns: Option<&str>, link: &str, port: &str, address: &str) -> Result<()> {
    let ends = (has_link(netns, link), has_link(Some(FABRIC), port));
    if ends != (true, true) {
        if ends.0 {
            ip(netns, &["link", "del", link])?;
        }
        if ends.1 && has_link(Some(FABRIC), port) {
            ip(Some(FABRIC), &["link", "del", port])?;
        }
        ip(netns, &["link", "add", link, "type", "veth", "peer", "name", port, "netns", FABRIC])?;
    }
    ip(Some(FABRIC), &["link", "set", port, "master", BRIDGE, "up"])?;
    ip(netns, &["addr", "replace", address, "dev", link])?;
    ip(netns, &["link", "set", link, "up"])
}

/// /proc/sys/net is that of the writer's namespace.
fn settings(node: Node) -> Result<()> {
    // The second lets the answers of pod to service to pod on one bridge be translated back.
    let script = "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables";
    let set = || Cmd::inside(&node.netns(), "sh").args(["-ec", script]).run();
    if set().is_err() {
        let _ = Cmd::new("modprobe").args(["-a", "br_netfilter", "overlay"]).run();
        set().remedy("the kernel needs the module br_netfilter: `modprobe br_netfilter`")?;
    }
    Ok(())
}

fn has_link(netns: Option<&str>, link: &str) -> bool {
    ip(netns, &["link", "show", "dev", link]).is_ok()
}

fn ip(netns: Option<&str>, args: &[&str]) -> Result<()> {
    let ip = match netns {
        Some(name) => Cmd::new("ip").args(["-n", name]),
        None => Cmd::new("ip"),
    };
    ip.args(args).run()
}

/// Whether a node's link is up; an error when there is no such node.
pub fn must_exist(node: Node, layout: &Layout) -> Result<()> {
    match super::State::read(layout) {
        Some(state) if node.number() <= state.nodes => Ok(()),
        Some(state) => bail!("there is no {}: the cluster has {} node(s)", node.name(), state.nodes),
        None => bail!("there is no cluster: `make demo` or `testbed up` makes one"),
    }
}
