//! Clusters side by side.

use std::collections::BTreeSet;
use std::time::Instant;

use temporal_operator::api::services::Role;

use super::cluster::{Cluster, ROLES, Scene, VERSION, manifest, with_databases};
use super::wait::since;

#[tokio::test(flavor = "multi_thread")]
async fn three_clusters_do_not_meet() {
    let here = Scene::open("neighbours").await;
    let there = here.second().await;
    there.postgres().await;
    // two in one namespace and one PostgreSQL; one of the same name and the same databases' names elsewhere
    let clusters = [here.cluster("one"), here.cluster("two"), there.cluster("one")];
    let specs = [manifest(VERSION), with_databases(VERSION, "second"), manifest(VERSION)];
    let began = Instant::now();
    for (cluster, spec) in clusters.iter().zip(&specs) {
        cluster.apply(spec).await;
    }
    for cluster in &clusters {
        cluster.settled().await;
    }
    let ready = since(began);

    let mut ids = BTreeSet::new();
    let mut members = BTreeSet::new();
    for cluster in &clusters {
        for role in ROLES {
            cluster.ring_is_pods(Role::parse(role).unwrap(), 1).await;
        }
        let view = cluster.view().await.unwrap();
        ids.insert(view.cluster_id);
        members.extend(view.rings.into_values().flatten());
    }
    assert_eq!(ids.len(), 3, "cluster ids {ids:?}");
    assert_eq!(members.len(), 12, "members of all rings {members:?}");

    let mut seconds = Vec::new();
    for (cluster, id) in clusters.iter().zip(["a", "b", "c"]) {
        seconds.push(format!("{:.2} s", cluster.workflow(id).await));
    }
    for (cluster, id) in clusters.iter().zip(["a", "b", "c"]) {
        cluster.lists(id).await;
        only(cluster, id).await;
    }
    there.remove().await;
    here.close(&format!("3 ready in {ready}, workflows {}", seconds.join(", "))).await;
}

/// No other workflow is known there, neither to the list nor by its id.
async fn only(cluster: &Cluster, id: &str) {
    let listed = cluster.workflows().await.unwrap();
    assert_eq!(listed, BTreeSet::from([id.to_owned()]), "workflows of {cluster}");
    for other in ["a", "b", "c"].into_iter().filter(|other| *other != id) {
        assert_eq!(cluster.workflow_status(other).await, None, "workflow {other} on {cluster}");
    }
}
