//! Workers without versions, and what every worker is: quiet when it is settled, scaled by `kubectl scale`, told in a line.

use std::time::{Duration, Instant};

use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use temporal_operator::api::TemporalNamespace;
use temporal_operator::api::resident::Phase;
use tokio::time::sleep;

use super::audit::{Call, Moment, calls};
use super::bed::{Bed, full};
use super::ground::Ground;
use super::hello::{Hello, uids};
use super::wait::{PATIENCE, since, until};

/// Secrets are looked at every half a minute or so.
const ROTATION: Duration = Duration::from_secs(150);

#[tokio::test(flavor = "multi_thread")]
async fn workers_without_versions_roll_and_follow_their_secrets() {
    let ground = Ground::beside().await;
    let hello = Hello::new(&ground.cluster, "plain");
    let namespace = ground.cluster.namespace.as_str();
    secret(namespace, "first");

    // before what it needs is there
    let mut spec = hello.spec(&json!({"versioning": "Unversioned", "replicas": 2}));
    spec["template"]["spec"]["containers"][0]["envFrom"] = json!([{"secretRef": {"name": "plain"}}]);
    for key in ["clusterRef", "namespace"] {
        spec.as_object_mut().unwrap().remove(key);
    }
    spec["namespaceRef"] = json!({"name": "e2e"});
    hello.apply(&spec).await;
    let waits = hello.shows("it waits", |s| s.phase == Some(Phase::Pending) && s.message.is_some()).await;
    assert!(waits.message.unwrap().contains("e2e"), "it says what it waits for");
    register(&ground).await;
    let began = Instant::now();
    let settled = hello.settled().await;
    let ready = since(began);
    assert_eq!((settled.current, settled.replicas), (None, Some(2)));

    // a change of the template under load
    let rate = if full() { 10.0 } else { 4.0 };
    let seconds = if full() { 60.0 } else { 15.0 };
    let load = hello.greets((rate * seconds) as usize, rate, &[]).await;
    sleep(Duration::from_secs(3)).await;
    let old = uids(&hello.pods().await);
    spec["template"]["spec"]["containers"][0]["env"] =
        json!([{"name": "TASK_QUEUE", "value": "plain"}, {"name": "HELLO_LANGUAGE", "value": "de"}]);
    hello.apply(&spec).await;
    hello.settled().await;
    let greetings = load.await.unwrap();
    let failed: Vec<_> = greetings.iter().filter(|g| g.result.is_none()).collect();
    assert!(failed.is_empty(), "a rolling update fails no workflow: {failed:?}");
    let said =
        |words: &str| greetings.iter().filter_map(|g| g.result.as_ref()).filter(|r| r.text.contains(words)).count();
    let (english, german) = (said("Hello"), said("Hallo"));
    assert!(german > 0, "the new pods work too: {english} in English");
    let new = uids(&hello.pods().await);
    assert!(old.iter().all(|uid| !new.contains(uid)), "every pod is another");

    // its Secret changes
    secret(namespace, "second");
    let began = Instant::now();
    until("the pods are replaced for the new Secret", ROTATION, async || {
        let now = uids(&hello.pods().await);
        if new.iter().all(|uid| !now.contains(uid)) { Ok(()) } else { Err(format!("{now:?}")) }
    })
    .await;
    let rotated = since(began);
    hello.settled().await;
    hello.delete().await;
    println!(
        "workers without versions: ready {ready} after its namespace; a new template under {rate} workflows/s: {} of {} failed, {english} by old pods, {german} by new ones; new pods {rotated} after a Secret changed",
        failed.len(),
        greetings.len()
    );
}

fn secret(namespace: &str, value: &str) {
    let body =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "plain"}, "stringData": {"TOKEN": value}});
    let bed = Bed::get();
    let file = bed.layout.run().join(format!("{namespace}-secret.json"));
    std::fs::write(&file, body.to_string()).unwrap();
    bed.kubectl(namespace, &["apply", "-f", &file.display().to_string()]).unwrap();
    std::fs::remove_file(file).unwrap();
}

/// The TemporalNamespace of what is registered already.
async fn register(ground: &Ground) {
    let body = json!({"apiVersion": "temporal.io/v1beta1", "kind": "TemporalNamespace", "metadata": {"name": "e2e"},
        "spec": {"clusterRef": {"name": ground.cluster.name}, "retentionPeriod": "24h"}});
    let api: Api<TemporalNamespace> = Api::namespaced(ground.cluster.client.clone(), &ground.cluster.namespace);
    api.patch("e2e", &PatchParams::apply("e2e").force(), &Patch::Apply(&body)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_are_settled_cost_no_write() {
    let ground = Ground::beside().await;
    let hello = Hello::new(&ground.cluster, "calm");
    hello.apply(&hello.spec(&json!({}))).await;
    hello.settled().await;
    let namespace = ground.cluster.namespace.clone();

    // `kubectl scale`
    Bed::get().kubectl(&namespace, &["scale", "tw", "calm", "--replicas=2"]).unwrap();
    let began = Instant::now();
    hello.shows("it has two pods", |s| s.versions.iter().any(|v| v.ready == 2)).await;
    let scaled = since(began);
    assert_eq!(hello.settled().await.replicas, Some(2));
    let table = Bed::get().kubectl(&namespace, &["get", "tw", "calm"]).unwrap();
    println!("{table}");
    for word in ["READY", "CURRENT", "RAMP", "PODS", "MESSAGE", "True"] {
        assert!(table.contains(word), "`kubectl get tw` shows {word}: {table}");
    }

    let wanted = Duration::from_secs(if full() { 300 } else { 45 });
    // the event comes after the status that says so
    sleep(Duration::from_secs(5)).await;
    let before = hello.api().get("calm").await.unwrap().resource_version();
    let moment = Moment::now();
    sleep(wanted).await;
    let of_it =
        |c: &Call| c.namespace.as_ref() == Some(&namespace) && (c.name == "calm" || c.name.starts_with("calm-"));
    let writes: Vec<_> = calls(moment).into_iter().filter(|c| c.writes() && of_it(c)).collect();
    assert!(writes.is_empty(), "writes of a settled worker: {writes:#?}");
    assert_eq!(before, hello.api().get("calm").await.unwrap().resource_version(), "the resource is as it was");
    let let_go = let_go(&hello).await;
    println!(
        "workers that are settled: two pods {scaled} after kubectl scale; no write in {} s; let go in {let_go}",
        wanted.as_secs()
    );
}

/// One whose Worker Deployment is to go along waits for that, unless it is let go.
async fn let_go(hello: &Hello) -> String {
    hello.apply(&hello.spec(&json!({"allowDeletion": true}))).await;
    hello.settled().await;
    let held = hello.api().get(hello.name).await.unwrap().metadata.finalizers.unwrap_or_default();
    assert_eq!(held, ["temporal.io/deletion"]);
    let kubectl = |args: &[&str]| Bed::get().kubectl(&hello.cluster.namespace, args).unwrap();
    kubectl(&["annotate", "tw", hello.name, "temporal.io/let-go=true"]);
    hello.delete().await;
    let began = Instant::now();
    until("it is gone", PATIENCE, async || match hello.api().get_opt(hello.name).await {
        Ok(None) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    since(began)
}
