//! Two visibility stores.

use super::{Case, refused, sql, taken};
use serde_json::{Value, json};

/// A second SQL store.
fn second(change: Value) -> Value {
    let mut store = json!({"sql": sql("temporal_visibility_2")});
    super::merge(&mut store, &change);
    json!({"persistence": {"secondaryVisibilityStore": store}})
}

fn second_sql(change: Value) -> Value {
    second(json!({"sql": change}))
}

fn search(url: &str, index: Option<&str>) -> Value {
    let indices = index.map_or_else(|| json!({}), |name| json!({"visibility": name}));
    json!({"sql": null, "elasticsearch": {"url": url, "indices": indices}})
}

fn searches(first: Value, second: Value) -> Value {
    json!({"persistence": {"visibilityStore": first, "secondaryVisibilityStore": second}})
}

/// Every case.
pub fn cases() -> Vec<Case> {
    let mut all = accepted();
    all.extend(refused_pairs());
    all.extend(refused_fields());
    all
}

fn accepted() -> Vec<Case> {
    let (here, there) = ("http://search:9200", "https://other:9200");
    vec![
        taken("a second visibility database", second(json!({}))),
        taken(
            "a second visibility database with everything of its own",
            second(json!({
                "name": "next", "passwordSecretRef": {"name": "next"}, "skipCreate": true,
                "migration": {"user": "owner"}, "tls": {"enabled": true, "caFileRef": {"name": "ca"}},
                "sql": {"pluginName": "postgres12_pgx", "user": "next", "connectAddr": "next:5432", "maxConns": 3},
            })),
        ),
        taken(
            "the same database name on another server",
            second_sql(json!({"databaseName": "temporal_visibility", "connectAddr": "next:5432"})),
        ),
        taken("a second index", searches(search(here, None), search(here, Some("temporal_visibility_v1_next")))),
        taken(
            "a second index elsewhere",
            searches(search(here, Some("temporal_visibility_v1_a")), search(there, None)),
        ),
        taken("the writing mode that two stores need", {
            let mut spec = second(json!({}));
            spec["dynamicConfig"] = json!({"values": {"system.secondaryVisibilityWritingMode": [{"value": "dual"}]}});
            spec
        }),
    ]
}

fn refused_pairs() -> Vec<Case> {
    let kind = "persistence.secondaryVisibilityStore: must be of the visibility store's kind";
    let database = "persistence.secondaryVisibilityStore.sql.databaseName: must differ from the databases";
    let index = "persistence.secondaryVisibilityStore.elasticsearch.indices.visibility: must differ from";
    let (here, there) = ("http://search:9200", "http://other:9200");
    vec![
        refused("Elasticsearch beside SQL", second(search(here, None)), kind),
        refused(
            "SQL beside Elasticsearch",
            searches(search(here, None), json!({"sql": sql("temporal_visibility_2")})),
            kind,
        ),
        refused("the default store's database again", second_sql(json!({"databaseName": "temporal"})), database),
        refused(
            "the visibility store's database again",
            second_sql(json!({"databaseName": "temporal_visibility"})),
            database,
        ),
        refused("the visibility store's index again", searches(search(here, None), search(here, None)), index),
        refused(
            "the default index by its name",
            searches(search(here, None), search(here, Some("temporal_visibility_v1"))),
            index,
        ),
        refused(
            "the same index elsewhere",
            searches(search(here, Some("temporal_visibility_v1_a")), search(there, Some("temporal_visibility_v1_a"))),
            index,
        ),
    ]
}

fn refused_fields() -> Vec<Case> {
    let name = "persistence.secondaryVisibilityStore.name: must differ from the other stores' names";
    vec![
        refused("a second store without a database", second(json!({"sql": null})), "sql: required"),
        refused(
            "a second store in MySQL",
            second_sql(json!({"pluginName": "mysql8"})),
            "sql.pluginName: MySQL is not supported yet",
        ),
        refused(
            "a second store in Cassandra",
            second(json!({"cassandra": {"hosts": ["a"]}})),
            "cassandra: not supported yet",
        ),
        refused("the visibility store's name again", second(json!({"name": "Visibility"})), name),
        refused("the default store's name again", second(json!({"name": "default"})), name),
        refused(
            "an index that the template does not know, as the second",
            searches(search("http://search:9200", None), search("http://search:9200", Some("list"))),
            "elasticsearch.indices.visibility: must begin with temporal_visibility_v1",
        ),
        refused(
            "another Google service account for the second store",
            json!({"persistence": {
                "defaultStore": {"sql": {"gcpServiceAccount": "a@b.c"}},
                "secondaryVisibilityStore": {"sql": {
                    "pluginName": "postgres12", "user": "t", "databaseName": "l", "connectAddr": "db:5432", "gcpServiceAccount": "d@b.c",
                }},
            }}),
            "secondaryVisibilityStore.sql.gcpServiceAccount: must be the other stores'",
        ),
    ]
}
