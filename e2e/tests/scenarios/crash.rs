//! The operator is killed while it makes a cluster.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};

use super::bed::{Bed, OPERATOR, OPERATOR_LIVES, OPERATOR_NAMESPACE, full};
use super::cluster::{Cluster, ROLES, Scene, VERSION, is_ready, manifest};
use super::operator::{self, signal};
use super::wait::{PATIENCE, since, until};

/// Kinds of what the operator makes, and what Kubernetes makes of it.
const KINDS: &str = "serviceaccounts,configmaps,services,poddisruptionbudgets,jobs,deployments,replicasets,pods";

#[tokio::test(flavor = "multi_thread")]
async fn operator_killed_in_the_middle_of_create() {
    let mut scene = Scene::open("operator-killed").await;
    scene.operator = None;
    let alone = OPERATOR_LIVES.write().await;
    let cluster = scene.cluster("main");
    let began = Instant::now();
    cluster.apply(&manifest(VERSION)).await;
    // each moment is the first object of its kind; the long form kills at every one of them
    let moments: &[&str] = if full() {
        &["serviceaccount", "configmap", "service", "job", "deployment", "pod"]
    } else {
        &["service", "job", "deployment"]
    };
    let mut kills = Vec::new();
    for kind in moments {
        has_begun(&cluster, kind).await;
        let at = since(began);
        kill(&scene).await;
        kills.push(format!("{kind} ({at})"));
    }
    cluster.settled().await;
    let ready = since(began);
    drop(alone);
    let workflow = cluster.workflow("hello").await;
    exactly_one_set(&cluster);
    scene.close(&format!("killed at the first {}; ready in {ready}, workflow {workflow:.2} s", kills.join(", "))).await;
}

/// Waits for the first object of a kind. Only the one after the last kill can be new; an earlier one serves as well.
async fn has_begun(cluster: &Cluster, kind: &str) {
    until(&format!("the first {kind} of {cluster}"), PATIENCE, async || {
        let names = names(cluster, kind)?;
        if names.is_empty() { Err("none".to_owned()) } else { Ok(()) }
    })
    .await;
}

/// Kills the operator's process and its pod, and waits until the next one runs.
pub async fn kill(scene: &Scene) {
    let pods: Api<Pod> = Api::namespaced(scene.client.clone(), OPERATOR_NAMESPACE);
    let ours = ListParams::default().labels(&format!("app.kubernetes.io/instance={OPERATOR}"));
    let old = operator::pods(&scene.client).await;
    assert!(!old.is_empty(), "the operator runs");
    // first the process, so that it cannot give its Lease back
    for pod in &old {
        signal(pod, "SIGKILL").unwrap();
    }
    let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    for pod in &old {
        pods.delete(&pod.name_any(), &now).await.unwrap();
    }
    until("another operator runs", Duration::from_secs(120), async || {
        let all = pods.list(&ours).await.map_err(|e| e.to_string())?.items;
        let new = |p: &&Pod| !old.iter().any(|o| o.uid() == p.uid());
        let ready = all.iter().filter(new).any(is_ready);
        if ready { Ok(()) } else { Err(format!("{:?}", all.iter().map(ResourceExt::name_any).collect::<Vec<_>>())) }
    })
    .await;
}

/// Names of the objects of these kinds with the cluster's labels, each with its kind.
fn names(cluster: &Cluster, kinds: &str) -> Result<Vec<String>, String> {
    let ours = format!("app.kubernetes.io/managed-by=temporal-operator,app.kubernetes.io/name={}", cluster.name);
    let text = Bed::get().kubectl(&cluster.namespace, &["get", kinds, "-l", &ours, "-o", "name"])?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// What one undisturbed create leaves, by kind and by name without hashes.
fn exactly_one_set(cluster: &Cluster) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for line in names(cluster, KINDS).unwrap() {
        let (kind, name) = line.split_once('/').unwrap();
        let name = name.strip_prefix(&format!("{}-", cluster.name)).unwrap_or(name);
        let short = match kind {
            "replicaset.apps" | "pod" if name.starts_with("schema-") => {
                name.splitn(3, '-').take(2).collect::<Vec<_>>().join("-")
            }
            "replicaset.apps" | "pod" => name.split('-').next().unwrap_or_default().to_owned(),
            "job.batch" => name.rsplit_once('-').map_or(name, |(short, _)| short).to_owned(),
            "configmap" if name.starts_with("config-") => "config".to_owned(),
            _ => name.to_owned(),
        };
        *counts.entry(format!("{kind}/{short}")).or_default() += 1;
    }
    let mut wanted: Vec<String> = Vec::new();
    for role in ROLES {
        let kinds = ["serviceaccount", "deployment.apps", "replicaset.apps", "pod"];
        wanted.extend(kinds.map(|kind| format!("{kind}/{role}")));
        wanted.push(format!("service/{role}-headless"));
    }
    let others = [
        "serviceaccount/schema-setup",
        "service/frontend",
        "configmap/config",
        "configmap/dynamicconfig",
        "poddisruptionbudget.policy/server",
    ];
    wanted.extend(others.map(str::to_owned));
    for store in ["default", "visibility"] {
        wanted.extend(["job.batch", "pod"].map(|kind| format!("{kind}/schema-{store}")));
    }
    let wanted: BTreeMap<String, usize> = wanted.into_iter().map(|name| (name, 1)).collect();
    assert_eq!(counts, wanted, "objects of {cluster}");
}
