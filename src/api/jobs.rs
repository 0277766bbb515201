//! Where and with whom the schema Jobs run.

use super::unsupported::{any_list, any_object};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Name of the container that creates the database.
pub const CREATE_STEP: &str = "create-database";
/// Name of the container that refuses a database of another Temporal cluster.
pub const CHECK_STEP: &str = "check-owner";
/// Name of the container that sets the schema up.
pub const SETUP_STEP: &str = "setup-schema";
/// Name of the container that gives Elasticsearch the template of indices.
pub const TEMPLATE_STEP: &str = "put-template";
/// Name of the container that creates the index in Elasticsearch.
pub const INDEX_STEP: &str = "create-index";
/// Name of the container that updates the schema; the Go operator's, which users' patches rely on.
pub const UPDATE_STEP: &str = "schema-script-runner";
/// Every step of a schema Job: a SQL store's in order, Elasticsearch's in order, the update of both. The rule on
/// `spec.jobInitContainers` names them too.
pub const STEPS: [&str; 6] = [CREATE_STEP, CHECK_STEP, SETUP_STEP, TEMPLATE_STEP, INDEX_STEP, UPDATE_STEP];

/// Scheduling of the schema Jobs' pods; the fields of a pod's `spec` of the same names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobSchedulingSpec {
    /// Labels that the node must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 64))]
    pub node_selector: Option<BTreeMap<String, String>>,
    /// Affinity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub affinity: Option<Value>,
    /// Taints that are tolerated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_list")]
    pub tolerations: Option<Vec<Value>>,
    /// Priority class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,
}

/// At most 16 containers, stored as written; only name and image are in the schema.
pub fn containers(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": {
            "type": "object",
            "required": ["name", "image"],
            "properties": {
                "name": {"type": "string", "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
                "image": {"type": "string", "minLength": 1, "maxLength": 512},
            },
            "x-kubernetes-preserve-unknown-fields": true,
        },
    })
}
