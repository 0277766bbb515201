//! One labelled, pruned watch per kind, shared by all clusters of a loop; each fills a store and wakes the owner.

mod autoscalers;
mod claims;
mod live;
mod optional;

pub use claims::Claims;
pub use live::{Found, Live};
pub use optional::Served;

use crate::api::{TemporalCluster, labels};
use crate::build::ServiceMonitor;
use futures::channel::mpsc;
use futures::future::ready;
use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::PartialObjectMeta;
use kube::core::{DeserializeGuard, error_boundary::InvalidObject};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::pin::Pin;

/// What is known of the objects the operator made. Deployments, Jobs and autoscalers whole, for their status; of the rest only the
/// metadata.
#[derive(Clone)]
#[allow(missing_docs)]
pub struct Stores {
    pub claims: Claims,
    pub deployments: Store<Deployment>,
    pub jobs: Store<Job>,
    pub autoscalers: Store<HorizontalPodAutoscaler>,
    pub replica_sets: Store<PartialObjectMeta<ReplicaSet>>,
    pub config_maps: Store<PartialObjectMeta<ConfigMap>>,
    pub services: Store<PartialObjectMeta<Service>>,
    pub service_accounts: Store<PartialObjectMeta<ServiceAccount>>,
    pub disruption_budgets: Store<PartialObjectMeta<PodDisruptionBudget>>,
    pub ingresses: Store<PartialObjectMeta<Ingress>>,
    pub service_monitors: Store<PartialObjectMeta<ServiceMonitor>>,
    pub service_monitors_served: Served,
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
    pub autoscalers: Events<HorizontalPodAutoscaler>,
    pub replica_sets: Events<PartialObjectMeta<ReplicaSet>>,
    pub config_maps: Events<PartialObjectMeta<ConfigMap>>,
    pub services: Events<PartialObjectMeta<Service>>,
    pub service_accounts: Events<PartialObjectMeta<ServiceAccount>>,
    pub disruption_budgets: Events<PartialObjectMeta<PodDisruptionBudget>>,
    pub ingresses: Events<PartialObjectMeta<Ingress>>,
    pub service_monitors: Events<PartialObjectMeta<ServiceMonitor>>,
}

/// Where a loop looks: one namespace, or all.
#[must_use]
pub fn scope<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    namespace.map_or_else(|| Api::all(client.clone()), |ns| Api::namespaced(client.clone(), ns))
}

/// Starts the watches of a namespace, or of all. Claims are shared by the watches of several namespaces.
#[must_use]
pub fn start(client: &Client, namespace: Option<&str>, claims: Claims) -> (Stores, Streams) {
    let (deployments, deployment_events) = watch(scope(client, namespace));
    let (jobs, job_events) = watch(scope(client, namespace));
    let (autoscalers, autoscaler_events) = autoscalers::watch(scope(client, namespace));
    let (replica_sets, replica_set_events) = watch(scope(client, namespace));
    let (config_maps, config_map_events) = watch(scope(client, namespace));
    let (services, service_events) = watch(scope(client, namespace));
    let (service_accounts, service_account_events) = watch(scope(client, namespace));
    let (disruption_budgets, disruption_budget_events) = watch(scope(client, namespace));
    let (ingresses, ingress_events) = watch(scope(client, namespace));
    let (service_monitors, service_monitor_events, service_monitors_served) =
        optional::watch(client, &scope(client, namespace));
    let (all_clusters, clusters, neighbours) = watch_clusters(scope(client, namespace), namespace, claims.clone());
    let stores = Stores {
        claims,
        deployments,
        jobs,
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
        autoscalers: autoscaler_events,
        replica_sets: replica_set_events,
        config_maps: config_map_events,
        services: service_events,
        service_accounts: service_account_events,
        disruption_budgets: disruption_budget_events,
        ingresses: ingress_events,
        service_monitors: service_monitor_events,
    };
    (stores, streams)
}

/// Watches the clusters, and says which others a change is about.
fn watch_clusters(
    api: Api<DeserializeGuard<TemporalCluster>>,
    namespace: Option<&str>,
    claims: Claims,
) -> (Store<TemporalCluster>, Events<TemporalCluster>, mpsc::UnboundedReceiver<ObjectRef<TemporalCluster>>) {
    let (store, writer) = reflector::store();
    let (tell, neighbours) = mpsc::unbounded();
    let namespace = namespace.map(str::to_owned);
    let note = move |event: &watcher::Event<TemporalCluster>| {
        for cluster in claims.note(namespace.as_deref(), event) {
            // nobody listens when the process is ending
            let _ = tell.unbounded_send(cluster);
        }
    };
    let events = watcher(api, watcher::Config::default())
        .default_backoff()
        .try_filter_map(|event| ready(Ok(readable(event))))
        .inspect_ok(note)
        .modify(|object| object.managed_fields_mut().clear())
        .reflect(writer)
        .applied_objects();
    (store, events.boxed(), neighbours)
}

/// A cluster that cannot be read (the schema it was stored with was laxer) must not end the watch of all others: it is told
/// in the log and otherwise as if it had not been there.
fn readable(event: watcher::Event<DeserializeGuard<TemporalCluster>>) -> Option<watcher::Event<TemporalCluster>> {
    use watcher::Event::{Apply, Delete, Init, InitApply, InitDone};
    let read = |guard: DeserializeGuard<TemporalCluster>| {
        let told = |bad: &InvalidObject| {
            let name = format!(
                "{}/{}",
                bad.metadata.namespace.as_deref().unwrap_or_default(),
                bad.metadata.name.as_deref().unwrap_or_default()
            );
            tracing::warn!(error = %bad.error, cluster = name, "a TemporalCluster cannot be read; correct it");
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

/// Watches what carries our label, without managed fields: they are half of the metadata and of no use here.
fn watch<K>(api: Api<K>) -> (Store<K>, Events<K>)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    let events = watcher(api, config())
        .default_backoff()
        .modify(|object| object.managed_fields_mut().clear())
        .reflect(writer)
        .touched_objects();
    (store, events.boxed())
}

fn config() -> watcher::Config {
    watcher::Config::default().labels(&format!("{}={}", labels::MANAGED_BY, labels::MANAGED_BY_VALUE))
}
