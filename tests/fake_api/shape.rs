//! How lists and maps of an object merge: by keys, as sets, or as a whole.
//!
//! Faithful for the usual fields of the built-in kinds (tables below, from their
//! `x-kubernetes-list-map-keys` and `x-kubernetes-map-type`) and for custom resources by the same
//! extensions in their schema; a list that says nothing is atomic.

use serde_json::{Map, Value};

use super::kinds::Kind;

/// The merge type of one node of an object.
#[derive(Clone, Copy)]
pub enum Shape<'a> {
    BuiltIn {
        kind: &'a str,
        field: &'a str,
    },
    CustomRoot(&'a Value),
    Custom(&'a Value),
    /// Under `x-kubernetes-preserve-unknown-fields`: maps merge, lists are atomic.
    Unknown,
}

/// How a list merges.
pub enum ListType<'a> {
    Atomic,
    Set,
    Map(Vec<&'a str>),
}

impl<'a> Shape<'a> {
    pub fn of(kind: &'a Kind) -> Self {
        match &kind.schema {
            Some(schema) => Self::CustomRoot(schema),
            None => Self::BuiltIn { kind: &kind.kind, field: "" },
        }
    }

    pub fn field<'b>(self, name: &'b str) -> Shape<'b>
    where
        'a: 'b,
    {
        match self {
            Self::BuiltIn { kind, .. } => Shape::BuiltIn { kind, field: name },
            Self::CustomRoot(_) if name == "metadata" => Shape::BuiltIn { kind: "", field: name },
            Self::CustomRoot(schema) | Self::Custom(schema) => schema["properties"]
                .get(name)
                .or_else(|| schema.get("additionalProperties").filter(|more| more.is_object()))
                .map_or(Shape::Unknown, Shape::Custom),
            Self::Unknown => Shape::Unknown,
        }
    }

    pub fn item(self) -> Self {
        match self {
            Self::Custom(schema) => schema.get("items").map_or(Self::Unknown, Self::Custom),
            other => other,
        }
    }

    pub fn is_atomic_map(self) -> bool {
        match self {
            Self::BuiltIn { field, .. } => is_built_in_atomic_map(field),
            Self::Custom(schema) => schema["x-kubernetes-map-type"] == "atomic",
            Self::CustomRoot(_) | Self::Unknown => false,
        }
    }

    pub fn list_type(self) -> ListType<'a> {
        match self {
            Self::BuiltIn { kind, field } => built_in_list_type(kind, field),
            Self::Custom(schema) => custom_list_type(schema),
            Self::CustomRoot(_) | Self::Unknown => ListType::Atomic,
        }
    }

    fn default_of(self, key: &str) -> Value {
        match self {
            Self::BuiltIn { .. } if key == "protocol" => "TCP".into(),
            Self::Custom(schema) => schema["properties"][key]["default"].clone(),
            _ => Value::Null,
        }
    }

    /// The path element of a list's item: `k:{"name":"a"}`, or `v:"a"` in a set.
    pub fn item_element(self, item: &Value) -> Option<String> {
        match self.list_type() {
            ListType::Atomic => None,
            ListType::Set => Some(format!("v:{item}")),
            ListType::Map(keys) => {
                let key = |key: &&str| {
                    let value = item.get(*key).cloned();
                    ((*key).to_owned(), value.unwrap_or_else(|| self.item().default_of(key)))
                };
                let keys: Map<String, Value> = keys.iter().map(key).collect();
                Some(format!("k:{}", Value::Object(keys)))
            }
        }
    }
}

fn custom_list_type(schema: &Value) -> ListType<'_> {
    match schema["x-kubernetes-list-type"].as_str() {
        Some("set") => ListType::Set,
        Some("map") => {
            let keys = schema["x-kubernetes-list-map-keys"].as_array();
            ListType::Map(keys.into_iter().flatten().filter_map(Value::as_str).collect())
        }
        _ => ListType::Atomic,
    }
}

fn built_in_list_type<'a>(kind: &str, field: &str) -> ListType<'a> {
    let keys: &[&str] = match field {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "volumes"
        | "env"
        | "imagePullSecrets"
        | "schedulingGates"
        | "resourceClaims"
        | "claims"
        | "secrets" => &["name"],
        "ports" if kind == "Service" => &["port", "protocol"],
        "ports" if kind == "EndpointSlice" => return ListType::Atomic,
        "ports" => &["containerPort", "protocol"],
        "conditions" => &["type"],
        "ownerReferences" => &["uid"],
        "volumeMounts" => &["mountPath"],
        "volumeDevices" => &["devicePath"],
        "hostAliases" | "podIPs" | "hostIPs" => &["ip"],
        "topologySpreadConstraints" => &["topologyKey", "whenUnsatisfiable"],
        "finalizers" | "loadBalancerSourceRanges" => return ListType::Set,
        _ => return ListType::Atomic,
    };
    ListType::Map(keys.to_vec())
}

fn is_built_in_atomic_map(field: &str) -> bool {
    matches!(
        field,
        "selector"
            | "ownerReferences"
            | "imagePullSecrets"
            | "secrets"
            | "labelSelector"
            | "namespaceSelector"
            | "nodeSelector"
            | "secretKeyRef"
            | "configMapKeyRef"
            | "fieldRef"
            | "resourceFieldRef"
            | "roleRef"
            | "targetRef"
            | "involvedObject"
            | "regarding"
    )
}
