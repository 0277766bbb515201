//! Manifests of namespaces that are taken and that are refused, with the words of the refusal.
#![allow(clippy::needless_pass_by_value, reason = "values are written in place")]

use super::table::Case;
use serde_json::{Map, Value, json};

/// A manifest that is taken.
pub fn base() -> Value {
    json!({
        "apiVersion": "temporal.io/v1beta1",
        "kind": "TemporalNamespace",
        "metadata": {"name": "orders"},
        "spec": {"clusterRef": {"name": "prod"}, "retentionPeriod": "168h"},
    })
}

fn taken(name: &'static str, spec: Value) -> Case {
    Case { name, patch: json!({"spec": spec}), refusal: None }
}

fn refused(name: &'static str, spec: Value, words: &'static str) -> Case {
    Case { name, patch: json!({"spec": spec}), refusal: Some(words) }
}

fn attribute(name: &str, type_: &str) -> Value {
    json!({"customSearchAttributes": {name: type_}})
}

/// Every case.
pub fn cases() -> Vec<Case> {
    let mut all = accepted();
    all.extend(retention());
    all.extend(references());
    all.extend(attributes());
    all.extend(not_yet());
    all
}

fn accepted() -> Vec<Case> {
    vec![
        taken("the least", json!({})),
        taken(
            "everything",
            json!({
                "clusterRef": {"name": "prod", "namespace": "temporal"}, "retentionPeriod": "1h30m",
                "description": "Orders of the shop", "ownerEmail": "orders@example.com",
                "data": {"team": "orders", "tier": "1"}, "securityToken": "t", "allowDeletion": true,
                "customSearchAttributes": {"Customer": "Keyword", "Note": "Text", "Items": "Int", "Total": "Double",
                    "Gift": "Bool", "Due": "Datetime", "Tags": "KeywordList"},
                "allowSearchAttributeDeletion": true,
            }),
        ),
        taken("times as the Go operator writes them", attribute("Due", "DateTime")),
        taken("a retention of whole units", json!({"retentionPeriod": "168h0m0s"})),
        taken("a broken hour", json!({"retentionPeriod": "1.5h"})),
        taken(
            "global features that are off",
            json!({"isGlobalNamespace": false, "clusters": [], "activeClusterName": ""}),
        ),
        taken(
            "archival that is off",
            json!({"archival": {"history": {"enabled": false}, "visibility": {"enabled": false, "path": "p"}}}),
        ),
        taken("an empty namespace of the reference", json!({"clusterRef": {"namespace": ""}})),
    ]
}

fn retention() -> Vec<Case> {
    let malformed = "spec.retentionPeriod: must be a Go duration such as 168h";
    vec![
        refused("no retention", json!({"retentionPeriod": null}), "spec.retentionPeriod: Required value"),
        refused("an empty retention", json!({"retentionPeriod": ""}), "spec.retentionPeriod"),
        refused(
            "days",
            json!({"retentionPeriod": "7d"}),
            "spec.retentionPeriod: must be a Go duration such as 168h or 1h30m; there is no unit for days: write 7d as 168h",
        ),
        refused("a retention without a unit", json!({"retentionPeriod": "168"}), malformed),
        refused("a retention with a space", json!({"retentionPeriod": "168 h"}), malformed),
        refused("a negative retention", json!({"retentionPeriod": "-1h"}), malformed),
        refused("a word", json!({"retentionPeriod": "week"}), malformed),
        refused(
            "less than a server keeps",
            json!({"retentionPeriod": "59m"}),
            "spec.retentionPeriod: must be at least 1h",
        ),
        refused("nothing at all", json!({"retentionPeriod": "0s"}), "spec.retentionPeriod: must be at least 1h"),
        refused("a number", json!({"retentionPeriod": 168}), "spec.retentionPeriod"),
    ]
}

fn references() -> Vec<Case> {
    vec![
        refused("no cluster", json!({"clusterRef": null}), "spec.clusterRef: Required value"),
        refused(
            "a cluster without a name",
            json!({"clusterRef": {"name": null}}),
            "spec.clusterRef.name: Required value",
        ),
        refused("an empty name of the cluster", json!({"clusterRef": {"name": ""}}), "spec.clusterRef.name"),
        Case {
            name: "Temporal's own namespace",
            patch: json!({"metadata": {"name": "temporal-system"}}),
            refusal: Some("metadata.name: temporal-system is Temporal's own namespace"),
        },
        refused("a description that is a list", json!({"description": ["a"]}), "spec.description"),
        refused(
            "an owner's address that is a letter",
            json!({"ownerEmail": "a".repeat(321)}),
            "spec.ownerEmail: Too long",
        ),
        refused("data that are no texts", json!({"data": {"a": 1}}), "spec.data.a"),
        refused("deletion by a word", json!({"allowDeletion": "yes"}), "spec.allowDeletion"),
    ]
}

fn attributes() -> Vec<Case> {
    let name = "spec.customSearchAttributes: a name has at most 64 letters, digits, - and _";
    let reserved = "spec.customSearchAttributes: names of Temporal's own attributes, and those that begin with Temporal, are reserved";
    let many: Map<String, Value> = (0..101).map(|n| (format!("A{n}"), json!("Int"))).collect();
    vec![
        refused(
            "an unknown type",
            attribute("Customer", "String"),
            "spec.customSearchAttributes.Customer: Unsupported value",
        ),
        refused(
            "a type in small letters",
            attribute("Customer", "keyword"),
            "spec.customSearchAttributes.Customer: Unsupported value",
        ),
        refused(
            "an attribute without a type",
            json!({"customSearchAttributes": {"Customer": 1}}),
            "spec.customSearchAttributes",
        ),
        refused("an attribute of the server", attribute("WorkflowId", "Keyword"), reserved),
        refused("another attribute of the server", attribute("BuildIds", "KeywordList"), reserved),
        refused("a name that is kept for Temporal", attribute("TemporalThing", "Keyword"), reserved),
        refused("an attribute with a space", attribute("My Customer", "Keyword"), name),
        refused("an attribute that begins with a digit", attribute("1st", "Keyword"), name),
        refused("a long name", attribute(&"a".repeat(65), "Keyword"), name),
        refused(
            "a hundred and one attributes",
            json!({"customSearchAttributes": many}),
            "spec.customSearchAttributes: Too many",
        ),
    ]
}

fn not_yet() -> Vec<Case> {
    vec![
        refused("a global namespace", json!({"isGlobalNamespace": true}), "spec.isGlobalNamespace: not supported yet"),
        refused("clusters", json!({"clusters": ["a", "b"]}), "spec.clusters: not supported yet"),
        refused("an active cluster", json!({"activeClusterName": "a"}), "spec.activeClusterName: not supported yet"),
        refused(
            "archived histories",
            json!({"archival": {"history": {"enabled": true}}}),
            "spec.archival.history: not supported yet",
        ),
        refused(
            "archived records",
            json!({"archival": {"visibility": {"enabled": true}}}),
            "spec.archival.visibility: not supported yet",
        ),
    ]
}
