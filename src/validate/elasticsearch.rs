//! Rules and defaults of a store on Elasticsearch or OpenSearch.

use super::datastore::{StoreKind, ValidElasticsearch};
use super::{Problems, duration};
use crate::api::elasticsearch::{DEFAULT_INDEX, ElasticsearchSpec, ElasticsearchVersion, Endpoint};
use crate::api::persistence::DatastoreSpec;

/// Reads `elasticsearch` of a store; `None` when its URL leads nowhere.
pub(super) fn read(
    kind: StoreKind,
    path: &str,
    store: &DatastoreSpec,
    spec: &ElasticsearchSpec,
    problems: &mut Problems,
) -> Option<ValidElasticsearch> {
    let field = |name: &str| format!("{path}.elasticsearch.{name}");
    problems.require(
        kind != StoreKind::Default,
        &format!("{path}.elasticsearch"),
        "Elasticsearch can hold visibility only; use sql with pluginName postgres12 here",
    );
    problems.require(
        store.sql.is_none(),
        &format!("{path}.elasticsearch"),
        "a store is one database, either sql or elasticsearch; remove one of them",
    );
    let version = spec.version.unwrap_or_default();
    problems.require(
        version != ElasticsearchVersion::v6,
        &field("version"),
        "servers from 1.18 on have no client for v6; use v7, which OpenSearch speaks too, or v8",
    );
    problems.require(
        spec.user().is_some() == store.password_secret_ref.is_some(),
        &format!("{path}.passwordSecretRef"),
        "elasticsearch.username and passwordSecretRef go together; give both or neither",
    );
    check_texts(spec, field, problems);
    let Some(endpoint) = Endpoint::parse(&spec.url) else {
        problems.add(
            field("url"),
            "must be http://host:port or https://host:port, without user, path or query; credentials have fields of their own",
        );
        return None;
    };
    problems.require(
        endpoint.tls || !store.tls.as_ref().is_some_and(|t| t.enabled),
        &field("url"),
        "must be https with tls.enabled, since the server would connect without encryption otherwise; write https://, or remove tls",
    );
    Some(ValidElasticsearch {
        version: version.as_str(),
        endpoint,
        user: spec.user().map(str::to_owned),
        index: spec.index().to_owned(),
        log_level: spec.log_level.clone(),
        close_idle_connections_interval: spec.close_idle_connections_interval.clone(),
        sniff: spec.enable_sniff.unwrap_or(false),
        healthcheck: spec.enable_healthcheck.unwrap_or(false),
    })
}

fn check_texts(spec: &ElasticsearchSpec, field: impl Fn(&str) -> String, problems: &mut Problems) {
    let user = spec.username.as_deref().unwrap_or_default();
    problems.require(
        user.chars().all(|c| c.is_ascii_alphanumeric() || "._~@+-".contains(c)),
        &field("username"),
        "only letters, digits and . _ ~ @ + - are taken; create such a user",
    );
    problems.require(
        spec.index().strip_prefix(DEFAULT_INDEX).is_some_and(|rest| {
            rest.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c))
        }),
        &field("indices.visibility"),
        "must begin with temporal_visibility_v1, since Temporal's index template is for such names, and have only lower-case letters, digits and . _ -",
    );
    problems.require(
        spec.indices.as_ref().is_none_or(|i| i.secondary_visibility.is_none()),
        &field("indices.secondaryVisibility"),
        "a second index is a store of its own here; describe it in persistence.secondaryVisibilityStore, and remove this field",
    );
    let level = spec.log_level.as_deref().unwrap_or("error");
    problems.require(
        ["error", "info", "trace", "none"].contains(&level),
        &field("logLevel"),
        "must be error, info, trace or none",
    );
    let interval = spec.close_idle_connections_interval.as_deref();
    problems.require(
        interval.is_none_or(|i| duration::parse(i).is_some()),
        &field("closeIdleConnectionsInterval"),
        "must be a Go duration such as 30s or 5m",
    );
}
