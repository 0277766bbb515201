//! The loops: watches in, one reconcile per cluster at a time, errors by class.

mod backoff;
mod cluster;
mod error;
mod guard;
mod namespace;
mod on_namespace;
mod pauses;
mod resident;
mod schedule;
mod settled;
mod statuses;
mod worker;

pub use error::Error;

use crate::api::{TemporalCluster, labels};
use crate::apply::Applier;
use crate::lease::{Leadership, fenced};
use crate::observe::{Connections, Loads, Observer, Seats};
use crate::telemetry::Metrics;
use crate::temporal::{ClusterRef, Namespaces, Queues, Schedules, Temporal, Workers};
use crate::watches::{self, Claims, Hosts, Residents, Stores, Streams};
use backoff::Backoff;
use futures::stream::{empty, select};
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::api::PartialObjectMeta;
use kube::runtime::Controller;
use kube::runtime::controller::{self, Config};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::ObjectRef;
use kube::{Client, ResourceExt};
use on_namespace::NamespaceHosts;
use pauses::Pauses;
use resident::{Ground, Shared};
use settled::Settled;
use statuses::Statuses;
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// Bursts of watch events become one reconcile.
const DEBOUNCE: Duration = Duration::from_millis(50);

/// How the loops run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The namespaces to look at; all when there is none.
    pub namespaces: Vec<String>,
    /// Resources of a kind reconciled at the same time, by each loop.
    pub concurrency: u16,
    /// Whether a cluster that does not say who may use it may be used from every namespace.
    pub allow_cross_namespace: bool,
    /// Name of this process in events.
    pub instance: String,
}

/// What every reconcile shares.
struct Ctx {
    client: Client,
    stores: Stores,
    observer: Observer,
    applier: Applier,
    recorder: Recorder,
    leadership: Leadership,
    statuses: Statuses<TemporalCluster>,
    settled: Settled,
    backoff: Backoff<ClusterRef>,
    pauses: Pauses,
    metrics: Metrics,
}

impl Ctx {
    /// Drops everything remembered of a cluster that is gone.
    fn forget(&self, gone: &ObjectRef<TemporalCluster>) {
        let namespace = gone.namespace.clone().unwrap_or_default();
        self.applier.forget(&(namespace.clone(), gone.name.clone()));
        self.observer.forget(&namespace, &gone.name);
        self.metrics.forget(&namespace, &gone.name);
        let cluster = ClusterRef { namespace, name: gone.name.clone() };
        self.statuses.forget(gone);
        self.settled.forget(&cluster);
        self.pauses.forget(&cluster);
        self.backoff.reset(&cluster);
    }
}

impl Settings {
    /// What each loop looks at: a namespace, or all of them.
    fn scopes(&self) -> Vec<Option<String>> {
        let names: BTreeSet<&String> = self.namespaces.iter().collect();
        if names.is_empty() { vec![None] } else { names.into_iter().cloned().map(Some).collect() }
    }
}

/// Runs the loops until `shutdown`; reconciles that have begun are ended first. Each watched namespace has loops with
/// watches and stores of their own: one that may not be read holds up no other.
pub async fn run<T: Temporal + Namespaces + Schedules + Workers + Queues + 'static>(
    client: Client,
    temporal: Arc<T>,
    leadership: Leadership,
    metrics: Metrics,
    settings: Settings,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
) {
    // whatever writes, writes through this
    let client = fenced(client, leadership.clone());
    let shutdown = shutdown.shared();
    let scopes = settings.scopes();
    let (claims, hosts) = (Claims::default(), Hosts::new(&scopes));
    let reporter = Reporter { controller: labels::MANAGED_BY_VALUE.into(), instance: Some(settings.instance.clone()) };
    let shared = Shared {
        seats: Arc::new(Seats::new(client.clone(), hosts.clone(), settings.allow_cross_namespace)),
        recorder: Recorder::new(client.clone(), reporter),
        client,
        leadership,
        metrics,
        concurrency: settings.concurrency,
    };
    let namespaces =
        Arc::new(namespace::Kept::new(Arc::clone(&temporal) as Arc<dyn Namespaces>, Arc::clone(&shared.seats)));
    let on_namespaces =
        Arc::new(NamespaceHosts::new(shared.client.clone(), Arc::clone(&shared.seats), namespaces.index()));
    let schedules =
        Arc::new(schedule::Kept::new(Arc::clone(&temporal) as Arc<dyn Schedules>, Arc::clone(&on_namespaces)));
    let all_workers = Residents::default();
    let loads = Arc::new(Loads::new(Arc::clone(&temporal) as Arc<dyn Queues>));
    let connections = Arc::new(Connections::new(shared.client.clone()));
    let one = |scope: Option<String>| {
        let (stores, streams, objects_of_workers) =
            watches::start(&shared.client, scope.as_deref(), claims.clone(), hosts.clone());
        let workers = Arc::new(worker::Kept::new(
            (shared.client.clone(), shared.metrics.clone()),
            stores.clone(),
            Arc::clone(&temporal) as Arc<dyn Workers>,
            Arc::clone(&loads),
            (Arc::clone(&on_namespaces), Arc::clone(&connections)),
            all_workers.clone(),
        ));
        let ctx = Ctx {
            observer: Observer::new(shared.client.clone(), stores.clone(), Arc::clone(&temporal) as Arc<dyn Temporal>),
            applier: Applier::new(shared.client.clone()),
            recorder: shared.recorder.clone(),
            client: shared.client.clone(),
            statuses: Statuses::default(),
            settled: Settled::default(),
            backoff: Backoff::new(),
            pauses: Pauses::default(),
            stores,
            leadership: shared.leadership.clone(),
            metrics: shared.metrics.clone(),
        };
        let clusters = run_one(scope.clone(), Arc::new(ctx), streams, shared.concurrency, shutdown.clone());
        let changed_clusters = || hosts.listen().map(Ground::Cluster);
        let changed = || select(changed_clusters(), on_namespaces.listen().map(Ground::Namespace));
        let (kept, changes) = (Arc::clone(&namespaces), changed_clusters());
        let of_namespaces = resident::run(kept, shared.clone(), scope.clone(), changes, empty(), shutdown.clone());
        let kept = Arc::clone(&schedules);
        let of_schedules = resident::run(kept, shared.clone(), scope.clone(), changed(), empty(), shutdown.clone());
        let of_workers = resident::run(workers, shared.clone(), scope, changed(), objects_of_workers, shutdown.clone());
        futures::future::join4(clusters, of_namespaces, of_schedules, of_workers)
    };
    futures::future::join_all(scopes.into_iter().map(one)).await;
}

/// The loop of the clusters of a namespace, or of all.
async fn run_one(
    namespace: Option<String>,
    ctx: Arc<Ctx>,
    streams: Streams,
    concurrency: u16,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let Streams {
        clusters,
        all_clusters,
        neighbours,
        deployments,
        jobs,
        revisions,
        pods,
        autoscalers,
        replica_sets,
        config_maps,
        services,
        service_accounts,
        disruption_budgets,
        ingresses,
        service_monitors,
    } = streams;
    Controller::for_stream(clusters, all_clusters)
        .with_config(Config::default().concurrency(concurrency).debounce(DEBOUNCE))
        .owns_stream(deployments)
        .owns_stream(jobs)
        .owns_stream(autoscalers)
        .owns_stream(config_maps)
        .owns_stream(services)
        .owns_stream(service_accounts)
        .owns_stream(disruption_budgets)
        .owns_stream(ingresses)
        .owns_stream(service_monitors)
        .watches_stream(replica_sets, |set| cluster_of(&set))
        // what a pod does is heard of by its Deployment or Job
        .watches_stream(pods, |_| None)
        // workers hear of theirs themselves
        .watches_stream(revisions, |_| None)
        .reconcile_on(neighbours)
        .graceful_shutdown_on(shutdown)
        .run(cluster::reconcile, cluster::on_error, Arc::clone(&ctx))
        .for_each(|result| {
            match result {
                Err(controller::Error::ObjectNotFound(gone)) => {
                    ctx.forget(&ObjectRef::new(&gone.name).within(&gone.namespace.unwrap_or_default()));
                }
                Err(controller::Error::QueueError(error)) => {
                    let namespace = namespace.as_deref().unwrap_or("all");
                    tracing::warn!(%error, namespace, "a watch failed; it is tried again")
                }
                Ok(_) | Err(_) => {} // failed reconciles are told by their error policy
            }
            futures::future::ready(())
        })
        .await;
}

/// The cluster a ReplicaSet works for, by its labels: its owner is the Deployment.
fn cluster_of(set: &PartialObjectMeta<ReplicaSet>) -> Option<ObjectRef<TemporalCluster>> {
    let name = set.labels().get(labels::NAME).filter(|_| !set.labels().contains_key(labels::WORKER))?;
    Some(ObjectRef::new(name).within(&set.namespace()?))
}
