//! `spec.size`. The schema of `resources`: a quantity that is none is refused at `kubectl apply`, and what the API server stores can
//! always be read.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// How much a server pod of each role asks for, where the role's `resources` do not say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Size {
    /// For trying it out: what idle servers need, and little more.
    Dev,
    /// Up to some tens of workflows a second.
    Small,
    /// Up to some hundreds of workflows a second.
    Medium,
    /// More; measure, and set `resources` yourself.
    Large,
}

/// A Kubernetes quantity (`apimachinery/pkg/api/resource`, `Quantity`).
const QUANTITY: &str = r"^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$";

/// `ResourceRequirements`, its quantities checked.
pub fn resources(_: &mut SchemaGenerator) -> Schema {
    let quantities = json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": {
            "x-kubernetes-int-or-string": true,
            "maxLength": 32,
        },
        "x-kubernetes-validations": [{
            "rule": format!("self.all(k, type(self[k]) == int || string(self[k]).matches('{QUANTITY}'))"),
            "message": "resources: a quantity is a number with or without a unit, such as 2, 500m or 1Gi; correct it",
        }],
    });
    json_schema!({
        "type": "object",
        "properties": {
            "limits": quantities,
            "requests": quantities,
            "claims": {
                "type": "array",
                "maxItems": 16,
                "items": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"type": "string"}, "request": {"type": "string"}},
                },
            },
        },
    })
}
