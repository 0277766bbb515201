//! One labelled, pruned watch per kind, shared by all clusters of a loop; each fills a store and wakes the owner.

mod autoscalers;
mod claims;
mod hosts;
mod index;
mod live;
mod optional;
mod residents;
mod thin;

pub use claims::Claims;
pub use hosts::Hosts;
pub use index::Index;
pub use live::{Found, Live, Mark, Watched};
pub use optional::Served;
pub use residents::{Resident, Residents};
pub use thin::{ThinAutoscaler, ThinDeployment, ThinJob, ThinPod};

use crate::api::{TemporalCluster, labels};
use crate::build::ServiceMonitor;
use futures::channel::mpsc;
use futures::future::ready;
use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::PartialObjectMeta;
use kube::core::{DeserializeGuard, error_boundary::InvalidObject};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;

/// What is known of the objects the operator made, by the resource that owns them. Of Deployments, Jobs, autoscalers and pods what the
/// plan reads, revisions of workers whole; of the rest what tells a change.
#[derive(Clone)]
#[allow(missing_docs)]
pub struct Stores {
    pub claims: Claims,
    pub deployments: Index<Watched<ThinDeployment>>,
    pub jobs: Index<Watched<ThinJob>>,
    pub revisions: Index<Watched<ControllerRevision>>,
    pub autoscalers: Index<Watched<ThinAutoscaler>>,
    /// By namespace and name of the cluster or worker, as their labels have it: their owners are ReplicaSets and Jobs.
    pub pods: Index<Arc<ThinPod>>,
    /// Config hashes, by namespace and name of the cluster: the owners of ReplicaSets are Deployments.
    pub replica_sets: Index<String>,
    pub config_maps: Index<Found>,
    pub services: Index<Found>,
    pub service_accounts: Index<Found>,
    pub disruption_budgets: Index<Found>,
    pub ingresses: Index<Found>,
    pub service_monitors: Index<Found>,
    pub service_monitors_served: Served,
}

impl Stores {
    /// Until every watch has listed once, what is missing in a store may just not have arrived.
    pub async fn ready(&self) {
        futures::join!(
            self.deployments.ready(),
            self.jobs.ready(),
            self.revisions.ready(),
            self.autoscalers.ready(),
            self.pods.ready(),
            self.replica_sets.ready(),
            self.config_maps.ready(),
            self.services.ready(),
            self.service_accounts.ready(),
            self.disruption_budgets.ready(),
            self.ingresses.ready(),
            self.service_monitors.ready(),
        );
    }

    /// The pods of a cluster, those that are leaving included.
    #[must_use]
    pub fn pods(&self, namespace: &str, cluster: &str) -> Vec<Arc<Pod>> {
        whole(self.pods.of(&by_labels(namespace, cluster)))
    }

    /// The pods of a worker, likewise.
    #[must_use]
    pub fn worker_pods(&self, namespace: &str, worker: &str) -> Vec<Arc<Pod>> {
        whole(self.pods.of(&by_worker(namespace, worker)))
    }

    /// The templates of a worker's versions, by its uid.
    #[must_use]
    pub fn revisions_of(&self, namespace: &str, uid: &str) -> Vec<Arc<ControllerRevision>> {
        let all = self.revisions.of(&live::owner_key(namespace, uid));
        all.into_iter().map(|(_, revision)| revision.thin).collect()
    }

    /// Config hashes that the ReplicaSets of a cluster were made with.
    #[must_use]
    pub fn replica_set_configs(&self, namespace: &str, cluster: &str) -> BTreeSet<String> {
        self.replica_sets.of(&by_labels(namespace, cluster)).into_iter().map(|(_, hash)| hash).collect()
    }
}

/// The events of one kind's watch.
pub type Events<K> = Pin<Box<dyn Stream<Item = Result<K, watcher::Error>> + Send>>;

/// The events behind [`Stores`]; polling them is what keeps the stores fresh.
#[allow(missing_docs)]
pub struct Streams {
    pub clusters: Events<TemporalCluster>,
    pub all_clusters: Store<TemporalCluster>,
    pub neighbours: mpsc::UnboundedReceiver<ObjectRef<TemporalCluster>>,
    pub deployments: Events<Deployment>,
    pub jobs: Events<Job>,
    pub revisions: Events<ControllerRevision>,
    pub pods: Events<Pod>,
    pub autoscalers: Events<HorizontalPodAutoscaler>,
    pub replica_sets: Events<PartialObjectMeta<ReplicaSet>>,
    pub config_maps: Events<PartialObjectMeta<ConfigMap>>,
    pub services: Events<PartialObjectMeta<Service>>,
    pub service_accounts: Events<PartialObjectMeta<ServiceAccount>>,
    pub disruption_budgets: Events<PartialObjectMeta<PodDisruptionBudget>>,
    pub ingresses: Events<PartialObjectMeta<Ingress>>,
    pub service_monitors: Events<PartialObjectMeta<ServiceMonitor>>,
}

/// Namespace and name of a resource.
pub type Place = (String, String);

/// Where a resource is.
#[must_use]
pub fn place<K: Resource>(object: &K) -> Place {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// Where a loop looks: one namespace, or all.
#[must_use]
pub fn scope<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    namespace.map_or_else(|| Api::all(client.clone()), |ns| Api::namespaced(client.clone(), ns))
}

/// Starts the watches of a namespace, or of all. Claims and hosts are shared by the watches of several namespaces. The last
/// are the workers whose objects change.
#[must_use]
pub fn start(
    client: &Client,
    namespace: Option<&str>,
    claims: Claims,
    hosts: Hosts,
) -> (Stores, Streams, mpsc::UnboundedReceiver<Place>) {
    let (deployments, deployment_events) = watch(scope(client, namespace), |d| watched(d, ThinDeployment::of));
    let (tell, workers) = mpsc::unbounded();
    let deployment_events = told(deployment_events, &tell);
    let (revisions, revision_events) = watch(scope(client, namespace), |r| watched(r, Clone::clone));
    let revision_events = told(revision_events, &tell);
    let (jobs, job_events) = watch(scope(client, namespace), |j| watched(j, ThinJob::of));
    let (autoscalers, autoscaler_events) = autoscalers::watch(scope(client, namespace));
    let (pods, pod_events) = watch(scope(client, namespace), pod_by_owner);
    let (replica_sets, replica_set_events) = watch(scope(client, namespace), config_of_set);
    let (config_maps, config_map_events) = watch(scope(client, namespace), found);
    let (services, service_events) = watch(scope(client, namespace), found);
    let (service_accounts, service_account_events) = watch(scope(client, namespace), found);
    let (disruption_budgets, disruption_budget_events) = watch(scope(client, namespace), found);
    let disruption_budget_events = told(disruption_budget_events, &tell);
    let (ingresses, ingress_events) = watch(scope(client, namespace), found);
    let (service_monitors, service_monitor_events, service_monitors_served) =
        optional::watch(client, &scope(client, namespace));
    let (all_clusters, clusters, neighbours) =
        watch_clusters(scope(client, namespace), namespace, claims.clone(), hosts);
    let stores = Stores {
        claims,
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
        service_monitors_served,
    };
    let streams = Streams {
        clusters,
        all_clusters,
        neighbours,
        deployments: deployment_events,
        jobs: job_events,
        revisions: revision_events,
        pods: pod_events,
        autoscalers: autoscaler_events,
        replica_sets: replica_set_events,
        config_maps: config_map_events,
        services: service_events,
        service_accounts: service_account_events,
        disruption_budgets: disruption_budget_events,
        ingresses: ingress_events,
        service_monitors: service_monitor_events,
    };
    (stores, streams, workers)
}

/// Watches the clusters, and says which others a change is about.
fn watch_clusters(
    api: Api<DeserializeGuard<TemporalCluster>>,
    namespace: Option<&str>,
    claims: Claims,
    hosts: Hosts,
) -> (Store<TemporalCluster>, Events<TemporalCluster>, mpsc::UnboundedReceiver<ObjectRef<TemporalCluster>>) {
    let (tell, neighbours) = mpsc::unbounded();
    let namespace = namespace.map(str::to_owned);
    let note = move |event: &watcher::Event<TemporalCluster>| {
        for cluster in claims.note(namespace.as_deref(), event) {
            // nobody listens when the process is ending
            let _ = tell.unbounded_send(cluster);
        }
        hosts.note(namespace.as_deref(), event);
    };
    let (store, events) = watch_own(api, note);
    (store, events, neighbours)
}

/// Watches a kind of ours. `note` hears of every event before it goes on.
pub fn watch_own<K>(
    api: Api<DeserializeGuard<K>>,
    note: impl Fn(&watcher::Event<K>) + Send + 'static,
) -> (Store<K>, Events<K>)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    let events = watcher(api, watcher::Config::default())
        .default_backoff()
        .try_filter_map(|event| ready(Ok(readable(event))))
        .inspect_ok(note)
        .modify(|object| object.managed_fields_mut().clear())
        .reflect(writer)
        .applied_objects();
    (store, events.boxed())
}

/// A resource that cannot be read (the schema it was stored with was laxer) must not end the watch of all others: it is told
/// in the log and otherwise as if it had not been there.
fn readable<K: Resource<DynamicType = ()>>(event: watcher::Event<DeserializeGuard<K>>) -> Option<watcher::Event<K>> {
    use watcher::Event::{Apply, Delete, Init, InitApply, InitDone};
    let read = |guard: DeserializeGuard<K>| {
        let told = |bad: &InvalidObject| {
            let name = format!(
                "{}/{}",
                bad.metadata.namespace.as_deref().unwrap_or_default(),
                bad.metadata.name.as_deref().unwrap_or_default()
            );
            tracing::warn!(error = %bad.error, kind = %K::kind(&()), name, "a resource cannot be read; correct it");
        };
        guard.0.inspect_err(told).ok()
    };
    match event {
        Apply(guard) => read(guard).map(Apply),
        Delete(guard) => read(guard).map(Delete),
        InitApply(guard) => read(guard).map(InitApply),
        Init => Some(Init),
        InitDone => Some(InitDone),
    }
}

/// Watches what carries our label. `read` says whose an object is and what is kept of it.
fn watch<K, T>(api: Api<K>, read: impl Fn(&K) -> Option<(String, T)> + Send + Sync + 'static) -> (Index<T>, Events<K>)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    T: Clone + Send + 'static,
{
    let (index, events) = indexed(watcher(api, config()).default_backoff(), read);
    (index, events.touched_objects().boxed())
}

/// The same events; the worker that an object belongs to is told of each.
fn told<K: Resource + 'static>(events: Events<K>, tell: &mpsc::UnboundedSender<Place>) -> Events<K> {
    let tell = tell.clone();
    let told = move |object: &K| {
        if let Some(worker) = live::worker_of(object) {
            // nobody listens when the process is ending
            let _ = tell.unbounded_send(worker);
        }
    };
    events.inspect_ok(told).boxed()
}

/// The same events, each noted in an index before it goes on.
fn indexed<K, T, S>(
    events: S,
    read: impl Fn(&K) -> Option<(String, T)>,
) -> (Index<T>, impl Stream<Item = watcher::Result<watcher::Event<K>>>)
where
    K: Resource,
    T: Clone,
    S: Stream<Item = watcher::Result<watcher::Event<K>>>,
{
    let index = Index::default();
    let kept = index.clone();
    (index, events.inspect_ok(move |event| kept.note(event, &read)))
}

fn found<K: Resource>(object: &K) -> Option<(String, Found)> {
    Some((live::owner_of(object)?, Found::of(object.meta())))
}

fn watched<K: Resource, T>(object: &K, thin: impl Fn(&K) -> T) -> Option<(String, Watched<T>)> {
    let (owner, found) = found(object)?;
    Some((owner, Watched { found, thin: Arc::new(thin(object)) }))
}

fn pod_by_owner(pod: &Pod) -> Option<(String, Arc<ThinPod>)> {
    let namespace = pod.namespace()?;
    let owner = match pod.labels().get(labels::WORKER) {
        Some(worker) => by_worker(&namespace, worker),
        None => by_labels(&namespace, pod.labels().get(labels::NAME)?),
    };
    Some((owner, Arc::new(ThinPod::of(pod))))
}

fn whole(pods: Vec<(Arc<str>, Arc<ThinPod>)>) -> Vec<Arc<Pod>> {
    pods.into_iter().map(|(_, pod)| Arc::new(pod.whole())).collect()
}

/// A ReplicaSet counts until it is gone: while it is being deleted, its pods may be too.
fn config_of_set(set: &PartialObjectMeta<ReplicaSet>) -> Option<(String, String)> {
    let hash = set.labels().get(labels::CONFIG_HASH)?.clone();
    Some((by_labels(&set.namespace()?, set.labels().get(labels::NAME)?), hash))
}

/// What tells clusters apart where labels lead to them.
fn by_labels(namespace: &str, cluster: &str) -> String {
    format!("{namespace}/{cluster}")
}

/// The same for workers, which may have the name of a cluster.
fn by_worker(namespace: &str, worker: &str) -> String {
    format!("{namespace}/worker/{worker}")
}

fn config() -> watcher::Config {
    watcher::Config::default().labels(&format!("{}={}", labels::MANAGED_BY, labels::MANAGED_BY_VALUE))
}
