//! The kind `TemporalNamespace`.

use super::conditions::Conditioned;
use super::reference::Reference;
use super::resident::{Phase, Told};
use super::unsupported::Disabled;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::core::cel::MergeStrategy;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// A Temporal namespace on a cluster. Its name in Temporal is `metadata.name`.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "temporal.io",
    version = "v1beta1",
    kind = "TemporalNamespace",
    plural = "temporalnamespaces",
    shortname = "tns",
    category = "temporal",
    namespaced,
    doc = "A Temporal namespace on a cluster. Its name in Temporal is `metadata.name`.",
    derive = "PartialEq",
    status = "TemporalNamespaceStatus",
    validation = ("self.metadata.name != 'temporal-system'", "metadata.name: temporal-system is Temporal's own namespace; choose another name"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Cluster", type_ = "string", json_path = ".spec.clusterRef.name"),
    printcolumn(name = "Retention", type_ = "string", json_path = ".spec.retentionPeriod"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.isGlobalNamespace) || !self.isGlobalNamespace", "spec.isGlobalNamespace: not supported yet; remove it or set it to false"))]
#[x_kube(validation = ("!has(self.clusters) || self.clusters.size() == 0", "spec.clusters: not supported yet, since it is for global namespaces; remove it"))]
#[x_kube(validation = ("!has(self.activeClusterName) || self.activeClusterName == ''", "spec.activeClusterName: not supported yet, since it is for global namespaces; remove it"))]
pub struct TemporalNamespaceSpec {
    /// The `TemporalCluster` it lives on. Cannot change.
    #[x_kube(validation = ("self == oldSelf", "spec.clusterRef: cannot change; delete this TemporalNamespace and make another one"))]
    pub cluster_ref: Reference,
    /// How long Temporal keeps closed workflows: a Go duration such as `168h`, at least `1h`.
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = ("self.matches('^([0-9]{1,7}([.][0-9]{1,9})?(ns|us|µs|ms|s|m|h))+$')", "spec.retentionPeriod: must be a Go duration such as 168h or 1h30m; there is no unit for days: write 7d as 168h"))]
    #[x_kube(validation = ("!self.matches('^([0-9]{1,7}([.][0-9]{1,9})?(ns|us|µs|ms|s|m|h))+$') || duration(self) >= duration('1h')", "spec.retentionPeriod: must be at least 1h, the least that a server keeps; give more"))]
    pub retention_period: String,
    /// What the namespace is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub description: Option<String>,
    /// Whom to ask about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 320))]
    pub owner_email: Option<String>,
    /// Keys and values that Temporal keeps with the namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 64))]
    pub data: Option<BTreeMap<String, String>>,
    /// Given to Temporal when the namespace is registered, and never again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub security_token: Option<Token>,
    /// Whether it is replicated to other Temporal clusters. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_global_namespace: Option<bool>,
    /// The Temporal clusters of a global namespace. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), inner(length(max = 63)))]
    pub clusters: Option<Vec<String>>,
    /// The active one of them. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub active_cluster_name: Option<String>,
    /// Archival of closed workflows. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archival: Option<NamespaceArchival>,
    /// Whether the deletion of this resource deletes the namespace in Temporal, with every workflow in it. Default false:
    /// the namespace stays.
    #[serde(default)]
    pub allow_deletion: bool,
    /// Search attributes to have, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 100))]
    #[x_kube(validation = ("self.all(name, name.matches('^[A-Za-z][A-Za-z0-9_-]{0,63}$'))", "spec.customSearchAttributes: a name has at most 64 letters, digits, - and _, and begins with a letter; choose another one"))]
    #[x_kube(validation = ("self.all(name, !name.startsWith('Temporal') && !(name in ['WorkflowId', 'RunId', 'WorkflowType', 'StartTime', 'ExecutionTime', 'CloseTime', 'ExecutionStatus', 'ExecutionDuration', 'TaskQueue', 'HistoryLength', 'HistorySizeBytes', 'StateTransitionCount', 'NamespaceId', 'VisibilityTaskKey', 'ParentWorkflowId', 'ParentRunId', 'RootWorkflowId', 'RootRunId', 'BinaryChecksums', 'BuildIds', 'BatcherUser', 'BatcherNamespace']))", "spec.customSearchAttributes: names of Temporal's own attributes, and those that begin with Temporal, are reserved; choose another one"))]
    pub custom_search_attributes: Option<BTreeMap<String, AttributeType>>,
    /// Whether search attributes that this resource declared and declares no longer are removed from Temporal. Default
    /// false: they stay.
    #[serde(default)]
    pub allow_search_attribute_deletion: bool,
}

/// Archival of closed workflows. Not supported yet: passes only with both sides off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.history) || !has(self.history.enabled) || !self.history.enabled", "spec.archival.history: not supported yet; remove it or set enabled: false"))]
#[x_kube(validation = ("!has(self.visibility) || !has(self.visibility.enabled) || !self.visibility.enabled", "spec.archival.visibility: not supported yet; remove it or set enabled: false"))]
pub struct NamespaceArchival {
    /// Of their histories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Disabled>,
    /// Of their records in the visibility store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Disabled>,
}

/// A text that is not shown.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Token(pub String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// The type of a search attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AttributeType {
    /// Words of a text.
    Text,
    /// One exact text.
    Keyword,
    /// A whole number.
    Int,
    /// A number.
    Double,
    /// True or false.
    Bool,
    /// A time. The Go operator writes `DateTime`.
    #[serde(alias = "DateTime")]
    Datetime,
    /// Several exact texts.
    KeywordList,
}

impl JsonSchema for AttributeType {
    fn schema_name() -> Cow<'static, str> {
        "AttributeType".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = Self::ALL.iter().map(|t| t.name()).chain(["DateTime"]).collect();
        json_schema!({"type": "string", "enum": names})
    }
}

impl AttributeType {
    /// All of them, in Temporal's order.
    pub const ALL: [Self; 7] =
        [Self::Text, Self::Keyword, Self::Int, Self::Double, Self::Bool, Self::Datetime, Self::KeywordList];

    /// As Temporal writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "Text",
            Self::Keyword => "Keyword",
            Self::Int => "Int",
            Self::Double => "Double",
            Self::Bool => "Bool",
            Self::Datetime => "Datetime",
            Self::KeywordList => "KeywordList",
        }
    }
}

impl fmt::Display for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the operator knows of a Temporal namespace. Times change only when a condition turns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemporalNamespaceStatus {
    /// The `metadata.generation` this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// One word: `Pending`, `Ready`, `Failed` or `Deleting`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// One sentence: what is happening, why, and what would help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Temporal's id of the namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_id: Option<String>,
    /// Search attributes that this resource declared and that Temporal has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub search_attributes: BTreeMap<String, AttributeType>,
    /// How many more search attributes of each type the namespace has room for; absent where there is no such limit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub search_attributes_left: BTreeMap<String, i32>,
    /// From when on every server knows the search attributes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usable_from: Option<Time>,
    /// `Ready`, `Reconciling`, `Stalled`.
    #[serde(default)]
    #[x_kube(merge_strategy = MergeStrategy::ListType(ListMerge::Map(vec!["type".into()])))]
    #[schemars(length(max = 32))]
    pub conditions: Vec<Condition>,
}

impl Conditioned for TemporalNamespaceStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
}

impl Told for TemporalNamespaceStatus {
    fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    fn tell(&mut self, generation: Option<i64>, phase: Phase, message: String, conditions: Vec<Condition>) {
        self.observed_generation = generation;
        self.phase = Some(phase);
        self.message = Some(message);
        self.conditions = conditions;
    }
}
