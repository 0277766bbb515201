//! Versions of a worker that take over under load, and versions that must not.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use temporal_operator::api::conditions;
use temporal_operator::api::worker::VersionState;
use tokio::spawn;
use tokio::time::sleep;

use super::bed::full;
use super::ground::Ground;
use super::hello::{Greeting, Hello, brief, by_build, is, seconds, version};
use super::load::turn;
use super::wait::{PATIENCE, since, try_until, until};

const STEPS: [i32; 2] = [20, 50];

#[tokio::test(flavor = "multi_thread")]
async fn workers_ramp_under_load() {
    // shares are told by when a workflow was due, so none may be late
    let _turn = turn().await;
    let ground = Ground::beside().await;
    let hello = Hello::new(&ground.cluster, "ramp");
    let pause = seconds(12, 60);
    let steps: Vec<Value> =
        STEPS.iter().map(|percent| json!({"percent": percent, "pause": format!("{}s", pause.as_secs())})).collect();
    let mut spec = hello.spec(&json!({"rollout": {"strategy": "Progressive", "steps": steps}}));
    let old = hello.current_after(&spec).await;
    hello.visit("ramp-stays", &[]).await;
    hello.visit("ramp-moves", &["--moving"]).await;

    // the load goes on beyond the last step, however long each takes
    let rate = if full() { 10.0 } else { 6.0 };
    let lasts = pause * 2 + seconds(45, 90);
    let count = (lasts.as_secs_f64() * rate) as usize;
    let (began, stays) = (Instant::now(), hello.greets(count, rate, &[]).await);
    let stays = spawn(async move { (stays.await.unwrap(), Instant::now()) });
    let moves = hello.greets(count / 3, rate / 3.0, &["--moving"]).await;
    sleep(Duration::from_secs(4)).await;

    spec["template"] = hello.template(&json!([{"name": "HELLO_LANGUAGE", "value": "de"}]));
    hello.apply(&spec).await;
    let mut turns = vec![(0, began)];
    for percent in STEPS {
        hello.shows(&format!("{percent} %"), |s| s.ramp.as_ref().is_some_and(|r| r.percent == percent)).await;
        turns.push((percent, Instant::now()));
    }
    let status = hello.shows("the new version is current", |s| s.current.as_ref().is_some_and(|c| *c != old)).await;
    turns.push((100, Instant::now()));
    let new = status.current.unwrap();
    let took = since(turns[1].1);

    let ((stays, ended), moves) = (stays.await.unwrap(), moves.await.unwrap());
    let failed: Vec<_> = stays.iter().chain(&moves).filter(|g| g.result.is_none()).collect();
    assert!(failed.is_empty(), "a ramp fails no workflow: {failed:?}");
    let ends = turns.iter().skip(1).map(|t| t.1).chain([began + lasts]);
    // on a busy machine the starter begins late, and every workflow with it
    let late = ended.duration_since(began).saturating_sub(lasts).as_secs_f64();
    let mut seen = Vec::new();
    for ((percent, from), to) in turns.iter().zip(ends) {
        // task queues learn of a new share a little later, and the status may be a moment late
        let (from, to) =
            (from.duration_since(began).as_secs_f64() + 2.5, to.duration_since(began).as_secs_f64() - 2.5 - late);
        let within = |g: &&Greeting| (from..to).contains(&(g.number() as f64 / rate));
        let these: Vec<Greeting> = stays.iter().filter(within).cloned().collect();
        let share = these.iter().filter(|g| g.build() == new).count() as f64 * 100.0 / these.len().max(1) as f64;
        assert_near(*percent, share, these.len());
        seen.push(format!("{percent} %: {share:.0} % of {}", these.len()));
    }

    // a workflow that stays ends where it began, one that moves does not
    assert_eq!(hello.leave("ramp-stays").await, (old.clone(), old.clone()));
    assert_eq!(hello.leave("ramp-moves").await, (old.clone(), new.clone()));
    hello.delete().await;
    println!(
        "workers ramp under load: {} workflows, 0 failed; new version {}; from the first step to current {took}; those that move: {:?}",
        stays.len() + moves.len(),
        seen.join(", "),
        by_build(&moves)
    );
}

/// Within three standard deviations of what such a number of draws gives.
fn assert_near(percent: i32, share: f64, count: usize) {
    let p = f64::from(percent) / 100.0;
    let room = 300.0 * (p * (1.0 - p) / count.max(1) as f64).sqrt();
    assert!(count > 0, "no workflow was started at {percent} %");
    assert!(
        (share - f64::from(percent)).abs() <= room.max(0.1),
        "{share:.1} % of {count} at {percent} %, room {room:.1}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_are_bad_get_no_traffic() {
    let ground = Ground::beside().await;
    let hello = Hello::new(&ground.cluster, "gated");
    let gate = json!({"workflow": {"type": "Check", "taskQueue": "gated", "timeout": "30s"}});
    let mut spec = hello.spec(&json!({"rollout": {"gate": gate}, "deployment": {"progressDeadlineSeconds": 15}}));
    let good = hello.current_after(&spec).await;

    // one that finds itself broken
    spec["template"] = hello.template(&json!([{"name": "HELLO_BROKEN", "value": "1"}]));
    hello.apply(&spec).await;
    let began = Instant::now();
    let why = failed(&hello).await;
    let returned = since(began);
    assert!(why.contains("Check"), "it says which gate failed: {why}");
    stays(&hello, &good).await;

    // one whose image is not there
    let mut missing = hello.template(&json!([]));
    missing["spec"]["containers"][0]["image"] = json!("hello:none");
    missing["spec"]["containers"][0]["imagePullPolicy"] = json!("Never");
    spec["template"] = missing;
    hello.apply(&spec).await;
    let began = Instant::now();
    let late = stalled(&hello, "VersionNotReady").await;
    let told = since(began);
    assert!(late.contains("hello:none"), "it says what is missing: {late}");
    stays(&hello, &good).await;

    let seen = fails_tasks(&hello, &mut spec, &good).await;

    // the next one is good again, as a Prometheus has it: first it asks for too little, then for what there is
    let url = ground.cluster.prometheus().await;
    let served = |bound: &str, value: &str| {
        let query = "sum(service_requests{service_name=\"frontend\",operation=\"StartWorkflowExecution\"})";
        json!({"gate": {"prometheus": {"url": url, "query": query, (bound): value}}})
    };
    spec["template"] = hello.template(&json!([{"name": "HELLO_LANGUAGE", "value": "fr"}]));
    spec["rollout"] = served("max", "0");
    hello.apply(&spec).await;
    let measured = failed(&hello).await;
    assert!(measured.contains("the query of its gate gives") && measured.contains("at most 0"), "{measured}");
    stays(&hello, &good).await;
    spec["rollout"] = served("min", "1");
    let next = hello.current_after(&spec).await;
    assert_ne!(next, good);
    let said = hello.greet(5, 10.0, &[]).await;
    assert_eq!(by_build(&said).into_iter().collect::<Vec<_>>(), [(next.as_str(), 5)]);
    hello.delete().await;
    println!(
        "workers that are bad: one that fails its gate is back after {returned} ({why}), one whose pods never start is told after {told}, and no workflow reached them; {seen}; a Prometheus held one back ({measured}) and let it go"
    );
}

/// A build whose workflow tasks fail loses its share by what Temporal sees, and its workflows go on with the good one.
async fn fails_tasks(hello: &Hello, spec: &mut Value, good: &str) -> String {
    // that one fails on every build, and since before
    let unknown = ["workflow", "start", "--type", "Nobody", "--task-queue", "gated", "--workflow-id", "gated-nobody"];
    hello.cluster.temporal(&unknown).await.unwrap();
    spec["rollout"] = json!({"strategy": "Progressive", "steps": [{"percent": 50, "pause": "10m"}]});
    spec["template"] = hello.template(&json!([{"name": "HELLO_BROKEN", "value": "tasks"}]));
    hello.apply(spec).await;
    hello.shows("it has a share", |s| s.ramp.as_ref().is_some_and(|r| r.percent == 50)).await;
    // task queues learn of it a little later
    sleep(Duration::from_secs(3)).await;
    let began = Instant::now();
    let load = hello.greets(12, 6.0, &[]).await;
    let why = failed(hello).await;
    let seen = since(began);
    assert!(why.contains("workflow tasks") && !why.contains("gated-nobody"), "it names one that fails: {why}");
    let ended = load.await.unwrap();
    let others: Vec<_> = ended.iter().filter(|g| g.result.is_none() || g.build() != good).collect();
    assert!(others.is_empty(), "every workflow ends on the good build: {others:?}");
    let slowest = ended.iter().map(|g| g.seconds).fold(0.0, f64::max);
    let end = ["workflow", "terminate", "--workflow-id", "gated-nobody"];
    hello.cluster.temporal(&end).await.unwrap();
    format!(
        "one whose workflow tasks fail lost its share {seen} after the first workflow ({why}), and all 12 workflows ended on the good one, the slowest after {slowest:.1} s"
    )
}

/// Waits until the target has failed for the newest generation; why.
async fn failed(hello: &Hello) -> String {
    until("the target has failed", PATIENCE, async || {
        let worker = hello.api().get(hello.name).await.map_err(|error| error.to_string())?;
        let status = worker.status.unwrap_or_default();
        if status.observed_generation != worker.metadata.generation {
            return Err(brief(&status));
        }
        status.ramp.as_ref().and_then(|ramp| ramp.failed.clone()).ok_or_else(|| brief(&status))
    })
    .await
}

/// Waits until the worker is stalled with this reason for the newest generation; its sentence.
async fn stalled(hello: &Hello, reason: &str) -> String {
    until(&format!("it is stalled with {reason}"), PATIENCE, async || {
        let worker = hello.api().get(hello.name).await.map_err(|error| error.to_string())?;
        let status = worker.status.unwrap_or_default();
        match conditions::get(&status.conditions, conditions::STALLED) {
            Some(c) if c.reason == reason && c.observed_generation == worker.metadata.generation => {
                Ok(c.message.clone())
            }
            _ => Err(brief(&status)),
        }
    })
    .await
}

/// The version before has all traffic, and the target has none.
async fn stays(hello: &Hello, good: &str) {
    let status = hello.status().await.unwrap();
    assert_eq!(status.current.as_deref(), Some(good));
    let target = status.target.clone().unwrap();
    assert!(!is(&status, &target, VersionState::Ramping) && !is(&status, &target, VersionState::Current));
    assert!(version(&status, good).is_some_and(|v| v.ready > 0), "{}", brief(&status));
    let greetings = hello.greet(10, 10.0, &[]).await;
    assert_eq!(by_build(&greetings).into_iter().collect::<Vec<_>>(), [(good, 10)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_leave_a_ramp_by_hand_alone() {
    let ground = Ground::beside().await;
    let hello = Hello::new(&ground.cluster, "byhand");
    let mut spec = hello.spec(&json!({"rollout": {"strategy": "Manual"}}));
    hello.apply(&spec).await;
    let first = registered(&hello).await;
    hello.tool("set-current-version", Some(&first), &["--yes"]).await.unwrap();
    hello.shows("it is told that the first version is current", |s| s.current.as_deref() == Some(&first)).await;

    spec["template"] = hello.template(&json!([{"name": "HELLO_LANGUAGE", "value": "de"}]));
    hello.apply(&spec).await;
    let second = registered(&hello).await;
    let began = Instant::now();
    hello.tool("set-ramping-version", Some(&second), &["--percentage", "30", "--yes"]).await.unwrap();
    let ramps = |s: &temporal_operator::api::worker::TemporalWorkerStatus| {
        s.ramp.as_ref().is_some_and(|r| r.build_id == second && r.percent == 30)
    };
    hello.shows("the ramp is told", ramps).await;
    let told = since(began);
    let changed = try_until(seconds(20, 120), async || {
        let status = hello.status().await?;
        if ramps(&status) && is(&status, &second, VersionState::Ramping) {
            Err("unchanged".into())
        } else {
            Ok(brief(&status))
        }
    })
    .await;
    assert_eq!(changed, Err("unchanged".to_owned()), "nobody touches the ramp");

    hello.tool("set-current-version", Some(&second), &["--yes"]).await.unwrap();
    hello.shows("the second is current", |s| s.current.as_deref() == Some(&second)).await;
    let status = hello.settled().await;
    assert!(is(&status, &second, VersionState::Current), "{}", brief(&status));
    hello.delete().await;
    println!("workers leave a ramp by hand alone: told after {told}, untouched since");
}

/// Waits until the target polls; its build id.
async fn registered(hello: &Hello) -> String {
    until("the target polls", PATIENCE, async || {
        let worker = hello.api().get(hello.name).await.map_err(|error| error.to_string())?;
        let status = worker.status.unwrap_or_default();
        let target = status.target.clone().filter(|_| status.observed_generation == worker.metadata.generation);
        let target = target.ok_or_else(|| brief(&status))?;
        match version(&status, &target) {
            Some(v) if v.state != VersionState::NotRegistered && v.ready > 0 => Ok(target),
            _ => Err(brief(&status)),
        }
    })
    .await
}
