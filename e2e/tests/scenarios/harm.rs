//! What happens to a cluster that nobody asked for.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};
use serde_json::json;
use temporal_operator::api::annotations;
use temporal_operator::api::conditions::SCHEMA_READY;

use super::bed::{Bed, full};
use super::cluster::{Scene, VERSION, manifest, restarts};
use super::wait::{PATIENCE, since, until};

#[tokio::test(flavor = "multi_thread")]
async fn survives_postgres_killed() {
    let scene = Scene::open("postgres-killed").await;
    let (cluster, _) = scene.create("main", &manifest(VERSION)).await;
    cluster.workflow("before").await;
    let before = cluster.all_pods().await;
    let mut lines = Vec::new();
    // from the second kill on the kubelet waits 10, 20, 40 s before it starts the container again
    for n in 0..if full() { 4 } else { 2 } {
        let (uid, count) = postgres(&scene).await;
        let began = Instant::now();
        // SIGQUIT: PostgreSQL ends at once, without a checkpoint, as in a crash
        let kill = Bed::get().kubectl(&scene.namespace, &["exec", "postgres-0", "--", "bash", "-c", "kill -QUIT 1"]);
        // the end of the container may come before the answer
        let said = kill.err().unwrap_or_default();
        until("the container of PostgreSQL was started again", PATIENCE, async || {
            let (_, now) = postgres(&scene).await;
            if now > count { Ok(()) } else { Err(format!("{now} restarts; the kill said {said:?}")) }
        })
        .await;
        scene.postgres_ready().await;
        let back = since(began);
        assert_eq!(postgres(&scene).await, (uid, count + 1), "the same pod, whose data live on");
        let seconds = cluster.workflow(&format!("after-{n}")).await;
        lines.push(format!("back after {back}, next workflow ends {} after the kill ({seconds:.2} s)", since(began)));
    }
    cluster.settled().await;
    assert_eq!(before, cluster.all_pods().await, "server pods must be the same, with no restart");
    cluster.lists("before").await;
    scene.close(&format!("{}; no server pod restarted", lines.join("; "))).await;
}

/// The pod of PostgreSQL and how often its container was started again.
async fn postgres(scene: &Scene) -> (Option<String>, i32) {
    let pods: Api<Pod> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let pod = pods.get("postgres-0").await.unwrap();
    (pod.uid(), restarts(&pod))
}

#[tokio::test(flavor = "multi_thread")]
async fn puts_hand_made_changes_right() {
    /// "Within seconds", on two cores that several scenarios share.
    const SECONDS: Duration = Duration::from_secs(20);
    let bed = Bed::get();
    let scene = Scene::open("hand-made").await;
    let (cluster, _) = scene.create("main", &manifest(VERSION)).await;
    let before = cluster.all_pods().await;
    let services: Api<Service> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let deployments: Api<Deployment> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let maps: Api<ConfigMap> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let kubectl = |args: &[&str]| bed.kubectl(&scene.namespace, args).unwrap();
    let mut times = Vec::new();

    for name in ["main-frontend", "main-history-headless"] {
        let old = services.get(name).await.unwrap();
        let began = Instant::now();
        services.delete(name, &DeleteParams::default()).await.unwrap();
        until(&format!("Service {name} is there again"), SECONDS, async || {
            let new = services.get(name).await.map_err(|e| e.to_string())?;
            let same = new.spec.as_ref().map(|s| (&s.selector, &s.ports))
                == old.spec.as_ref().map(|s| (&s.selector, &s.ports));
            if new.uid() != old.uid() && same { Ok(()) } else { Err(format!("{new:?}")) }
        })
        .await;
        times.push(format!("Service {name} {}", since(began)));
    }

    let image = |d: &Deployment| d.spec.as_ref()?.template.spec.as_ref()?.containers.first()?.image.clone();
    let old = image(&deployments.get("main-matching").await.unwrap());
    let began = Instant::now();
    kubectl(&["set", "image", "deployment/main-matching", "service=localhost/testbed/busybox:1"]);
    until("the image is as before", SECONDS, async || {
        let now = image(&deployments.get("main-matching").await.map_err(|e| e.to_string())?);
        if now == old { Ok(()) } else { Err(format!("{now:?}")) }
    })
    .await;
    times.push(format!("image {}", since(began)));

    let all = maps.list(&ListParams::default()).await.unwrap().items;
    let ours: Vec<_> = all.into_iter().filter(|m| m.name_any().starts_with("main-")).collect();
    assert_eq!(ours.len(), 2, "config and dynamic config");
    for old in ours {
        let name = old.name_any();
        let began = Instant::now();
        maps.delete(&name, &DeleteParams::default()).await.unwrap();
        until(&format!("ConfigMap {name} is there again"), SECONDS, async || {
            let new = maps.get(&name).await.map_err(|e| e.to_string())?;
            if new.uid() != old.uid() && new.data == old.data { Ok(()) } else { Err(format!("{new:?}")) }
        })
        .await;
        times.push(format!("ConfigMap {} {}", name.trim_start_matches("main-"), since(began)));
    }

    // what others write beside it stays, after a pass of the operator too; so does a number of pods that is not asked for
    kubectl(&["label", "service/main-frontend", "deployment/main-history", "team=blue"]);
    kubectl(&["annotate", "service/main-frontend", "example.com/note=kept"]);
    kubectl(&["scale", "deployment/main-worker", "--replicas=2"]);
    cluster.patch(json!({"dynamicConfig": {"values": {"limit.maxIDLength": [{"value": 200}]}}})).await;
    until("the pass of the operator is seen", SECONDS, async || {
        let map = maps.get("main-dynamicconfig").await.map_err(|e| e.to_string())?;
        let text = map.data.unwrap_or_default().into_values().collect::<String>();
        if text.contains("200") { Ok(()) } else { Err(text) }
    })
    .await;
    cluster.settled().await;
    let blue = |labels: &BTreeMap<String, String>| labels.get("team").map(String::as_str) == Some("blue");
    let service = services.get("main-frontend").await.unwrap();
    assert!(blue(service.labels()) && service.annotations().contains_key("example.com/note"), "{service:?}");
    assert!(blue(deployments.get("main-history").await.unwrap().labels()));
    let after = cluster.all_pods().await;
    assert_eq!(after["worker"].len(), 2, "replicas that the manifest leaves open are the user's");
    for role in ["frontend", "history", "matching"] {
        assert_eq!(before[role], after[role], "pods of {role}");
    }
    let workflow = cluster.workflow("hello").await;
    scene.close(&format!("put right: {}; foreign labels stay; workflow {workflow:.2} s", times.join(", "))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_password_is_said_and_heals() {
    let bed = Bed::get();
    let scene = Scene::open("wrong-password").await;
    let literal = |word: &str| format!("--from-literal=password={word}");
    bed.kubectl(&scene.namespace, &["create", "secret", "generic", "store", &literal("wrong")]).unwrap();
    let mut spec = manifest(VERSION);
    for store in ["defaultStore", "visibilityStore"] {
        spec["persistence"][store]["passwordSecretRef"]["name"] = json!("store");
    }
    let cluster = scene.cluster("main");
    let began = Instant::now();
    cluster.apply(&spec).await;
    let said = until("the status says that the schema Job failed", PATIENCE, async || {
        let (reason, message) = cluster.condition(SCHEMA_READY, "False").await;
        if reason == "SchemaFailed" { Ok(message) } else { Err(format!("{reason}: {message}")) }
    })
    .await;
    let told = since(began);
    let status = cluster.get().await.unwrap().status.unwrap();
    assert_eq!(status.message.as_deref(), Some(said.as_str()), "the sentence is the same");

    let began = Instant::now();
    let right = json!({"stringData": {"password": "temporal"}}).to_string();
    bed.kubectl(&scene.namespace, &["patch", "secret", "store", "-p", &right]).unwrap();
    cluster.settled().await;
    let healed = since(began);
    let workflow = cluster.workflow("hello").await;
    let stale = pods_of_old_secret(&scene, "store").await;
    let figures = format!("told after {told}: {said:?}; ready {healed} after the correction, workflow {workflow:.2} s");
    // at the end, so that the healing is seen even when the words are poor
    let mut wrong = Vec::new();
    if !said.contains("password authentication failed") {
        wrong.push("the message does not name the reason".to_owned());
    }
    if !stale.is_empty() {
        wrong.push(format!("pods made of the old Secret will be replaced for nothing: {stale:?}"));
    }
    assert!(wrong.is_empty(), "{wrong:?}; {figures}");
    scene.close(&figures).await;
}

/// Server pods that say that they were made of another state of a Secret than the present one.
async fn pods_of_old_secret(scene: &Scene, secret: &str) -> Vec<String> {
    let secrets: Api<Secret> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let now = format!("{secret}={}", secrets.get(secret).await.unwrap().resource_version().unwrap());
    let pods: Api<Pod> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let all = pods.list(&ListParams::default()).await.unwrap().items;
    let versions = all.iter().filter_map(|p| Some((p.name_any(), p.annotations().get(annotations::SECRETS)?)));
    versions.filter(|(_, v)| !v.split(',').any(|one| one == now)).map(|(name, v)| format!("{name} {v}")).collect()
}
