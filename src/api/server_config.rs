//! `spec.serverConfig`: keys of the server's config that the API has no field for.
//!
//! One table says which keys the operator writes itself. The CRD's schema and rules are made from it, and `validate`
//! reads it again.

use super::services::Role;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// A key that may not be set, since a field of the API or the operator itself decides it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    /// Path in the server's config.
    pub path: Vec<&'static str>,
    /// Its type in the schema.
    type_: &'static str,
    /// What to do instead.
    pub remedy: String,
}

impl Owned {
    /// The path with dots.
    #[must_use]
    pub fn dotted(&self) -> String {
        self.path.join(".")
    }

    /// What its refusal says after the name of the field.
    #[must_use]
    pub fn message(&self) -> String {
        format!("the operator writes this key; {}", self.remedy)
    }
}

/// Keys outside of the roles (server 1.31 `common/config/config.go`).
const KEYS: [(&str, &str, &str); 17] = [
    ("log", "object", "use spec.log"),
    ("persistence", "object", "use spec.persistence and spec.numHistoryShards"),
    ("publicClient", "object", "remove it, servers find the frontend by its Service"),
    ("dynamicConfigClient", "object", "use spec.dynamicConfig"),
    ("global.membership", "object", "remove it, pods tell their own address"),
    ("global.tls", "object", "use spec.mTLS"),
    ("global.authorization", "object", "use spec.authorization"),
    ("global.metrics.prefix", "string", "use spec.metrics.prefix"),
    ("global.metrics.excludeTags", "object", "use spec.metrics.excludeTags"),
    ("global.metrics.perUnitHistogramBoundaries", "object", "use spec.metrics.perUnitHistogramBoundaries"),
    ("global.metrics.prometheus.listenAddress", "string", "use spec.metrics.prometheus.listenPort"),
    ("global.metrics.prometheus.listenNetwork", "string", "use spec.metrics.prometheus.listenPort"),
    ("global.metrics.prometheus.handlerPath", "string", "remove it, the path is /metrics"),
    ("clusterMetadata.masterClusterName", "string", "use spec.clusterName"),
    ("clusterMetadata.currentClusterName", "string", "use spec.clusterName"),
    (
        "clusterMetadata.clusterInformation",
        "object",
        "remove it, and connect other clusters by `temporal operator cluster upsert`",
    ),
    // its mere presence makes a server look for that role
    ("services.internal-frontend", "object", "use spec.services.internalFrontend"),
];

/// Keys below `services.<role>.rpc`.
const ROLE_KEYS: [(&str, &str); 5] = [
    ("grpcPort", "integer"),
    ("membershipPort", "integer"),
    ("httpPort", "integer"),
    ("bindOnLocalHost", "boolean"),
    ("bindOnIP", "string"),
];

/// Every key that may not be set.
#[must_use]
pub fn owned() -> Vec<Owned> {
    let general = KEYS.into_iter().map(|(path, type_, remedy)| Owned {
        path: path.split('.').collect(),
        type_,
        remedy: remedy.to_owned(),
    });
    let of_roles = Role::ALL.into_iter().filter(|r| *r != Role::InternalFrontend).flat_map(|role| {
        ROLE_KEYS.into_iter().map(move |(key, type_)| Owned {
            path: vec!["services", role.name(), "rpc", key],
            type_,
            remedy: match key {
                "grpcPort" => format!("use spec.services.{role}.port"),
                "membershipPort" | "httpPort" => format!("use spec.services.{role}.{key}"),
                _ => "remove it, servers listen on all addresses of the pod".to_owned(),
            },
        })
    });
    general.chain(of_roles).collect()
}

/// Any object, in which owned keys are known by name so that a rule can refuse each.
pub(super) fn schema(_: &mut SchemaGenerator) -> Schema {
    let mut root = open_object();
    let mut rules = Vec::new();
    for key in owned() {
        insert(&mut root, &key.path, key.type_);
        rules.push(json!({
            "rule": rule(&key.path),
            "message": format!("spec.serverConfig.{}: {}", key.dotted(), key.message()),
        }));
    }
    root.insert("x-kubernetes-validations".to_owned(), Value::Array(rules));
    Schema::from(root)
}

fn open_object() -> Map<String, Value> {
    Map::from_iter([
        ("type".to_owned(), json!("object")),
        ("x-kubernetes-preserve-unknown-fields".to_owned(), json!(true)),
    ])
}

fn insert(at: &mut Map<String, Value>, path: &[&str], type_: &str) {
    let [key, rest @ ..] = path else { return };
    let Value::Object(properties) = at.entry("properties").or_insert_with(|| json!({})) else { return };
    let child = properties.entry(*key).or_insert_with(|| match (rest, type_) {
        ([], "integer" | "string" | "boolean") => json!({"type": type_}),
        _ => Value::Object(open_object()),
    });
    if let Value::Object(child) = child {
        insert(child, rest, type_);
    }
}

/// `!has(self.a) || !has(self.a.b)`, with the names as CEL writes them.
fn rule(path: &[&str]) -> String {
    let mut at = "self".to_owned();
    let absent = path.iter().map(|key| {
        at = format!("{at}.{}", key.replace('-', "__dash__"));
        format!("!has({at})")
    });
    absent.collect::<Vec<_>>().join(" || ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_name_every_step() {
        assert_eq!(
            rule(&["services", "internal-frontend"]),
            "!has(self.services) || !has(self.services.internal__dash__frontend)"
        );
    }

    #[test]
    fn no_owned_key_is_below_another() {
        let all = owned();
        for a in &all {
            assert!(!all.iter().any(|b| a != b && b.path.starts_with(&a.path)), "{}", a.dotted());
        }
    }
}
