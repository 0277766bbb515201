//! Fields that the API reserves but this version does not carry out.
//!
//! They are in the schema so that a manifest written for the Go operator is not refused for an unknown field; using
//! one is refused by name. `enabled: false` passes.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A block that may be present as long as it does not say `enabled: true`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Disabled {
    /// Must be false or absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Everything else in the block, kept as written.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Disabled {
    /// Whether the block asks for the feature.
    #[must_use]
    pub fn is_used(&self) -> bool {
        self.enabled == Some(true)
    }
}

impl JsonSchema for Disabled {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Disabled".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": {"enabled": {"type": "boolean"}},
            "x-kubernetes-preserve-unknown-fields": true,
        })
    }
}

/// Any object, stored as written; for embedded Kubernetes types whose schema would not fit a CRD's size.
pub fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// Any list of at most 64 objects, stored as written.
pub fn any_list(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 64,
        "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
    })
}

/// Any JSON value, stored as written.
pub fn any_value(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"x-kubernetes-preserve-unknown-fields": true})
}
