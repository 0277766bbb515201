//! A `TemporalNamespace` as it can be carried out.

use super::{Invalid, Problems, duration};
use crate::api::namespace::{AttributeType, TemporalNamespaceSpec, Token};
use crate::api::reference::ClusterRef;
use crate::api::unsupported::Disabled;
use crate::api::{SYSTEM_NAMESPACE, TemporalNamespace, annotations};
use kube::ResourceExt;
use std::collections::BTreeMap;
use std::time::Duration;

/// What a server keeps at least (`system.namespaceMinRetentionLocal`).
const LEAST_RETENTION: Duration = Duration::from_secs(3600);
/// Temporal's own search attributes (1.30 to 1.32).
const RESERVED: [&str; 22] = [
    "WorkflowId",
    "RunId",
    "WorkflowType",
    "StartTime",
    "ExecutionTime",
    "CloseTime",
    "ExecutionStatus",
    "ExecutionDuration",
    "TaskQueue",
    "HistoryLength",
    "HistorySizeBytes",
    "StateTransitionCount",
    "NamespaceId",
    "VisibilityTaskKey",
    "ParentWorkflowId",
    "ParentRunId",
    "RootWorkflowId",
    "RootRunId",
    "BinaryChecksums",
    "BuildIds",
    "BatcherUser",
    "BatcherNamespace",
];

/// A Temporal namespace as it can be carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidNamespace {
    /// The namespace of the resource.
    pub own: String,
    /// Its name, which is the namespace's name in Temporal.
    pub name: String,
    /// The cluster it lives on.
    pub cluster: ClusterRef,
    /// How long closed workflows are kept.
    pub retention: Duration,
    /// What it is for.
    pub description: Option<String>,
    /// Whom to ask.
    pub owner_email: Option<String>,
    /// Keys and values that go with it.
    pub data: Option<BTreeMap<String, String>>,
    /// For its registration.
    pub security_token: Option<Token>,
    /// Search attributes to have.
    pub attributes: BTreeMap<String, AttributeType>,
    /// Whether those declared no longer are removed.
    pub removes_attributes: bool,
    /// Whether it is deleted in Temporal along with the resource.
    pub deletes: bool,
    /// The resource is being deleted.
    pub deleting: bool,
}

/// The namespace as it can be carried out, or everything that is wrong with it.
pub fn namespace(resource: &TemporalNamespace) -> Result<ValidNamespace, Invalid> {
    let mut problems = Problems::default();
    let (own, name, spec) = (resource.namespace().unwrap_or_default(), resource.name_any(), &resource.spec);
    problems.require(
        name != SYSTEM_NAMESPACE,
        "metadata.name",
        "temporal-system is Temporal's own namespace; choose another name",
    );
    unsupported(spec, &mut problems);
    problems.require(!spec.cluster_ref.name.is_empty(), "spec.clusterRef.name", "must name a TemporalCluster");
    let retention = retention(&spec.retention_period, &mut problems);
    let attributes = spec.custom_search_attributes.clone().unwrap_or_default();
    attributes.keys().for_each(|name| attribute(name, &mut problems));
    let let_go = resource.annotations().get(annotations::LET_GO).is_some_and(|v| v == "true");
    match retention {
        Some(retention) if problems.0.is_empty() => Ok(ValidNamespace {
            cluster: ClusterRef {
                namespace: spec.cluster_ref.namespace_from(&own),
                name: spec.cluster_ref.name.clone(),
            },
            own,
            name,
            retention,
            description: spec.description.clone(),
            owner_email: spec.owner_email.clone(),
            data: spec.data.clone(),
            security_token: spec.security_token.clone(),
            attributes,
            removes_attributes: spec.allow_search_attribute_deletion,
            deletes: spec.allow_deletion && !let_go,
            deleting: resource.metadata.deletion_timestamp.is_some(),
        }),
        _ => Err(Invalid { problems: problems.0 }),
    }
}

fn unsupported(spec: &TemporalNamespaceSpec, problems: &mut Problems) {
    let global = "not supported yet, since it is for global namespaces; remove it";
    problems.require(
        spec.is_global_namespace != Some(true),
        "spec.isGlobalNamespace",
        "not supported yet; remove it or set it to false",
    );
    problems.require(spec.clusters.as_ref().is_none_or(Vec::is_empty), "spec.clusters", global);
    let active = spec.active_cluster_name.as_deref().unwrap_or_default();
    problems.require(active.is_empty(), "spec.activeClusterName", global);
    let used = |side: &Option<Disabled>| side.as_ref().is_some_and(Disabled::is_used);
    let disable = "not supported yet; remove it or set enabled: false";
    if let Some(archival) = &spec.archival {
        problems.require(!used(&archival.history), "spec.archival.history", disable);
        problems.require(!used(&archival.visibility), "spec.archival.visibility", disable);
    }
}

fn retention(text: &str, problems: &mut Problems) -> Option<Duration> {
    let field = "spec.retentionPeriod";
    let Some(retention) = duration::parse(text) else {
        let message = "must be a Go duration such as 168h or 1h30m; there is no unit for days: write 7d as 168h";
        problems.add(field, message);
        return None;
    };
    problems.require(
        retention >= LEAST_RETENTION,
        field,
        "must be at least 1h, the least that a server keeps; give more",
    );
    Some(retention)
}

fn attribute(name: &str, problems: &mut Problems) {
    let field = "spec.customSearchAttributes";
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let fits = name.len() <= 64 && name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(inner);
    problems.require(
        fits,
        field,
        "a name has at most 64 letters, digits, - and _, and begins with a letter; choose another one",
    );
    problems.require(
        !name.starts_with("Temporal") && !RESERVED.contains(&name),
        field,
        "names of Temporal's own attributes, and those that begin with Temporal, are reserved; choose another one",
    );
}
