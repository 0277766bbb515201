//! Elasticsearch and OpenSearch.

use super::{Case, default_store, refused, taken};
use serde_json::{Value, json};

fn visibility(change: Value) -> Value {
    let mut store = json!({"sql": null, "elasticsearch": {"url": "http://search:9200"}});
    super::merge(&mut store, &change);
    json!({"persistence": {"visibilityStore": store}})
}

fn search(change: Value) -> Value {
    visibility(json!({"elasticsearch": change}))
}

fn url(text: &str) -> Value {
    search(json!({"url": text}))
}

fn index(name: &str) -> Value {
    search(json!({"indices": {"visibility": name}}))
}

/// Every case.
pub fn cases() -> Vec<Case> {
    let mut all = accepted();
    all.extend(refused_stores());
    all.extend(refused_fields());
    all
}

fn accepted() -> Vec<Case> {
    vec![
        taken("Elasticsearch by its URL alone", visibility(json!({}))),
        taken(
            "Elasticsearch as the Go operator has it",
            visibility(json!({"elasticsearch": {
                "version": "v8", "url": "http://search:9200", "username": "", "indices": {"visibility": "temporal_visibility_v1_dev"},
                "logLevel": "info", "closeIdleConnectionsInterval": "30s", "enableSniff": false, "enableHealthcheck": true,
            }})),
        ),
        taken(
            "Elasticsearch with credentials and TLS",
            visibility(json!({
                "elasticsearch": {"url": "https://search.example.com", "username": "temporal@corp"},
                "passwordSecretRef": {"name": "search"}, "skipCreate": true,
                "tls": {
                    "enabled": true, "caFileRef": {"name": "search-tls"}, "serverName": "other.example.com",
                    "certFileRef": {"name": "search-tls"}, "keyFileRef": {"name": "search-tls"},
                },
                "migration": {"user": "owner", "passwordSecretRef": {"name": "search", "key": "owner"}},
            })),
        ),
        taken("Elasticsearch at an IPv6 address", url("https://[fd00::1]:9200/")),
    ]
}

fn refused_stores() -> Vec<Case> {
    let together = "elasticsearch.username and passwordSecretRef go together";
    vec![
        refused(
            "Elasticsearch as the default store",
            default_store(json!({"sql": null, "elasticsearch": {"url": "http://search:9200"}})),
            "persistence.defaultStore.elasticsearch: Elasticsearch can hold visibility only",
        ),
        refused(
            "SQL and Elasticsearch in one store",
            json!({"persistence": {"visibilityStore": {"elasticsearch": {"url": "http://search:9200"}}}}),
            "elasticsearch: a store is one database",
        ),
        refused("a user of Elasticsearch without a password", search(json!({"username": "temporal"})), together),
        refused(
            "a password of Elasticsearch without a user",
            visibility(json!({"passwordSecretRef": {"name": "search"}})),
            together,
        ),
        refused(
            "TLS to a URL without",
            visibility(json!({"tls": {"enabled": true}})),
            "elasticsearch.url: must be https with tls.enabled",
        ),
    ]
}

fn refused_fields() -> Vec<Case> {
    let form = "elasticsearch.url: must be http://host:port or https://host:port";
    let begin = "elasticsearch.indices.visibility: must begin with temporal_visibility_v1";
    vec![
        refused("Elasticsearch without a URL", search(json!({"url": null})), "elasticsearch.url: Required value"),
        refused("a URL of Elasticsearch without a scheme", url("search:9200"), form),
        refused("a URL of Elasticsearch with a user", url("http://a:b@search:9200"), form),
        refused("a URL of Elasticsearch with a path", url("http://search:9200/elastic"), form),
        refused("a URL of Elasticsearch with a query", url("http://search:9200?a=b"), form),
        refused("a URL of Elasticsearch without a port after the colon", url("http://search:"), form),
        refused("an index that the template does not know", index("visibility"), begin),
        refused("an index with capitals", index("temporal_visibility_v1_Dev"), begin),
        refused("an index with a star", index("temporal_visibility_v1*"), begin),
        refused(
            "a second index",
            search(json!({"indices": {"secondaryVisibility": "temporal_visibility_v1_b"}})),
            "elasticsearch.indices.secondaryVisibility: a second index is a store of its own",
        ),
        refused("Elasticsearch 6", search(json!({"version": "v6"})), "elasticsearch.version: servers from 1.18 on"),
        refused("Elasticsearch 9", search(json!({"version": "v9"})), "elasticsearch.version: Unsupported value"),
        refused(
            "a user of Elasticsearch with a colon",
            visibility(json!({"elasticsearch": {"username": "a:b"}, "passwordSecretRef": {"name": "search"}})),
            "elasticsearch.username: only letters, digits",
        ),
        refused("a log level of Elasticsearch", search(json!({"logLevel": "warn"})), "elasticsearch.logLevel: must be"),
        refused(
            "an interval in days",
            search(json!({"closeIdleConnectionsInterval": "1d"})),
            "elasticsearch.closeIdleConnectionsInterval: must be a Go duration",
        ),
    ]
}
