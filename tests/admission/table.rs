//! Manifests that are taken and manifests that are refused, with the words of the refusal. The same table is run
//! through `validate` and through a real API server.

#![allow(clippy::needless_pass_by_value, reason = "values are written in place")]

#[path = "extras.rs"]
mod extras;
#[path = "gate.rs"]
mod gate;

use extras::extras;
use serde_json::{Value, json};

#[path = "dual.rs"]
mod dual;
#[path = "search.rs"]
mod search;
#[path = "stores.rs"]
mod stores;

/// A change to the [`base`] manifest.
pub struct Case {
    /// What it is about.
    pub name: &'static str,
    /// A merge patch over the base.
    pub patch: Value,
    /// Part of the API server's refusal; `None` when it takes the manifest.
    pub refusal: Option<&'static str>,
}

fn sql(database: &str) -> Value {
    json!({"pluginName": "postgres12", "user": "temporal", "databaseName": database, "connectAddr": "postgres:5432"})
}

/// A manifest that is taken.
pub fn base() -> Value {
    json!({
        "apiVersion": "temporal.io/v1beta1",
        "kind": "TemporalCluster",
        "metadata": {"name": "c"},
        "spec": {
            "numHistoryShards": 64,
            "persistence": {
                "defaultStore": {"sql": sql("temporal")},
                "visibilityStore": {"sql": sql("temporal_visibility")},
            },
        },
    })
}

fn taken(name: &'static str, spec: Value) -> Case {
    Case { name, patch: json!({"spec": spec}), refusal: None }
}

fn refused(name: &'static str, spec: Value, words: &'static str) -> Case {
    Case { name, patch: json!({"spec": spec}), refusal: Some(words) }
}

fn refused_name(name: &'static str, value: &str, words: &'static str) -> Case {
    Case { name, patch: json!({"metadata": {"name": value}}), refusal: Some(words) }
}

fn default_store(change: Value) -> Value {
    json!({"persistence": {"defaultStore": change}})
}

fn default_sql(change: Value) -> Value {
    default_store(json!({"sql": change}))
}

fn frontend(change: Value) -> Value {
    json!({"services": {"frontend": change}})
}

/// Every case.
pub fn cases() -> Vec<Case> {
    let mut all = accepted();
    all.extend(general());
    all.extend(persistence());
    all.extend(stores::cases());
    all.extend(search::cases());
    all.extend(dual::cases());
    all.extend(services());
    all.extend(client_services());
    all.extend(overrides());
    all.extend(not_yet());
    all.extend(extras());
    all.extend(gate::gate());
    all
}

fn accepted() -> Vec<Case> {
    vec![
        taken("nothing optional", json!({})),
        taken("a version", json!({"version": "1.31.2"})),
        taken("a version with a v", json!({"version": "v1.30.8"})),
        taken("a minor version", json!({"version": "1.32"})),
        taken("the Go operator's plugin of old", default_sql(json!({"pluginName": "postgres"}))),
        taken("pgx", default_sql(json!({"pluginName": "postgres12_pgx"}))),
        taken("an IPv6 address", default_sql(json!({"connectAddr": "[fd00::1]:5432"}))),
        taken(
            "what is not supported, switched off",
            json!({
                "archival": {"enabled": false}, "admintools": {"enabled": false, "image": "mirror/admin-tools"},
                "mTLS": {"provider": "cert-manager", "internode": {"enabled": false}, "frontend": {"enabled": false}},
                "services": {"internalFrontend": {"enabled": false}},
                "metrics": {"enabled": true, "prometheus": {"scrapeConfig": {"serviceMonitor": {"enabled": false}}}},
            }),
        ),
        taken("TLS switched off", default_store(json!({"tls": {"enabled": false, "enableHostVerification": false}}))),
        taken(
            "every role",
            json!({"services": {
                "frontend": {"replicas": 2, "httpPort": 7243, "resources": {"limits": {"cpu": "500m"}}},
                "history": {"replicas": 3}, "matching": {"port": 7235, "membershipPort": 6935}, "worker": {},
            }}),
        ),
        taken(
            "an internal frontend",
            json!({"services": {"internalFrontend": {"enabled": true, "replicas": 2, "port": 7236, "httpPort": 7246}}}),
        ),
        taken(
            "scheduling and init containers",
            json!({"services": {"history": {
                "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
                    {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"a": "b"}}}]}},
                "tolerations": [{"key": "a", "operator": "Exists", "effect": "NoSchedule"}],
                "topologySpreadConstraints": [
                    {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}],
                "priorityClassName": "high",
                "initContainers": [{"name": "a", "image": "b"}, {"name": "c", "image": "d", "restartPolicy": "Always"}],
            }}}),
        ),
        taken(
            "dynamic config",
            json!({"dynamicConfig": {"pollInterval": "10s", "values": {
                "limit.blobSize.error": [{"value": 2_097_152, "constraints": {"namespace": "default"}}],
                "system.enableEagerWorkflowStart": [{"value": true}],
            }}}),
        ),
        taken("a Web UI", json!({"ui": {"enabled": true, "replicas": 2, "service": {"annotations": {"a": "b"}}}})),
        taken(
            "log and metrics",
            json!({
                "log": {"level": "debug", "format": "console"},
                "metrics": {"enabled": true, "prefix": "x", "perUnitHistogramBoundaries": {"bytes": ["1", "10.5"]}},
            }),
        ),
    ]
}

fn general() -> Vec<Case> {
    let version = "spec.version: this operator runs Temporal servers 1.30, 1.31 and 1.32";
    vec![
        refused_name("a long name", "a234567890123456789012345678901234567", "metadata.name: at most 36 characters"),
        refused_name("a name with a dot", "a.b", "metadata.name: must be a DNS label"),
        refused_name("a name that begins with a digit", "1a", "metadata.name: must be a DNS label"),
        refused("no shards", json!({"numHistoryShards": null}), "spec.numHistoryShards: Required value"),
        refused("zero shards", json!({"numHistoryShards": 0}), "should be greater than or equal to 1"),
        refused("too many shards", json!({"numHistoryShards": 20000}), "should be less than or equal to 16384"),
        refused("an old server", json!({"version": "1.29.4"}), version),
        refused("an unknown server", json!({"version": "1.33.0"}), version),
        refused("no version", json!({"version": "latest"}), version),
        refused("a pre-release", json!({"version": "1.32.0-162.1"}), version),
        refused("an empty cluster name", json!({"clusterName": ""}), "spec.clusterName"),
        refused("a cluster name with a space", json!({"clusterName": "a b"}), "spec.clusterName"),
        refused("a TTL of nothing", json!({"jobTtlSecondsAfterFinished": 0}), "should be greater than or equal to 1"),
        refused("an unknown log level", json!({"log": {"level": "loud"}}), "spec.log.level: Unsupported value"),
        refused("an unknown log format", json!({"log": {"format": "xml"}}), "spec.log.format: Unsupported value"),
        refused("metrics without a word", json!({"metrics": {"prefix": "x"}}), "spec.metrics.enabled: Required value"),
        refused(
            "an impossible metrics port",
            json!({"metrics": {"enabled": true, "prometheus": {"listenPort": 0}}}),
            "should be greater than or equal to 1",
        ),
        refused(
            "a poll interval in days",
            json!({"dynamicConfig": {"pollInterval": "1d", "values": {}}}),
            "dynamicConfig.pollInterval: must be a Go duration",
        ),
        refused(
            "dynamic config without values",
            json!({"dynamicConfig": {"pollInterval": "10s"}}),
            "spec.dynamicConfig.values: Required value",
        ),
        refused("no UI pods", json!({"ui": {"enabled": true, "replicas": 0}}), "should be greater than or equal to 1"),
    ]
}

fn persistence() -> Vec<Case> {
    let unescaped = "only letters, digits and . _ ~ - are taken";
    let address = "sql.connectAddr: must be host:port";
    vec![
        refused("no stores", json!({"persistence": null}), "spec.persistence: Required value"),
        refused(
            "no visibility store",
            json!({"persistence": {"visibilityStore": null}}),
            "visibilityStore: Required value",
        ),
        refused(
            "a store of no kind",
            default_store(json!({"sql": null})),
            "sql: required; describe the store's PostgreSQL database",
        ),
        refused(
            "one database for both",
            default_sql(json!({"databaseName": "temporal_visibility"})),
            "must differ from the default store's database",
        ),
        refused(
            "Cassandra",
            default_store(json!({"sql": null, "cassandra": {"hosts": ["a"]}})),
            "cassandra: not supported yet",
        ),
        refused("two kinds", default_store(json!({"cassandra": {"hosts": ["a"]}})), "cassandra: not supported yet"),
        refused("MySQL", default_sql(json!({"pluginName": "mysql8"})), "sql.pluginName: MySQL is not supported yet"),
        refused("an unknown plugin", default_sql(json!({"pluginName": "sqlite"})), "pluginName: Unsupported value"),
        refused("an address without port", default_sql(json!({"connectAddr": "postgres"})), address),
        refused("an address with scheme", default_sql(json!({"connectAddr": "tcp://postgres:5432"})), address),
        refused("port zero", default_sql(json!({"connectAddr": "postgres:0"})), address),
        refused("a user with a colon", default_sql(json!({"user": "a:b"})), unescaped),
        refused("a user with an at sign", default_sql(json!({"user": "a@b"})), unescaped),
        refused("no user", default_sql(json!({"user": ""})), "should be at least 1 chars long"),
        refused("a database with a slash", default_sql(json!({"databaseName": "a/b"})), unescaped),
        refused("a database with a question mark", default_sql(json!({"databaseName": "a?b"})), unescaped),
        refused(
            "a unix socket",
            default_sql(json!({"connectProtocol": "unix"})),
            "sql.connectProtocol: only tcp is supported",
        ),
        refused(
            "a lifetime in days",
            default_sql(json!({"maxConnLifetime": "1d"})),
            "sql.maxConnLifetime: must be a Go duration",
        ),
        refused(
            "fewer than no connections",
            default_sql(json!({"maxConns": -1})),
            "should be greater than or equal to 0",
        ),
        refused("a store name with a space", default_store(json!({"name": "a b"})), "defaultStore.name"),
        refused(
            "a Secret without a name",
            default_store(json!({"passwordSecretRef": {"key": "k"}})),
            "passwordSecretRef.name: Required value",
        ),
        refused(
            "an advanced visibility store",
            json!({"persistence": {"advancedVisibilityStore": {"name": "x"}}}),
            "servers from 1.24 on have none",
        ),
    ]
}

fn services() -> Vec<Case> {
    vec![
        taken(
            "as many history pods as shards",
            json!({"numHistoryShards": 4, "services": {"history": {"replicas": 4}}}),
        ),
        refused("no frontends", frontend(json!({"replicas": 0})), "should be greater than or equal to 1"),
        refused(
            "more history pods than shards",
            json!({"numHistoryShards": 4, "services": {"history": {"replicas": 5}}}),
            "services.history.replicas: must not exceed spec.numHistoryShards",
        ),
        refused("port zero", frontend(json!({"port": 0})), "should be greater than or equal to 1"),
        refused(
            "an HTTP port of history",
            json!({"services": {"history": {"httpPort": 7243}}}),
            "services.history.httpPort: only frontends",
        ),
        refused("a port too high", frontend(json!({"port": 70000})), "should be less than or equal to 65535"),
        taken(
            "autoscaling",
            frontend(json!({"autoscaling": {"maxReplicas": 3}, "resources": {"requests": {"cpu": "500m"}}})),
        ),
        taken(
            "autoscaling by other metrics",
            json!({"services": {"internalFrontend": {"enabled": true, "autoscaling": {
                "minReplicas": 2, "maxReplicas": 3,
                "metrics": [{"type": "Resource", "resource": {"name": "cpu",
                    "target": {"type": "AverageValue", "averageValue": "1500m"}}}],
                "behavior": {"scaleDown": {"selectPolicy": "Disabled"}},
            }}}}),
        ),
        taken("a size", json!({"size": "Medium", "services": {"history": {"autoscaling": {"maxReplicas": 3}}}})),
        refused("a size of its own", json!({"size": "XXL"}), "spec.size: Unsupported value"),
        refused(
            "autoscaling without an end",
            frontend(json!({"autoscaling": {"minReplicas": 3}})),
            "maxReplicas: Required value",
        ),
        refused(
            "autoscaling and a number of pods",
            frontend(json!({"replicas": 2, "autoscaling": {"maxReplicas": 3}})),
            "replicas: autoscaling decides on the number of pods",
        ),
        refused(
            "autoscaling from more to less",
            frontend(json!({"autoscaling": {"minReplicas": 4, "maxReplicas": 3}})),
            "autoscaling: minReplicas must not exceed maxReplicas",
        ),
        refused(
            "autoscaling to no pods",
            frontend(json!({"autoscaling": {"minReplicas": 0, "maxReplicas": 3}})),
            "should be greater than or equal to 1",
        ),
        refused(
            "autoscaling to more history pods than shards",
            json!({"numHistoryShards": 4, "services": {"history": {"autoscaling": {"maxReplicas": 5}}}}),
            "services.history.autoscaling.maxReplicas: must not exceed spec.numHistoryShards",
        ),
        refused(
            "an init container without a name",
            frontend(json!({"initContainers": [{"image": "a"}]})),
            "name: Required value",
        ),
        refused(
            "an init container without an image",
            frontend(json!({"initContainers": [{"name": "a"}]})),
            "image: Required value",
        ),
        refused(
            "an init container that is a word",
            frontend(json!({"initContainers": ["a"]})),
            "must be of type object",
        ),
        refused(
            "an init container that restarts on failure",
            frontend(json!({"initContainers": [{"name": "a", "image": "b", "restartPolicy": "OnFailure"}]})),
            "restartPolicy: Unsupported value",
        ),
        refused("affinity that is a list", frontend(json!({"affinity": []})), "affinity"),
        refused("a toleration that is a word", frontend(json!({"tolerations": ["a"]})), "must be of type object"),
    ]
}

fn client_services() -> Vec<Case> {
    let service = |change: Value| frontend(json!({"service": change}));
    let balancer = "service: loadBalancerClass and loadBalancerSourceRanges need type LoadBalancer";
    let node = "service: externalTrafficPolicy, nodePort and httpNodePort need type NodePort or LoadBalancer";
    vec![
        taken(
            "a LoadBalancer",
            service(json!({
                "type": "LoadBalancer", "loadBalancerClass": "example.com/nlb", "loadBalancerSourceRanges": ["10.0.0.0/8", "fd00::/8"],
                "externalTrafficPolicy": "Local", "annotations": {"a": "b"}, "labels": {"a": "b"},
            })),
        ),
        taken("a NodePort", service(json!({"type": "NodePort", "nodePort": 30233, "httpNodePort": 30243}))),
        taken("a ClusterIP in words", service(json!({"type": "ClusterIP"}))),
        taken(
            "a LoadBalancer of the internal frontend",
            json!({"services": {"internalFrontend": {"enabled": true, "service": {"type": "LoadBalancer"}}}}),
        ),
        refused("an ExternalName", service(json!({"type": "ExternalName"})), "type: Unsupported value"),
        refused("a class without a LoadBalancer", service(json!({"loadBalancerClass": "a"})), balancer),
        refused(
            "ranges of a NodePort",
            service(json!({"type": "NodePort", "loadBalancerSourceRanges": ["10.0.0.0/8"]})),
            balancer,
        ),
        refused("a node port of a ClusterIP", service(json!({"nodePort": 30233})), node),
        refused(
            "a traffic policy of a ClusterIP",
            service(json!({"type": "ClusterIP", "externalTrafficPolicy": "Local"})),
            node,
        ),
        refused(
            "an unknown traffic policy",
            service(json!({"type": "NodePort", "externalTrafficPolicy": "Near"})),
            "externalTrafficPolicy: Unsupported value",
        ),
        refused(
            "one node port twice",
            service(json!({"type": "NodePort", "nodePort": 30233, "httpNodePort": 30233})),
            "nodePort and httpNodePort must differ",
        ),
        refused(
            "a node port too high",
            service(json!({"type": "NodePort", "nodePort": 70000})),
            "should be less than or equal to 65535",
        ),
        refused(
            "a range that is none",
            service(json!({"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0"]})),
            "loadBalancerSourceRanges: must be CIDRs",
        ),
        refused(
            "a node port of HTTP without HTTP",
            frontend(json!({"httpPort": 0, "service": {"type": "NodePort", "httpNodePort": 30243}})),
            "service.httpNodePort: httpPort is 0",
        ),
        refused(
            "a Service of history",
            json!({"services": {"history": {"service": {}}}}),
            "services.history.service: only frontends",
        ),
        refused(
            "a Service of matching",
            json!({"services": {"matching": {"service": {}}}}),
            "services.matching.service: only frontends",
        ),
        refused(
            "a Service of the worker",
            json!({"services": {"worker": {"service": {"type": "NodePort"}}}}),
            "services.worker.service: only frontends",
        ),
    ]
}

fn overrides() -> Vec<Case> {
    let of_role = |deployment: Value| frontend(json!({"overrides": {"deployment": deployment}}));
    let patch = |operation: Value| of_role(json!({"jsonPatch": [operation]}));
    let own_label = "labels: app.kubernetes.io/name, part-of, component, instance and managed-by";
    let own_field = "jsonPatch: name, namespace, ownerReferences, selector, replicas and status";
    let sidecar = json!({"template": {"spec": {"containers": [{"name": "a", "image": "b"}]}}});
    vec![
        taken("no overrides", frontend(json!({"overrides": {}}))),
        taken(
            "overrides of all roles",
            json!({"services": {"overrides": {"deployment": {"metadata": {"labels": {"a": "b"}}, "spec": sidecar}}}}),
        ),
        taken("overrides of the UI", json!({"ui": {"enabled": true, "overrides": {"deployment": {"spec": sidecar}}}})),
        taken(
            "a JSON patch of each kind",
            of_role(json!({"jsonPatch": [
                {"op": "add", "path": "/spec/minReadySeconds", "value": 5},
                {"op": "test", "path": "/spec/replicas", "value": 1},
                {"op": "move", "from": "/spec/paused", "path": "/spec/progressDeadlineSeconds"},
                {"op": "remove", "path": "/metadata/labels/app.kubernetes.io~1version"},
            ]})),
        ),
        refused(
            "a merge and a JSON patch",
            of_role(json!({"spec": sidecar, "jsonPatch": []})),
            "deployment: spec and jsonPatch exclude each other",
        ),
        refused(
            "replicas by overrides",
            of_role(json!({"spec": {"replicas": 3}})),
            "deployment.spec.replicas: remove it and set replicas beside overrides",
        ),
        refused(
            "a selector by overrides",
            of_role(json!({"spec": {"selector": {}}})),
            "deployment.spec.selector: cannot change",
        ),
        refused(
            "a strategy by overrides",
            of_role(json!({"spec": {"strategy": {}}})),
            "deployment.spec.strategy: only template is merged",
        ),
        refused(
            "a label of the selector",
            of_role(json!({"metadata": {"labels": {"app.kubernetes.io/component": "x"}}})),
            own_label,
        ),
        refused(
            "a label of the pods' selector",
            of_role(json!({"spec": {"template": {"metadata": {"labels": {"app.kubernetes.io/name": "x"}}}}})),
            own_label,
        ),
        refused(
            "a label of the operator",
            of_role(json!({"metadata": {"labels": {"temporal.io/config-hash": "x"}}})),
            own_label,
        ),
        refused(
            "an annotation of the operator",
            of_role(json!({"metadata": {"annotations": {"temporal.io/applied-hash": "x"}}})),
            "annotations: those of temporal.io/",
        ),
        refused(
            "an own label of all roles",
            json!({"services": {"overrides": {"deployment": {"metadata": {"labels": {"app.kubernetes.io/managed-by": "x"}}}}}}),
            own_label,
        ),
        refused(
            "an own label of the UI",
            json!({"ui": {"overrides": {"deployment": {"metadata": {"labels": {"app.kubernetes.io/instance": "x"}}}}}}),
            own_label,
        ),
        refused(
            "a patch of the name",
            patch(json!({"op": "replace", "path": "/metadata/name", "value": "x"})),
            own_field,
        ),
        refused(
            "a patch of the owner",
            patch(json!({"op": "remove", "path": "/metadata/ownerReferences/0"})),
            own_field,
        ),
        refused(
            "a patch of the selector",
            patch(json!({"op": "add", "path": "/spec/selector/matchLabels/a", "value": "b"})),
            own_field,
        ),
        refused(
            "a patch of the number of pods",
            patch(json!({"op": "add", "path": "/spec/replicas", "value": 3})),
            own_field,
        ),
        refused("a patch of everything", patch(json!({"op": "replace", "path": "", "value": {}})), "jsonPatch[0].path"),
        refused("a patch without a slash", patch(json!({"op": "remove", "path": "spec"})), "jsonPatch[0].path"),
        refused(
            "an unknown operation",
            patch(json!({"op": "merge", "path": "/spec", "value": {}})),
            "op: Unsupported value",
        ),
        refused(
            "a move from nowhere",
            patch(json!({"op": "move", "path": "/spec/a"})),
            "jsonPatch: move and copy need from",
        ),
        refused(
            "an addition from somewhere",
            patch(json!({"op": "add", "path": "/spec/a", "from": "/spec/b", "value": 1})),
            "jsonPatch: move and copy need from",
        ),
    ]
}

fn not_yet() -> Vec<Case> {
    vec![
        refused("internode mTLS", json!({"mTLS": {"internode": {"enabled": true}}}), "spec.mTLS: not supported yet"),
        refused("istio", json!({"mTLS": {"provider": "istio"}}), "spec.mTLS: not supported yet"),
        refused("archival", json!({"archival": {"enabled": true}}), "spec.archival: not supported yet"),
        refused(
            "authorization",
            json!({"authorization": {"authorizer": "default"}}),
            "spec.authorization: not supported yet",
        ),
        refused(
            "a step timeout in days",
            json!({"rollout": {"stepTimeout": "1d"}}),
            "spec.rollout.stepTimeout: must be a Go duration from 30s to 24h",
        ),
        refused(
            "a step timeout that no history pod keeps",
            json!({"rollout": {"stepTimeout": "10s"}}),
            "spec.rollout.stepTimeout: must be a Go duration from 30s to 24h",
        ),
        refused(
            "an unknown answer to failure",
            json!({"rollout": {"onFailure": "Ignore"}}),
            "spec.rollout.onFailure: ",
        ),
        taken("all namespaces", json!({"allowedNamespaces": {"from": "All"}})),
        taken("its own namespace", json!({"allowedNamespaces": {"from": "Same"}})),
        taken(
            "namespaces with a label",
            json!({"allowedNamespaces": {"from": "Selector", "selector": {"matchLabels": {"temporal": "yes"}}}}),
        ),
        refused(
            "an unknown word for namespaces",
            json!({"allowedNamespaces": {"from": "Some"}}),
            "spec.allowedNamespaces.from: Unsupported value",
        ),
        refused(
            "a selector that is missing",
            json!({"allowedNamespaces": {"from": "Selector"}}),
            "spec.allowedNamespaces: from: Selector and selector belong together",
        ),
        refused(
            "a selector that is not asked for",
            json!({"allowedNamespaces": {"from": "All", "selector": {"matchLabels": {"a": "b"}}}}),
            "spec.allowedNamespaces: from: Selector and selector belong together",
        ),
    ]
}

/// RFC 7386.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            target.as_object_mut().map(|t| t.remove(key));
        } else {
            merge(&mut target[key], value);
        }
    }
}
