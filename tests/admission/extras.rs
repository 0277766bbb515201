//! Cases of Ingress, tools, images, log file, metrics, dynamic config and free-form server config.

use super::{Case, refused, taken};
use serde_json::{Value, json};

fn digest(repository: &str) -> String {
    format!("{repository}@sha256:{}", "0a".repeat(32))
}

fn ingress(change: Value) -> Value {
    json!({"ui": {"enabled": true, "ingress": change}})
}

fn hosts(hosts: &[&str]) -> Value {
    ingress(json!({"hosts": hosts}))
}

fn prometheus(change: Value) -> Value {
    json!({"metrics": {"enabled": true, "prometheus": change}})
}

fn boundaries(change: Value) -> Value {
    json!({"metrics": {"enabled": true, "perUnitHistogramBoundaries": change}})
}

fn log_file(path: &str) -> Value {
    json!({"log": {"outputFile": path}})
}

fn constraints(change: Value) -> Value {
    json!({"dynamicConfig": {"values": {"limit.blobSize.error": [{"value": 1, "constraints": change}]}}})
}

fn config(change: Value) -> Value {
    json!({"serverConfig": change})
}

/// Every case.
pub fn extras() -> Vec<Case> {
    [accepted(), images(), ingresses(), observability(), server_config()].into_iter().flatten().collect()
}

fn accepted() -> Vec<Case> {
    vec![
        taken(
            "an Ingress",
            ingress(json!({
                "hosts": ["temporal.example.com", "*.example.com", "example.org/temporal", "example.net/temporal"],
                "annotations": {"cert-manager.io/cluster-issuer": "letsencrypt"},
                "ingressClassName": "nginx",
                "tls": [{"hosts": ["temporal.example.com"], "secretName": "tls"}],
            })),
        ),
        taken(
            "tools",
            json!({"admintools": {"enabled": true, "version": "1.31.2", "resources": {"limits": {"cpu": 1, "memory": "1.5Gi"}}}}),
        ),
        taken(
            "images by digest",
            json!({
                "image": digest("mirror:5000/server"),
                "ui": {"enabled": true, "image": digest("ui")},
                "admintools": {"enabled": true, "image": digest("tools:1.31.2")},
            }),
        ),
        taken(
            "a registry",
            json!({"imageRegistry": "registry.corp:5000/mirror", "image": "registry.corp:5000/server"}),
        ),
        taken("a log file", log_file("/var/log/temporal/server.log")),
        taken("a log file beside standard output", json!({"log": {"stdout": true, "outputFile": "/logs/server.log"}})),
        taken("a listen address", prometheus(json!({"listenAddress": "0.0.0.0:9095"}))),
        taken("a listen address that agrees", prometheus(json!({"listenAddress": "0.0.0.0:9095", "listenPort": 9095}))),
        taken(
            "ServiceMonitors",
            prometheus(json!({"scrapeConfig": {"serviceMonitor": {
                "enabled": true, "labels": {"release": "prometheus"},
                "metricRelabelings": [{"sourceLabels": ["a"], "action": "drop"}],
                "override": {"sampleLimit": 5000, "jobLabel": "app.kubernetes.io/component"},
            }}})),
        ),
        taken("boundaries", boundaries(json!({"milliseconds": ["1", "2.5", "1e3"], "bytes": []}))),
        taken("constraints", constraints(json!({"taskQueueType": "Nexus", "taskType": "UserTimer", "shardId": 0}))),
        taken("constraints in the form of protos", constraints(json!({"taskType": "TASK_TYPE_USER_TIMER"}))),
        taken("an unknown dynamic config key", json!({"dynamicConfig": {"values": {"nope": [{"value": 1}]}}})),
        taken(
            "free-form server config",
            config(json!({
                "otel": {"exporters": [{"kind": {"signal": "traces"}}]},
                "global": {"pprof": {"port": 7936}, "metrics": {"tags": {"a": "{{ b }}"}}},
                "services": {"frontend": {"rpc": {"httpAdditionalForwardedHeaders": ["x-*"]}}},
                "clusterMetadata": {"enableGlobalNamespace": true},
                "dcRedirectionPolicy": {"policy": "all-apis-forwarding"},
            })),
        ),
        taken("server config that no server reads", config(json!({"nope": 1}))),
    ]
}

fn images() -> Vec<Case> {
    let tag = "write the repository without a tag";
    let registry = "spec.imageRegistry: must be a registry";
    vec![
        refused("a server image with a tag", json!({"image": "temporalio/server:1.31.2"}), tag),
        refused("a server image with half a digest", json!({"image": "temporalio/server@sha256:00"}), tag),
        refused("a UI image with a tag", json!({"ui": {"enabled": true, "image": "r:5000/ui:2"}}), "ui.image: write"),
        refused("a tools image with a tag", json!({"admintools": {"image": "tools:1"}}), "admintools.image: write"),
        refused("a registry with a scheme", json!({"imageRegistry": "https://registry.corp"}), registry),
        refused("a registry with a slash at its end", json!({"imageRegistry": "registry.corp/"}), registry),
        refused("a tools version with a space", json!({"admintools": {"version": "a b"}}), "admintools.version"),
        refused("a UI version with a colon", json!({"ui": {"enabled": true, "version": "a:b"}}), "ui.version"),
    ]
}

fn ingresses() -> Vec<Case> {
    let host = "ui.ingress.hosts: each must be a host name";
    vec![
        refused("an Ingress without hosts", ingress(json!({})), "spec.ui.ingress.hosts: Required value"),
        refused("an Ingress of no hosts", hosts(&[]), "ui.ingress.hosts: name at least one host"),
        refused("an empty host", hosts(&[""]), host),
        refused("a host with a scheme", hosts(&["https://a.b"]), host),
        refused("a host with a port", hosts(&["a.b:80"]), host),
        refused("an address as host", hosts(&["10.0.0.1"]), host),
        refused("a host in upper case", hosts(&["A.b"]), host),
        refused("a host with a query", hosts(&["a.b/c?d"]), host),
        refused("two paths", hosts(&["a.b", "a.b/x", "a.b/y"]), "the Web UI can be under one path only"),
    ]
}

fn observability() -> Vec<Case> {
    let file = "log.outputFile: must be the absolute path";
    let address = "metrics.prometheus.listenAddress: must be host:port";
    vec![
        refused("a relative log file", log_file("server.log"), file),
        refused("the root as log file", log_file("/"), file),
        refused("a log file in the root", log_file("/server.log"), file),
        refused("a log file with dots", log_file("/var/../etc/server.log"), file),
        refused("a log file in the config", log_file("/etc/temporal/config/server.log"), file),
        refused("a device as log file", log_file("/dev/stderr"), file),
        refused("an empty log file", log_file(""), file),
        refused("a listen address without port", prometheus(json!({"listenAddress": "0.0.0.0"})), address),
        refused("a listen address with too high a port", prometheus(json!({"listenAddress": ":70000"})), address),
        refused(
            "a listen address that disagrees",
            prometheus(json!({"listenAddress": "0.0.0.0:9090", "listenPort": 9095})),
            "names another port than listenPort",
        ),
        refused("an unknown unit", boundaries(json!({"seconds": ["1"]})), "unknown unit"),
        refused("a boundary in words", boundaries(json!({"bytes": ["one"]})), "must be a number"),
        refused("boundaries that descend", boundaries(json!({"bytes": ["2", "1"]})), "boundaries must ascend"),
        refused("an unknown task queue type", constraints(json!({"taskQueueType": "workflow"})), "Unsupported value"),
        refused("an unknown task type", constraints(json!({"taskType": "Timer"})), "Unsupported value"),
        refused("a negative shard", constraints(json!({"shardId": -1})), "should be greater than or equal to 0"),
    ]
}

fn server_config() -> Vec<Case> {
    let rpc = |key: &str, value: Value| config(json!({"services": {"history": {"rpc": {key: value}}}}));
    vec![
        refused(
            "config of the log",
            config(json!({"log": {"level": "debug"}})),
            "serverConfig.log: the operator writes",
        ),
        refused("config of stores", config(json!({"persistence": {"numHistoryShards": 1}})), "use spec.persistence"),
        refused("config of dynamic config", config(json!({"dynamicConfigClient": {}})), "use spec.dynamicConfig"),
        refused("config of the client", config(json!({"publicClient": {"hostPort": "a:1"}})), "find the frontend"),
        refused("config of membership", config(json!({"global": {"membership": {}}})), "pods tell their own address"),
        refused("config of TLS", config(json!({"global": {"tls": {"frontend": {}}}})), "use spec.mTLS"),
        refused("config of authorization", config(json!({"global": {"authorization": {}}})), "use spec.authorization"),
        refused(
            "config of the metrics port",
            config(json!({"global": {"metrics": {"prometheus": {"listenAddress": "0.0.0.0:1"}}}})),
            "use spec.metrics.prometheus.listenPort",
        ),
        refused(
            "config of the name",
            config(json!({"clusterMetadata": {"currentClusterName": "a"}})),
            "use spec.clusterName",
        ),
        refused(
            "config of other clusters",
            config(json!({"clusterMetadata": {"clusterInformation": {"a": {}}}})),
            "temporal operator cluster upsert",
        ),
        refused("config of a port", rpc("grpcPort", json!(1)), "use spec.services.history.port"),
        refused("config of an address", rpc("bindOnIP", json!("::")), "servers listen on all addresses"),
        refused(
            "config of an internal frontend",
            config(json!({"services": {"internal-frontend": {}}})),
            "use spec.services.internalFrontend",
        ),
        refused(
            "a quantity that is none",
            json!({"services": {"history": {"resources": {"limits": {"memory": "2 GB"}}}}}),
            "resources: a quantity is a number",
        ),
        refused(
            "a quantity of a Job that is none",
            json!({"jobResources": {"requests": {"cpu": "lots"}}}),
            "resources: a quantity is a number",
        ),
        refused("limits that are no map", json!({"jobResources": {"limits": 3}}), "limits"),
        refused("config that is no map", config(json!({"global": "x"})), "serverConfig.global"),
    ]
}
