//! A version that workflows need outlives those that came after it.

use std::time::Instant;

use serde_json::json;
use temporal_operator::api::worker::VersionState;
use tokio::time::sleep;

use super::ground::Ground;
use super::hello::{Hello, brief, is, seconds, version};
use super::wait::{PATIENCE, since, until};

#[tokio::test(flavor = "multi_thread")]
async fn workers_with_open_workflows_outlive_later_versions() {
    let ground = Ground::beside().await;
    let hello = Hello::new(&ground.cluster, "long");
    let mut spec = hello.spec(&json!({"sunset": {"scaleDownAfter": "2s", "deleteAfter": "5s"}}));
    let first = hello.current_after(&spec).await;
    hello.visit("long-stay", &[]).await;

    let mut later = |language: &str| {
        spec["template"] = hello.template(&json!([{"name": "HELLO_LANGUAGE", "value": language}]));
        spec.clone()
    };
    let second = hello.current_after(&later("de")).await;
    let third = hello.current_after(&later("fr")).await;

    // the second is needed by nobody
    let began = Instant::now();
    gone(&hello, &second).await;
    let second_gone = since(began);
    let status = hello.status().await.unwrap();
    assert!(is(&status, &first, VersionState::Draining), "the first is needed: {}", brief(&status));
    assert!(version(&status, &first).is_some_and(|v| v.ready > 0), "and has a pod: {}", brief(&status));
    assert_eq!(status.current.as_deref(), Some(third.as_str()));

    // the guest leaves, and nobody needs it any more
    assert_eq!(hello.leave("long-stay").await, (first.clone(), first.clone()), "it ended on the version it began on");
    let began = Instant::now();
    gone(&hello, &first).await;
    let first_gone = since(began);
    let status = hello.settled().await;
    assert_eq!(status.versions.len(), 1, "{}", brief(&status));

    // a fourth that gets no traffic, but for a guest whom somebody sends there
    hello.visit("long-sent", &[]).await;
    let mut manual = later("en");
    manual["rollout"] = json!({"strategy": "Manual"});
    manual["template"] = hello.template(&json!([{"name": "HELLO_SLOTS", "value": "4"}]));
    hello.apply(&manual).await;
    let fourth = waits(&hello).await;
    let name = hello.in_temporal();
    let sent = ["--versioning-override-deployment-name", &name, "--versioning-override-build-id", &fourth];
    let pin = ["workflow", "update-options", "--workflow-id", "long-sent", "--versioning-override-behavior", "pinned"];
    let pin = [&pin[..], &sent].concat();
    // a server hears of a version in each of its task queues a little later
    until("the guest is sent there", PATIENCE, async || hello.cluster.temporal(&pin).await.map(drop)).await;
    manual["template"] = hello.template(&json!([{"name": "HELLO_SLOTS", "value": "5"}]));
    hello.apply(&manual).await;
    let fifth = waits(&hello).await;
    assert_ne!(fourth, fifth);
    sleep(seconds(12, 60)).await;
    let status = hello.status().await.unwrap();
    let state = version(&status, &fourth).map(|v| (v.state, v.ready));
    assert!(state.is_some_and(|(_, ready)| ready > 0), "somebody is there: {}", brief(&status));
    assert_eq!(hello.leave("long-sent").await, (third.clone(), fourth.clone()), "who was sent ends there");
    let began = Instant::now();
    gone(&hello, &fourth).await;
    let fourth_gone = since(began);
    hello.delete().await;
    println!(
        "workers with open workflows: the second version gone {second_gone} after the third came, the first {first_gone} after its last workflow, records in Temporal too; a fourth without traffic ({state:?}) stayed for one workflow that was pinned to it by hand, and was gone {fourth_gone} after that"
    );
}

/// Waits until the newest version waits for its promotion, with its pods; its build id.
async fn waits(hello: &Hello) -> String {
    until("the newest version waits", PATIENCE, async || {
        let worker = hello.api().get(hello.name).await.map_err(|error| error.to_string())?;
        let status = worker.status.unwrap_or_default();
        let target = status.target.clone().filter(|_| status.observed_generation == worker.metadata.generation);
        match target.as_ref().and_then(|target| version(&status, target)) {
            Some(v) if v.state == VersionState::Inactive && v.ready > 0 => Ok(v.build_id.clone()),
            _ => Err(brief(&status)),
        }
    })
    .await
}

/// Waits until a version is nowhere any more: no pod, no Deployment, no record in Temporal.
async fn gone(hello: &Hello, build: &str) {
    until(&format!("version {build} is gone"), PATIENCE, async || {
        let status = hello.status().await?;
        if version(&status, build).is_some() {
            return Err(brief(&status));
        }
        let pods = hello.pods().await;
        let of_it = |pod: &&k8s_openapi::api::core::v1::Pod| {
            pod.metadata.labels.iter().flatten().any(|(_, value)| value == build)
        };
        if let Some(pod) = pods.iter().find(of_it) {
            return Err(format!("pod {:?}", pod.metadata.name));
        }
        match hello.tool("describe-version", Some(build), &[]).await {
            Err(error) if error.contains("not found") => Ok(()),
            other => Err(format!("Temporal has it: {other:?}")),
        }
    })
    .await;
}
