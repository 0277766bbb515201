//! Workers that sleep when there is nothing to do, and that nobody takes away while Temporal does not answer.

use std::time::{Duration, Instant};

use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use temporal_operator::api::worker::VersionState;
use tokio::time::sleep;

use super::ground::Ground;
use super::hello::{Hello, brief, is, seconds, uids, version};
use super::operator::signal;
use super::wait::{PATIENCE, since, until};

/// Pods that do two activities at a time.
fn slow(hello: &Hello, more: &[Value]) -> Value {
    let mut variables = vec![json!({"name": "HELLO_SLOTS", "value": "2"})];
    variables.extend_from_slice(more);
    hello.template(&json!(variables))
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_sleep_and_wake() {
    let ground = Ground::beside().await;
    let hello = Hello::new(&ground.cluster, "sleeper");
    let scaling = json!({"min": 0, "max": 3, "backlogPerPod": 4, "maxBacklogAge": "3s", "scaleDownAfter": "10s", "idleAfter": "15s"});
    let mut spec = hello.spec(&json!({"scaling": scaling}));
    spec["template"] = slow(&hello, &[]);
    let build = hello.current_after(&spec).await;
    let pods = async |what: &str, enough: &dyn Fn(i32) -> bool| {
        let began = Instant::now();
        hello.shows(what, |s| version(s, &build).is_some_and(|v| enough(v.replicas))).await;
        since(began)
    };
    let asleep = pods("it goes to sleep", &|n| n == 0).await;

    // the first task finds nobody
    let first = hello.greet(1, 1.0, &[]).await;
    let waited = first[0].seconds;
    assert_eq!(first[0].build(), build);

    // and then many
    let burst = hello.greets(60, 20.0, &["--seconds", "2"]).await;
    let grown = pods("it grows", &|n| n >= 2).await;
    let all = burst.await.unwrap();
    let failed: Vec<_> = all.iter().filter(|g| g.result.is_none()).collect();
    assert!(failed.is_empty(), "{failed:?}");
    let slowest = all.iter().map(|g| g.seconds).fold(0.0, f64::max);
    let again = pods("it goes to sleep again", &|n| n == 0).await;
    hello.delete().await;
    println!(
        "workers sleep and wake: asleep {asleep} after the start; the first workflow took {waited:.1} s from nothing; 60 at once: two pods and more after {grown}, the slowest {slowest:.1} s; asleep again {again} later"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_stay_while_temporal_is_away() {
    let ground = Ground::alone().await;
    let hello = Hello::new(&ground.cluster, "steady");
    let scaling = json!({"min": 2, "max": 3, "scaleDownAfter": "10s", "idleAfter": "10s"});
    let mut spec = hello.spec(&json!({"scaling": scaling, "sunset": {"scaleDownAfter": "2s", "deleteAfter": "5s"}}));
    let first = hello.current_after(&spec).await;
    hello.visit("steady-stay", &[]).await;
    spec["template"] = hello.template(&json!([{"name": "HELLO_LANGUAGE", "value": "de"}]));
    let second = hello.current_after(&spec).await;
    let draining = |s: &_| is(s, &first, VersionState::Draining) && version(s, &second).is_some_and(|v| v.ready == 2);
    hello.shows("the first drains and the second has two pods", draining).await;

    let before = uids(&hello.pods().await);
    // its data would go with its pod, so the database is frozen
    let database = ground.cluster.database().await;
    ground.cluster.without("frontend").await;
    signal(&database, "SIGSTOP").unwrap();
    let began = Instant::now();

    // what its workflow needs is deleted meanwhile, and comes back from what the operator has kept
    let lost = hello.deployment(&first).await.expect("the first version has a Deployment");
    hello.deployments().delete(&lost.name_any(), &DeleteParams::background()).await.unwrap();
    let rebuilt = until("the draining version's Deployment is back", PATIENCE, async || {
        let now = hello.deployments().get_opt(&lost.name_any()).await.map_err(|error| error.to_string())?;
        let now = now.filter(|d| d.uid() != lost.uid()).ok_or("not yet")?;
        // a pod is ready when it has reached Temporal
        let pods = now.status.and_then(|s| s.replicas).unwrap_or_default();
        if pods > 0 { Ok(since(began)) } else { Err("it has no pod".to_owned()) }
    })
    .await;

    let wanted = seconds(30, 120);
    while began.elapsed() < wanted {
        let status = hello.status().await.unwrap();
        let pods = version(&status, &second).map(|v| v.replicas);
        assert!(pods >= Some(2), "nothing is scaled down on missing data: {}", brief(&status));
        sleep(Duration::from_secs(2)).await;
    }
    let status = hello.status().await.unwrap();
    let after = uids(&hello.pods().await);
    let kept = before.iter().filter(|uid| after.contains(uid)).count();
    let of_first = version(&status, &first).map_or(0, |v| v.replicas).max(1) as usize;
    assert!(kept + of_first >= before.len(), "pods of the second version were replaced: {before:?} {after:?}");

    signal(&database, "SIGCONT").unwrap();
    ground.cluster.scale("frontend", 1);
    let back = Instant::now();
    // servers that were long without a database start again before they serve
    let greeting = until("a workflow is done", PATIENCE, async || {
        let greeting = hello.greet(1, 1.0, &[]).await.remove(0);
        if greeting.result.is_some() { Ok(greeting) } else { Err(format!("{:?}", greeting.error)) }
    })
    .await;
    assert_eq!(greeting.build(), second, "the same workers go on");
    let works = since(back);
    assert_eq!(hello.leave("steady-stay").await, (first.clone(), first), "the rebuilt version ends what it began");
    hello.settled().await;
    hello.delete().await;
    println!(
        "workers stay while Temporal is away: {} s without a frontend and a database, nothing scaled down; the deleted Deployment of a draining version back with a pod after {rebuilt}; a workflow done {works} after Temporal is back",
        wanted.as_secs()
    );
}
