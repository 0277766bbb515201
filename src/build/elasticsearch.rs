//! A store on Elasticsearch or OpenSearch: the server's config, and the steps of its schema Job.

use super::server::{from_secret, literal};
use super::store_tls;
use crate::api::jobs::{INDEX_STEP, TEMPLATE_STEP, UPDATE_STEP};
use crate::validate::{ValidElasticsearch, ValidStore};
use k8s_openapi::api::core::v1::EnvVar;
use serde_json::{Value, json};

/// Temporal's tool for it.
pub(super) const TOOL: &str = "temporal-elasticsearch-tool";

/// The server's `elasticsearch` block (server 1.30–1.32, `visibility/store/elasticsearch/client/config.go`).
pub(super) fn config(search: &ValidElasticsearch) -> Value {
    let mut tree = json!({
        "version": search.version,
        "url": {"scheme": search.endpoint.scheme(), "host": search.endpoint.address()},
        "indices": {"visibility": search.index},
    });
    if let Some(user) = &search.user {
        tree["username"] = json!(user);
    }
    if let Some(level) = &search.log_level {
        tree["logLevel"] = json!(level);
    }
    if let Some(interval) = &search.close_idle_connections_interval {
        tree["closeIdleConnectionsInterval"] = json!(interval);
    }
    if search.sniff {
        tree["enableSniff"] = json!(true);
    }
    if search.healthcheck {
        tree["enableHealthcheck"] = json!(true);
    }
    tree
}

/// The steps before the last and the last one, as names and arguments; all of them may be repeated. `setup-schema` is not
/// among them: it switches `action.auto_create_index` off for everybody on that Elasticsearch.
pub(super) fn steps(search: &ValidElasticsearch, create: bool) -> Vec<(&'static str, Vec<&str>)> {
    // without an index it is the template alone, which the new index takes its fields from
    let mut all = vec![(TEMPLATE_STEP, vec!["update-schema"])];
    if create {
        all.push((INDEX_STEP, vec!["create-index", "--index", &search.index]));
    }
    all.push((UPDATE_STEP, vec!["update-schema", "--index", &search.index]));
    all
}

/// The tool reads its connection from the environment, so that no password is on a command line.
pub(super) fn environment(store: &ValidStore, search: &ValidElasticsearch) -> Vec<EnvVar> {
    let mut all = vec![literal("ES_SERVER", &search.endpoint.url())];
    let (user, password) = match &store.migration {
        Some(migration) => (Some(&migration.user), migration.password.as_ref()),
        None => (search.user.as_ref(), store.password.as_ref()),
    };
    all.extend(user.map(|name| literal("ES_USER", name)));
    all.extend(password.map(|key| from_secret("ES_PWD", key)));
    all.extend(store_tls::environment(store, "ES"));
    all
}
