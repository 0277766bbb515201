//! Servers that start after the database was away find nobody to join.

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::json;
use temporal_operator::api::TemporalCluster;
use temporal_operator::api::conditions::{MEMBERSHIP_HEALTHY, READY, get};

use super::bed::{Bed, full};
use super::cluster::{Cluster, PodFact, ROLES, Scene, VERSION, fact, is_ready, manifest};
use super::film::Film;
use super::wait::{PATIENCE, since, until};

/// Heartbeats of servers that have started by now are old, as when the database was away: which of them are written again
/// before a new server reads them is else left to chance, within 10 to 15 s.
const DEAF: &str = "
    create function old_heartbeat() returns trigger language plpgsql as
        'begin new.last_heartbeat := now() - interval ''5 minutes''; return new; end';
    do $$ begin execute format('create trigger old_heartbeat before insert or update on cluster_membership
        for each row when (new.session_start < %L) execute function old_heartbeat()',
        now() at time zone 'utc'); end $$;
    update cluster_membership set last_heartbeat = last_heartbeat";
const HEARING: &str = "drop trigger old_heartbeat on cluster_membership; drop function old_heartbeat";

#[tokio::test(flavor = "multi_thread")]
async fn a_server_in_a_ring_of_its_own_is_replaced() {
    let scene = Scene::open("ring-split").await;
    let mut spec = manifest(VERSION);
    spec["services"] = json!({"history": {"replicas": 2}});
    let (cluster, _) = scene.create("main", &spec).await;
    cluster.workflow("before").await;

    let mut lines = Vec::new();
    for role in if full() { &["frontend", "history", "matching"][..] } else { &["frontend"] } {
        lines.push(format!("{role}: {}", part(&scene, &cluster, role).await));
    }
    cluster.lists("before").await;
    scene.close(&lines.join("; ")).await;
}

/// A pod of a role starts when nobody else is to be seen; what the operator does about it.
async fn part(scene: &Scene, cluster: &Cluster, role: &str) -> String {
    let before = cluster.all_pods().await;
    let victim = before[role].first().unwrap().name.clone();
    scene.psql_in("temporal", DEAF).unwrap();
    Bed::get().kubectl(&scene.namespace, &["delete", "pod", &victim, "--wait=false"]).unwrap();
    let words = Film::<TemporalCluster>::start(cluster).await;
    let lonely = until(&format!("the {role} role has a new pod that is ready"), PATIENCE, async || {
        let pods = cluster.pods_there(role).await;
        let new = pods.iter().filter(|p| is_ready(p)).map(fact).find(|p| !before[role].contains(p));
        new.ok_or(format!("{:?}", pods.iter().map(fact).collect::<Vec<_>>()))
    })
    .await;
    // it has read them
    scene.psql_in("temporal", HEARING).unwrap();
    let began = Instant::now();
    until("another pod has its place", PATIENCE, async || {
        let pods = cluster.pods(role).await;
        if pods.iter().all(|p| p.uid != lonely.uid) { Ok(()) } else { Err(format!("{pods:?}")) }
    })
    .await;
    let replaced = since(began);
    cluster.condition(MEMBERSHIP_HEALTHY, "True").await;
    cluster.condition(READY, "True").await;
    cluster.settled().await;
    let whole = since(began);
    let message = words.seen().iter().find_map(split).expect("the split is told");
    assert!(message.contains(&lonely.name), "{message}");
    assert!(message.contains("in a ring of its own, apart from 4 other server pods"), "{message}");
    let workflow = cluster.workflow(&format!("after-{role}")).await;

    let after = cluster.all_pods().await;
    for other in ROLES.into_iter().filter(|other| *other != role) {
        assert_eq!(before[other], after[other], "pods of {other}");
    }
    let stayed: BTreeSet<&PodFact> = before[role].intersection(&after[role]).collect();
    assert_eq!(stayed.len(), before[role].len() - 1, "of the {role} role only that pod is replaced");
    let selector = ["get", "events", "--field-selector", "reason=PodReplaced", "-o", "jsonpath={.items[*].message}"];
    let events = Bed::get().kubectl(&scene.namespace, &selector).unwrap();
    assert!(events.contains(&lonely.name), "{events}");
    format!("replaced after {replaced}, whole after {whole}, workflow {workflow:.2} s; {message:?}")
}

/// What is said of a ring that is apart.
fn split(cluster: &TemporalCluster) -> Option<String> {
    let told = get(&cluster.status.as_ref()?.conditions, MEMBERSHIP_HEALTHY)?;
    (told.reason == "RingSplit").then(|| told.message.clone())
}
