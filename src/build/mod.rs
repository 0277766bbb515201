//! From a valid cluster to the Kubernetes objects it becomes. Pure: the same input makes the same bytes.

mod admintools;
mod autoscaler;
pub mod before_upgrade;
mod companion;
pub mod config;
pub mod drain;
mod dual;
mod elasticsearch;
mod ingress;
pub mod job;
mod keepalive;
mod metadata;
mod monitor;
pub mod network;
mod object;
pub mod overrides;
mod owner_check;
mod probes;
mod security;
pub mod server;
mod store_tls;
mod takeover;
pub mod ui;
pub mod worker;

pub use config::ServerConfig;
pub use metadata::{child_name, names, selector};
pub use monitor::ServiceMonitor;
pub use object::{Kind, Object, ObjectKey, hash_of};

use crate::validate::{Invalid, ValidCluster};
use std::collections::BTreeMap;

/// The metadata versions (`resourceVersion`) of the Secrets that the pods read, by Secret name.
pub type SecretVersions = BTreeMap<String, String>;

/// The objects that do not depend on how far a rollout is: accounts, config, Services, autoscalers, the Web UI,
/// the tools, ServiceMonitors.
///
/// # Errors
/// When overrides do not fit the generated Deployment.
pub fn foundation(cluster: &ValidCluster) -> Result<Vec<Object>, Invalid> {
    let mut objects = vec![
        metadata::schema_account(cluster),
        ServerConfig::render(cluster).object(cluster),
        config::dynamic(cluster),
    ];
    for role in cluster.roles.keys().copied() {
        objects.push(metadata::role_account(cluster, role));
        objects.push(network::headless_service(cluster, role));
        let scaling = cluster.role(role).autoscaling.clone();
        objects.extend(scaling.map(|scaling| autoscaler::of_role(cluster, role, &scaling)));
    }
    let frontends = cluster.roles.keys().filter(|r| r.http_port().is_some());
    objects.extend(frontends.map(|r| network::client_service(cluster, *r)));
    if let Some(ui) = &cluster.ui {
        objects.push(ui::service(cluster, ui));
        objects.push(ui::deployment(cluster, ui)?);
        objects.extend(ui.ingress.as_ref().map(|i| ingress::ui(cluster, i)));
    }
    if let Some(tools) = &cluster.admin_tools {
        objects.push(admintools::deployment(cluster, tools)?);
    }
    if let Some(monitors) = cluster.metrics.as_ref().and_then(|m| m.monitors.as_ref()) {
        objects.extend(cluster.roles.keys().map(|role| monitor::of_role(cluster, *role, monitors)));
    }
    Ok(objects)
}

/// Everything a manifest becomes, in the order it is applied; what `temporal-operator plan` prints.
///
/// # Errors
/// When overrides do not fit the generated Deployment.
pub fn everything(cluster: &ValidCluster, secrets: &SecretVersions) -> Result<Vec<Object>, Invalid> {
    let mut objects = foundation(cluster)?;
    objects.push(network::disruption_budget(cluster, 1));
    objects.extend(cluster.stores().map(|store| job::schema(cluster, store, secrets, 1)));
    let config = ServerConfig::render(cluster);
    for role in cluster.roles.keys() {
        objects.push(server::deployment(cluster, *role, &config, secrets, None)?);
    }
    objects.sort_by_key(Object::kind);
    Ok(objects)
}

#[cfg(test)]
mod tests;
