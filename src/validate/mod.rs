//! Step 1: from what the user wrote to what can be carried out.
//!
//! [`cluster`] checks again what the CRD's CEL rules refuse at `kubectl apply` (a rule may be newer than the stored
//! object) and fills in every default. Each problem names the field and the remedy.

mod autoscaling;
mod before_upgrade;
pub mod change;
mod cluster;
mod datastore;
pub mod duration;
pub mod dynamic_config;
mod elasticsearch;
pub mod embedded;
mod fields;
mod images;
mod ingress;
mod job;
mod log;
mod namespace;
mod observability;
mod overrides;
mod pools;
mod resources;
mod roles;
mod rollout;
mod scaling;
mod schedule;
mod server_config;
mod size;
mod store;
mod tls;
mod unsupported;
pub mod version;
mod worker;

pub use autoscaling::ValidAutoscaling;
pub use before_upgrade::ValidBeforeUpgrade;
pub use cluster::{ValidAdminTools, ValidCluster, ValidUi};
pub use datastore::{Engine, SecretKey, StoreKind, ValidElasticsearch, ValidMigration, ValidSql, ValidStore, ValidTls};
pub use images::reference as image_reference;
pub use ingress::ValidIngress;
pub use job::ValidJobPod;
pub use log::ValidLog;
pub use namespace::{ValidNamespace, namespace};
pub use observability::{ValidMetrics, ValidMonitors};
pub use overrides::{ValidOverride, is_own_label};
pub use roles::ValidRole;
pub use rollout::ValidRollout;
pub use scaling::read as scaling;
pub use schedule::{ValidSchedule, read as schedule};
pub use worker::{
    Authorities, Caller, GatePolicy, GateRule, RolloutPolicy, ServerTls, StepPolicy, ValidConnection, ValidWorker,
    WorkerHome, WorkflowRule, change as worker_change, read as worker,
};

use crate::api::TemporalCluster;
use std::fmt;

/// A manifest that cannot be carried out until it changes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Invalid {
    /// Every problem found, in the order of the fields.
    pub problems: Vec<Problem>,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path of the field, for example `spec.numHistoryShards`.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Invalid {
    /// One problem.
    #[must_use]
    pub fn one(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { problems: vec![Problem { field: field.into(), message: message.into() }] }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, p) in self.problems.iter().enumerate() {
            let separator = if i == 0 { "" } else { "; " };
            write!(f, "{separator}{}: {}", p.field, p.message)?;
        }
        Ok(())
    }
}

/// Collects problems while fields are read.
#[derive(Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    /// Notes a problem.
    pub(crate) fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem { field: field.into(), message: message.into() });
    }

    /// Notes a problem when there is one.
    pub(crate) fn require(&mut self, holds: bool, field: &str, message: &str) {
        if !holds {
            self.add(field, message);
        }
    }
}

/// The overrides of one Deployment; `path` is the field they are at.
#[cfg(test)]
pub(crate) fn read_overrides(
    path: &str,
    overrides: &crate::api::overrides::Overrides,
) -> Result<ValidOverride, Invalid> {
    let mut problems = Problems::default();
    match overrides::read(path, Some(overrides), &mut problems) {
        Some(valid) if problems.0.is_empty() => Ok(valid),
        _ => Err(Invalid { problems: problems.0 }),
    }
}

/// Whether it is a label of RFC 1123, as the names of namespaces and containers are.
#[must_use]
pub fn is_dns_label(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&name.len()) && name.chars().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

/// The cluster as it can be carried out, or everything that is wrong with it.
pub fn cluster(resource: &TemporalCluster) -> Result<ValidCluster, Invalid> {
    let mut problems = Problems::default();
    unsupported::check(&resource.spec, &mut problems);
    let valid = fields::read(resource, &mut problems);
    match valid {
        Some(valid) if problems.0.is_empty() => Ok(valid),
        _ => Err(Invalid { problems: problems.0 }),
    }
}
