//! What is wrong is said in one sentence with what would help, and ends by itself when its cause goes.

use std::time::Instant;

use kube::api::DeleteParams;
use serde_json::{Value, json};
use temporal_operator::api::conditions::{self, READY, STALLED};

use super::bed::Bed;
use super::cluster::{Cluster, Scene, VERSION, manifest};
use super::wait::{PATIENCE, since, until};

/// Waits until the cluster's `Ready` has the reason and its sentence all of the words; how long that took.
async fn says(cluster: &Cluster, reason: &str, words: &[&str]) -> String {
    let began = Instant::now();
    until(&format!("{cluster} says {reason} and {words:?}"), PATIENCE, async || {
        let status = cluster.get().await?.status.unwrap_or_default();
        let ready = conditions::get(&status.conditions, READY).ok_or("no Ready yet")?;
        let message = status.message.clone().unwrap_or_default();
        let fits = ready.reason == reason && words.iter().all(|w| message.contains(w));
        if fits { Ok(()) } else { Err(format!("{}: {message}", ready.reason)) }
    })
    .await;
    format!("{reason} {}", since(began))
}

/// The manifest with another user of the database, whose password is in the Secret `store`.
fn of_user(user: &str) -> Value {
    let mut spec = manifest(VERSION);
    for store in ["defaultStore", "visibilityStore"] {
        spec["persistence"][store]["passwordSecretRef"]["name"] = json!("store");
        spec["persistence"][store]["sql"]["user"] = json!(user);
    }
    spec
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_the_store_are_said_and_heal() {
    let bed = Bed::get();
    let scene = Scene::bare("store-faults").await;
    let kubectl = |args: &[&str]| bed.kubectl(&scene.namespace, args).unwrap();
    let mut lines = Vec::new();

    // a PostgreSQL whose disk is small
    kubectl(&["apply", "-k", &bed.config("samples/postgres")]);
    let small = json!({"spec": {"template": {"spec": {"volumes": [
        {"name": "data", "emptyDir": {"medium": "Memory", "sizeLimit": "256Mi"}}]}}}});
    kubectl(&["patch", "statefulset", "postgres", "-p", &small.to_string()]);
    kubectl(&["rollout", "status", "statefulset/postgres", "--timeout=120s"]);
    scene.postgres_ready().await;
    scene.psql("create role poor login password 'poor'").unwrap();

    let cluster = scene.cluster("main");
    kubectl(&["create", "quota", "none", "--hard=pods=1"]);
    kubectl(&["create", "secret", "generic", "store", "--from-literal=pasword=poor"]);
    cluster.apply(&of_user("poor")).await;
    lines.push(says(&cluster, "SchemaHeldUp", &["exceeded quota: none", "ResourceQuota"]).await);
    kubectl(&["delete", "quota", "none"]);
    lines.push(says(&cluster, "SchemaHeldUp", &["couldn't find key password in Secret", "put that key"]).await);
    kubectl(&["patch", "secret", "store", "-p", r#"{"stringData": {"password": "poor"}}"#]);
    lines.push(says(&cluster, "SchemaFailed", &["permission denied to create database", "CREATEDB"]).await);

    let fill = "dd if=/dev/zero of=/var/lib/postgresql/data/fill bs=1M; true";
    kubectl(&["exec", "postgres-0", "--", "sh", "-c", fill]);
    scene.psql("alter role poor createdb").unwrap();
    lines.push(says(&cluster, "SchemaFailed", &["make room on the database's disk"]).await);
    kubectl(&["exec", "postgres-0", "--", "rm", "/var/lib/postgresql/data/fill"]);
    // the database that PostgreSQL made at its start belongs to somebody else
    lines.push(says(&cluster, "SchemaFailed", &["permission denied for schema public", "owner of the database"]).await);
    scene.psql("alter database temporal owner to poor").unwrap();
    let began = Instant::now();
    cluster.settled().await;
    lines.push(format!("ready {} after the last", since(began)));

    // pods that run keep their connections; one that starts has the wrong password
    scene.psql("alter role poor password 'changed'").unwrap();
    kubectl(&["delete", "pod", "-l", "app.kubernetes.io/component=matching", "--wait=false"]);
    let words =
        ["The matching role has 0 of 1", "container service of pod", "no usable database connection found", "password"];
    lines.push(says(&cluster, "RoleNotReady", &words).await);
    scene.psql("alter role poor password 'poor'").unwrap();
    cluster.patch(json!({"ui": {"enabled": true, "image": "localhost/nobody/nothing"}})).await;
    lines.push(
        says(&cluster, "UiNotReady", &["The Web UI has 0 of 1", "localhost/nobody/nothing", "imagePullSecrets"]).await,
    );
    assert_eq!(cluster.condition(READY, "True").await.0, "UiNotReady", "it serves without its UI");
    cluster.patch(json!({"ui": {"enabled": false}})).await;
    cluster.settled().await;
    let workflow = cluster.workflow("after").await;
    scene.close(&format!("{}; healed, workflow {workflow:.2} s", lines.join(", "))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_has_one_cluster() {
    let scene = Scene::open("one-database").await;
    let mut lines = Vec::new();
    let (first, _) = scene.create("first", &manifest(VERSION)).await;
    first.workflow("before").await;
    let before = (first.all_pods().await, first.get().await.unwrap().status);

    let second = scene.cluster("second");
    second.apply(&manifest(VERSION)).await;
    let other = format!("belongs to the TemporalCluster {}/first", scene.namespace);
    lines.push(says(&second, "DatabaseTaken", &[&other, "name another database"]).await);
    assert_eq!(second.condition(STALLED, "True").await.0, "DatabaseTaken");
    assert!(second.all_pods().await.values().all(std::collections::BTreeSet::is_empty), "nothing is made of it");
    let after = (first.all_pods().await, first.get().await.unwrap().status);
    assert_eq!(before, after, "the first is not disturbed");

    // the first goes: the second goes on by itself, and finds whose the database is
    first.api().delete("first", &DeleteParams::default()).await.unwrap();
    let owner = ["at check-owner", "belongs to the Temporal cluster \"first\", not to \"second\"", "spec.clusterName"];
    lines.push(says(&second, "SchemaFailed", &owner).await);
    assert_eq!(second.condition(STALLED, "False").await.0, "NotStalled");
    second.api().delete("second", &DeleteParams::default()).await.unwrap();

    let mut fewer = manifest(VERSION);
    fewer["numHistoryShards"] = json!(16);
    first.apply(&fewer).await;
    lines.push(says(&first, "ShardCountDiffers", &["64 history shards", "says 16", "with that number"]).await);
    assert_eq!(first.condition(STALLED, "True").await.0, "ShardCountDiffers");
    first.api().delete("first", &DeleteParams::default()).await.unwrap();

    first.apply(&manifest(VERSION)).await;
    first.settled().await;
    first.lists("before").await;
    let workflow = first.workflow("after").await;
    scene.close(&format!("{}; the first is whole again, workflow {workflow:.2} s", lines.join(", "))).await;
}
