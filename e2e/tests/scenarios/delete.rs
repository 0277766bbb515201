//! The end of a cluster, and its return.

use std::time::{Duration, Instant};

use super::bed::Bed;
use super::cluster::{Cluster, Scene, VERSION, manifest};
use super::wait::{PATIENCE, since, until};

const DATABASES: [&str; 2] = ["temporal", "temporal_visibility"];

#[tokio::test(flavor = "multi_thread")]
async fn deletion_leaves_nothing_but_the_databases() {
    let bed = Bed::get();
    let scene = Scene::open("delete").await;
    let mut spec = manifest(VERSION);
    spec["ui"] = serde_json::json!({"enabled": true});
    let (cluster, _) = scene.create("main", &spec).await;
    cluster.workflow("from-the-first-life").await;
    cluster.lists("from-the-first-life").await;
    let id = cluster.view().await.unwrap().cluster_id;
    let there = until("the search finds what there is", PATIENCE, async || {
        let there = labelled(&cluster)?;
        if there.len() > 30 { Ok(there) } else { Err(format!("{there:?}")) }
    })
    .await;

    let began = Instant::now();
    bed.kubectl(&scene.namespace, &["delete", "tc", "main", "--timeout=120s"]).unwrap();
    until("nothing of the cluster is left", Duration::from_secs(120), async || {
        let left = labelled(&cluster)?;
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
    let gone = since(began);
    let databases = scene.psql("select datname from pg_database").unwrap();
    for name in DATABASES {
        assert!(databases.lines().any(|d| d == name), "database {name} is gone: {databases:?}");
    }
    let rows = scene.psql("select 1").unwrap();
    assert_eq!(rows, "1");

    let (cluster, again) = scene.create("main", &spec).await;
    cluster.lists("from-the-first-life").await;
    assert_eq!(cluster.view().await.unwrap().cluster_id, id, "it is the same Temporal cluster");
    let workflow = cluster.workflow("from-the-second-life").await;
    scene
        .close(&format!(
            "{} objects gone in {gone}, databases stay; made again in {again:.1} s, old workflow listed, new one {workflow:.2} s",
            there.len()
        ))
        .await;
}

/// Names of everything with the cluster's labels.
fn labelled(cluster: &Cluster) -> Result<Vec<String>, String> {
    let ours = format!("app.kubernetes.io/part-of=temporal,app.kubernetes.io/name={}", cluster.name);
    let text = Bed::get().kubectl(&cluster.namespace, &["get", &kinds()?, "-l", &ours, "-o", "name"])?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// Every kind that can be in a namespace, but events, which stay for an hour. Other scenarios install kinds and take them
/// away again.
fn kinds() -> Result<String, String> {
    let text = Bed::get().kubectl("default", &["api-resources", "--namespaced", "--verbs=list", "-o", "name"])?;
    Ok(text.lines().filter(|kind| !kind.starts_with("events")).collect::<Vec<_>>().join(","))
}
