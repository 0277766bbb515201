//! The server's config file and its dynamic config.
//!
//! The config file is an immutable ConfigMap named by its hash, so that a pod that restarts in the middle of a rollout
//! reads the config of its own revision. Dynamic config is one ConfigMap that changes in place and is mounted as a
//! directory; pods take it up without a restart.

use super::metadata::{child_name, metadata, names};
use super::object::hash_of;
use super::{Object, drain, dual, elasticsearch, keepalive, store_tls, takeover};
use crate::api::labels;
use crate::api::observability::{ConstrainedValue, Constraints};
use crate::api::services::Role;
use crate::validate::{Engine, ValidCluster, ValidSql, ValidStore};
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Directory of the config file in a server pod, and its name; the Go operator's.
pub const CONFIG_DIR: &str = "/etc/temporal/config";
/// Key in the ConfigMap.
pub const CONFIG_FILE: &str = "config_template.yaml";
/// Directory of the dynamic config. Not below [`CONFIG_DIR`], which is read-only.
pub const DYNAMIC_CONFIG_DIR: &str = "/etc/temporal/dynamicconfig";
/// Key in the ConfigMap.
pub const DYNAMIC_CONFIG_FILE: &str = "dynamic_config.yaml";
/// Suffix of the dynamic config's ConfigMap.
pub const DYNAMIC_CONFIG: &str = "dynamicconfig";

/// In the tree `{ENV: NAME}` stands for an environment variable, which the server's template engine fills in. No map of a
/// user's has this key and a text as its value.
const ENV: &str = "{{env}}";

/// The rendered server config of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// The file, a Go template in YAML.
    pub text: String,
    /// Hash of the file; part of the ConfigMap's name and a label of the pods.
    pub hash: String,
}

impl ServerConfig {
    /// Renders the config. No secret is in it: passwords are references to environment variables.
    #[must_use]
    pub fn render(cluster: &ValidCluster) -> Self {
        let text =
            format!("# enable-template\n{}", template(tree(cluster), &Value::Object(cluster.server_config.clone())));
        Self { hash: hash_of(&text), text }
    }

    /// `<cluster>-config-<hash>`.
    #[must_use]
    pub fn name(&self, cluster: &ValidCluster) -> String {
        child_name(cluster, &format!("config-{}", self.hash))
    }

    /// Its ConfigMap.
    #[must_use]
    pub fn object(&self, cluster: &ValidCluster) -> Object {
        let mut metadata = metadata(cluster, &format!("config-{}", self.hash), names::CONFIG);
        metadata.labels.get_or_insert_default().insert(labels::CONFIG_HASH.to_owned(), self.hash.clone());
        Object::ConfigMap(Box::new(ConfigMap {
            metadata,
            immutable: Some(true),
            data: Some(BTreeMap::from([(CONFIG_FILE.to_owned(), self.text.clone())])),
            ..ConfigMap::default()
        }))
    }
}

/// The tree as a Go template in YAML. `{{` in a value would start a template action; it is written as an action that
/// prints it. References to the environment become `{{ env … | quote }}`, which prints a quoted YAML string. The user's own
/// keys are laid over the tree when those references are marked, so that none can be smuggled in.
fn template(mut tree: Value, over: &Value) -> String {
    let plain = format!("{tree}{over}");
    // a mark that is in no value, whatever users write
    let mark = (0..).map(|n| format!("ENV{n}MARK")).find(|m| !plain.contains(m)).unwrap_or_default();
    mark_environment(&mut tree, &mark);
    merge(&mut tree, over);
    // a plain tree of strings, numbers and maps always becomes YAML
    let yaml = serde_yaml::to_string(&tree).unwrap_or_default().replace("{{", "{{ \"{{\" }}");
    yaml.replace(&format!("{mark}("), "{{ env \"").replace(&format!("){mark}"), "\" | quote }}")
}

fn mark_environment(tree: &mut Value, mark: &str) {
    match tree {
        Value::Object(map) => {
            if let (1, Some(name)) = (map.len(), map.get(ENV).and_then(Value::as_str)) {
                *tree = Value::from(format!("{mark}({name}){mark}"));
            } else {
                map.values_mut().for_each(|v| mark_environment(v, mark));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|v| mark_environment(v, mark)),
        _ => {}
    }
}

/// A reference to an environment variable.
fn env(name: &str) -> Value {
    json!({ENV: name})
}

/// Address of the frontend Service inside Kubernetes; independent of the cluster's domain.
#[must_use]
pub fn frontend_address(cluster: &ValidCluster) -> String {
    format!("{}.{}.svc:{}", child_name(cluster, "frontend"), cluster.namespace, cluster.role(Role::Frontend).grpc_port)
}

/// Maps are merged, everything else replaces.
pub(super) fn merge(target: &mut Value, over: &Value) {
    match (target, over) {
        (Value::Object(target), Value::Object(over)) => {
            for (key, value) in over {
                merge(target.entry(key.as_str()).or_insert(Value::Null), value);
            }
        }
        (target, over) => *target = over.clone(),
    }
}

fn tree(cluster: &ValidCluster) -> Value {
    let stores: Map<String, Value> = cluster.stores().map(|s| (s.name.clone(), datastore(s))).collect();
    let services: Map<String, Value> =
        cluster.roles.keys().map(|r| (r.name().to_owned(), service(cluster, *r))).collect();
    let mut persistence = json!({
        "defaultStore": cluster.default_store.name,
        "visibilityStore": cluster.visibility_store.name,
        "numHistoryShards": cluster.history_shards,
        "datastores": stores,
    });
    if let Some(secondary) = &cluster.secondary_visibility_store {
        persistence["secondaryVisibilityStore"] = json!(secondary.name);
    }
    json!({
        "log": log(cluster),
        "persistence": persistence,
        "global": global(cluster),
        // every process lists all roles: the map also feeds the lookup of their rings
        "services": services,
        "clusterMetadata": cluster_metadata(cluster),
        "dcRedirectionPolicy": {"policy": "noop"},
        "publicClient": public_client(cluster),
        "dynamicConfigClient": {
            "filepath": format!("{DYNAMIC_CONFIG_DIR}/{DYNAMIC_CONFIG_FILE}"),
            "pollInterval": format!("{}ms", cluster.dynamic_config_poll.as_millis()),
        },
    })
}

/// Where the roles find the frontend. Beside an internal frontend the server takes no address: it finds that one by its
/// ring (server 1.30–1.32 `common/config/config.go`).
fn public_client(cluster: &ValidCluster) -> Value {
    if cluster.has_internal_frontend() { json!({}) } else { json!({"hostPort": frontend_address(cluster)}) }
}

fn log(cluster: &ValidCluster) -> Value {
    let log = &cluster.log;
    let mut tree = json!({"stdout": log.stdout, "level": log.level, "format": log.format});
    if let Some(file) = &log.file {
        tree["outputFile"] = json!(file);
    }
    if log.development {
        tree["development"] = json!(true);
    }
    tree
}

fn datastore(store: &ValidStore) -> Value {
    let (kind, mut tree) = match &store.engine {
        Engine::Sql(database) => ("sql", sql(database)),
        Engine::Elasticsearch(search) => ("elasticsearch", elasticsearch::config(search)),
    };
    if store.password.is_some() {
        tree["password"] = env(&store.password_env());
    }
    if let Some(tls) = store_tls::config(store) {
        tree["tls"] = tls;
    }
    json!({kind: tree})
}

fn sql(database: &ValidSql) -> Value {
    let mut tree = json!({
        "pluginName": database.plugin,
        "databaseName": database.database,
        "connectAddr": database.address(),
        "connectProtocol": "tcp",
        "user": database.user,
        "maxConns": database.max_conns,
        "maxIdleConns": database.max_idle_conns,
        "maxConnLifetime": database.max_conn_lifetime,
    });
    if !database.connect_attributes.is_empty() {
        tree["connectAttributes"] = json!(database.connect_attributes);
    }
    if let Some(partitions) = database.task_scan_partitions {
        tree["taskScanPartitions"] = json!(partitions);
    }
    tree
}

fn global(cluster: &ValidCluster) -> Value {
    let mut tree = json!({"membership": {"maxJoinDuration": "30s", "broadcastAddress": env("POD_IP")}});
    if let Some(metrics) = &cluster.metrics {
        let mut m =
            json!({"prometheus": {"listenAddress": format!("0.0.0.0:{}", metrics.port), "handlerPath": "/metrics"}});
        if !metrics.exclude_tags.is_empty() {
            m["excludeTags"] = json!(metrics.exclude_tags);
        }
        if !metrics.boundaries.is_empty() {
            m["perUnitHistogramBoundaries"] = json!(metrics.boundaries);
        }
        if let Some(prefix) = &metrics.prefix {
            m["prefix"] = json!(prefix);
        }
        tree["metrics"] = m;
    }
    tree
}

fn service(cluster: &ValidCluster, role: Role) -> Value {
    let settings = cluster.role(role);
    let mut rpc = json!({
        "grpcPort": settings.grpc_port,
        "membershipPort": settings.membership_port,
        "bindOnIP": "0.0.0.0",
    });
    if let Some(port) = settings.http_port {
        rpc["httpPort"] = json!(port);
    }
    merge(&mut rpc, &keepalive::connections(role));
    json!({"rpc": rpc})
}

/// `rpcAddress` is the same for every pod: a value of its own per pod makes parallel starts fail on the metadata row.
fn cluster_metadata(cluster: &ValidCluster) -> Value {
    let name = &cluster.temporal_name;
    json!({
        "enableGlobalNamespace": false,
        "failoverVersionIncrement": 10,
        "masterClusterName": name,
        "currentClusterName": name,
        "clusterInformation": {
            name: {
                "enabled": true,
                "initialFailoverVersion": 1,
                "rpcName": "frontend",
                "rpcAddress": frontend_address(cluster),
            },
        },
    })
}

/// Whether a key of the dynamic config is among these, which the server compares without regard to case.
pub(super) fn has_key<'a>(mut keys: impl Iterator<Item = &'a String>, key: &str) -> bool {
    keys.any(|k| k.eq_ignore_ascii_case(key))
}

/// Sets a key of the dynamic config that the user has not set.
pub(super) fn set_default(values: &mut Map<String, Value>, key: &str, constrained: &Value) {
    if !has_key(values.keys(), key) {
        values.insert(key.to_owned(), json!([constrained]));
    }
}

/// `<cluster>-dynamicconfig`.
pub(super) fn dynamic(cluster: &ValidCluster) -> Object {
    let mut values: Map<String, Value> = cluster
        .dynamic_config
        .iter()
        .map(|(key, values)| (key.clone(), values.iter().map(constrained).collect()))
        .collect();
    if cluster.writes_both {
        dual::add(&mut values);
    }
    keepalive::add_defaults(&mut values);
    takeover::add_defaults(&mut values, cluster.history_shards, cluster.established && cluster.shards_move);
    // pods that are made for the first time need not wait for each other
    if cluster.established {
        drain::add_defaults(&mut values, cluster.shards_move);
    }
    let text = if values.is_empty() { "{}\n".to_owned() } else { serde_yaml::to_string(&values).unwrap_or_default() };
    Object::ConfigMap(Box::new(ConfigMap {
        metadata: metadata(cluster, DYNAMIC_CONFIG, names::CONFIG),
        data: Some(BTreeMap::from([(DYNAMIC_CONFIG_FILE.to_owned(), text)])),
        ..ConfigMap::default()
    }))
}

fn constrained(value: &ConstrainedValue) -> Value {
    let mut tree = json!({"value": value.value});
    let constraints = value.constraints.as_ref().map(constraint_keys).unwrap_or_default();
    if !constraints.is_empty() {
        tree["constraints"] = Value::Object(constraints);
    }
    tree
}

/// The file's names of constraints (server 1.30 `common/dynamicconfig/yaml_loader.go`).
fn constraint_keys(constraints: &Constraints) -> Map<String, Value> {
    let texts = [
        ("namespace", &constraints.namespace),
        ("namespaceid", &constraints.namespace_id),
        ("taskqueuename", &constraints.task_queue_name),
        ("tasktype", &constraints.task_queue_type),
        ("historytasktype", &constraints.task_type),
        ("destination", &constraints.destination),
        ("chasmtasktype", &constraints.chasm_task_type),
    ];
    let mut keys: Map<String, Value> =
        texts.into_iter().filter_map(|(k, v)| v.as_ref().map(|v| (k.to_owned(), json!(v)))).collect();
    // 0 is how the Go operator's manifests say none
    if let Some(shard) = constraints.shard_id.filter(|s| *s > 0) {
        keys.insert("shardid".to_owned(), json!(shard));
    }
    keys
}

#[cfg(test)]
mod tests;
