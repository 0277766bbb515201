//! Nodes that are there in name only: kwok says what a kubelet would. Their pods are ready as soon as they have a node,
//! Jobs' pods end well at once. All addresses of such pods lead to this machine, where a stand-in answers for Temporal.

use std::net::{SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::bench::measure::Process;
use crate::build::{self, Target};
use crate::cluster;
use crate::command::{Background, Cmd};
use crate::demo::Kube;
use crate::failure::WithRemedy;
use crate::layout::{FAKE_PODS_CIDR, Layout, Node};
use crate::step::Screen;

/// So many share the pods; each takes as many as come.
const NODES: usize = 4;
/// Taint and label of the nodes.
const MARK: &str = "bench.temporal.io/fake";
/// Which nodes are kwok's, by annotation.
const KWOK: &str = "kwok.x-k8s.io/node";
/// Where a frontend listens.
const FRONTEND: u16 = 7233;
/// An address that no pod gets so soon.
const PROBE: [u8; 4] = [10, 245, 255, 250];

/// The nodes, until this value goes.
pub(super) struct FakeNodes<'a> {
    kube: &'a Kube,
    kwok: Background,
    _stand_in: Background,
}

impl<'a> FakeNodes<'a> {
    /// Brings them up, and waits until they are ready.
    pub fn start(screen: &Screen, layout: &Layout, kube: &'a Kube) -> Result<Self> {
        Target::Kwok.build(screen, layout)?;
        let stand_in = build::stand_in(screen, layout)?;
        screen.step("fake nodes, and a stand-in for Temporal", |_| {
            remove(kube)?;
            cluster::answer_for_fake_pods()?;
            let stand_in = Cmd::new(stand_in).arg(format!("0.0.0.0:{FRONTEND}")).arg(layout.kubeconfig());
            let stand_in = stand_in.spawn_logged(&layout.log().join("stand-in.log"))?;
            answers()?;
            let nodes = Self { kube, kwok: kwok(layout)?, _stand_in: stand_in };
            let items: Vec<Value> = (1..=NODES).map(node).collect();
            let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
            kube.kubectl().args(["create", "-f", "-"]).input(list.to_string()).run()?;
            let label = format!("{MARK}=true");
            kube.kubectl().args(["wait", "--for=condition=Ready", "node", "-l", &label, "--timeout=60s"]).run()?;
            Ok(nodes)
        })
    }

    /// kwok.
    pub fn process(&self) -> Process {
        Process::of(self.kwok.pid())
    }
}

impl Drop for FakeNodes<'_> {
    fn drop(&mut self) {
        // what stays is found and removed by the next run, and by `down`
        let _ = remove(self.kube);
        let _ = cluster::ignore_fake_pods();
    }
}

/// The pod's part that brings it onto these nodes, and no other pod.
pub(super) fn placement() -> Value {
    json!({"nodeSelector": {MARK: "true"}, "tolerations": [{"key": MARK, "operator": "Exists", "effect": "NoSchedule"}]})
}

fn kwok(layout: &Layout) -> Result<Background> {
    let program = build::kwok_program(layout);
    let node = Node::control_plane();
    let args = [
        format!("--kubeconfig={}", layout.kubeconfig().display()),
        format!("--manage-nodes-with-annotation-selector={KWOK}=fake"),
        format!("--cidr={FAKE_PODS_CIDR}"),
        format!("--node-ip={}", node.ip()),
        // a heartbeat in the node's status waits its turn among all pods; a lease does not, and a node that is late is
        // given up, its pods with it
        "--node-lease-duration-seconds=40".to_owned(),
        "--server-address=127.0.0.1:10247".to_owned(),
    ];
    Cmd::inside(&node.netns(), program).args(args).spawn()
}

fn node(number: usize) -> Value {
    let room = json!({"cpu": "10000", "memory": "64Ti", "pods": "100000"});
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": format!("fake-{number}"),
            "labels": {MARK: "true", "kubernetes.io/os": "linux"},
            "annotations": {KWOK: "fake"},
        },
        "spec": {"taints": [{"key": MARK, "value": "true", "effect": "NoSchedule"}]},
        "status": {"allocatable": room, "capacity": room},
    })
}

fn remove(kube: &Kube) -> Result<()> {
    kube.kubectl().args(["delete", "node", "-l", &format!("{MARK}=true"), "--ignore-not-found"]).run()
}

/// Waits for the stand-in, on the way that the operator takes.
fn answers() -> Result<()> {
    let late = Instant::now() + Duration::from_secs(5);
    let address = SocketAddr::from((PROBE, FRONTEND));
    while let Err(error) = TcpStream::connect_timeout(&address, Duration::from_millis(500)) {
        if Instant::now() > late {
            let none: Result<()> = Err(error).context("the stand-in for Temporal does not answer");
            return none.remedy(format!("port {FRONTEND} of this machine must be free"));
        }
        sleep(Duration::from_millis(50));
    }
    Ok(())
}
