//! The loops: watches in, one reconcile per cluster at a time, errors by class.

mod backoff;
mod cluster;
mod error;
mod pauses;
mod settled;
mod statuses;

pub use error::Error;

use crate::api::{TemporalCluster, labels};
use crate::apply::Applier;
use crate::lease::{Leadership, fenced};
use crate::observe::Observer;
use crate::telemetry::Metrics;
use crate::temporal::{ClusterRef, Temporal};
use crate::watches::{self, Claims, Stores, Streams};
use backoff::Backoff;
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::api::PartialObjectMeta;
use kube::runtime::Controller;
use kube::runtime::controller::{self, Config};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::ObjectRef;
use kube::{Client, ResourceExt};
use pauses::Pauses;
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
    /// Clusters reconciled at the same time, by each loop.
    pub concurrency: u16,
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
    statuses: Statuses,
    settled: Settled,
    backoff: Backoff<ClusterRef>,
    pauses: Pauses,
    metrics: Metrics,
}

impl Ctx {
    /// Drops everything remembered of a cluster that is gone.
    fn forget(&self, gone: &ObjectRef<TemporalCluster>) {
        let namespace = gone.namespace.clone().unwrap_or_default();
        self.applier.forget(&namespace, &gone.name);
        self.observer.forget(&namespace, &gone.name);
        self.metrics.forget(&namespace, &gone.name);
        let cluster = ClusterRef { namespace, name: gone.name.clone() };
        self.statuses.forget(&cluster);
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

/// Runs the loops until `shutdown`; reconciles that have begun are ended first. Each watched namespace has a loop with
/// watches and stores of its own: one that may not be read holds up no other.
pub async fn run(
    client: Client,
    temporal: Arc<dyn Temporal>,
    leadership: Leadership,
    metrics: Metrics,
    settings: Settings,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
) {
    // whatever writes, writes through this
    let client = fenced(client, leadership.clone());
    let shutdown = shutdown.shared();
    let claims = Claims::default();
    let one = |namespace: Option<String>| {
        let (stores, streams) = watches::start(&client, namespace.as_deref(), claims.clone());
        let reporter =
            Reporter { controller: labels::MANAGED_BY_VALUE.into(), instance: Some(settings.instance.clone()) };
        let ctx = Ctx {
            observer: Observer::new(client.clone(), stores.clone(), Arc::clone(&temporal)),
            applier: Applier::new(client.clone()),
            recorder: Recorder::new(client.clone(), reporter),
            client: client.clone(),
            statuses: Statuses::default(),
            settled: Settled::default(),
            backoff: Backoff::new(),
            pauses: Pauses::default(),
            stores,
            leadership: leadership.clone(),
            metrics: metrics.clone(),
        };
        run_one(namespace, Arc::new(ctx), streams, settings.concurrency, shutdown.clone())
    };
    futures::future::join_all(settings.scopes().into_iter().map(one)).await;
}

/// The loop of a namespace, or of all.
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
    let name = set.labels().get(labels::NAME)?;
    Some(ObjectRef::new(name).within(&set.namespace()?))
}
