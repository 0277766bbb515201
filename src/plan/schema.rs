//! Which schema Job is due: one at a time, the default store first, again with a growing delay when one fails.

use crate::api::status::{DatastoreStatus, PersistenceStatus};
use crate::api::{annotations, labels};
use crate::build::{Object, SecretVersions, job};
use crate::plan::Observed;
use crate::plan::jobs::{failed_at, held_back, last_words, succeeded};
use crate::validate::{StoreKind, ValidCluster, ValidStore};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use semver::Version;
use std::collections::BTreeSet;

/// The state of the stores' schemas and the Job to make next.
#[derive(Clone, Debug)]
pub struct SchemaPlan {
    /// The Job to create now.
    pub job: Option<Object>,
    /// Names of Jobs to leave alone.
    pub keep: BTreeSet<String>,
    /// What is known of the stores, to be recorded.
    pub stores: PersistenceStatus,
    /// What is being done or waited for; `None` when every store is at the wanted version.
    pub pending: Option<Pending>,
    /// When a failed Job is due again.
    pub retry_at: Option<Timestamp>,
}

/// Why the schema is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The store at work.
    pub store: StoreKind,
    /// How it stands.
    pub trouble: Option<Trouble>,
    /// One sentence.
    pub message: String,
}

/// What is wrong with a schema that is not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The last try failed.
    Failed,
    /// The Job has no pod, or a pod that does not get on.
    HeldUp,
}

/// Reason of a schema whose last try failed.
const FAILED: &str = "SchemaFailed";

impl Pending {
    /// The condition's reason.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self.trouble {
            Some(Trouble::Failed) => FAILED,
            Some(Trouble::HeldUp) => "SchemaHeldUp",
            None => "SchemaPending",
        }
    }
}

impl SchemaPlan {
    /// Every store has the wanted schema.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.pending.is_none()
    }
}

/// Delay before the try after the n-th: 1 s doubling to 60 s.
fn delay(attempt: u32) -> SignedDuration {
    SignedDuration::from_secs(1_i64 << attempt.clamp(1, 7).saturating_sub(1)).min(SignedDuration::from_secs(60))
}

/// Plans the schema. `told` is the condition of the schema so far. With `blocked` no Job is started.
#[allow(clippy::too_many_arguments)] // all that the choice of a Job depends on
#[must_use]
pub fn plan(
    cluster: &ValidCluster,
    secrets: &SecretVersions,
    recorded: Option<&PersistenceStatus>,
    seen: &Observed,
    told: Option<&Condition>,
    blocked: bool,
    now: Timestamp,
) -> SchemaPlan {
    let mut plan = SchemaPlan {
        job: None,
        keep: BTreeSet::new(),
        stores: PersistenceStatus::default(),
        pending: None,
        retry_at: None,
    };
    let recorded = recorded.cloned().unwrap_or_default();
    let tries = Tries { cluster, secrets, seen, now };
    // whatever it was made for: two Jobs at once would spoil the schema
    let busy = seen.jobs.iter().find(|job| tries.at_work(job));
    plan.keep.extend(busy.iter().map(|job| job.name_any()));
    for store in cluster.stores() {
        let old = known(&recorded, store).cloned();
        let last = tries.last(store);
        plan.keep.extend(last.iter().map(|(_, job)| job.name_any()));
        let done = at_version(old.as_ref(), &cluster.version) || last.as_ref().is_some_and(|(_, j)| succeeded(j));
        let status =
            if done { reached(store, &cluster.version, old.as_ref()) } else { old.unwrap_or_else(|| unknown(store)) };
        match store.kind {
            StoreKind::Default => plan.stores.default_store = Some(status),
            StoreKind::Visibility => plan.stores.visibility_store = Some(status),
            StoreKind::SecondaryVisibility => plan.stores.secondary_visibility_store = Some(status),
        }
        // one Job at a time: a later store waits for the earlier one
        if !done && plan.pending.is_none() {
            match busy {
                Some(job) => plan.pending = Some(running(store.kind, job, seen, told, now)),
                None => tries.next(store, last, blocked, now, &mut plan),
            }
        }
    }
    plan
}

/// What is recorded of the store's database. The two visibility stores may have changed places.
fn known<'a>(recorded: &'a PersistenceStatus, store: &ValidStore) -> Option<&'a DatastoreStatus> {
    let places = match store.kind {
        StoreKind::Default => [&recorded.default_store, &None],
        _ => [&recorded.visibility_store, &recorded.secondary_visibility_store],
    };
    places.into_iter().flatten().find(|o| o.database.as_deref() == Some(&store.identity()))
}

fn at_version(status: Option<&DatastoreStatus>, wanted: &Version) -> bool {
    let recorded = status.and_then(|s| s.schema_version.as_deref()).and_then(|v| Version::parse(v).ok());
    recorded.is_some_and(|r| r >= *wanted)
}

fn reached(store: &ValidStore, version: &Version, old: Option<&DatastoreStatus>) -> DatastoreStatus {
    let newest = old.and_then(|o| o.schema_version.as_deref()).and_then(|v| Version::parse(v).ok());
    DatastoreStatus {
        created: true,
        setup: true,
        type_: store.type_name().to_owned(),
        schema_version: Some(newest.map_or(version.clone(), |n| n.max(version.clone())).to_string()),
        database: Some(store.identity()),
    }
}

fn unknown(store: &ValidStore) -> DatastoreStatus {
    DatastoreStatus {
        type_: store.type_name().to_owned(),
        database: Some(store.identity()),
        ..DatastoreStatus::default()
    }
}

/// The tries at the schemas of one cluster.
struct Tries<'a> {
    cluster: &'a ValidCluster,
    secrets: &'a SecretVersions,
    seen: &'a Observed,
    now: Timestamp,
}

impl<'a> Tries<'a> {
    /// The latest try at bringing this very store to this very version, with these very Secrets.
    fn last(&self, store: &ValidStore) -> Option<(u32, &'a Job)> {
        let number = |job: &'a Job| job.annotations().get(annotations::ATTEMPT)?.parse::<u32>().ok();
        self.seen
            .jobs
            .iter()
            .filter_map(|j| Some((number(j)?, j.as_ref())))
            .filter(|(attempt, job)| job.name_any() == job::name(self.cluster, store, self.secrets, *attempt))
            .max_by_key(|(attempt, _)| *attempt)
    }

    /// A Job that has not ended and whose pod is not held back for a reason that a change of the manifest may cure.
    fn at_work(&self, job: &Job) -> bool {
        let held_back = held_back(job, self.seen, self.now).is_some();
        let wanted = self.cluster.stores().any(|s| self.last(s).is_some_and(|(_, j)| j.name_any() == job.name_any()));
        !succeeded(job) && failed_at(job).is_none() && (wanted || !held_back)
    }

    /// Starts the first try, or the next one when the last has failed and it is time.
    fn next(
        &self,
        store: &ValidStore,
        last: Option<(u32, &Job)>,
        blocked: bool,
        now: Timestamp,
        plan: &mut SchemaPlan,
    ) {
        let name = store.kind.title();
        let Some((attempt, at, job)) = last.and_then(|(n, job)| Some((n, failed_at(job)?, job))) else {
            let message = if blocked {
                format!("The schema of the {name} store waits.")
            } else {
                plan.job = Some(job::schema(self.cluster, store, self.secrets, 1));
                job_runs(name)
            };
            plan.pending = Some(Pending { store: store.kind, trouble: None, message });
            return;
        };
        let due = at.checked_add(delay(attempt)).unwrap_or(at);
        if now >= due && !blocked {
            plan.job = Some(job::schema(self.cluster, store, self.secrets, attempt + 1));
            plan.keep.remove(&job.name_any());
        } else if !blocked {
            plan.retry_at = Some(due);
        }
        let words = last_words(job, self.seen);
        let message = format!("The schema Job of the {name} store failed {words}; it is tried again by itself.");
        plan.pending = Some(Pending { store: store.kind, trouble: Some(Trouble::Failed), message });
    }
}

/// What a Job that has not ended is doing; names what holds its pod back. `due` is the first store that is not ready,
/// which may be another one than the Job's.
fn running(due: StoreKind, job: &Job, seen: &Observed, told: Option<&Condition>, now: Timestamp) -> Pending {
    let store = job.labels().get(labels::STORE).and_then(|n| StoreKind::parse(n)).unwrap_or(due).title();
    if let Some(reason) = held_back(job, seen, now) {
        let message = format!("The schema Job of the {store} store waits: {reason}.");
        return Pending { store: due, trouble: Some(Trouble::HeldUp), message };
    }
    // a try after a failed one does not make the failure unsaid
    let tries = job.annotations().get(annotations::ATTEMPT).and_then(|n| n.parse::<u32>().ok()).unwrap_or(1);
    match told.filter(|c| tries > 1 && c.reason == FAILED) {
        Some(failure) => Pending { store: due, trouble: Some(Trouble::Failed), message: failure.message.clone() },
        None => Pending { store: due, trouble: None, message: job_runs(store) },
    }
}

/// Said of a Job from its start on: it is not worth a write of the status that it has been seen.
fn job_runs(store: &str) -> String {
    format!("The schema Job of the {store} store is running.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_a_minute() {
        let seconds: Vec<_> = (1..9).map(|a| delay(a).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
    }
}
