//! The loop of the kinds whose resources live on a cluster: validate → observe → plan → act → report.
//!
//! A kind says how it is read, seen, planned and written ([`Kind`]); everything else is the same for all: waiting for the
//! cluster, who may use it, the finalizer, errors by class, conditions, events.

mod finalizer;
mod turn;

use super::backoff::Backoff;
use super::statuses::Statuses;
use super::{DEBOUNCE, Error};
use crate::api::reference::ClusterRef;
use crate::api::resident::Told;
use crate::apply::{Applied, ApplyError};
use crate::lease::Leadership;
use crate::observe::Seats;
use crate::plan::Changes;
use crate::plan::resident::ResidentPlan;
use crate::plan::seat::{Home, Seat};
use crate::telemetry::Metrics;
use crate::temporal::Target;
use crate::validate::Invalid;
use crate::watches::{self, Events, Place};
use futures::channel::mpsc;
use futures::{Stream, StreamExt};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::jiff::Timestamp;
use kube::core::object::HasStatus;
use kube::runtime::Controller;
use kube::runtime::controller::{self, Config};
use kube::runtime::events::Recorder;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::Event;
use kube::{Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Duration;

/// What resources live on, which has changed.
#[derive(Clone, Debug)]
pub(super) enum Ground {
    /// A cluster.
    Cluster(ClusterRef),
    /// A `TemporalNamespace`.
    Namespace(Place),
}

/// A kind whose resources live on a cluster.
pub(super) trait Kind: Send + Sync + Sized + 'static {
    /// The resource.
    type Object: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + HasStatus<Status = Self::Status>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + 'static;
    /// Its status.
    type Status: Told + Clone + Default + PartialEq + Debug + Serialize + Send + Sync;
    /// What can be carried out.
    type Valid: Send + Sync;
    /// What is seen of it in Temporal, and of what it has in Kubernetes.
    type Seen: Send + Sync;
    /// A write to Temporal.
    type Act: Debug + Send + Sync;

    /// Step 1.
    fn validate(object: &Self::Object) -> Result<Self::Valid, Invalid>;

    /// Where it stands towards its cluster; nearly always [`Seats::seat`].
    fn seat(&self, valid: &Self::Valid) -> impl Future<Output = Result<Seat, Error>> + Send;

    /// Step 2. What is seen in Temporal may be some time old, unless `fresh`.
    fn observe(
        &self,
        object: &Self::Object,
        valid: &Self::Valid,
        home: &Home,
        fresh: bool,
    ) -> impl Future<Output = Result<Self::Seen, Error>> + Send;

    /// Step 2 when there is no home to ask. Only a kind that has something in Kubernetes sees anything then.
    fn observe_away(
        &self,
        _object: &Self::Object,
        _valid: &Self::Valid,
        _seat: &Seat,
    ) -> impl Future<Output = Result<Option<Self::Seen>, Error>> + Send {
        ready(Ok(None))
    }

    /// Step 3, pure. `seen` is there when the seat has a home; without, it is what [`Self::observe_away`] saw.
    fn plan(
        object: &Self::Object,
        valid: &Self::Valid,
        seat: &Seat,
        seen: Option<&Self::Seen>,
        old: &Self::Status,
        now: Timestamp,
    ) -> ResidentPlan<Self::Act, Self::Status>;

    /// Step 4 in Kubernetes, before anything is written to Temporal. Most kinds have nothing there.
    fn apply(
        &self,
        _object: &Self::Object,
        _changes: &Changes,
    ) -> impl Future<Output = Result<Applied, ApplyError>> + Send {
        ready(Ok(Applied::default()))
    }

    /// Step 4, one write to Temporal. A repetition does no harm.
    fn act(&self, valid: &Self::Valid, home: &Home, act: &Self::Act) -> impl Future<Output = Result<(), Error>> + Send;

    /// When Temporal is next looked at, for a plan that waits for that.
    fn next_look(&self, home: &Home) -> Duration;

    /// Takes in an event of the watch; the other resources it matters to.
    fn note(&self, namespace: Option<&str>, event: &Event<Self::Object>) -> Vec<Place>;

    /// The resources that live there.
    fn residents(&self, ground: &Ground) -> Vec<Place>;

    /// Drops what is remembered of a resource that is gone.
    fn forget(&self, _gone: &Place) {}
}

/// What every loop of such a kind has from outside.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) seats: Arc<Seats>,
    pub(super) recorder: Recorder,
    pub(super) leadership: Leadership,
    pub(super) metrics: Metrics,
    pub(super) concurrency: u16,
}

/// What every turn of a loop shares.
struct Ctx<K: Kind> {
    kind: Arc<K>,
    shared: Shared,
    statuses: Statuses<K::Object>,
    backoff: Backoff<ObjectRef<K::Object>>,
}

/// The frontend of a cluster that serves.
pub(super) fn target(home: &Home) -> Target {
    Target::frontend(&home.cluster.namespace, &home.cluster.name, home.host.port)
}

/// Runs the loop of a kind in a namespace, or in all, until `shutdown`. `changes` are what the resources live on, `objects`
/// resources whose objects have changed.
pub(super) async fn run<K: Kind>(
    kind: Arc<K>,
    shared: Shared,
    namespace: Option<String>,
    changes: impl Stream<Item = Ground> + Send + 'static,
    objects: impl Stream<Item = Place> + Send + 'static,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let (store, events, others) = watch(&kind, &shared.client, namespace.as_deref());
    let grounds = woken_by(&kind, namespace, changes);
    let concurrency = shared.concurrency;
    let ctx = Arc::new(Ctx { kind, shared, statuses: Statuses::default(), backoff: Backoff::new() });
    Controller::for_stream(events, store)
        .with_config(Config::default().concurrency(concurrency).debounce(DEBOUNCE))
        .reconcile_on(others)
        .reconcile_on(grounds)
        .reconcile_on(objects.map(|place| reference(&place)))
        .graceful_shutdown_on(shutdown)
        .run(turn::reconcile::<K>, turn::on_error::<K>, Arc::clone(&ctx))
        .for_each(|result| {
            match result {
                Err(controller::Error::ObjectNotFound(gone)) => {
                    let gone = ObjectRef::<K::Object>::new(&gone.name).within(&gone.namespace.unwrap_or_default());
                    ctx.forget(&gone);
                }
                Err(controller::Error::QueueError(error)) => {
                    tracing::warn!(%error, kind = %K::Object::kind(&()), "a watch failed; it is tried again");
                }
                Ok(_) | Err(_) => {} // failed turns are told by their error policy
            }
            futures::future::ready(())
        })
        .await;
}

impl<K: Kind> Ctx<K> {
    /// Drops everything remembered of a resource that is gone.
    fn forget(&self, gone: &ObjectRef<K::Object>) {
        self.statuses.forget(gone);
        self.backoff.reset(gone);
        let namespace = gone.namespace.as_deref().unwrap_or_default();
        self.shared.metrics.resident_gone(&K::Object::kind(&()), namespace, &gone.name);
        self.kind.forget(&(namespace.to_owned(), gone.name.clone()));
    }
}

/// The resources, and those that a change of another one matters to.
#[allow(clippy::type_complexity)]
fn watch<K: Kind>(
    kind: &Arc<K>,
    client: &Client,
    namespace: Option<&str>,
) -> (Store<K::Object>, Events<K::Object>, mpsc::UnboundedReceiver<ObjectRef<K::Object>>) {
    let (tell, others) = mpsc::unbounded();
    let (kind, scope) = (Arc::clone(kind), namespace.map(str::to_owned));
    let note = move |event: &Event<K::Object>| {
        for other in kind.note(scope.as_deref(), event) {
            // nobody listens when the process is ending
            let _ = tell.unbounded_send(reference(&other));
        }
    };
    let (store, events) = watches::watch_own(watches::scope(client, namespace), note);
    (store, events, others)
}

/// The resources of this loop whose ground changed.
fn woken_by<K: Kind>(
    kind: &Arc<K>,
    namespace: Option<String>,
    changes: impl Stream<Item = Ground> + Send + 'static,
) -> impl Stream<Item = ObjectRef<K::Object>> + Send + 'static {
    let kind = Arc::clone(kind);
    changes.flat_map(move |ground| {
        let mut residents = kind.residents(&ground);
        residents.retain(|place| namespace.as_ref().is_none_or(|namespace| *namespace == place.0));
        futures::stream::iter(residents).map(|place| reference(&place))
    })
}

fn reference<K: Resource<DynamicType = ()>>(place: &Place) -> ObjectRef<K> {
    ObjectRef::new(&place.1).within(&place.0)
}
