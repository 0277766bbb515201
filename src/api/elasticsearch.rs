//! `elasticsearch` of a store: Elasticsearch or OpenSearch for visibility.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Index that is used when none is named, the Go operator's; and how every other must begin, since Temporal's index template
/// is for such names (server 1.30–1.32, `schema/elasticsearch/visibility`: `index_patterns`).
pub const DEFAULT_INDEX: &str = "temporal_visibility_v1";

/// Versions of Elasticsearch's interface. The server has one client, for `v7` and `v8` alike; OpenSearch speaks `v7`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(non_camel_case_types, missing_docs)]
pub enum ElasticsearchVersion {
    v6,
    #[default]
    v7,
    v8,
}

impl ElasticsearchVersion {
    /// As the server's config has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::v6 => "v6",
            Self::v7 => "v7",
            Self::v8 => "v8",
        }
    }
}

/// An Elasticsearch or OpenSearch that holds the list of workflows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.version) || self.version != 'v6'", "elasticsearch.version: servers from 1.18 on have no client for v6; use v7, which OpenSearch speaks too, or v8"))]
#[x_kube(validation = ("!has(self.indices) || !has(self.indices.secondaryVisibility)", "elasticsearch.indices.secondaryVisibility: a second index is a store of its own here; describe it in persistence.secondaryVisibilityStore, and remove this field"))]
pub struct ElasticsearchSpec {
    /// `v7` (default; OpenSearch too) or `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<ElasticsearchVersion>,
    /// `http://host:port` or `https://host:port`, without a path.
    #[schemars(length(min = 8, max = 320))]
    #[x_kube(validation = ("self.matches('^https?://([A-Za-z0-9._-]+|\\\\[[0-9A-Fa-f:.]+\\\\])(:[1-9][0-9]{0,4})?/?$')", "elasticsearch.url: must be http://host:port or https://host:port, without user, path or query; credentials have fields of their own"))]
    pub url: String,
    /// User. Absent or empty: none, and no password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    #[x_kube(validation = ("self.matches('^[A-Za-z0-9._~@+-]*$')", "elasticsearch.username: only letters, digits and . _ ~ @ + - are taken; create such a user"))]
    pub username: Option<String>,
    /// Names of indices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub indices: Option<ElasticsearchIndices>,
    /// What the server logs of its calls: `error` (default), `info`, `trace` or `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(validation = ("self in ['error', 'info', 'trace', 'none']", "elasticsearch.logLevel: must be error, info, trace or none"))]
    pub log_level: Option<String>,
    /// How often idle connections are closed, a Go duration; at least 15 s. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = ("self.matches('^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$')", "elasticsearch.closeIdleConnectionsInterval: must be a Go duration such as 30s or 5m"))]
    pub close_idle_connections_interval: Option<String>,
    /// Whether the server looks for the other nodes of Elasticsearch. Not through a Service or a load balancer. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_sniff: Option<bool>,
    /// Whether the server checks the nodes by itself. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_healthcheck: Option<bool>,
}

/// Names of indices.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ElasticsearchIndices {
    /// The index with the list of workflows. Default `temporal_visibility_v1`; must begin so, since Temporal's index template
    /// is for such names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    #[x_kube(validation = ("self.matches('^temporal_visibility_v1[a-z0-9._-]*$')", "elasticsearch.indices.visibility: must begin with temporal_visibility_v1, since Temporal's index template is for such names, and have only lower-case letters, digits and . _ -"))]
    pub visibility: Option<String>,
    /// Refused: a second index is described in `persistence.secondaryVisibilityStore`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub secondary_visibility: Option<String>,
}

/// Where an Elasticsearch answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Whether by TLS.
    pub tls: bool,
    /// Host; an IPv6 address without brackets.
    pub host: String,
    /// Port; the scheme's when none is written.
    pub port: u16,
}

impl Endpoint {
    /// Reads `http://host:port` or `https://host:port`.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let (tls, rest) = match url.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, url.strip_prefix("http://")?),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[') {
            Some(v6) => v6.split_once(']')?,
            None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().ok().filter(|p| *p > 0)?,
            None if port.is_empty() => {
                if tls {
                    443
                } else {
                    80
                }
            }
            None => return None,
        };
        let bracketed = rest.starts_with('[');
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let fits_v6 = |c: char| c.is_ascii_hexdigit() || ":.".contains(c);
        let possible = !host.is_empty() && host.chars().all(|c| if bracketed { fits_v6(c) } else { fits(c) });
        possible.then(|| Self { tls, host: host.to_owned(), port })
    }

    /// `host:port`, an IPv6 host in brackets.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", bracketed(&self.host), self.port)
    }

    /// `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    /// `scheme://host:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme(), self.address())
    }
}

impl ElasticsearchSpec {
    /// Name of the visibility index.
    #[must_use]
    pub fn index(&self) -> &str {
        self.indices.as_ref().and_then(|i| i.visibility.as_deref()).unwrap_or(DEFAULT_INDEX)
    }

    /// The user, if there is one.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.username.as_deref().filter(|u| !u.is_empty())
    }
}

/// A host as it stands before a port: an IPv6 address in brackets.
#[must_use]
pub fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("http://search:9200", Some("http://search:9200"))]
    #[case("http://search:9200/", Some("http://search:9200"))]
    #[case("https://search.example.com", Some("https://search.example.com:443"))]
    #[case("http://search", Some("http://search:80"))]
    #[case("https://[fd00::1]:9200", Some("https://[fd00::1]:9200"))]
    #[case("https://[fd00::1]x", None)]
    #[case("http://:9200", None)]
    #[case("http://search:0", None)]
    #[case("http://search:70000", None)]
    #[case("http://user:secret@search:9200", None)]
    #[case("http://search:9200/path", None)]
    #[case("http://search?q", None)]
    #[case("ftp://search:9200", None)]
    #[case("search:9200", None)]
    fn urls(#[case] text: &str, #[case] read: Option<&str>) {
        assert_eq!(Endpoint::parse(text).map(|e| e.url()).as_deref(), read);
    }
}
