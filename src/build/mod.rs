//! From a valid cluster to the Kubernetes objects it becomes. Pure: the same input makes the same bytes.

pub mod config;
pub mod job;
mod metadata;
pub mod network;
mod object;
mod owner_check;
mod probes;
mod security;
pub mod server;
pub mod ui;

pub use config::ServerConfig;
pub use metadata::{child_name, names, selector};
pub use object::{Kind, Object, ObjectKey};

use crate::api::services::Role;
use crate::validate::ValidCluster;
use std::collections::BTreeMap;

/// The metadata versions (`resourceVersion`) of the Secrets that the pods read, by Secret name.
pub type SecretVersions = BTreeMap<String, String>;

/// The objects that do not depend on how far a rollout is: accounts, config, Services, budgets, the Web UI.
#[must_use]
pub fn foundation(cluster: &ValidCluster) -> Vec<Object> {
    let mut objects = vec![
        metadata::schema_account(cluster),
        ServerConfig::render(cluster).object(cluster),
        config::dynamic(cluster),
    ];
    for role in Role::ALL {
        objects.push(metadata::role_account(cluster, role));
        objects.push(network::headless_service(cluster, role));
        objects.push(network::disruption_budget(cluster, role));
    }
    objects.push(network::frontend_service(cluster));
    if let Some(ui) = &cluster.ui {
        objects.push(ui::service(cluster, ui));
        objects.push(ui::deployment(cluster, ui));
    }
    objects
}

/// Everything a manifest becomes, in the order it is applied; what `temporal-operator plan` prints.
#[must_use]
pub fn everything(cluster: &ValidCluster, secrets: &SecretVersions) -> Vec<Object> {
    let mut objects = foundation(cluster);
    objects.extend(cluster.stores().map(|store| job::schema(cluster, store, secrets, 1)));
    let config = ServerConfig::render(cluster);
    objects.extend(Role::ALL.map(|role| server::deployment(cluster, role, &config, secrets, None)));
    objects.sort_by_key(Object::kind);
    objects
}

#[cfg(test)]
mod tests;
