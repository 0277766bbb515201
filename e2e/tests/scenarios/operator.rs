//! The operator's own pods, seen and touched from the host.

use std::fs;

use e2e::image::ctr;
use e2e::layout::Node;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::{Client, ResourceExt};
use serde_json::json;

use super::bed::{Bed, OPERATOR, OPERATOR_NAMESPACE, output};
use super::cluster::is_ready;
use super::wait::{PATIENCE, until};

/// Its pods.
pub async fn pods(client: &Client) -> Vec<Pod> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), OPERATOR_NAMESPACE);
    let ours = ListParams::default().labels(&format!("app.kubernetes.io/instance={OPERATOR}"));
    pods.list(&ours).await.unwrap().items
}

/// Sends a signal to every process of a pod's first container.
pub fn signal(pod: &Pod, signal: &str) -> Result<(), String> {
    let id = pod.status.as_ref().and_then(|s| s.container_statuses.as_ref()?.first()?.container_id.clone());
    let id = id.ok_or("the container has no id")?;
    let node = pod.spec.as_ref().and_then(|s| s.node_name.as_ref()?.strip_prefix("node")?.parse().ok());
    let node = node.and_then(Node::new).ok_or("the pod has no node")?;
    let tell = ctr(&Bed::get().layout, node).args(["tasks", "kill", "--all", "--signal", signal]);
    output(tell.arg(id.trim_start_matches("containerd://"))).map(drop)
}

/// Changes the number of operators and waits until they run.
pub async fn scale(client: &Client, replicas: usize) {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), OPERATOR_NAMESPACE);
    let patch = json!({"spec": {"replicas": replicas}});
    deployments.patch(OPERATOR, &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
    until(&format!("{replicas} operators run"), PATIENCE, async || {
        let all = pods(client).await;
        let same = all.len() == replicas && all.iter().all(is_ready);
        if same { Ok(()) } else { Err(format!("{:?}", all.iter().map(ResourceExt::name_any).collect::<Vec<_>>())) }
    })
    .await;
}

/// The pod that holds the Lease.
pub async fn leader(client: &Client) -> Pod {
    let leases: Api<Lease> = Api::namespaced(client.clone(), OPERATOR_NAMESPACE);
    until("an operator leads", PATIENCE, async || {
        let lease = leases.get(OPERATOR).await.map_err(|e| e.to_string())?;
        let holder = lease.spec.and_then(|s| s.holder_identity).unwrap_or_default();
        let name = holder.rsplit_once('_').map_or(holder.as_str(), |(pod, _)| pod);
        pods(client).await.into_iter().find(|p| p.name_any() == name).ok_or(format!("the holder is {holder:?}"))
    })
    .await
}

/// Its metrics: the whole text of the first pod that leads.
pub async fn metrics(client: &Client) -> String {
    let path = |pod: &str| format!("/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods/{pod}:8080/proxy/metrics");
    // a leader that another scenario has just ended holds the Lease for a while and has no address
    until("the leader gives its metrics", PATIENCE, async || {
        let pod = leader(client).await.name_any();
        Bed::get().kubectl(OPERATOR_NAMESPACE, &["get", "--raw", &path(&pod)])
    })
    .await
}

/// The value of a metric without labels.
pub fn metric(text: &str, name: &str) -> f64 {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|v| v.parse().ok()).unwrap_or_else(|| panic!("no metric {name} in {text}"))
}

/// What it has logged since then, read from the node's files: without the API server, and past restarts.
pub fn log_since(then: Timestamp) -> Vec<String> {
    let root = Bed::get().layout.log();
    let nodes = Node::all().into_iter().map(|node| root.join(node.own("pods")));
    let children = |dir: std::path::PathBuf| fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
    let ours = |path: &std::path::PathBuf| path.display().to_string().contains(&format!("/{OPERATOR_NAMESPACE}_"));
    let files = nodes.flat_map(children).filter(ours).flat_map(children).flat_map(children);
    let lines: Vec<String> = files
        .flat_map(|file| fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let recent =
        |line: &String| line.split(' ').next().and_then(|t| t.parse::<Timestamp>().ok()).is_some_and(|t| t >= then);
    lines.into_iter().filter(recent).collect()
}
