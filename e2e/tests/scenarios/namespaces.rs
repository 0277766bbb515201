//! Temporal namespaces by manifest, on a real server.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use temporal_operator::api::resident::Phase;
use temporal_operator::api::{TemporalNamespace, TemporalNamespaceStatus};

use super::audit::{Moment, calls};
use super::bed::Bed;
use super::cluster::{Cluster, Scene, VERSION, hasty, manifest};
use super::wait::{PATIENCE, since, until};

/// Somebody else's change is found within this time.
const FOUND: Duration = Duration::from_secs(60);

/// A TemporalNamespace of a scene.
pub struct Kept<'a> {
    pub scene: &'a Scene,
    pub name: &'static str,
}

impl Kept<'_> {
    fn api(&self) -> Api<TemporalNamespace> {
        Api::namespaced(self.scene.client.clone(), &self.scene.namespace)
    }

    pub async fn apply(&self, spec: &Value) {
        let body = json!({"apiVersion": "temporal.io/v1beta1", "kind": "TemporalNamespace",
            "metadata": {"name": self.name}, "spec": spec});
        self.api().patch(self.name, &PatchParams::apply("e2e").force(), &Patch::Apply(&body)).await.unwrap();
    }

    /// Waits until the newest generation is in this phase and the sentence has these words; the status.
    pub async fn is(&self, phase: Phase, words: &str) -> TemporalNamespaceStatus {
        until(&format!("{} is {phase:?} with {words:?}", self.name), PATIENCE, async || {
            let namespace = self.api().get(self.name).await.map_err(|error| error.to_string())?;
            let (generation, status) = (namespace.metadata.generation, namespace.status.unwrap_or_default());
            let said = status.message.as_deref().unwrap_or_default().contains(words);
            let there = status.phase == Some(phase) && status.observed_generation == generation && said;
            if there { Ok(status) } else { Err(format!("{:?} {:?}", status.phase, status.message)) }
        })
        .await
    }

    pub fn delete(&self) {
        let args = ["delete", "tns", self.name, "--wait=false"];
        Bed::get().kubectl(&self.scene.namespace, &args).unwrap();
    }

    pub async fn gone(&self) -> String {
        let began = Instant::now();
        until(&format!("{} is gone", self.name), PATIENCE, async || {
            match self.api().get_opt(self.name).await.map_err(|error| error.to_string())? {
                None => Ok(()),
                Some(left) => Err(format!("{:?}", left.status.and_then(|s| s.message))),
            }
        })
        .await;
        since(began)
    }

    /// What Temporal says of it; an error when it has no such namespace.
    async fn live(&self, cluster: &Cluster) -> Result<Value, String> {
        let text = cluster.temporal_in(self.name, &["operator", "namespace", "describe", "-o", "json"]).await?;
        serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))
    }

    async fn retention(&self, cluster: &Cluster) -> String {
        let live = self.live(cluster).await.unwrap();
        live["config"]["workflowExecutionRetentionTtl"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits for an event with these words.
    async fn event(&self, reason: &str, words: &str) {
        let selector = format!("reason={reason}");
        let args = ["get", "events", "--field-selector", &selector, "-o", "jsonpath={.items[*].message}"];
        until(&format!("an event {reason} says {words:?}"), PATIENCE, async || {
            let told = Bed::get().kubectl(&self.scene.namespace, &args)?;
            if told.contains(words) { Ok(()) } else { Err(told) }
        })
        .await;
    }

    /// Starts a workflow that nobody works on.
    pub async fn start(&self, cluster: &Cluster, id: &str, attribute: &str) -> Result<String, String> {
        let start = ["workflow", "start", "--type", "t", "--task-queue", "nobody", "--workflow-id", id];
        let args = [&start[..], &["--search-attribute", attribute]].concat();
        cluster.temporal_in(self.name, &args).await
    }

    /// Waits until a query finds a workflow.
    pub async fn lists(&self, cluster: &Cluster, query: &str, id: &str) {
        until(&format!("{query} finds {id}"), PATIENCE, async || {
            let found = cluster.temporal_in(self.name, &["workflow", "list", "--query", query, "-o", "json"]).await?;
            if found.contains(id) { Ok(()) } else { Err(found) }
        })
        .await;
    }
}

/// A spec with these fields besides what it needs.
pub fn spec(cluster: &Cluster, more: &Value) -> Value {
    let mut all =
        json!({"clusterRef": {"name": cluster.name, "namespace": cluster.namespace}, "retentionPeriod": "168h"});
    for (key, value) in more.as_object().unwrap() {
        all[key] = value.clone();
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_are_kept_as_their_manifests_say() {
    let scene = Scene::open("namespaces").await;
    let cluster = scene.cluster("main");
    let orders = Kept { scene: &scene, name: "orders" };
    let wanted =
        json!({"description": "Orders", "customSearchAttributes": {"CustomerId": "Keyword", "Total": "Double"}});
    orders.apply(&spec(&cluster, &wanted)).await;
    orders.is(Phase::Pending, "There is no TemporalCluster").await;
    cluster.apply(&hasty(manifest(VERSION))).await;
    orders.is(Phase::Pending, "Waits until TemporalCluster").await;
    cluster.settled().await;
    let began = Instant::now();
    let status = orders.is(Phase::Ready, "2 search attributes").await;
    let mut figures = vec![format!("ready {} after its cluster", since(began))];
    assert_eq!(status.search_attributes_left["Keyword"], 9);
    assert_eq!(orders.retention(&cluster).await, "604800s");
    // ready means usable, at the first try
    orders.start(&cluster, "first", "CustomerId=\"a\"").await.expect("the attribute can be used");
    orders.lists(&cluster, "CustomerId = 'a'", "first").await;

    figures.push(drift(&orders, &cluster).await);
    conflict(&orders, &cluster, &wanted).await;
    removal(&orders, &cluster).await;
    figures.push(other_team(&scene, &cluster).await);
    figures.push(deletion(&scene, &cluster).await);
    figures.push(end_of_all(scene, &cluster).await);
    println!("namespaces: {}", figures.join("; "));
}

/// A change of the manifest, and one by somebody else. A settled namespace is never written.
async fn drift(orders: &Kept<'_>, cluster: &Cluster) -> String {
    orders
        .api()
        .patch(orders.name, &PatchParams::default(), &Patch::Merge(json!({"spec": {"retentionPeriod": "72h"}})))
        .await
        .unwrap();
    orders.is(Phase::Ready, "retention of 72h").await;
    assert_eq!(orders.retention(cluster).await, "259200s");
    let settled = Moment::now();
    let update = ["operator", "namespace", "update", "--retention", "240h"];
    cluster.temporal_in(orders.name, &update).await.unwrap();
    let began = Instant::now();
    until("the retention is put right", FOUND, async || {
        let now = orders.retention(cluster).await;
        if now == "259200s" { Ok(()) } else { Err(now) }
    })
    .await;
    let found = since(began);
    orders.event("DriftCorrected", "retention from 240h to 72h").await;
    let here = orders.scene.namespace.as_str();
    let of_kind =
        |c: &&super::audit::Call| c.resource.starts_with("temporalnamespaces") && c.namespace.as_deref() == Some(here);
    let writes: Vec<_> = calls(settled).into_iter().filter(|c| c.writes()).filter(|c| of_kind(&c)).collect();
    assert!(writes.is_empty(), "it was ready all the time: {writes:#?}");
    format!("drift put right after {found}")
}

/// Temporal takes a second type in silence; the operator does not.
async fn conflict(orders: &Kept<'_>, cluster: &Cluster, wanted: &Value) {
    let create = ["operator", "search-attribute", "create", "--name", "Amount", "--type", "Int"];
    cluster.temporal_in(orders.name, &create).await.unwrap();
    let mut clashing = wanted.clone();
    clashing["customSearchAttributes"]["Amount"] = json!("Keyword");
    orders.apply(&spec(cluster, &clashing)).await;
    orders.is(Phase::Failed, "Amount is Int in Temporal and Keyword in the manifest").await;
}

async fn removal(orders: &Kept<'_>, cluster: &Cluster) {
    let fewer = json!({"customSearchAttributes": {"CustomerId": "Keyword"}});
    orders.apply(&spec(cluster, &fewer)).await;
    let told = orders.is(Phase::Ready, "declared no longer stay (Total)").await.message.unwrap();
    assert!(told.contains("description that Temporal has stays"), "{told}");
    let mut allowed = fewer;
    allowed["allowSearchAttributeDeletion"] = json!(true);
    orders.apply(&spec(cluster, &allowed)).await;
    orders.is(Phase::Ready, "and 1 search attribute.").await;
    let list = ["operator", "search-attribute", "list", "-o", "json"];
    until("Total is gone, and what somebody else added stays", PATIENCE, async || {
        let left = cluster.temporal_in(orders.name, &list).await?;
        let is_right = !left.contains("Total") && left.contains("Amount") && left.contains("CustomerId");
        if is_right { Ok(()) } else { Err(left) }
    })
    .await;
}

/// Another team's manifest does nothing until the cluster lets its namespace in.
async fn other_team(scene: &Scene, cluster: &Cluster) -> String {
    let team = scene.second().await;
    let theirs = Kept { scene: &team, name: "theirs" };
    theirs.apply(&spec(cluster, &json!({}))).await;
    theirs.is(Phase::Failed, "may not be used from namespace").await;
    theirs.live(cluster).await.expect_err("nothing is registered");
    let labels = json!({"metadata": {"labels": {"temporal": "yes"}}});
    let namespaces: Api<Namespace> = Api::all(scene.client.clone());
    namespaces.patch(&team.namespace, &PatchParams::default(), &Patch::Merge(labels)).await.unwrap();
    let selector = json!({"from": "Selector", "selector": {"matchLabels": {"temporal": "yes"}}});
    cluster.patch(json!({"allowedNamespaces": selector})).await;
    let began = Instant::now();
    theirs.is(Phase::Ready, "").await;
    let let_in = since(began);

    // the same name from another namespace: the first has it
    let copy = Kept { scene: &team, name: "orders" };
    copy.apply(&spec(cluster, &json!({"retentionPeriod": "24h", "allowDeletion": true}))).await;
    copy.is(Phase::Failed, &format!("belongs to TemporalNamespace {}/orders", scene.namespace)).await;
    copy.delete();
    copy.gone().await;
    let orders = Kept { scene, name: "orders" };
    orders.live(cluster).await.expect("what is not one's own is not deleted");
    theirs.delete();
    theirs.gone().await;
    theirs.live(cluster).await.expect("a namespace stays unless the manifest says otherwise");
    team.remove().await;
    format!("another team let in after {let_in}")
}

/// Allowed, with a workflow that is open, while nobody is there to do it.
async fn deletion(scene: &Scene, cluster: &Cluster) -> String {
    let doomed = Kept { scene, name: "doomed" };
    let more = json!({"allowDeletion": true, "customSearchAttributes": {"CustomerId": "Keyword"}});
    doomed.apply(&spec(cluster, &more)).await;
    doomed.is(Phase::Ready, "").await;
    doomed.start(cluster, "open", "CustomerId=\"b\"").await.unwrap();
    until("the workflow is counted", PATIENCE, async || {
        let count = cluster.temporal_in(doomed.name, &["workflow", "count"]).await?;
        if count.contains('1') { Ok(()) } else { Err(count) }
    })
    .await;
    cluster.without("worker").await;
    doomed.delete();
    doomed.is_told("temporal.io/let-go=true").await;
    cluster.scale("worker", 1);
    let gone = doomed.gone().await;
    doomed.event("NamespaceDeleting", "with 1 open workflow.").await;
    doomed.live(cluster).await.expect_err("Temporal has it no longer");
    format!("deleted {gone} after the worker role is back")
}

impl Kept<'_> {
    /// Waits until the sentence has these words, whatever the generation.
    pub async fn is_told(&self, words: &str) {
        until(&format!("{} says {words:?}", self.name), PATIENCE, async || {
            let namespace = self.api().get(self.name).await.map_err(|error| error.to_string())?;
            let message = namespace.status.and_then(|s| s.message).unwrap_or_default();
            if message.contains(words) { Ok(()) } else { Err(message) }
        })
        .await;
    }
}

/// `kubectl delete namespace` with a cluster and namespaces on it, all at once.
async fn end_of_all(scene: Scene, cluster: &Cluster) -> String {
    let kept = Kept { scene: &scene, name: "kept" };
    kept.apply(&spec(cluster, &json!({"allowDeletion": true}))).await;
    kept.is(Phase::Ready, "").await;
    let (namespaces, name) = (Api::<Namespace>::all(scene.client.clone()), scene.namespace.clone());
    let pods: Api<Pod> = Api::namespaced(scene.client.clone(), &name);
    scene.remove().await;
    let began = Instant::now();
    let mut last = since(began);
    until("the namespace is gone", Duration::from_secs(120), async || {
        let left = namespaces.get_opt(&name).await.map_err(|error| error.to_string())?;
        let Some(left) = left else { return Ok(()) };
        if !pods.list(&ListParams::default()).await.map_err(|error| error.to_string())?.items.is_empty() {
            last = since(began);
        }
        Err(format!("{:?}", left.status.and_then(|s| s.conditions)))
    })
    .await;
    format!("a namespace with all of it gone in {}, its last pod after {last}", since(began))
}
