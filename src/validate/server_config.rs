//! Rules of `spec.serverConfig`.

use super::Problems;
use crate::api::server_config::{Owned, owned};
use serde_json::{Map, Value};

/// Keys that the server reads and the operator leaves to the user, with everything below them; `*` is any key
/// (server 1.30–1.32 `common/config/config.go` and what it refers to).
const FREE: [&str; 22] = [
    "dcRedirectionPolicy",
    "archival",
    "namespaceDefaults",
    "otel",
    "visibility",
    "global.pprof",
    "global.remoteClusterAuth",
    "global.metrics.tags",
    "global.metrics.withoutUnitSuffix",
    "global.metrics.withoutCounterSuffix",
    "global.metrics.recordTimerInSeconds",
    "global.metrics.statsd",
    "global.metrics.prometheus.framework",
    "global.metrics.prometheus.loggerRPS",
    "global.metrics.prometheus.onError",
    "global.metrics.prometheus.sanitizeOptions",
    "clusterMetadata.enableGlobalNamespace",
    "clusterMetadata.failoverVersionIncrement",
    "clusterMetadata.tags",
    "services.*.rpc.httpAdditionalForwardedHeaders",
    "services.*.rpc.keepAliveServerConfig",
    "services.*.rpc.clientConnectionConfig",
];

const FIELD: &str = "spec.serverConfig";

/// Reads the free-form config: refuses keys that the operator writes, and warns of keys that no server reads.
pub(super) fn read(
    config: Option<&Map<String, Value>>,
    problems: &mut Problems,
    warnings: &mut Vec<String>,
) -> Map<String, Value> {
    let Some(config) = config else { return Map::new() };
    let mut walk = Walk { owned: owned(), unknown: Vec::new() };
    for (key, value) in config {
        walk.visit(&mut vec![key], value, problems);
    }
    if !walk.unknown.is_empty() {
        warnings.push(format!("{FIELD} has keys that the server is not known to read: {}", walk.unknown.join(", ")));
    }
    config.clone()
}

struct Walk {
    owned: Vec<Owned>,
    unknown: Vec<String>,
}

impl Walk {
    fn visit<'a>(&mut self, path: &mut Vec<&'a str>, value: &'a Value, problems: &mut Problems) {
        let field = || format!("{FIELD}.{}", path.join("."));
        if let Some(key) = self.owned.iter().find(|o| o.path == *path) {
            problems.add(field(), key.message());
        } else if has_null(value) {
            problems.add(field(), "null has no meaning here, since nothing can be taken away; remove the key");
        } else if FREE.iter().any(|free| matches(free, path)) {
            // whatever is below it is the server's business
        } else if self.leads_on(path) {
            let Value::Object(map) = value else {
                return problems.add(field(), "must be a map, since the operator writes keys below it");
            };
            for (key, value) in map {
                path.push(key);
                self.visit(path, value, problems);
                path.pop();
            }
        } else {
            self.unknown.push(path.join("."));
        }
    }

    /// Whether some known key is below this path.
    fn leads_on(&self, path: &[&str]) -> bool {
        self.owned.iter().any(|o| o.path.len() > path.len() && o.path.starts_with(path))
            || FREE.iter().any(|free| {
                let start: Vec<_> = free.split('.').take(path.len()).collect();
                free.split('.').count() > path.len() && matches(&start.join("."), path)
            })
    }
}

fn matches(pattern: &str, path: &[&str]) -> bool {
    pattern.split('.').count() == path.len() && pattern.split('.').zip(path).all(|(p, key)| p == "*" || p == *key)
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(all) => all.iter().any(has_null),
        Value::Object(all) => all.values().any(has_null),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    /// What is refused and what is warned of.
    fn said(config: &Value) -> (Vec<String>, Vec<String>) {
        let (mut problems, mut warnings) = (Problems::default(), Vec::new());
        read(config.as_object(), &mut problems, &mut warnings);
        (problems.0.into_iter().map(|p| format!("{}: {}", p.field, p.message)).collect(), warnings)
    }

    #[rstest]
    #[case(json!({"persistence": {"numHistoryShards": 1}}), "spec.serverConfig.persistence: the operator writes this key")]
    #[case(json!({"log": {"level": "debug"}}), "use spec.log")]
    #[case(json!({"global": {"tls": {}}}), "use spec.mTLS")]
    #[case(json!({"services": {"history": {"rpc": {"grpcPort": 1}}}}), "use spec.services.history.port")]
    #[case(json!({"services": {"internal-frontend": {}}}), "use spec.services.internalFrontend")]
    #[case(json!({"global": "x"}), "spec.serverConfig.global: must be a map")]
    #[case(json!({"services": {"frontend": []}}), "spec.serverConfig.services.frontend: must be a map")]
    #[case(json!({"otel": {"exporters": null}}), "spec.serverConfig.otel: null has no meaning")]
    fn refused(#[case] config: Value, #[case] words: &str) {
        let (refused, _) = said(&config);
        assert!(refused.len() == 1 && refused[0].contains(words), "{refused:?}");
    }

    #[rstest]
    #[case(json!({"otel": {"exporters": [{"kind": {}}]}, "dcRedirectionPolicy": {"policy": "all-apis-forwarding"}}))]
    #[case(json!({"global": {"metrics": {"tags": {"a": "b"}}, "pprof": {"port": 7936}}}))]
    #[case(json!({"services": {"frontend": {"rpc": {"httpAdditionalForwardedHeaders": ["x-*"]}}}}))]
    #[case(json!({"clusterMetadata": {"enableGlobalNamespace": true}}))]
    fn taken(#[case] config: Value) {
        assert_eq!(said(&config), (Vec::new(), Vec::new()));
    }

    #[test]
    fn what_no_server_reads_is_told() {
        let (refused, warnings) = said(&json!({"otle": {}, "global": {"pprfo": {"port": 1}}}));
        assert!(refused.is_empty(), "{refused:?}");
        assert!(warnings[0].ends_with(": global.pprfo, otle"), "{warnings:?}");
    }
}
