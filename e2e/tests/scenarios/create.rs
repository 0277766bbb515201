//! From a manifest to a cluster that works.

use std::time::Instant;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams};
use serde_json::Value;
use temporal_operator::api::conditions;

use super::bed::{Bed, OPERATOR_LIVES, full};
use super::cluster::{Cluster, ROLES, Scene, manifest};
use super::places::Place;
use super::temporal::NAMESPACE;
use super::wait::{PATIENCE, since, until};

#[tokio::test(flavor = "multi_thread")]
async fn creates_server_1_30() {
    Box::pin(creates("1.30.8")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn creates_server_1_31() {
    Box::pin(creates("1.31.2")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn creates_server_1_32() {
    Box::pin(creates("1.32.0")).await;
}

async fn creates(version: &str) {
    let scene = Scene::open(&format!("create-{}", version.replace('.', "-"))).await;
    Bed::get().server_images(version);
    let (cluster, seconds) = scene.create("main", &manifest(version)).await;

    let resource = cluster.get().await.unwrap();
    let status = resource.status.unwrap();
    assert_eq!(status.version.as_deref(), Some(version));
    let phase = serde_json::to_value(status.phase).unwrap();
    assert_eq!(phase, "Ready");
    let services: Vec<_> = status.services.iter().map(|s| (s.name.as_str(), s.version.as_str(), s.ready)).collect();
    assert_eq!(services, ROLES.map(|role| (role, version, true)));
    let said: Vec<_> = status.conditions.iter().map(|c| (c.type_.as_str(), c.status.as_str())).collect();
    for (type_, value) in [
        (conditions::READY, "True"),
        (conditions::SCHEMA_READY, "True"),
        (conditions::SERVICES_READY, "True"),
        (conditions::MEMBERSHIP_HEALTHY, "True"),
        (conditions::VISIBILITY_READY, "True"),
        (conditions::RECONCILING, "False"),
        (conditions::STALLED, "False"),
    ] {
        assert!(said.contains(&(type_, value)), "{type_} should be {value}: {said:?}");
    }
    let stale = status.conditions.iter().find(|c| c.observed_generation != resource.metadata.generation);
    assert!(stale.is_none(), "a condition of an older generation: {stale:?}");
    let event = ready_event(&cluster).await;

    let workflow = cluster.workflow("hello").await;
    cluster.lists("hello").await;
    // the server's own word, not the operator's
    let view = cluster.view().await.unwrap();
    assert_eq!((view.server_version.as_str(), view.history_shard_count), (version, 64));
    // on an empty database a server may lose the race to write Temporal's own record, and is started again
    let restarts: i32 = cluster.all_pods().await.values().flatten().map(|p| p.restarts).sum();
    scene
        .close(&format!(
            "ready in {seconds:.1} s, workflow {workflow:.2} s, {restarts} restarts on the way; event {event:?}"
        ))
        .await;
}

/// What the event of a cluster that turned ready says, by kubectl.
async fn ready_event(cluster: &Cluster) -> String {
    until(&format!("the Ready event of {cluster}"), PATIENCE, async || {
        let text = Bed::get().kubectl(&cluster.namespace, &["get", "events", "-o", "json"])?;
        let events: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
        let events = events["items"].as_array().cloned().unwrap_or_default();
        let ours = events.iter().filter(|e| {
            e["involvedObject"]["kind"] == "TemporalCluster" && e["involvedObject"]["name"] == cluster.name.as_str()
        });
        let ours: Vec<_> = ours.map(|e| (e["reason"].as_str(), e["type"].as_str(), e["message"].as_str())).collect();
        let ready = ours.iter().find(|(reason, ..)| *reason == Some("ClusterReady"));
        match ready {
            Some((_, Some("Normal"), Some(message))) => Ok((*message).to_owned()),
            _ => Err(format!("{ours:?}")),
        }
    })
    .await
}

/// The samples, by the command that their users type. One that is there already stays afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn samples_are_applied() {
    let bed = Bed::get();
    let client = bed.client().await;
    let _place = Place::take("samples").await;
    let _operator = OPERATOR_LIVES.read().await;
    let samples: &[(&str, usize)] = if full() { &[("demo", 4), ("ha", 10)] } else { &[("demo", 4)] };
    for (sample, count) in samples {
        let namespace = format!("temporal-{sample}");
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let was_there = namespaces.get_opt(&namespace).await.unwrap().is_some();
        let began = Instant::now();
        bed.apply(&format!("samples/{sample}"));
        let cluster = Cluster { namespace: namespace.clone(), name: (*sample).to_owned(), client: client.clone() };
        cluster.settled().await;
        let ready = since(began);
        let pods: usize = cluster.all_pods().await.values().map(std::collections::BTreeSet::len).sum();
        assert_eq!(pods, *count, "server pods of the sample {sample}");
        let workflow = cluster.workflow(&format!("sample-{NAMESPACE}-{}", began.elapsed().as_nanos())).await;
        let new = if was_there { "was there already, " } else { "" };
        println!("sample {sample}: {new}ready in {ready}, workflow {workflow:.2} s");
        if !was_there {
            namespaces.delete(&namespace, &DeleteParams::default()).await.unwrap();
        }
    }
}
