//! Where everything is: files below the cache directory, addresses of nodes, pods and services.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The host's address on the testbed's network.
pub const HOST_IP: &str = "10.231.0.1";
/// The network of host and nodes.
pub const FABRIC_CIDR: &str = "10.231.0.0/24";
/// The network namespace of the bridge that joins host and nodes. It is not the host's, so that the host's packet
/// filter has no say in what nodes send each other.
pub const FABRIC: &str = "to-fabric";
/// The host's link to the bridge.
pub const HOST_LINK: &str = "to-host";
/// All pods.
pub const PODS_CIDR: &str = "10.244.0.0/16";
/// All pods on nodes that are not there (see `bench::scale`). Their addresses lead to the host.
pub const FAKE_PODS_CIDR: &str = "10.245.0.0/16";
/// All services.
pub const SERVICES_CIDR: &str = "10.96.0.0/16";
/// The API server as a service.
pub const API_SERVICE_IP: &str = "10.96.0.1";
/// The cluster's DNS server.
pub const DNS_IP: &str = "10.96.0.10";
/// The API server's port on node 1.
pub const API_PORT: u16 = 6443;

/// The directories of a testbed.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The project's root.
    pub repo: PathBuf,
    /// Everything made here: `${XDG_CACHE_HOME:-$HOME/.cache}/temporal-operator`.
    pub cache: PathBuf,
}

impl Layout {
    /// The layout for this user and this checkout.
    pub fn from_environment() -> Result<Self> {
        let root = match std::env::var_os("XDG_CACHE_HOME").filter(|v| !v.is_empty()) {
            Some(dir) => PathBuf::from(dir),
            None => PathBuf::from(std::env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?)
                .join(".cache"),
        };
        let cache = root.join("temporal-operator");
        // A unix socket's path has 107 bytes at most; the longest one is a containerd's.
        if cache.as_os_str().len() > 70 {
            bail!("the path {} is too long for unix sockets: set XDG_CACHE_HOME to a shorter one", cache.display());
        }
        if cache.display().to_string().contains(char::is_whitespace) {
            bail!(
                "the path {} has a space in it, which daemons' arguments cannot have: set XDG_CACHE_HOME",
                cache.display()
            );
        }
        let repo =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the crate has no parent directory")?.to_owned();
        Ok(Self { repo, cache })
    }

    /// What is built, one directory for each thing and version.
    pub fn build(&self) -> PathBuf {
        self.cache.join("build")
    }

    /// Commands for a person's PATH.
    pub fn bin(&self) -> PathBuf {
        self.build().join("bin")
    }

    /// Image archives.
    pub fn images(&self) -> PathBuf {
        self.cache.join("images")
    }

    /// The running cluster's files.
    pub fn testbed(&self) -> PathBuf {
        self.cache.join("testbed")
    }

    /// Certificates and keys.
    pub fn pki(&self) -> PathBuf {
        self.testbed().join("pki")
    }

    /// Configuration files and kubeconfigs.
    pub fn conf(&self) -> PathBuf {
        self.testbed().join("conf")
    }

    /// Sockets, pid files, mounts.
    pub fn run(&self) -> PathBuf {
        self.testbed().join("run")
    }

    /// State of etcd, kubelets, containerds.
    pub fn data(&self) -> PathBuf {
        self.testbed().join("data")
    }

    /// Output of the daemons and the audit log (`audit.log`).
    pub fn log(&self) -> PathBuf {
        self.testbed().join("log")
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.conf().join("admin.kubeconfig")
    }

    /// The API server's audit log, a JSON object on each line.
    pub fn audit_log(&self) -> PathBuf {
        self.log().join("audit.log")
    }

    /// The Kubernetes programs.
    pub fn kubernetes(&self, program: &str) -> PathBuf {
        self.build().join(format!("kubernetes-{}", crate::versions::KUBERNETES)).join(program)
    }
}

/// One node of the cluster, by its number from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node(u8);

impl Node {
    /// The greatest number of nodes.
    pub const MOST: u8 = 3;

    /// Node `number`, if there can be such a node.
    pub fn new(number: u8) -> Option<Self> {
        (1..=Self::MOST).contains(&number).then_some(Self(number))
    }

    /// The nodes 1 to `count`.
    pub fn first(count: u8) -> Vec<Self> {
        (1..=count.min(Self::MOST)).map(Self).collect()
    }

    /// Every node there could be.
    pub fn all() -> Vec<Self> {
        Self::first(Self::MOST)
    }

    /// The node with the control plane.
    pub fn control_plane() -> Self {
        Self(1)
    }

    /// Its number.
    pub fn number(self) -> u8 {
        self.0
    }

    /// The name of the Node object, and of its port at the bridge.
    pub fn name(self) -> String {
        format!("node{}", self.0)
    }

    /// Its network namespace; also the name of its root cgroup.
    pub fn netns(self) -> String {
        format!("to-node{}", self.0)
    }

    /// Its address.
    pub fn ip(self) -> String {
        format!("10.231.0.{}", self.0 + 1)
    }

    /// The node that has a pod's address.
    pub fn of_pod(ip: &str) -> Option<Self> {
        Self::all().into_iter().find(|node| ip.starts_with(node.pod_cidr().trim_end_matches("0/24")))
    }

    /// The addresses of its pods.
    pub fn pod_cidr(self) -> String {
        format!("10.244.{}.0/24", self.0 - 1)
    }

    /// Its zone: a, b or c.
    pub fn zone(self) -> char {
        char::from(b'a' + self.0 - 1)
    }

    /// The name of one of its daemons, files and directories: `kubelet1`.
    pub fn own(self, what: &str) -> String {
        format!("{what}{}", self.0)
    }

    /// Its containerd's socket.
    pub fn socket(self, layout: &Layout) -> PathBuf {
        layout.run().join(self.own("containerd") + ".sock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_have_addresses_of_their_own() {
        let node = Node::new(3).unwrap();
        assert_eq!((node.ip().as_str(), node.pod_cidr().as_str(), node.zone()), ("10.231.0.4", "10.244.2.0/24", 'c'));
        assert_eq!(Node::new(0), None);
        assert_eq!(Node::new(4), None);
        assert_eq!(Node::first(9).len(), 3);
    }
}
