//! A version that workflows need outlives those that came after it.

use std::time::Instant;

use serde_json::json;
use temporal_operator::api::worker::VersionState;

use super::ground::Ground;
use super::hello::{Hello, brief, is, version};
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
    hello.delete().await;
    println!(
        "workers with open workflows: the second version gone {second_gone} after the third came, the first {first_gone} after its last workflow, records in Temporal too"
    );
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
