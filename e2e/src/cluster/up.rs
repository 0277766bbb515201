//! Brings a cluster up. What runs already is left running, so it can be called again at any time.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::daemon::Daemon;
use super::state::lock;
use super::{State, TAINT, cgroup, config, kubectl, network, pki};
use crate::build::{Target, clear};
use crate::failure::WithRemedy;
use crate::host;
use crate::image::{self, Image, ctr};
use crate::layout::{API_PORT, Layout, Node, SERVICES_CIDR};
use crate::step::Screen;

/// Brings up a cluster of so many nodes; without a number as many as there are, or one. Returns the nodes.
pub fn up(screen: &Screen, layout: &Layout, nodes: Option<u8>) -> Result<Vec<Node>> {
    host::need_root()?;
    host::install(screen, layout, &host::BASE)?;
    for target in Target::cluster() {
        target.build(screen, layout)?;
    }
    let archives = Image::cluster().iter().map(|i| image::make(screen, layout, i)).collect::<Result<Vec<_>>>()?;

    let _lock = lock(layout)?;
    let state = agree(layout, nodes)?;
    let all = state.list();
    screen.step(&format!("network and certificates for {} node(s)", all.len()), |_| {
        network::make(&all)?;
        pki::make(layout)?;
        config::write(layout, &all)?;
        all.iter().try_for_each(|node| cgroup::make(*node))
    })?;
    screen.step("containerd", |_| containerds(layout, &all))?;
    image::load(screen, layout, &all, &archives)?;
    screen.step("control plane", |_| control_plane(layout))?;
    screen.step("nodes ready", |_| nodes_ready(layout, &all, None))?;
    screen.step("cluster DNS", |_| dns(layout))?;
    Ok(all)
}

/// The cluster to bring up: the one that is there, perhaps with more nodes, or a new one.
fn agree(layout: &Layout, nodes: Option<u8>) -> Result<State> {
    if nodes.is_some_and(|n| Node::new(n).is_none()) {
        bail!("a cluster has one to {} nodes", Node::MOST);
    }
    let old = State::read(layout);
    let wanted = nodes.or(old.map(|s| s.nodes)).unwrap_or(1);
    match old {
        Some(old) if Daemon::new(layout, "etcd").pid().is_some() => {
            if wanted < old.nodes {
                let fewer: Result<()> = Err(anyhow::anyhow!("the cluster has {} nodes", old.nodes));
                fewer.remedy("`make down` first, or ask for as many or more")?;
            }
        }
        // None, or one whose heart has stopped: from the beginning.
        _ => {
            super::down::stop_everything(layout)?;
            State::forget(layout)?;
            clear(&layout.log())?;
        }
    }
    let state = State { nodes: wanted };
    state.write(layout)?;
    Ok(state)
}

/// Starts the containerds of nodes.
pub fn containerds(layout: &Layout, nodes: &[Node]) -> Result<()> {
    let mut new = Vec::new();
    for node in nodes {
        let daemon = Daemon::new(layout, &node.own("containerd"));
        if daemon.pid().is_none() {
            new.push(*node);
        }
        let conf = layout.conf().join(node.own("containerd") + ".toml");
        daemon.start(*node, "containerd", &["-c".into(), conf.display().to_string()])?;
    }
    for node in nodes {
        Daemon::new(layout, &node.own("containerd")).wait(60, || ctr(layout, *node).arg("version").succeeds())?;
    }
    // A containerd keeps its images from one cluster to the next. Containers of an interrupted one are no use.
    let kubelet = |node: Node| Daemon::new(layout, &node.own("kubelet")).pid();
    new.into_iter()
        .filter(|node| kubelet(*node).is_none())
        .try_for_each(|node| super::down::remove_containers(layout, node))
}

fn control_plane(layout: &Layout) -> Result<()> {
    let node = Node::control_plane();
    let (pki, conf, data) =
        (layout.pki().display().to_string(), layout.conf().display().to_string(), layout.data().display().to_string());
    let etcd = Daemon::new(layout, "etcd");
    etcd.start(node, &crate::build::etcd_program(layout).display().to_string(), &words(&format!(
        "--data-dir {data}/etcd --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
         --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
         --initial-cluster default=http://127.0.0.1:2380 --unsafe-no-fsync --log-level warn"
    )))?;
    let api = Daemon::new(layout, "kube-apiserver");
    api.start(node, &program(layout, "kube-apiserver"), &api_server_args(layout, node))?;
    api.wait(90, || kubectl(layout).args(["get", "--raw", "/readyz"]).succeeds())?;

    let credentials = |name: &str| {
        format!(
            "--kubeconfig={conf}/{name}.kubeconfig --authentication-kubeconfig={conf}/{name}.kubeconfig \
         --authorization-kubeconfig={conf}/{name}.kubeconfig --leader-elect=false --bind-address=127.0.0.1 \
         --kube-api-qps=300 --kube-api-burst=600"
        )
    };
    let manager = credentials("kube-controller-manager")
        + &format!(
            " --use-service-account-credentials --service-account-private-key-file={pki}/sa.key --root-ca-file={pki}/ca.crt \
         --cluster-signing-cert-file={pki}/ca.crt --cluster-signing-key-file={pki}/ca.key --allocate-node-cidrs=false"
        );
    for (name, args) in [("kube-controller-manager", manager), ("kube-scheduler", credentials("kube-scheduler"))] {
        Daemon::new(layout, name).start(node, &program(layout, name), &words(&args))?;
    }
    Ok(())
}

fn api_server_args(layout: &Layout, node: Node) -> Vec<String> {
    let (pki, conf) = (layout.pki().display().to_string(), layout.conf().display().to_string());
    words(&format!(
        "--etcd-servers=http://127.0.0.1:2379 --advertise-address={ip} --secure-port={API_PORT} \
         --service-cluster-ip-range={SERVICES_CIDR} --allow-privileged --authorization-mode=Node,RBAC \
         --enable-admission-plugins=NodeRestriction --client-ca-file={pki}/ca.crt \
         --tls-cert-file={pki}/apiserver.crt --tls-private-key-file={pki}/apiserver.key \
         --kubelet-client-certificate={pki}/apiserver-kubelet-client.crt --kubelet-client-key={pki}/apiserver-kubelet-client.key \
         --kubelet-certificate-authority={pki}/ca.crt --kubelet-preferred-address-types=InternalIP \
         --service-account-issuer=https://kubernetes.default.svc.cluster.local --service-account-key-file={pki}/sa.pub \
         --service-account-signing-key-file={pki}/sa.key --requestheader-client-ca-file={pki}/front-proxy-ca.crt \
         --requestheader-allowed-names=front-proxy-client --requestheader-username-headers=X-Remote-User \
         --requestheader-group-headers=X-Remote-Group --requestheader-extra-headers-prefix=X-Remote-Extra- \
         --proxy-client-cert-file={pki}/front-proxy-client.crt --proxy-client-key-file={pki}/front-proxy-client.key \
         --audit-policy-file={conf}/audit.yaml --audit-log-path={audit} --audit-log-maxsize=2000 --audit-log-maxbackup=1",
        ip = node.ip(),
        audit = layout.audit_log().display(),
    ))
}

/// Starts nodes and waits until they are ready; new ones get the taint.
pub fn nodes_ready(layout: &Layout, nodes: &[Node], taint: Option<&str>) -> Result<()> {
    let taint = taint.map(|key| format!("--register-with-taints={key}=:NoSchedule")).unwrap_or_default();
    let (conf, data) = (layout.conf(), layout.data());
    for node in nodes {
        let (kubelet, proxy) = (node.own("kubelet"), node.own("kube-proxy"));
        Daemon::new(layout, &kubelet).start(
            *node,
            &program(layout, "kubelet"),
            &words(&format!(
                "--config={conf}/{kubelet}.yaml --kubeconfig={conf}/{kubelet}.kubeconfig --root-dir={data}/{kubelet} \
             --hostname-override={name} --node-ip={ip} --node-labels=topology.kubernetes.io/zone={zone} {taint}",
                conf = conf.display(),
                data = data.display(),
                name = node.name(),
                ip = node.ip(),
                zone = node.zone(),
            )),
        )?;
        let config = format!("--config={}/{proxy}.yaml", conf.display());
        Daemon::new(layout, &proxy).start(*node, &program(layout, "kube-proxy"), &[config])?;
    }
    if taint.is_empty() {
        // one that was lent, and left behind by a command that was interrupted
        let names = nodes.iter().map(|node| node.name());
        kubectl(layout).args(["taint", "nodes"]).args(names).arg(format!("{TAINT}-")).succeeds();
    }
    for node in nodes {
        let name = format!("node/{}", node.name());
        Daemon::new(layout, &node.own("kubelet"))
            .wait(120, || kubectl(layout).args(["wait", "--for=condition=Ready", &name, "--timeout=5s"]).succeeds())?;
    }
    Ok(())
}

fn dns(layout: &Layout) -> Result<()> {
    let late = Instant::now() + Duration::from_secs(60);
    // The namespace kube-system may be a moment late.
    while let Err(error) = kubectl(layout).args(["apply", "-f", "-"]).input(config::manifest()).run() {
        if Instant::now() > late {
            return Err(error);
        }
        sleep(Duration::from_millis(300));
    }
    let ready =
        kubectl(layout).args(["-n", "kube-system", "rollout", "status", "deploy/coredns", "--timeout=120s"]).run();
    ready.context("the cluster's DNS server does not start").remedy("see `kubectl -n kube-system describe pods`")
}

fn program(layout: &Layout, name: &str) -> String {
    layout.kubernetes(name).display().to_string()
}

/// The words of a command line. No path has a space in it: [`Layout`] sees to that.
fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}
