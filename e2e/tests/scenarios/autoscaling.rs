//! The number of pods passes to an autoscaler and back without a dip. The testbed has no metrics: what Kubernetes does
//! without them, it keeps the number between its bounds.

use std::time::Instant;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::ResourceExt;
use kube::api::Api;
use serde_json::{Value, json};
use temporal_operator::api::services::Role;

use super::cluster::{Cluster, Scene, VERSION, manifest};
use super::film::Film;
use super::wait::{PATIENCE, since, until};

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_pods_passes_to_an_autoscaler_and_back() {
    let scene = Scene::open("autoscaling").await;
    let mut spec = manifest(VERSION);
    let resources = json!({"requests": {"cpu": "10m"}});
    spec["services"] = json!({"matching": {"replicas": 2, "resources": resources}});
    let (cluster, _) = scene.create("main", &spec).await;
    let before = cluster.all_pods().await;
    let deployments = Film::<Deployment>::start(&cluster).await;

    let began = Instant::now();
    matching(&cluster, json!({"replicas": null, "autoscaling": {"minReplicas": 1, "maxReplicas": 4}})).await;
    cluster.settled().await;
    let scalers: Api<HorizontalPodAutoscaler> = Api::namespaced(scene.client.clone(), &scene.namespace);
    until("the autoscaler is at work", PATIENCE, async || {
        let scaler = scalers.get("main-matching").await.map_err(|e| e.to_string())?;
        let seen = scaler.status.as_ref().is_some_and(|s| s.current_replicas == Some(2));
        if seen { Ok(()) } else { Err(format!("{:?}", scaler.status)) }
    })
    .await;
    let taken = since(began);
    assert_eq!(before, cluster.all_pods().await, "pods must be the same");

    let began = Instant::now();
    matching(&cluster, json!({"autoscaling": {"minReplicas": 3}})).await;
    cluster.ring_is_pods(Role::Matching, 3).await;
    cluster.settled().await;
    let up = since(began);
    // a pass of the operator later it is still the autoscaler's number
    cluster.patch(json!({"dynamicConfig": {"values": {"limit.maxIDLength": [{"value": 255}]}}})).await;
    cluster.settled().await;
    assert_eq!(cluster.pods("matching").await.len(), 3);

    matching(&cluster, json!({"autoscaling": null})).await;
    cluster.settled().await;
    until("the autoscaler is gone", PATIENCE, async || match scalers.get_opt("main-matching").await {
        Ok(None) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    assert_eq!(cluster.pods("matching").await.len(), 3, "the number stays");
    let fewest = fewest(&deployments.seen());
    assert_eq!(fewest, Some(2), "no dip");

    matching(&cluster, json!({"replicas": 2})).await;
    cluster.settled().await;
    assert_eq!(cluster.pods("matching").await.len(), 2);
    let workflow = cluster.workflow("hello").await;
    scene
        .close(&format!(
            "taken over in {taken}, 2 to 3 in {up}, given back; never fewer than 2; workflow {workflow:.2} s"
        ))
        .await;
}

async fn matching(cluster: &Cluster, change: Value) {
    cluster.patch(json!({"services": {"matching": change}})).await;
}

/// The fewest pods that the role was ever asked to have.
fn fewest(seen: &[Deployment]) -> Option<i32> {
    let matching = seen.iter().filter(|d| d.name_any().ends_with("-matching"));
    matching.filter_map(|d| d.spec.as_ref()?.replicas).min()
}
