//! The list of workflows moves to another database while workflows run.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use temporal_operator::api::conditions::VISIBILITY_READY;
use temporal_operator::api::status::VisibilityMove;
use tokio::time::sleep;

use super::availability::open_workflows;
use super::bed::full;
use super::cluster::{Cluster, Scene, VERSION, manifest};
use super::load::{Loaded, assert_nothing_lost, replicated, steady, turn};
use super::postgres::Authority;
use super::temporal::NAMESPACE;
use super::wait::{PATIENCE, since, until};

const OLD: &str = "temporal_visibility";
const NEW: &str = "temporal_visibility_2";

/// How long a phase of nothing but load lasts.
fn pause() -> Duration {
    if full() { steady() } else { Duration::from_secs(5) }
}

/// What docs/persistence.md says of copying the list, in the pod of PostgreSQL.
const COPY: &str = r#"
set -e
columns=$(psql "$OLD" -Atc "SELECT string_agg(quote_ident(column_name), ',') FROM information_schema.columns
  WHERE table_name = 'executions_visibility' AND is_generated = 'NEVER'")
psql "$OLD" -c "COPY (SELECT $columns FROM executions_visibility) TO STDOUT" |
  psql "$NEW" -v ON_ERROR_STOP=1 -1 \
    -c "CREATE TEMP TABLE earlier ON COMMIT DROP AS SELECT $columns FROM executions_visibility WITH NO DATA" \
    -c "COPY earlier FROM STDIN" \
    -c "INSERT INTO executions_visibility ($columns) SELECT * FROM earlier ON CONFLICT (namespace_id, run_id) DO NOTHING"
"#;

/// A store of the scene's PostgreSQL.
fn store(database: &str) -> Value {
    let mut store = manifest(VERSION)["persistence"]["visibilityStore"].clone();
    store["sql"]["databaseName"] = json!(database);
    store
}

/// Number of rows and a hash over what tells one record from another. Of workflows that ended more than a moment ago:
/// between the two queries nothing of theirs changes.
fn listed(scene: &Scene, database: &str, from: &str) -> (u64, String) {
    let query = format!(
        "SELECT count(*), md5(coalesce(string_agg(concat_ws(' ', namespace_id, run_id, workflow_id, status, close_time, _version), ',' \
         ORDER BY run_id), '')) FROM executions_visibility WHERE close_time < now() - interval '10 seconds' AND close_time >= '{from}'"
    );
    let said = scene.psql_in(database, &query).unwrap();
    let (count, hash) = said.split_once('|').unwrap();
    (count.parse().unwrap(), hash.to_owned())
}

/// The lists of both databases are one and not empty, but for what has just ended; how long they are.
async fn equal(scene: &Scene, from: &str) -> u64 {
    until("both databases have one list", PATIENCE, async || {
        let (old, new) = (listed(scene, OLD, from), listed(scene, NEW, from));
        if old == new && old.0 > 0 { Ok(old.0) } else { Err(format!("old {old:?}, new {new:?}")) }
    })
    .await
}

/// What the status says of the move, when nothing is left to do and no pod of before is left.
async fn moving(cluster: &Cluster) -> Option<VisibilityMove> {
    until("every server writes both", PATIENCE, async || {
        let moving = cluster.settled().await.persistence.unwrap().visibility_move;
        let waits = moving.as_ref().is_some_and(|m| m.since.is_none());
        if waits { Err(format!("{moving:?}")) } else { Ok(moving) }
    })
    .await
}

/// Workflows that Temporal counts.
async fn counted(cluster: &Cluster, query: &str) -> u64 {
    let text = cluster.temporal(&["workflow", "count", "--query", query, "-o", "json"]).await.unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    value["count"].as_str().map_or_else(|| value["count"].as_u64(), |n| n.parse().ok()).unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn visibility_moved() {
    let turn = turn().await;
    let scene = Scene::open("vis-moved").await;
    let spec = replicated(manifest(VERSION), if full() { 2 } else { 1 });
    let (cluster, _) = scene.create("main", &spec).await;
    let mut load = Loaded::start(&cluster, "visibility moves to another database", turn).await;
    load.phase("one store");
    let open = open_workflows(&cluster, 3).await;
    sleep(pause()).await;

    let began = Instant::now();
    load.phase("the second one comes");
    cluster.patch(json!({"persistence": {"secondaryVisibilityStore": store(NEW)}})).await;
    let begun = moving(&cluster).await.expect("the move is in the status");
    assert_eq!(begun.into, format!("postgres:5432/{NEW}"));
    let both = begun.since.expect("every server writes both").0.to_string();
    let (_, said) = cluster.condition(VISIBILITY_READY, "True").await;
    assert!(said.contains("the two blocks can change places"), "{said}");
    let second = since(began);
    load.phase("both written");
    sleep(pause()).await;
    let written = equal(&scene, &both).await;
    let missing = listed(&scene, OLD, "-infinity").0 - listed(&scene, NEW, "-infinity").0;
    assert!(missing > 0, "{written} written to both, {missing} ended before");
    let began = Instant::now();
    scene.shell_of_postgres(COPY, &[("OLD", OLD), ("NEW", NEW)]).unwrap();
    let copied = since(began);
    let all = equal(&scene, "-infinity").await;

    let began = Instant::now();
    load.phase("they change places");
    cluster
        .patch(json!({"persistence": {"visibilityStore": store(NEW), "secondaryVisibilityStore": store(OLD)}}))
        .await;
    assert_eq!(moving(&cluster).await.map(|m| m.into), Some(begun.into), "the same move");
    let read = since(began);
    load.phase("the new one read");
    sleep(pause()).await;
    let later = equal(&scene, "-infinity").await;
    let (listed_now, rows) =
        (counted(&cluster, "ExecutionStatus = 'Running' AND WorkflowType = 'Open'").await, open.len());
    assert_eq!(listed_now, u64::try_from(rows).unwrap(), "open workflows are listed from the new store");

    let began = Instant::now();
    load.phase("the old one left");
    cluster.patch(json!({"persistence": {"secondaryVisibilityStore": null}})).await;
    until("the move is over", PATIENCE, async || match moving(&cluster).await {
        None => Ok(()),
        Some(moving) => Err(format!("{moving:?}")),
    })
    .await;
    let left = since(began);
    load.phase("after");
    sleep(pause()).await;
    for id in &open {
        cluster.temporal(&["workflow", "signal", "--name", "finish", "-w", id]).await.unwrap();
        cluster.temporal(&["workflow", "result", "-w", id]).await.unwrap();
    }
    let report = load.stop();
    assert_nothing_lost(&report);
    until("all that ran in the namespace are listed as ended", PATIENCE, async || {
        match counted(&cluster, "ExecutionStatus = 'Running'").await {
            0 => Ok(()),
            running => Err(format!("{running} are listed as running in {NAMESPACE}")),
        }
    })
    .await;
    let done = counted(&cluster, "ExecutionStatus = 'Completed'").await;
    let due: usize = report.figures.iter().map(|f| f.due).sum();
    assert!(done >= u64::try_from(due + open.len()).unwrap(), "{done} of {due} are listed as completed");
    scene
        .close(&format!(
            "second store written after {second}; {written} ended since in both, {missing} earlier ones copied in {copied}, \
             lists of {all} equal; places changed in {read}, lists of {later} equal; old one left after {left}; {done} \
             listed as completed in the end"
        ))
        .await;
}

/// A second store that goes away is told by its name, and the first one serves on.
#[tokio::test(flavor = "multi_thread")]
async fn second_visibility_store_away() {
    if !full() {
        return; // the planner's tables have it
    }
    let scene = Scene::open("vis-away").await;
    let mut spec = manifest(VERSION);
    spec["persistence"]["secondaryVisibilityStore"] = store(NEW);
    let (cluster, made) = scene.create("main", &spec).await;
    cluster.workflow("first").await;
    let gone = format!("ALTER DATABASE {NEW} ALLOW_CONNECTIONS false");
    let kill = format!("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{NEW}'");
    scene.psql(&gone).unwrap();
    scene.psql(&kill).unwrap();
    let began = Instant::now();
    let (reason, said) = cluster.condition(VISIBILITY_READY, "False").await;
    let told = since(began);
    assert_eq!(reason, "SecondaryVisibilityUnavailable");
    assert!(said.contains(&format!("the secondary visibility store postgres:5432/{NEW} fails")), "{said}");
    let workflow = cluster.workflow("meanwhile").await;
    cluster.lists("meanwhile").await;
    scene.psql(&format!("ALTER DATABASE {NEW} ALLOW_CONNECTIONS true")).unwrap();
    let began = Instant::now();
    cluster.condition(VISIBILITY_READY, "True").await;
    let back = since(began);
    sleep(Duration::from_secs(15)).await;
    equal(&scene, "-infinity").await;
    scene
        .close(&format!(
            "made with two in {made:.0} s; away told after {told} ({said:?}), a workflow meanwhile {workflow:.2} s and listed; \
             well {back} after its return, and nothing is missing in it"
        ))
        .await;
}

/// An index of the scene's OpenSearch, as a store.
fn index(name: &str) -> Value {
    json!({"elasticsearch": {"url": "http://search:9200", "indices": {"visibility": name}}})
}

/// The same within OpenSearch, with a custom search attribute.
#[tokio::test(flavor = "multi_thread")]
async fn visibility_moved_to_another_index() {
    if !full() {
        return; // an OpenSearch and four rollouts
    }
    const FIRST: &str = "temporal_visibility_v1_first";
    const SECOND: &str = "temporal_visibility_v1_second";
    let scene = Scene::open("vis-index").await;
    scene.opensearch(&Authority::new("search")).await;
    let mut spec = manifest(VERSION);
    spec["persistence"]["visibilityStore"] = index(FIRST);
    let (cluster, _) = scene.create("main", &spec).await;
    let attribute = ["operator", "search-attribute", "create", "--name", "Customer", "--type", "Keyword"];
    cluster.workflow("before").await;
    cluster.temporal(&attribute).await.unwrap();

    let began = Instant::now();
    cluster.patch(json!({"persistence": {"secondaryVisibilityStore": index(SECOND)}})).await;
    let begun = moving(&cluster).await.expect("the move is in the status");
    assert_eq!(begun.into, format!("search:9200/{SECOND}"));
    let second = since(began);
    let field = || scene.search(&format!("/{SECOND}/_mapping"))[SECOND]["mappings"]["properties"]["Customer"].clone();
    assert!(field().is_null(), "a new index has no attributes of users");
    cluster.temporal(&attribute).await.unwrap();
    assert_eq!(field()["type"], "keyword", "the same command adds it where it is missing");
    cluster.workflow("both").await;
    // what docs/persistence.md says
    let dest = json!({"index": SECOND, "version_type": "external"});
    let copy = json!({"conflicts": "proceed", "source": {"index": FIRST}, "dest": dest});
    let copied = scene.send_to_search("POST", "/_reindex?refresh=true", &copy);
    until("both indices have one list", PATIENCE, async || {
        let count = |index: &str| scene.search(&format!("/{index}/_count"))["count"].as_u64();
        let (old, new) = (count(FIRST), count(SECOND));
        if old == new { Ok(()) } else { Err(format!("old {old:?}, new {new:?}")) }
    })
    .await;

    let began = Instant::now();
    let places = json!({"visibilityStore": index(SECOND), "secondaryVisibilityStore": index(FIRST)});
    cluster.patch(json!({"persistence": places})).await;
    assert_eq!(moving(&cluster).await.map(|m| m.into), Some(begun.into));
    let read = since(began);
    cluster.lists("before").await;
    let tagged = ["workflow", "start", "--type", "T", "--task-queue", "nobody", "-w", "tagged", "--search-attribute"];
    cluster.temporal(&[&tagged[..], &["Customer=\"a\""]].concat()).await.unwrap();
    until("the workflow is found by its attribute", PATIENCE, async || {
        match counted(&cluster, "Customer = 'a'").await {
            1 => Ok(()),
            other => Err(other.to_string()),
        }
    })
    .await;
    cluster.patch(json!({"persistence": {"secondaryVisibilityStore": null}})).await;
    cluster.settled().await;
    cluster.workflow("after").await;
    for id in ["before", "both", "tagged", "after"] {
        cluster.lists(id).await;
    }
    let (created, kept) = (&copied["created"], &copied["version_conflicts"]);
    scene
        .close(&format!(
            "second index written after {second}; copied {created}, newer there {kept}; places changed in {read}; old one left, all listed"
        ))
        .await;
}
