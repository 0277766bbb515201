//! What the drain settings of the server bring and cost: the same roll with several of them, each beside its own steady
//! part. `TEMPORAL_OPERATOR_E2E_DRAINS=none,short` chooses some, in the short form too.

use std::time::{Duration, Instant};

use kube::api::DeleteParams;
use serde_json::{Map, Value, json};
use tokio::time::sleep;

use super::availability::restart;
use super::bed::full;
use super::cluster::{Scene, VERSION, with_databases};
use super::load::{Loaded, assert_nothing_gone, replicated, steady, turn};

/// Settings by name; the first is the server's default.
const DRAINS: [(&str, &[(&str, &str)]); 5] = [
    ("none", &[]),
    (
        "aligned",
        &[
            ("frontend.shutdownDrainDuration", "10s"),
            ("frontend.shutdownFailHealthCheckDuration", "5s"),
            ("history.shutdownDrainDuration", "15s"),
            ("history.alignMembershipChange", "10s"),
            ("history.startupMembershipJoinDelay", "5s"),
            ("matching.shutdownDrainDuration", "15s"),
            ("matching.alignMembershipChange", "10s"),
        ],
    ),
    (
        "drained",
        &[
            // results are awaited by polls of 20 s
            ("frontend.shutdownDrainDuration", "25s"),
            ("frontend.shutdownFailHealthCheckDuration", "5s"),
            ("history.shutdownDrainDuration", "10s"),
            ("matching.shutdownDrainDuration", "10s"),
        ],
    ),
    (
        "short",
        &[
            ("frontend.shutdownDrainDuration", "5s"),
            ("frontend.shutdownFailHealthCheckDuration", "3s"),
            ("history.shutdownDrainDuration", "5s"),
            ("matching.shutdownDrainDuration", "5s"),
        ],
    ),
    (
        "matching-aligned",
        &[
            ("frontend.shutdownDrainDuration", "10s"),
            ("frontend.shutdownFailHealthCheckDuration", "5s"),
            ("history.shutdownDrainDuration", "10s"),
            ("history.startupMembershipJoinDelay", "5s"),
            ("matching.shutdownDrainDuration", "10s"),
            ("matching.alignMembershipChange", "10s"),
        ],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn drain_settings_compared_under_load() {
    let chosen = std::env::var("TEMPORAL_OPERATOR_E2E_DRAINS").ok();
    if !full() && chosen.is_none() {
        return;
    }
    let is_chosen = |name: &str| chosen.as_deref().is_none_or(|all| all.split(',').any(|one| one == name));
    let mut turn = Some(turn().await);
    let scene = Scene::open("drains").await;
    let mut told = Vec::new();
    for (n, (name, settings)) in DRAINS.iter().enumerate().filter(|(_, (name, _))| is_chosen(name)) {
        let mut spec = replicated(with_databases(VERSION, &format!("drains{n}")), 2);
        let value = |(key, value): &(&str, &str)| ((*key).to_owned(), json!([{"value": value}]));
        spec["dynamicConfig"] = json!({"values": settings.iter().map(value).collect::<Map<String, Value>>()});
        let (cluster, _) = scene.create(&format!("d{n}"), &spec).await;
        let turn = match turn.take() {
            Some(turn) => turn,
            None => super::load::turn().await,
        };
        let mut load = Loaded::start(&cluster, &format!("drain settings: {name}"), turn).await;
        load.phase("steady");
        sleep(steady()).await;
        load.phase("one role at a time");
        let began = Instant::now();
        restart(&cluster).await;
        cluster.settled().await;
        let took = began.elapsed();
        // the last old pods drain
        sleep(Duration::from_secs(15)).await;
        load.phase("after");
        sleep(steady()).await;
        let report = load.stop();
        assert_nothing_gone(&report);
        let (steady, rolled) = (&report.figures[0], &report.figures[1]);
        let p = |f: &e2e::load::Figures, percent| f.percentile(percent).unwrap_or_default().as_secs_f64();
        told.push(format!(
            "{name}: {:.0} s, p99 {:.3} s (steady {:.3} s), max {:.2} s, {} over 1 s, {} failed",
            took.as_secs_f64(),
            p(rolled, 99.0),
            p(steady, 99.0),
            p(rolled, 100.0),
            rolled.over(Duration::from_secs(1)),
            rolled.failed
        ));
        cluster.api().delete(&cluster.name, &DeleteParams::default()).await.unwrap();
    }
    scene.close(&told.join("; ")).await;
}
