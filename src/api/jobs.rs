//! Where and with whom the schema Jobs run; the Job before an upgrade.

use super::ui::ObjectMetadata;
use super::unsupported::{any_list, any_object};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
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
        "items": container(),
    })
}

fn container() -> Schema {
    json_schema!({
        "type": "object",
        "required": ["name", "image"],
        "properties": {
            "name": {"type": "string", "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
            "image": {"type": "string", "minLength": 1, "maxLength": 512},
        },
        "x-kubernetes-preserve-unknown-fields": true,
    })
}

/// The template of a Job, as in a CronJob.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BeforeUpgradeSpec {
    /// Labels and annotations to add. Labels the operator sets itself win.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<ObjectMetadata>,
    /// A Job's `spec`. Defaults that differ from Kubernetes': `backoffLimit: 0`, `restartPolicy: Never`,
    /// `ttlSecondsAfterFinished` as the schema Jobs have it, no token of a service account that is not named, and what
    /// the *restricted* Pod Security standard asks for, unless a security context is given.
    #[schemars(schema_with = "job_spec")]
    pub spec: Map<String, Value>,
}

/// A Job's `spec`, of which only what is checked has a schema.
fn job_spec(_: &mut SchemaGenerator) -> Schema {
    let open = |required: &str, properties: Value| {
        json_schema!({
            "type": "object",
            "required": [required],
            "properties": properties,
            "x-kubernetes-preserve-unknown-fields": true,
        })
    };
    let pod = json!({
        "restartPolicy": {"type": "string", "enum": ["Never", "OnFailure"]},
        "containers": {"type": "array", "minItems": 1, "maxItems": 16, "items": container()},
    });
    let template = json!({"spec": open("containers", pod)});
    let job = json!({
        "template": open("spec", template),
        "suspend": {
            "type": "boolean",
            "x-kubernetes-validations": [{
                "rule": "!self",
                "message": "a Job that is suspended holds the upgrade up for ever; use spec.rollout.paused",
            }],
        },
        "parallelism": {"type": "integer", "format": "int32", "minimum": 1},
        "completions": {"type": "integer", "format": "int32", "minimum": 1},
    });
    open("template", job)
}
