//! The daemons' configuration files.

use anyhow::{Context, Result};

use crate::command::put;
use crate::image::Image;
use crate::layout::{DNS_IP, Layout, Node, PODS_CIDR};
use crate::versions;

/// Writes the files of the cluster and of these nodes. A file that is as it should be is not touched: kube-proxy ends
/// when its own is written to.
pub fn write(layout: &Layout, nodes: &[Node]) -> Result<()> {
    for dir in ["etcd", "volumeplugins"] {
        make_dir(&layout.data().join(dir))?;
    }
    make_dir(&layout.log())?;
    make_dir(&layout.run())?;
    let conf = layout.conf();
    put(&conf.join("resolv.conf"), "nameserver 127.0.0.1\n")?;
    put(&conf.join("audit.yaml"), include_str!("../../config/audit.yaml"))?;
    for node in nodes {
        for dir in ["containerd", "kubelet", "cni"] {
            make_dir(&layout.data().join(node.own(dir)))?;
        }
        make_dir(&layout.log().join(node.own("pods")))?;
        let fill = |template: &str| fill(layout, *node, template);
        put(&conf.join(node.own("containerd") + ".toml"), fill(include_str!("../../config/containerd.toml")))?;
        put(&conf.join(node.own("cni")).join("10-bridge.conflist"), fill(include_str!("../../config/cni.json")))?;
        put(&conf.join(node.own("kubelet") + ".yaml"), fill(include_str!("../../config/kubelet.yaml")))?;
        put(&conf.join(node.own("kube-proxy") + ".yaml"), fill(include_str!("../../config/kube-proxy.yaml")))?;
    }
    Ok(())
}

/// What every cluster has in it.
pub fn manifest() -> String {
    include_str!("../../manifests/cluster.yaml").replace("@DNS_IP@", DNS_IP).replace("@COREDNS@", versions::COREDNS)
}

fn fill(layout: &Layout, node: Node, template: &str) -> String {
    let path = |p: std::path::PathBuf| p.display().to_string();
    let values = [
        ("@DATA@", path(layout.data())),
        ("@RUN@", path(layout.run())),
        ("@CONF@", path(layout.conf())),
        ("@PKI@", path(layout.pki())),
        ("@LOG@", path(layout.log())),
        ("@SOCKET@", path(node.socket(layout))),
        ("@PAUSE@", Image::Pause.reference()),
        ("@N@", node.number().to_string()),
        ("@NODE@", node.name()),
        ("@NODE_IP@", node.ip()),
        ("@CGROUP@", node.netns()),
        ("@POD_CIDR@", node.pod_cidr()),
        ("@PODS_CIDR@", PODS_CIDR.to_owned()),
        ("@DNS_IP@", DNS_IP.to_owned()),
    ];
    values.iter().fold(template.to_owned(), |text, (mark, value)| text.replace(mark, value))
}

fn make_dir(dir: &std::path::Path) -> Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_mark_is_left_in_a_filled_template() {
        let layout = Layout { repo: "/repo".into(), cache: "/cache".into() };
        let node = Node::new(2).unwrap();
        for template in [
            include_str!("../../config/containerd.toml"),
            include_str!("../../config/cni.json"),
            include_str!("../../config/kubelet.yaml"),
            include_str!("../../config/kube-proxy.yaml"),
        ] {
            let text = fill(&layout, node, template);
            assert!(!text.contains('@'), "{text}");
        }
        assert!(!manifest().contains('@'));
    }
}
