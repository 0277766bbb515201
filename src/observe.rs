//! Step 2: the only reader. Everything a plan needs to see, from the watches, the API server and Temporal.

mod connections;
mod listings;
mod loads;
mod questions;
mod seats;
mod versions;
mod workers;

pub use connections::{Connected, Connections, Unusable};
pub use listings::Listings;
pub use loads::{LoadKey, Loads};
pub use questions::ask;
pub use seats::Seats;
pub use workers::WorkerObserver;

use crate::api::services::Role;
use crate::api::{TemporalClusterStatus, annotations, labels};
use crate::plan::rollout::{is_complete, is_late};
use crate::plan::split::Apart;
use crate::plan::{Membership, Observed, Rings, TemporalView, members, waits_for_pods};
use crate::temporal::{ClusterRef, ClusterView, Target, Temporal, TemporalError};
use crate::validate::ValidCluster;
use crate::watches::{Live, Stores};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use versions::Versions;

/// Reading failed.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// The API server did not answer or refused.
    #[error("cannot read from the API server: {0}")]
    Kube(#[from] kube::Error),
    /// The argument of a gate's workflow is not there, or is no JSON.
    #[error("the argument of the gate's workflow cannot be read: {0}")]
    GateInput(String),
}

/// Secrets are looked at again after this time, and somewhat later, each cluster in its own time.
const SECRETS_FRESH: Duration = Duration::from_secs(30);
/// While something is missing or on its way they are looked at more often: somebody may be about to correct one, and
/// pods made with an old version would be replaced again.
const SECRETS_UNSETTLED: Duration = Duration::from_secs(2);
/// Bursts of watch events do not become bursts of questions to Temporal.
const TEMPORAL_FRESH: Duration = Duration::from_millis(900);

/// `resourceVersion` by Secret; `None` for one that does not exist.
type SecretVersions = BTreeMap<String, Option<String>>;

/// Reads, and remembers what is dear to read.
pub struct Observer {
    client: Client,
    stores: Stores,
    temporal: Arc<dyn Temporal>,
    secrets: Versions<ClusterRef, String>,
    /// When Temporal was asked, and what it said.
    views: Mutex<HashMap<ClusterRef, (Instant, TemporalView)>>,
    /// What a role of a cluster went back to.
    ways_back: Mutex<HashMap<ClusterRef, ReplicaSet>>,
    /// Pods that the rings of a cluster are apart of.
    apart: Mutex<HashMap<ClusterRef, Apart>>,
}

impl Observer {
    /// An observer on these watches.
    #[must_use]
    pub fn new(client: Client, stores: Stores, temporal: Arc<dyn Temporal>) -> Self {
        let (secrets, views) = (Versions::default(), Mutex::default());
        Self { client, stores, temporal, secrets, views, ways_back: Mutex::default(), apart: Mutex::default() }
    }

    /// The live objects of a cluster.
    #[must_use]
    pub fn live(&self, namespace: &str, owner: &str) -> Live {
        Live::of(&self.stores, namespace, owner)
    }

    /// Everything a plan needs to see.
    ///
    /// # Errors
    /// When the API server cannot be read. Temporal's silence is an observation, not an error.
    pub async fn observe(
        &self,
        cluster: &ValidCluster,
        generation: Option<i64>,
        live: &Live,
        old: &TemporalClusterStatus,
        now: Timestamp,
    ) -> Result<Observed, ObserveError> {
        let temporal = self.ask_temporal(cluster, live, now).await;
        let settled = old.observed_generation == generation
            && live.deployments.iter().all(|d| is_complete(d))
            && live.jobs.iter().all(|j| is_over(j))
            && counts_agree(live, &temporal)
            && !waits_for_pods(cluster, old.persistence.as_ref())
            && old.rollout.as_ref().is_none_or(|r| r.step.is_none() && r.target_version.is_none());
        let pods = if settled { Vec::new() } else { self.stores.pods(&cluster.namespace, &cluster.name) };
        let mut seen = Observed {
            cluster: cluster.name.clone(),
            refusals: self.refusals(cluster, live, &pods, now).await?,
            taken: self.stores.claims.taken(&cluster.namespace, &cluster.name),
            children: live.children(),
            deployments: live.deployments.clone(),
            jobs: live.jobs.clone(),
            autoscalers: live.autoscalers.clone(),
            pods,
            replica_set_configs: self.stores.replica_set_configs(&cluster.namespace, &cluster.name),
            secrets: self.secret_versions(cluster, settled).await?,
            temporal,
            revisions: self.revisions(cluster, old, now).await?,
            apart: Apart::default(),
            monitors_served: self.stores.service_monitors_served.get(),
        };
        seen.apart = self.apart(&cluster_ref(cluster), |apart| apart.after(&seen, now));
        Ok(seen)
    }

    /// Remembers that a pod of a cluster was replaced because its rings were apart.
    pub fn replaced(&self, cluster: &ClusterRef, now: Timestamp) {
        self.apart(cluster, |apart| apart.after_replacing(now));
    }

    fn apart(&self, cluster: &ClusterRef, next: impl FnOnce(Apart) -> Apart) -> Apart {
        let mut all = lock(&self.apart);
        let apart = next(all.remove(cluster).unwrap_or_default());
        if apart != Apart::default() {
            all.insert(cluster.clone(), apart.clone());
        }
        apart
    }

    /// Drops what is remembered of a cluster that is gone, and its connections.
    pub fn forget(&self, namespace: &str, name: &str) {
        let cluster = ClusterRef { namespace: namespace.to_owned(), name: name.to_owned() };
        self.secrets.forget(&cluster);
        lock(&self.views).remove(&cluster);
        lock(&self.ways_back).remove(&cluster);
        lock(&self.apart).remove(&cluster);
        self.temporal.forget(&cluster);
    }

    /// The ReplicaSets of a role that has had its time and must perhaps go back. The one that is gone back to is remembered
    /// as long as the role stays there.
    async fn revisions(
        &self,
        cluster: &ValidCluster,
        old: &TemporalClusterStatus,
        now: Timestamp,
    ) -> Result<Vec<ReplicaSet>, ObserveError> {
        let rollout = old.rollout.as_ref();
        let late = rollout.and_then(|r| r.step.as_ref()).filter(|s| is_late(cluster, s, now)).map(|s| &s.role);
        let going_back = || rollout?.failed.as_ref().filter(|f| f.rolled_back).map(|f| &f.role);
        let key = cluster_ref(cluster);
        let Some(role) = late.or_else(going_back) else {
            lock(&self.ways_back).remove(&key);
            return Ok(Vec::new());
        };
        let proven = rollout.and_then(|r| r.proven.get(role));
        let is_proven = |set: &&ReplicaSet| {
            proven.is_some_and(|hash| set.annotations().get(annotations::TEMPLATE_HASH) == Some(hash))
        };
        if let Some(known) = lock(&self.ways_back).get(&key).filter(is_proven) {
            return Ok(vec![known.clone()]);
        }
        let api: Api<ReplicaSet> = Api::namespaced(self.client.clone(), &cluster.namespace);
        let selector = format!("{}={},{}={role}", labels::NAME, cluster.name, labels::COMPONENT);
        let sets = api.list(&ListParams::default().labels(&selector)).await?.items;
        if let Some(set) = sets.iter().find(is_proven) {
            lock(&self.ways_back).insert(key, set.clone());
        }
        Ok(sets)
    }

    /// Why Jobs that should have a pod have none. A Job's status does not say it, only an event does.
    async fn refusals(
        &self,
        cluster: &ValidCluster,
        live: &Live,
        pods: &[Arc<Pod>],
        now: Timestamp,
    ) -> Result<BTreeMap<String, String>, ObserveError> {
        let mut refusals = BTreeMap::new();
        for job in live.jobs.iter().filter(|j| is_podless(j, pods, now)) {
            let api: Api<Event> = Api::namespaced(self.client.clone(), &cluster.namespace);
            let name = job.name_any();
            let about = format!("regarding.kind=Job,regarding.name={name},reason=FailedCreate");
            let events = api.list(&ListParams::default().fields(&about)).await?.items;
            let latest = events.into_iter().max_by_key(|e| e.metadata.resource_version.clone());
            refusals.extend(latest.and_then(|e| e.note).map(|note| (name, note)));
        }
        Ok(refusals)
    }

    /// Versions of the Secrets.
    async fn secret_versions(&self, cluster: &ValidCluster, settled: bool) -> Result<SecretVersions, ObserveError> {
        let key = cluster_ref(cluster);
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &cluster.namespace);
        let fresh = |whole: bool| {
            if settled && whole { SECRETS_FRESH + spread(&key, SECRETS_FRESH) } else { SECRETS_UNSETTLED }
        };
        let read = |name: String| {
            let api = api.clone();
            async move { Ok(api.get_metadata_opt(&name).await?.and_then(|s| s.resource_version())) }
        };
        let wanted = cluster.secret_names().into_iter().map(str::to_owned);
        self.secrets.of(&key, wanted, fresh, read).await
    }

    async fn ask_temporal(&self, cluster: &ValidCluster, live: &Live, now: Timestamp) -> TemporalView {
        let name = format!("{}-{}", cluster.name, Role::Frontend);
        let frontend = live.deployments.iter().find(|d| d.metadata.name.as_ref() == Some(&name));
        let ready = frontend.and_then(|d| d.status.as_ref()?.ready_replicas).unwrap_or(0);
        let key = cluster_ref(cluster);
        if ready == 0 {
            lock(&self.views).remove(&key);
            return TemporalView::NotAsked;
        }
        let old = lock(&self.views).get(&key).cloned();
        if let Some((at, view)) = &old
            && at.elapsed() < TEMPORAL_FRESH
        {
            return view.clone();
        }
        let view = match self.membership(cluster).await {
            Ok(membership) => TemporalView::Seen(membership),
            Err(error) => {
                let (why, since) = match &old {
                    Some((_, TemporalView::Silent { since, why, .. })) => (error.said_after(why), *since),
                    _ => (error.to_string(), now),
                };
                let rings = if error.is_of_another_role() { self.rings(cluster).await } else { None };
                TemporalView::Silent { why, since, rings }
            }
        };
        let mut views = lock(&self.views);
        // what is too old to be told again is kept only for how long there has been silence
        let counts = |(at, view): &(Instant, TemporalView)| {
            at.elapsed() < TEMPORAL_FRESH || matches!(view, TemporalView::Silent { .. })
        };
        views.retain(|_, known| counts(known));
        views.insert(key, (Instant::now(), view.clone()));
        view
    }

    /// The proof that requests pass, rings and shards. The proof comes first: rings and shards are asked through the
    /// database as well, and only the canary tells which part is away.
    async fn membership(&self, cluster: &ValidCluster) -> Result<Membership, TemporalError> {
        let target = target(cluster);
        self.temporal.canary(&target).await?;
        let view = self.temporal.describe_cluster(&target).await?;
        let history: BTreeSet<_> = view.members(Role::History).collect();
        let shards = self.temporal.shards(&target, &history).await?;
        let own = self.temporal.visibility(&target).await.err().map(|error| error.to_string());
        // with two stores Temporal's own workflows are listed from the second one
        let (visibility_failure, secondary_failure) = match cluster.two_visibility_stores() {
            None => (own, None),
            Some(_) => (self.temporal.users_visibility(&target).await.err().map(|error| error.to_string()), own),
        };
        let unheld = shards.unheld(view.history_shard_count).len();
        Ok(Membership {
            rings: rings_of(&view),
            shards: view.history_shard_count,
            owned_shards: view.history_shard_count.saturating_sub(u32::try_from(unheld).unwrap_or(u32::MAX)),
            cluster_name: view.cluster_name,
            visibility_failure,
            secondary_failure,
        })
    }

    /// The rings alone.
    async fn rings(&self, cluster: &ValidCluster) -> Option<Rings> {
        self.temporal.describe_cluster(&target(cluster)).await.ok().map(|view| rings_of(&view))
    }
}

fn target(cluster: &ValidCluster) -> Target {
    let port = u16::try_from(cluster.role(Role::Frontend).grpc_port).unwrap_or(7233);
    Target::frontend(&cluster.namespace, &cluster.name, port)
}

fn rings_of(view: &ClusterView) -> Rings {
    let members = |all: &BTreeSet<SocketAddr>| all.iter().map(ToString::to_string).collect();
    view.rings.iter().map(|(role, all)| (role.name().to_owned(), members(all))).collect()
}

fn cluster_ref(cluster: &ValidCluster) -> ClusterRef {
    ClusterRef { namespace: cluster.namespace.clone(), name: cluster.name.clone() }
}

/// A pod of a Job is there within this time.
const POD_IS_MADE: SignedDuration = SignedDuration::from_secs(3);

/// A Job that has not ended and should have a pod by now.
fn is_podless(job: &Job, pods: &[Arc<Pod>], now: Timestamp) -> bool {
    let status = job.status.as_ref();
    let ended = status.and_then(|s| s.conditions.as_ref()).is_some_and(|all| !all.is_empty());
    let active = status.and_then(|s| s.active).unwrap_or(0) > 0;
    let late = job.metadata.creation_timestamp.as_ref().is_some_and(|t| now.duration_since(t.0) > POD_IS_MADE);
    let name = job.name_any();
    let has_pod = pods.iter().any(|p| p.labels().get(labels::JOB_NAME).is_some_and(|n| *n == name));
    late && !ended && !active && !has_pod
}

/// As many members in each ring as the Deployment has pods; else it matters which pods they are.
fn counts_agree(live: &Live, view: &TemporalView) -> bool {
    let Some(rings) = view.rings() else { return true };
    live.role_deployments().into_iter().all(|deployment| {
        let role = deployment.labels().get(labels::COMPONENT).and_then(|name| Role::parse(name));
        let pods = deployment.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1);
        role.is_none_or(|role| members(rings, role) == pods)
    })
}

fn is_over(job: &Job) -> bool {
    let conditions = job.status.as_ref().and_then(|s| s.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|c| c.type_ == "Complete" && c.status == "True"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A time below `most` that differs from resource to resource and stays the same for each.
pub(crate) fn spread(cluster: &impl Hash, most: Duration) -> Duration {
    let mut hasher = DefaultHasher::new();
    cluster.hash(&mut hasher);
    let share = hasher.finish() % 1000;
    most.mul_f64(f64::from(u32::try_from(share).unwrap_or(0)) / 1000.0)
}
