//! Many namespaces declared at once: what that takes, and what it costs when all is done.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kube::api::{Api, ListParams};
use serde_json::json;
use temporal_operator::api::TemporalNamespace;
use temporal_operator::api::resident::Phase;

use super::audit::{Call, Moment, calls};
use super::bed::{Bed, full};
use super::cluster::{Cluster, Scene, VERSION, manifest};
use super::namespaces::Kept;
use super::wait::{PATIENCE, since, until};

/// A settled minute: more than one list of Temporal's namespaces is taken meanwhile.
const SETTLED: Duration = Duration::from_secs(60);
/// Calls to Temporal that change something.
const WRITES: [&str; 4] = ["RegisterNamespace", "UpdateNamespace", "AddSearchAttributes", "RemoveSearchAttributes"];

#[tokio::test(flavor = "multi_thread")]
async fn many_namespaces_at_once() {
    let number = if full() { 200 } else { 40 };
    let scene = Scene::open("many").await;
    let mut spec = manifest(VERSION);
    spec["metrics"] = json!({"enabled": true, "prometheus": {"listenPort": 9090}});
    let (cluster, _) = scene.create("main", &spec).await;

    let (moment, before, began) = (Moment::now(), requests(&cluster).await, Instant::now());
    declare(&scene, &cluster, number).await;
    let applied = since(began);
    all_ready(&scene, number).await;
    let ready = since(began);
    let of_kubernetes = ours(moment, &scene);
    let (writes, reads): (Vec<_>, Vec<_>) = of_kubernetes.iter().partition(|c| c.writes());
    let of_temporal = more(&before, &requests(&cluster).await);
    let each = |count: f64| format!("{:.1}", count / f64::from(number));
    let told: Vec<_> = of_temporal.iter().map(|(call, count)| format!("{call} {count}")).collect();
    assert!(of_temporal["RegisterNamespace"] >= f64::from(number), "the frontend counts calls: {of_temporal:?}");
    let made = format!(
        "{number} namespaces with 2 search attributes each: applied in {applied}, all ready after {ready}; \
         for each {} calls to Temporal ({}), {} writes and {} reads of the API server",
        each(of_temporal.values().sum()),
        told.join(", "),
        each(writes.len() as f64),
        each(reads.len() as f64),
    );

    // the events of the last ones come after their statuses
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (moment, before) = (Moment::now(), requests(&cluster).await);
    tokio::time::sleep(SETTLED).await;
    let writes: Vec<_> = ours(moment, &scene).into_iter().filter(Call::writes).collect();
    assert!(writes.is_empty(), "all is as declared, and still: {writes:#?}");
    let of_temporal = more(&before, &requests(&cluster).await);
    assert!(WRITES.iter().all(|call| !of_temporal.contains_key(*call)), "all is as declared: {of_temporal:?}");
    let told: Vec<_> = of_temporal.iter().map(|(call, count)| format!("{call} {count}")).collect();
    let settled = format!("settled, in {} s no write, and calls to Temporal: {}", SETTLED.as_secs(), told.join(", "));
    let let_go = cluster_goes_first(&scene, &cluster).await;
    scene.close(&format!("{made}; {settled}; {let_go}")).await;
}

/// A deletion waits for a cluster that is away, and no longer for one that is deleted.
async fn cluster_goes_first(scene: &Scene, cluster: &Cluster) -> String {
    let last = Kept { scene, name: "many-000" };
    let kubectl = |args: &[&str]| Bed::get().kubectl(&scene.namespace, args).unwrap();
    kubectl(&["patch", "tns", last.name, "--type=merge", "-p", r#"{"spec":{"allowDeletion":true}}"#]);
    last.is(Phase::Ready, "").await;
    cluster.without("frontend").await;
    last.delete();
    last.is_told("temporal.io/let-go=true").await;
    kubectl(&["delete", "temporalcluster", "main", "--wait=false"]);
    format!("let go {} after its cluster was deleted", last.gone().await)
}

/// All of them in one `kubectl apply`.
async fn declare(scene: &Scene, cluster: &Cluster, number: i32) {
    let namespaces: Vec<_> = (0..number)
        .map(|i| {
            json!({"apiVersion": "temporal.io/v1beta1", "kind": "TemporalNamespace",
                "metadata": {"name": format!("many-{i:03}")},
                "spec": {"clusterRef": {"name": cluster.name}, "retentionPeriod": "72h",
                    "customSearchAttributes": {"CustomerId": "Keyword", "Total": "Double"}}})
        })
        .collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": namespaces}).to_string();
    Bed::get().kubectl_with(&scene.namespace, &["apply", "--server-side", "-f", "-"], &list).unwrap();
}

async fn all_ready(scene: &Scene, number: i32) {
    let api: Api<TemporalNamespace> = Api::namespaced(scene.client.clone(), &scene.namespace);
    until("all namespaces are ready", PATIENCE, async || {
        let all = api.list(&ListParams::default()).await.map_err(|error| error.to_string())?.items;
        let ready = all.iter().filter(|n| n.status.as_ref().is_some_and(|s| s.phase == Some(Phase::Ready))).count();
        if ready == number as usize { Ok(()) } else { Err(format!("{ready} of {number}")) }
    })
    .await;
}

/// The operator's calls about what is in this scene.
fn ours(since: Moment, scene: &Scene) -> Vec<Call> {
    let here = |call: &Call| call.namespace.as_deref() == Some(&scene.namespace);
    calls(since).into_iter().filter(here).collect()
}

/// What the frontend has been asked, by call, as it counts itself: of namespaces and their search attributes.
async fn requests(cluster: &Cluster) -> BTreeMap<String, f64> {
    let mut all = BTreeMap::new();
    for pod in cluster.pods("frontend").await {
        let path = format!("/api/v1/namespaces/{}/pods/{}:9090/proxy/metrics", cluster.namespace, pod.name);
        let text = Bed::get().kubectl(&cluster.namespace, &["get", "--raw", &path]).unwrap();
        for line in text.lines().filter(|l| l.starts_with("service_requests{")) {
            let Some(call) = line.split("operation=\"").nth(1).and_then(|rest| rest.split('"').next()) else {
                continue;
            };
            let is_about_namespaces = call.contains("Namespace") || call.contains("SearchAttributes");
            if let Some(count) = line.rsplit(' ').next().and_then(|n| n.parse::<f64>().ok())
                && is_about_namespaces
            {
                *all.entry(call.to_owned()).or_default() += count;
            }
        }
    }
    all
}

fn more(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let added = after.iter().map(|(call, count)| (call.clone(), count - before.get(call).unwrap_or(&0.0)));
    added.filter(|(_, count)| *count > 0.0).collect()
}
