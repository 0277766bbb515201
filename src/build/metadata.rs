//! Names, labels and owner of everything built; the service accounts.

use super::Object;
use crate::api::labels;
use crate::api::services::Role;
use crate::validate::ValidCluster;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

/// Components that are not roles.
pub mod names {
    /// The Web UI.
    pub const UI: &str = "ui";
    /// The pod with Temporal's tools.
    pub const ADMIN_TOOLS: &str = "admintools";
    /// The schema Jobs.
    pub const SCHEMA: &str = "schema";
    /// The Job before an upgrade.
    pub const BEFORE_UPGRADE: &str = "before-upgrade";
    /// What all roles have in common.
    pub const SERVER: &str = "server";
    /// Server config and what belongs to no role.
    pub const CONFIG: &str = "config";
}

/// `<cluster>-<suffix>`.
#[must_use]
pub fn child_name(cluster: &ValidCluster, suffix: &str) -> String {
    format!("{}-{suffix}", cluster.name)
}

/// The labels that select the pods of a component; the Go operator's, so that its clusters can be taken over.
#[must_use]
pub fn selector(cluster: &ValidCluster, component: &str) -> BTreeMap<String, String> {
    let mut all = selector_of_all(cluster);
    all.insert(labels::COMPONENT.to_owned(), component.to_owned());
    all
}

/// Those that select the pods of every component.
pub(super) fn selector_of_all(cluster: &ValidCluster) -> BTreeMap<String, String> {
    BTreeMap::from([
        (labels::NAME.to_owned(), cluster.name.clone()),
        (labels::PART_OF.to_owned(), labels::PART_OF_VALUE.to_owned()),
    ])
}

/// The labels of an object of a component.
pub(super) fn object_labels(cluster: &ValidCluster, component: &str) -> BTreeMap<String, String> {
    let mut all = selector(cluster, component);
    all.insert(labels::INSTANCE.to_owned(), cluster.name.clone());
    all.insert(labels::MANAGED_BY.to_owned(), labels::MANAGED_BY_VALUE.to_owned());
    all
}

/// The user's labels or annotations, and ours over them.
pub(super) fn under_ours(
    users: Option<&BTreeMap<String, String>>,
    ours: Option<BTreeMap<String, String>>,
) -> Option<BTreeMap<String, String>> {
    let mut all = users.cloned().unwrap_or_default();
    all.extend(ours.unwrap_or_default());
    Some(all)
}

/// Metadata of an object named `<cluster>-<suffix>`, owned by the cluster.
pub(super) fn metadata(cluster: &ValidCluster, suffix: &str, component: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(child_name(cluster, suffix)),
        namespace: Some(cluster.namespace.clone()),
        labels: Some(object_labels(cluster, component)),
        owner_references: cluster.owner.clone().map(|o| vec![o]),
        ..ObjectMeta::default()
    }
}

/// Service account suffix of the schema Jobs.
pub(super) const SCHEMA_ACCOUNT: &str = "schema-setup";

/// The service account of a role's pods. They never talk to the API server, so no token is mounted.
pub(super) fn role_account(cluster: &ValidCluster, role: Role) -> Object {
    account(cluster, role.name(), role.name())
}

/// The service account of the schema Jobs.
pub(super) fn schema_account(cluster: &ValidCluster) -> Object {
    account(cluster, SCHEMA_ACCOUNT, names::SCHEMA)
}

/// GKE's workload identity: pods with this account act as that Google service account.
const GCP_SERVICE_ACCOUNT: &str = "iam.gke.io/gcp-service-account";

fn account(cluster: &ValidCluster, suffix: &str, component: &str) -> Object {
    let google = cluster.gcp_service_account.clone();
    let annotations = google.map(|email| BTreeMap::from([(GCP_SERVICE_ACCOUNT.to_owned(), email)]));
    Object::ServiceAccount(Box::new(ServiceAccount {
        metadata: ObjectMeta { annotations, ..metadata(cluster, suffix, component) },
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }))
}
