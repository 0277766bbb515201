//! What waits and runs in each version, asked now and then and remembered for a while.

use super::lock;
use crate::api::worker::QueueType;
use crate::plan::worker::KnownQueue;
use crate::scaling::{STALE, Sample, Slots};
use crate::temporal::{ClusterRef, QueueLoad, Queues, Target, TemporalError, WorkerSlots};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

/// The workers of a namespace are listed this often: for all versions at once, and they tell their slots every minute.
const SLOTS_FRESH: Duration = Duration::from_secs(30);
/// A server that keeps no heartbeats is asked again after this time.
const SLOTS_ABSENT: Duration = Duration::from_secs(600);
/// Samples that are older are forgotten. `validate` allows no window that is longer.
const KEPT: SignedDuration = SignedDuration::from_mins(65);
/// Samples that are older are put together, so that one is left for each minute.
const FINE: SignedDuration = SignedDuration::from_mins(10);
const COARSE: i64 = 60;
/// Versions that nobody has asked about for so long are forgotten.
const FORGOTTEN: Duration = Duration::from_secs(1200);

/// Which version, where, and which of its work counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadKey {
    /// Whom to ask.
    pub cluster: Target,
    /// Temporal namespace.
    pub namespace: String,
    /// Worker Deployment; none for workers without versions.
    pub deployment: Option<String>,
    /// Build id; empty for workers without versions.
    pub build_id: String,
    /// The queues that count; empty: all that the version has polled.
    pub queues: Vec<KnownQueue>,
}

/// What one caller of a Temporal has learnt is not told to another one.
type Namespace = (ClusterRef, Option<String>, String);
type Version = (Namespace, Option<String>, String, Vec<(String, QueueType)>);

/// The histories of all versions.
pub struct Loads {
    temporal: Arc<dyn Queues>,
    versions: Mutex<HashMap<Version, Arc<AsyncMutex<History>>>>,
    slots: Mutex<HashMap<Namespace, Arc<AsyncMutex<Option<Listed>>>>>,
}

#[derive(Default)]
struct History {
    samples: Vec<Sample>,
    /// When it was last wanted, and when Temporal was last asked.
    wanted: Option<Instant>,
    asked: Option<Instant>,
}

struct Listed {
    at: Instant,
    workers: Option<Vec<WorkerSlots>>,
}

impl Loads {
    /// Nothing yet.
    #[must_use]
    pub fn new(temporal: Arc<dyn Queues>) -> Self {
        Self { temporal, versions: Mutex::default(), slots: Mutex::default() }
    }

    /// The samples of a version, the oldest first, after another one was taken if the last is `due`. `ready` pods are there.
    ///
    /// What Temporal does not answer is missing, which the plan sees by the age of the last sample.
    ///
    /// # Errors
    /// When Temporal does not answer and there is no sample that still counts, and when it does not let the operator in.
    pub async fn look(&self, key: &LoadKey, ready: i32, due: Duration) -> Result<Vec<Sample>, TemporalError> {
        let kept = self.kept(key);
        let mut history = kept.lock().await;
        history.wanted = Some(Instant::now());
        if history.asked.is_some_and(|asked| asked.elapsed() < due) {
            return Ok(history.samples.clone());
        }
        let answer = self.sample(key, ready).await;
        let now = Timestamp::now();
        match answer {
            Ok(sample) => {
                history.asked = Some(Instant::now());
                history.samples.push(sample);
                thin(&mut history.samples, now);
            }
            Err(error) => {
                let counts =
                    |last: &Sample| Duration::try_from(now.duration_since(last.at)).is_ok_and(|age| age <= STALE);
                if error.is_about_credentials() || !history.samples.last().is_some_and(counts) {
                    return Err(error);
                }
            }
        }
        Ok(history.samples.clone())
    }

    /// Drops what is remembered of a cluster.
    pub fn forget(&self, cluster: &ClusterRef) {
        lock(&self.versions).retain(|((of, ..), ..), _| of != cluster);
        lock(&self.slots).retain(|(of, ..), _| of != cluster);
    }

    /// The history of a version. Those that nobody has asked about are dropped on the way.
    fn kept(&self, key: &LoadKey) -> Arc<AsyncMutex<History>> {
        let queues = key.queues.iter().map(|queue| (queue.name.clone(), queue.type_)).collect();
        let version = (namespace(key), key.deployment.clone(), key.build_id.clone(), queues);
        let mut all = lock(&self.versions);
        if !all.contains_key(&version) {
            all.retain(|_, kept| is_wanted(kept));
        }
        Arc::clone(all.entry(version).or_default())
    }

    async fn sample(&self, key: &LoadKey, ready: i32) -> Result<Sample, TemporalError> {
        let loads = self.loads(key).await?;
        let mut sample = Sample { at: Timestamp::now(), ready, ..Sample::default() };
        for QueueLoad { stats, .. } in &loads {
            sample.backlog += stats.backlog;
            sample.backlog_age = sample.backlog_age.max(stats.age);
            sample.add_rate += stats.add_rate;
            sample.dispatch_rate += stats.dispatch_rate;
            sample.rate_limited |= stats.rate_limited;
        }
        sample.slots = self.slots(key, &loads).await;
        Ok(sample)
    }

    /// The queues that count, with what waits there.
    async fn loads(&self, key: &LoadKey) -> Result<Vec<QueueLoad>, TemporalError> {
        let (target, namespace) = (&key.cluster, key.namespace.as_str());
        let counts = |load: &QueueLoad| {
            let is_it = |queue: &KnownQueue| queue.name == load.queue.name && queue.type_ == load.queue.type_;
            key.queues.is_empty() || key.queues.iter().any(is_it)
        };
        let Some(deployment) = &key.deployment else {
            let mut all = Vec::new();
            for queue in &key.queues {
                all.push(self.temporal.queue_load(target, namespace, &queue.name, queue.type_).await?);
            }
            return Ok(all);
        };
        // a version that has never polled has nothing to do
        let all = self.temporal.version_load(target, namespace, deployment, &key.build_id).await?.unwrap_or_default();
        Ok(all.into_iter().filter(counts).collect())
    }

    /// The slots of a version, out of the list of its namespace. That there is no list is no failure: they are extra.
    async fn slots(&self, key: &LoadKey, loads: &[QueueLoad]) -> Option<Slots> {
        let kept = Arc::clone(lock(&self.slots).entry(namespace(key)).or_default());
        let mut kept = kept.lock().await;
        let fresh =
            |listed: &Listed| listed.at.elapsed() < if listed.workers.is_some() { SLOTS_FRESH } else { SLOTS_ABSENT };
        if !kept.as_ref().is_some_and(fresh) {
            match self.temporal.slots(&key.cluster, &key.namespace).await {
                Ok(workers) => *kept = Some(Listed { at: Instant::now(), workers }),
                // the older list is as good as heartbeats are; the next turn asks again
                Err(_) if kept.as_ref().is_some_and(|listed| listed.at.elapsed() < STALE) => {}
                Err(_) => return None,
            }
        }
        let workers = kept.as_ref()?.workers.as_ref()?;
        let version = key.deployment.clone().map(|deployment| (deployment, key.build_id.clone()));
        let is_own = |worker: &&WorkerSlots| match &version {
            Some(_) => worker.version == version,
            None => worker.version.is_none() && loads.iter().any(|load| load.queue.name == worker.queue),
        };
        fullest(workers.iter().filter(is_own), loads)
    }
}

fn namespace(key: &LoadKey) -> Namespace {
    let caller = key.cluster.entry.as_ref().map(|entry| entry.caller().to_owned());
    (key.cluster.cluster.clone(), caller, key.namespace.clone())
}

/// One that is held is in use.
fn is_wanted(kept: &AsyncMutex<History>) -> bool {
    let recently = |history: &History| history.wanted.is_none_or(|at| at.elapsed() < FORGOTTEN);
    kept.try_lock().map_or(true, |history| recently(&history))
}

/// The slots of the kind that is fullest: it is what tasks wait for. Kinds whose queues do not count do not count.
fn fullest<'a>(workers: impl Iterator<Item = &'a WorkerSlots>, loads: &[QueueLoad]) -> Option<Slots> {
    let workers: Vec<&WorkerSlots> = workers.collect();
    let mut processes: Vec<&str> = workers.iter().map(|worker| worker.process.as_str()).collect();
    processes.sort_unstable();
    processes.dedup();
    // local activities run for workflows
    let types = [QueueType::Workflow, QueueType::Activity, QueueType::Nexus, QueueType::Workflow];
    let of_kind = |(kind, type_): (usize, QueueType)| {
        let own = |worker: &&&WorkerSlots| {
            loads.iter().any(|load| load.queue.type_ == type_ && load.queue.name == worker.queue)
        };
        let own: Vec<(u64, u64)> = workers.iter().filter(own).map(|worker| worker.kinds[kind]).collect();
        let used = own.iter().map(|(used, _)| used).sum();
        // a number that some do not set is not known
        let set = own.iter().all(|(used, all)| *all > 0 || *used == 0);
        Slots { used, all: if set { own.iter().map(|(_, all)| all).sum() } else { 0 }, workers: processes.len() as u64 }
    };
    let share = |slots: &Slots| if slots.all > 0 { slots.used as f64 / slots.all as f64 } else { 0.0 };
    let fuller = |a: &Slots, b: &Slots| share(a).total_cmp(&share(b)).then(a.used.cmp(&b.used));
    let all = types.into_iter().enumerate().map(of_kind).max_by(fuller);
    all.filter(|slots| slots.workers > 0)
}

/// Forgets what is old, and puts together what is not new.
fn thin(samples: &mut Vec<Sample>, now: Timestamp) {
    let age = |sample: &Sample| now.duration_since(sample.at);
    samples.retain(|sample| age(sample) <= KEPT);
    let mut thinned: Vec<Sample> = Vec::with_capacity(samples.len());
    for sample in samples.drain(..) {
        let joins =
            |before: &Sample| age(&sample) > FINE && before.at.as_second() / COARSE == sample.at.as_second() / COARSE;
        match thinned.pop() {
            Some(before) if joins(&before) => thinned.push(before.and(&sample)),
            before => thinned.extend(before.into_iter().chain([sample])),
        }
    }
    *samples = thinned;
}

#[cfg(test)]
mod tests;
