//! A change of the server's config restarts every pod, one role after the other.

use std::collections::BTreeSet;
use std::time::Instant;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};
use serde_json::json;
use temporal_operator::api::{TemporalCluster, conditions, labels};

use super::cluster::{Cluster, ROLES, Scene, VERSION, manifest};
use super::film::{Film, complete};
use super::wait::{PATIENCE, since, until};

const ORDER: [&str; 4] = ["matching", "history", "frontend", "worker"];

#[tokio::test(flavor = "multi_thread")]
async fn rolls_config_one_role_after_the_other() {
    let scene = Scene::open("roll-config").await;
    let (cluster, _) = scene.create("main", &manifest(VERSION)).await;
    cluster.workflow("before").await;
    let before = cluster.all_pods().await;
    let old_config = config(&cluster).await;
    let pods = Film::<Pod>::start(&cluster).await;
    let deployments = Film::<Deployment>::start(&cluster).await;
    let words = Film::<TemporalCluster>::start(&cluster).await;

    let began = Instant::now();
    cluster.patch(json!({"log": {"level": "warn"}})).await;
    cluster.settled().await;
    let took = since(began);
    let after = cluster.all_pods().await;
    for role in ROLES {
        assert!(before[role].is_disjoint(&after[role]), "role {role}: {before:?}, then {after:?}");
        assert_eq!(after[role].len(), 1, "role {role}");
    }
    let new_config = config(&cluster).await;
    assert_ne!(old_config, new_config);

    one_after_the_other(&deployments.seen());
    assert_eq!(first_pods(&pods.seen(), &new_config), ORDER, "order of the first new pods");
    let words = words.seen();
    let unready: Vec<_> = words.iter().filter(|c| truth(c, conditions::READY) != "True").map(sentence).collect();
    assert!(unready.is_empty(), "not Ready in between: {unready:#?}");
    let said: BTreeSet<_> = words.iter().map(|c| truth(c, conditions::RECONCILING)).collect();
    assert!(said.contains("True"), "the change is seen in Reconciling: {said:?}");
    let workflow = cluster.workflow("after").await;
    cluster.lists("before").await;

    let kept = cluster.config_maps().await;
    assert!(kept.contains(&old_config) && kept.contains(&new_config), "config of a ReplicaSet that is kept: {kept:?}");
    let gone = old_config_goes(&cluster, &old_config).await;
    assert_eq!(after, cluster.all_pods().await, "tidying up touches no pod");
    scene
        .close(&format!("4 roles in {took}, workflow {workflow:.2} s, old config gone {gone} after its ReplicaSets"))
        .await;
}

/// Deletes the old ReplicaSets, as Kubernetes does after some more rollouts, and waits for their config to go.
async fn old_config_goes(cluster: &Cluster, old: &str) -> String {
    let sets: Api<ReplicaSet> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let of_old = ListParams::default().labels(&format!("{}={}", labels::CONFIG_HASH, hash(old)));
    let old_sets = sets.list(&of_old).await.unwrap().items;
    assert_eq!(old_sets.len(), 4, "one old ReplicaSet of each role");
    for set in &old_sets[1..] {
        sets.delete(&set.name_any(), &DeleteParams::default()).await.unwrap();
    }
    until("three old ReplicaSets are gone", PATIENCE, async || match sets.list(&of_old).await.unwrap().items.len() {
        1 => Ok(()),
        n => Err(format!("{n}")),
    })
    .await;
    // a whole pass of the operator later it is still there
    cluster.patch(json!({"dynamicConfig": {"values": {"limit.maxIDLength": [{"value": 255}]}}})).await;
    cluster.settled().await;
    let kept = cluster.config_maps().await;
    assert!(kept.iter().any(|c| c == old), "one ReplicaSet still refers to {old}: {kept:?}");
    let began = Instant::now();
    sets.delete(&old_sets[0].name_any(), &DeleteParams::default()).await.unwrap();
    until(&format!("{old} is gone"), PATIENCE, async || {
        let kept = cluster.config_maps().await;
        if kept.iter().any(|c| c == old) { Err(format!("{kept:?}")) } else { Ok(()) }
    })
    .await;
    since(began)
}

/// Never two roles with a Deployment that is not complete.
fn one_after_the_other(seen: &[Deployment]) {
    let mut open = BTreeSet::new();
    let mut history = Vec::new();
    for deployment in seen {
        let name = deployment.name_any();
        let changed = if complete(deployment) { open.remove(&name) } else { open.insert(name) };
        if changed {
            history.push(open.clone());
        }
    }
    let together = history.iter().find(|roles| roles.len() > 1);
    assert!(together.is_none(), "two roles at once: {history:?}");
    let rolled: BTreeSet<_> = history.iter().flatten().collect();
    assert_eq!(rolled.len(), 4, "every role was seen to roll: {history:?}");
}

/// Roles in the order of their first pod with the new config.
fn first_pods(seen: &[Pod], config: &str) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    for pod in seen.iter().filter(|p| p.labels().get(labels::CONFIG_HASH).is_some_and(|h| h == hash(config))) {
        let role = pod.labels().get(labels::COMPONENT).cloned().unwrap_or_default();
        if !order.contains(&role) {
            order.push(role);
        }
    }
    order
}

fn hash(config: &str) -> &str {
    config.rsplit('-').next().unwrap_or_default()
}

fn truth(cluster: &TemporalCluster, type_: &str) -> String {
    let status = cluster.status.clone().unwrap_or_default();
    conditions::get(&status.conditions, type_).map(|c| c.status.clone()).unwrap_or_default()
}

fn sentence(cluster: &TemporalCluster) -> String {
    cluster.status.as_ref().and_then(|s| s.message.clone()).unwrap_or_default()
}

/// The config map that the pods of all roles use.
async fn config(cluster: &Cluster) -> String {
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let all = pods.list(&ListParams::default().labels(&format!("{}={}", labels::NAME, cluster.name))).await.unwrap();
    let live = all.items.iter().filter(|p| p.metadata.deletion_timestamp.is_none());
    let volumes = live.flat_map(|p| p.spec.iter().flat_map(|s| s.volumes.iter().flatten()));
    let names: BTreeSet<_> =
        volumes.filter(|v| v.name == "config").filter_map(|v| Some(v.config_map.as_ref()?.name.clone())).collect();
    assert_eq!(names.len(), 1, "all pods use one config: {names:?}");
    names.into_iter().next().unwrap()
}

impl Cluster {
    /// The names of its config maps.
    async fn config_maps(&self) -> Vec<String> {
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.namespace);
        let ours = ListParams::default().labels(&format!("{}={}", labels::NAME, self.name));
        maps.list(&ours).await.unwrap().iter().map(ResourceExt::name_any).collect()
    }
}
