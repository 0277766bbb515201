//! Visibility in OpenSearch: made, away for a while, with a wrong password, and upgraded.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use temporal_operator::api::conditions::{READY, VISIBILITY_READY};
use temporal_operator::api::resident::Phase;

use super::bed::{Bed, full};
use super::cluster::{Cluster, Scene, VERSION, manifest};
use super::namespaces::{Kept, spec};
use super::postgres::Authority;
use super::search::{PASSWORD, USER};
use super::wait::{PATIENCE, since, until};

/// How long OpenSearch is away.
const AWAY: Duration = Duration::from_secs(30);

/// A cluster whose visibility is in OpenSearch.
fn searched(version: &str, store: Value) -> Value {
    let mut spec = manifest(version);
    spec["persistence"]["visibilityStore"] = store;
    spec
}

/// Waits until the status sentence has these words; the sentence.
async fn says(cluster: &Cluster, words: &str) -> String {
    until(&format!("the status says {words:?}"), PATIENCE, async || {
        let message = cluster.get().await?.status.unwrap_or_default().message.unwrap_or_default();
        if message.contains(words) { Ok(message) } else { Err(message) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn visibility_in_opensearch() {
    let scene = Scene::open("opensearch").await;
    let authority = Authority::new("search");
    let began = Instant::now();
    scene.opensearch(&authority).await;
    let mut figures = vec![format!("OpenSearch ready in {}", since(began))];
    scene.secret("search-tls", &[("ca.pem", &authority.pem)]);
    scene.secret("search", &[("password", "wrong")]);

    let cluster = scene.cluster("main");
    let began = Instant::now();
    cluster
        .apply(&searched(
            VERSION,
            json!({
                "passwordSecretRef": {"name": "search"},
                "tls": {"enabled": true, "caFileRef": {"name": "search-tls"}},
                "elasticsearch": {"url": "https://search:9243", "username": USER},
            }),
        ))
        .await;
    let said = says(&cluster, "Error 401").await;
    assert!(said.contains("visibility store failed at put-template"), "{said}");
    figures.push(format!("a wrong password told after {}: {said:?}", since(began)));

    let began = Instant::now();
    scene.secret("search", &[("password", PASSWORD)]);
    let status = cluster.settled().await;
    cluster.condition(VISIBILITY_READY, "True").await;
    figures.push(format!("ready {} after the correction", since(began)));
    let recorded = status.persistence.and_then(|p| p.visibility_store).unwrap();
    assert_eq!((recorded.type_.as_str(), recorded.schema_version.as_deref()), ("elasticsearch", Some(VERSION)));
    assert_eq!(recorded.database.as_deref(), Some("search:9243/temporal_visibility_v1"));
    let workflow = cluster.workflow("first").await;
    cluster.lists("first").await;
    figures.push(format!("workflow {workflow:.2} s"));

    let orders = Kept { scene: &scene, name: "orders" };
    let wanted = json!({"customSearchAttributes": {"CustomerId": "Keyword", "Total": "Double"}});
    orders.apply(&spec(&cluster, &wanted)).await;
    let declared = Instant::now();
    orders.is(Phase::Pending, "search attributes").await;
    figures.push(away(&scene, &cluster).await);
    figures.push(attributes(&orders, &cluster, declared).await);
    if full() {
        figures.push(wrong_password(&scene, &cluster).await);
        figures.push(upgraded(&scene).await);
    }
    scene.close(&figures.join("; ")).await;
}

/// Search attributes are fields of the one index, for every namespace.
async fn attributes(orders: &Kept<'_>, cluster: &Cluster, declared: Instant) -> String {
    let status = orders.is(Phase::Ready, "2 search attributes").await;
    let ready = since(declared);
    assert!(status.search_attributes_left.is_empty(), "an index has no columns: {:?}", status.search_attributes_left);
    let fields = orders.scene.search("/temporal_visibility_v1/_mapping");
    let fields = &fields["temporal_visibility_v1"]["mappings"]["properties"];
    assert_eq!((&fields["CustomerId"]["type"], &fields["Total"]["type"]), (&json!("keyword"), &json!("scaled_float")));
    // ready means usable, at the first try
    orders.start(cluster, "bought", "CustomerId=\"a\"").await.expect("the attribute can be used");
    orders.lists(cluster, "CustomerId = 'a'", "bought").await;

    let other = Kept { scene: orders.scene, name: "other" };
    let clashing = json!({"customSearchAttributes": {"CustomerId": "Int"}});
    other.apply(&spec(cluster, &clashing)).await;
    other.is(Phase::Failed, "CustomerId is Keyword in Temporal and Int in the manifest").await;
    let fewer = json!({"customSearchAttributes": {"CustomerId": "Keyword"}, "allowSearchAttributeDeletion": true});
    other.apply(&spec(cluster, &fewer)).await;
    other.is(Phase::Pending, "search attribute").await;
    // what another resource declares stays
    orders.apply(&spec(cluster, &json!({"allowSearchAttributeDeletion": true}))).await;
    orders.is(Phase::Ready, "stay (CustomerId): they are the whole cluster's").await;
    let list = ["operator", "search-attribute", "list", "-o", "json"];
    until("Total is gone, and CustomerId stays", PATIENCE, async || {
        let left = cluster.temporal_in(orders.name, &list).await?;
        if !left.contains("Total") && left.contains("CustomerId") { Ok(()) } else { Err(left) }
    })
    .await;
    format!("search attributes in the index can be used after {ready}")
}

/// OpenSearch is away: workflows run on, the status tells, and all is well again by itself.
async fn away(scene: &Scene, cluster: &Cluster) -> String {
    let pods = cluster.all_pods().await;
    scene.opensearch_away().await;
    let began = Instant::now();
    let (reason, said) = cluster.condition(VISIBILITY_READY, "False").await;
    let told = since(began);
    assert_eq!(reason, "VisibilityUnavailable");
    assert!(said.contains("visibility store search:9243/temporal_visibility_v1 fails"), "{said}");
    let (reason, _) = cluster.condition(READY, "True").await;
    assert_eq!(reason, "ClusterReady");
    let workflow = cluster.workflow("meanwhile").await;
    assert!(cluster.workflows().await.is_err(), "nothing can be listed");
    tokio::time::sleep(AWAY.saturating_sub(began.elapsed())).await;
    cluster.condition(READY, "True").await;

    let began = Instant::now();
    scene.opensearch_back();
    scene.opensearch_ready().await;
    let ready = since(began);
    cluster.condition(VISIBILITY_READY, "True").await;
    let back = since(began);
    cluster.lists("meanwhile").await;
    assert_eq!(cluster.all_pods().await, pods, "no pod was restarted or replaced");
    format!(
        "away for {} s: told after {told} ({said:?}), workflow {workflow:.2} s; OpenSearch ready {ready} after its end, \
         VisibilityReady {back}, what ran meanwhile is listed after {}",
        AWAY.as_secs(),
        since(began)
    )
}

/// A password that turns wrong while the cluster serves.
async fn wrong_password(scene: &Scene, cluster: &Cluster) -> String {
    let began = Instant::now();
    scene.secret("search", &[("password", "wrong")]);
    let (_, said) = cluster.condition(VISIBILITY_READY, "False").await;
    assert!(said.contains("Error 401"), "{said}");
    let told = since(began);
    cluster.workflow("unlisted").await;
    let began = Instant::now();
    scene.secret("search", &[("password", PASSWORD)]);
    cluster.settled().await;
    cluster.condition(VISIBILITY_READY, "True").await;
    let back = since(began);
    cluster.lists("unlisted").await;
    format!("a password that turns wrong told after {told}: {said:?}, well {back} after the correction")
}

/// Another cluster, without TLS and password, gets an index that does not fit, then one of its own, and goes from 1.30
/// to 1.31.
async fn upgraded(scene: &Scene) -> String {
    const INDEX: &str = "temporal_visibility_v1_plain";
    const SPOILT: &str = "temporal_visibility_v1_spoilt";
    Bed::get().server_images("1.30.8");
    let store = |index: &str| json!({"elasticsearch": {"url": "http://search:9200", "indices": {"visibility": index}}});
    scene.spoilt_index(SPOILT);
    let mut spec = searched("1.30.8", store(SPOILT));
    spec["persistence"]["defaultStore"]["sql"]["databaseName"] = json!("plain");
    let cluster = scene.cluster("plain");
    cluster.apply(&spec).await;
    let refused = says(&cluster, "cannot be changed from type").await;
    let began = Instant::now();
    spec["persistence"]["visibilityStore"] = store(INDEX);
    cluster.apply(&spec).await;
    cluster.settled().await;
    let made = since(began);
    cluster.workflow("old").await;
    cluster.lists("old").await;
    let fields = || scene.search(&format!("/{INDEX}/_mapping"))[INDEX]["mappings"]["properties"].clone();
    // came with 1.31 (server 1.31 `schema/elasticsearch/visibility/versioned/v14`)
    let new = "TemporalExternalPayloadCount";
    assert!(fields()[new].is_null(), "{}", fields());
    let began = Instant::now();
    cluster.patch(json!({"version": VERSION})).await;
    cluster.settled().await;
    let upgraded = since(began);
    assert_eq!(fields()[new]["type"], "long");
    cluster.workflow("new").await;
    cluster.lists("new").await;
    cluster.lists("old").await;
    format!("a plain one: {refused:?}; on a new index ready in {made}, 1.30.8 to {VERSION} in {upgraded}")
}
