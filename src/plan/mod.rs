//! Step 3: from what is wanted and what is seen to what is to be done. Pure: the clock is an argument.

mod autoscaling;
mod delivery;
mod disruption;
pub mod gate;
pub mod health;
mod jobs;
pub mod namespace;
pub mod neighbours;
mod observed;
mod pods;
pub mod preview;
pub mod remedies;
pub mod resident;
pub mod rollout;
pub mod schedule;
pub mod schema;
pub mod seat;
pub mod split;
mod status;
mod verdict;
mod visibility;
mod wake;
mod words;
pub mod worker;

pub use delivery::Delivery;
pub use status::{Obstacle, obstructed, refused};
pub use visibility::waits_for_pods;

pub use observed::{Child, Membership, Observed, Rings, TemporalView, members};

use crate::api::TemporalClusterStatus;
use crate::api::conditions::{self, Truth};
use crate::api::services::Role;
use crate::build::{self, Kind, Object, ObjectKey, SecretVersions, ServerConfig};
use crate::validate::{Invalid, ValidCluster};
use gate::Gate;
use health::Blockers;
use k8s_openapi::jiff::Timestamp;
use rollout::Rollout;
use schema::SchemaPlan;
use split::Split;
use std::collections::BTreeSet;
use std::time::Duration;

/// What one reconcile does.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is to be done in Kubernetes.
    pub changes: Changes,
    /// The status to report.
    pub status: TemporalClusterStatus,
    /// When to look again although nothing was heard.
    pub wake: Duration,
    /// Whether the same sight makes the same plan at any later time, once this one is carried out.
    pub lasts: bool,
}

/// What is to be done in Kubernetes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Objects to have exactly so, in the order of application.
    pub objects: Vec<Object>,
    /// Objects of the resource to delete.
    pub prune: Vec<ObjectKey>,
    /// Numbers of pods that are the operator's no longer.
    pub handovers: Vec<Handover>,
    /// Pods that are to read at once what changes in the objects.
    pub delivery: Option<Delivery>,
    /// A pod to be deleted, so that its successor brings Temporal's rings together.
    pub replacement: Option<Split>,
}

/// A Deployment whose number of pods is not given any more, and is to stay as it is until somebody scales it: to just give
/// the field up would let Kubernetes fall back to 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    /// The Deployment.
    pub key: ObjectKey,
    /// Its present number of pods.
    pub replicas: i32,
}

/// Plans the next step of a cluster.
///
/// # Errors
/// When overrides do not fit the generated Deployment: a manifest that cannot be carried out.
pub fn cluster(
    valid: &ValidCluster,
    generation: Option<i64>,
    old: &TemporalClusterStatus,
    seen: &Observed,
    now: Timestamp,
) -> Result<Plan, Invalid> {
    let missing: Vec<&str> = valid.secret_names().into_iter().filter(|n| seen.secret_version(n).is_none()).collect();
    let config = ServerConfig::render(valid);
    let secrets = secret_versions(seen);
    let blocked = !missing.is_empty() || seen.taken.is_some();
    let told = conditions::get(&old.conditions, conditions::SCHEMA_READY);
    let gate = gate::plan(valid, old, seen, blocked || valid.is_paused(), now);
    let held = blocked || gate.is_closed();
    let mut schema =
        schema::plan(valid, &secrets, old.persistence.as_ref(), seen, told, held || valid.is_paused(), now);
    let mut rollout = rollout::plan(valid, &config, &secrets, schema.is_ready() && !held, seen, old, now)?;
    rollout.record.before_upgrade.clone_from(&gate.record);

    // a history pod that ends works on what it has until its shards have left it
    let at_rest = schema.is_ready() && rollout.is_proven() && !rollout.draining;
    schema.stores.visibility_move = visibility::moving(valid, old.persistence.as_ref(), at_rest, now);

    let mut objects = build::foundation(valid)?;
    objects.push(build::network::disruption_budget(valid, disruption::evictable(old, &rollout.roles, now)));
    if gate.is_closed() {
        objects.retain(|o| o.kind() != Kind::Deployment || !seen.lives(&o.key()));
    }
    objects.extend(gate.job.clone());
    objects.extend(schema.job.clone());
    objects.extend(rollout.objects.iter().cloned());
    objects.sort_by_key(Object::kind);
    let mut notes = leave_out_unserved(&mut objects, seen);
    notes.extend(visibility::failure(valid, &rollout, seen));
    notes.extend(autoscaling::idle(seen, now));

    // what the status says is written when all is sent; only of pods there is more to wait for
    let unsent = objects.iter().find(|o| o.kind() == Kind::Deployment && !seen.has_been_sent(o)).map(Object::key);
    let taken = seen.taken.as_ref();
    let closed = gate.closed.as_ref();
    let blockers = Blockers { taken, missing_secrets: &missing, closed, unsent: unsent.as_ref(), notes: &notes };
    let split = split::plan(seen, now);
    let health = health::assess(valid, generation, old, seen, &blockers, &schema, &rollout, split.as_ref(), now);
    Ok(Plan {
        changes: Changes {
            prune: prune(&config, &objects, &gate, &schema, &rollout, seen),
            handovers: objects
                .iter()
                .filter_map(|o| autoscaling::handover(o, seen.deployments.iter().map(AsRef::as_ref)))
                .collect(),
            delivery: delivery::of_dynamic_config(valid, &objects, old, seen),
            objects,
            replacement: split.filter(|split| split.due <= now),
        },
        wake: wake::after(&health, &schema, &rollout, old, seen, now),
        // the clock counts where something is on its way, and where Temporal's proof is missing
        lasts: health.settled && health.membership.truth == Truth::True && !autoscaling::is_waited_for(seen, now),
        status: status::report(valid, generation, old, &gate, &schema, &rollout, &health, now),
    })
}

/// Takes out objects of a kind that is not installed; what to say of it.
fn leave_out_unserved(objects: &mut Vec<Object>, seen: &Observed) -> Vec<String> {
    let before = objects.len();
    objects.retain(|o| o.kind() != Kind::ServiceMonitor || seen.monitors_served);
    let note = "ServiceMonitors wait for the kind ServiceMonitor (monitoring.coreos.com/v1) of Prometheus Operator, which is not installed";
    if objects.len() < before { vec![note.to_owned()] } else { Vec::new() }
}

fn secret_versions(seen: &Observed) -> SecretVersions {
    seen.secrets.iter().filter_map(|(name, version)| version.clone().map(|v| (name.clone(), v))).collect()
}

/// Every labelled object of the cluster that is neither wanted nor still needed.
fn prune(
    config: &ServerConfig,
    objects: &[Object],
    gate: &Gate,
    schema: &SchemaPlan,
    rollout: &Rollout,
    seen: &Observed,
) -> Vec<ObjectKey> {
    let wanted: BTreeSet<ObjectKey> = objects.iter().map(Object::key).collect();
    let held: BTreeSet<String> = rollout.held.iter().map(|r| seen.role_deployment_name(*r)).collect();
    let used = seen.config_hashes_in_use();
    // an internal frontend that is no longer wanted goes when no role has a config that leads to it
    let retiring = !rollout.is_complete() && rollout.state(Role::InternalFrontend).is_none();
    let internal = seen.role_deployment_name(Role::InternalFrontend);
    let needed = |child: &Child| match child.key.kind {
        _ if retiring && child.key.name.starts_with(&internal) => true,
        Kind::Job => schema.keep.contains(&child.key.name) || gate.keep.as_ref() == Some(&child.key.name),
        Kind::Deployment => held.contains(&child.key.name) || gate.is_closed(),
        Kind::ConfigMap => child.config_hash.as_ref().is_some_and(|h| *h == config.hash || used.contains(h)),
        _ => false,
    };
    let mut gone: Vec<ObjectKey> =
        seen.children.iter().filter(|c| !wanted.contains(&c.key) && !needed(c)).map(|c| c.key.clone()).collect();
    // pods go before what they need
    gone.sort_by(|a, b| b.cmp(a));
    gone
}

/// The roles in the order they are rolled: tasks first find the new matching, then the new history; clients come last
/// but for Temporal's own workers, which come after the internal frontend that they use.
pub const ROLL_ORDER: [Role; 5] = [Role::Matching, Role::History, Role::InternalFrontend, Role::Frontend, Role::Worker];

#[cfg(test)]
mod tests;
