//! The kind `TemporalWorker`, for the loop of the kinds that live on a cluster. It has objects in Kubernetes too, which it
//! looks after whether or not the cluster serves.

use super::Error;
use super::on_namespace::NamespaceHosts;
use super::resident::{self, Ground, Kind};
use crate::api::reference::{ClusterRef, Reference};
use crate::api::worker::Versioning;
use crate::api::{TemporalWorker, TemporalWorkerStatus};
use crate::apply::{Applied, Applier, ApplyError, Owner};
use crate::build::worker::build_id;
use crate::observe::{Connected, Connections, Loads, Unusable, WorkerObserver, ask};
use crate::plan::Changes;
use crate::plan::seat::{Home, Host, Seat};
use crate::plan::worker::{self as plan, Act, GateRun, InTemporal, Seen, WorkerPlan};
use crate::telemetry::{Metrics, VersionFigures};
use crate::temporal::{Target, TemporalError, WorkerRef, Workers};
use crate::validate::{self, Invalid, ValidConnection, ValidWorker, WorkerHome};
use crate::watches::{Place, Resident, Residents, Stores, place};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::jiff::Timestamp;
use kube::runtime::watcher::Event;
use kube::{Client, ResourceExt};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The workers of one namespace, or of all.
pub(super) struct Kept {
    temporal: Arc<dyn Workers>,
    hosts: Arc<NamespaceHosts>,
    connections: Arc<Connections>,
    /// Those of every loop.
    all: Residents<Lives>,
    observer: WorkerObserver,
    applier: Applier,
    metrics: Metrics,
}

/// What a worker lives on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lives {
    /// With the namespace in Temporal.
    OnCluster(String),
    OnNamespace,
}

impl Kept {
    pub(super) fn new(
        (client, metrics): (Client, Metrics),
        stores: Stores,
        temporal: Arc<dyn Workers>,
        loads: Arc<Loads>,
        (hosts, connections): (Arc<NamespaceHosts>, Arc<Connections>),
        all: Residents<Lives>,
    ) -> Self {
        let observer = WorkerObserver::new(client.clone(), stores, loads);
        Self { temporal, hosts, connections, all, observer, applier: Applier::new(client), metrics }
    }

    /// The cluster that it works for, whether or not that serves.
    fn cluster(&self, valid: &ValidWorker) -> Option<ClusterRef> {
        match &valid.home {
            WorkerHome::Cluster { cluster, .. } => Some(cluster.clone()),
            WorkerHome::Namespace(place) => self.hosts.cluster(place),
            WorkerHome::Outside { .. } => None,
        }
    }

    /// How to come to a Temporal that no cluster describes.
    async fn connected(
        &self,
        valid: &ValidWorker,
        connection: &ValidConnection,
    ) -> Result<Result<Connected, Unusable>, Error> {
        Ok(self.connections.of(&valid.own, valid.home.namespace(), connection).await?)
    }

    /// Whom to ask.
    async fn target(&self, valid: &ValidWorker, home: &Home) -> Result<Target, Error> {
        match valid.home.connection() {
            Some(connection) => match self.connected(valid, connection).await? {
                Ok(connected) => Ok(connected.target),
                Err(unusable) => Err(Error::Credentials(unusable.to_string().trim_end_matches('.').to_owned())),
            },
            None => Ok(resident::target(home)),
        }
    }

    /// Where its Worker Deployment is: a Temporal and a namespace there. None while that is not known.
    fn whereabouts(&self, resident: &Resident<Lives>) -> Option<(ClusterRef, String)> {
        let ClusterRef { namespace, name } = resident.cluster.clone();
        match &resident.kept {
            Lives::OnCluster(there) => Some((resident.cluster.clone(), there.clone())),
            Lives::OnNamespace => Some((self.hosts.cluster(&(namespace, name.clone()))?, name)),
        }
    }

    /// Another resource that has the same Worker Deployment and came first.
    async fn elder(&self, own: &Place, home: &Home) -> Result<Option<String>, Error> {
        let at = |place: &Place| self.all.get(place).and_then(|resident| self.whereabouts(&resident));
        let mine = at(own);
        let elders = self.all.elders(own).into_iter().filter(|place| mine.is_some() && at(place) == mine);
        Ok(self.hosts.seats.elder(elders.collect(), &home.cluster).await?)
    }

    async fn look(&self, object: &TemporalWorker, valid: &ValidWorker) -> Result<Seen, Error> {
        let seen = self.observer.look(&object.uid().unwrap_or_default(), valid).await?;
        if let Some(connection) = valid.home.connection() {
            let connected = self.connected(valid, connection).await?.ok();
            let client_has_ca = connected.as_ref().is_some_and(|connected| connected.client_has_ca);
            let address = connected.map(|_| connection.address.clone());
            return Ok(Seen { address, client_has_ca, ..seen });
        }
        let cluster = self.cluster(valid);
        let host = cluster.and_then(|cluster| Some((self.hosts.seats.host(&cluster)?, cluster)));
        let address = |(host, cluster): (Host, ClusterRef)| {
            Target::frontend(cluster.namespace, cluster.name, host.port).authority()
        };
        Ok(Seen { address: host.map(address), ..seen })
    }

    /// Everything that Temporal knows of it: its versions, what the next step of a rollout hangs on, its work.
    async fn ask_once(
        &self,
        valid: &ValidWorker,
        target: &Target,
        seen: &mut Seen,
        old: &TemporalWorkerStatus,
    ) -> Result<InTemporal, TemporalError> {
        let (which, build_id) = (which(valid), build_id(valid));
        if valid.versioned {
            let found = self.temporal.describe_worker(target, &which).await?;
            seen.temporal = found.map_or(InTemporal::Absent, |routing| InTemporal::Known(Box::new(routing)));
            let wanted = (&valid.rollout, build_id.as_str());
            ask(&*self.temporal, (target, &which), wanted, seen, old, Timestamp::now()).await?;
        }
        let known = std::mem::take(&mut seen.temporal);
        self.observer.work(target, valid, &build_id, seen, known).await
    }

    /// The same. Credentials that are not taken may have been changed just now, so they are read anew once.
    async fn ask(
        &self,
        valid: &ValidWorker,
        home: &Home,
        seen: &mut Seen,
        old: &TemporalWorkerStatus,
    ) -> Result<Result<InTemporal, TemporalError>, Error> {
        let target = self.target(valid, home).await?;
        let answer = self.ask_once(valid, &target, seen, old).await;
        let Some(connection) = valid.home.connection() else { return Ok(answer) };
        if !answer.as_ref().is_err_and(TemporalError::is_about_credentials) {
            return Ok(answer);
        }
        self.connections.doubt(&valid.own, valid.home.namespace(), connection);
        match self.connected(valid, connection).await? {
            Ok(newer) if newer.target != target => Ok(self.ask_once(valid, &newer.target, seen, old).await),
            _ => Ok(answer),
        }
    }

    /// Exact figures are metrics, rounded ones go into the status.
    fn measure(&self, valid: &ValidWorker, seen: &Seen) {
        let figures = |id: &String, deployment: &Deployment| {
            let last = seen.load(id).last();
            VersionFigures {
                wanted: deployment.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1),
                backlog: last.map(|s| s.backlog),
                backlog_age: last.map(|s| s.backlog_age),
                rates: last.map(|s| (s.add_rate, s.dispatch_rate)),
                slots: last.and_then(|s| s.slots).map(|s| (s.used, s.all)),
            }
        };
        let all: BTreeMap<_, _> = seen.deployments.iter().map(|(id, d)| (id.clone(), figures(id, d))).collect();
        self.metrics.worker_versions(&valid.own, &valid.name, &all);
    }
}

impl Kind for Kept {
    type Object = TemporalWorker;
    type Status = TemporalWorkerStatus;
    type Valid = ValidWorker;
    type Seen = Seen;
    type Act = Act;

    fn validate(object: &TemporalWorker) -> Result<ValidWorker, Invalid> {
        validate::worker(object)
    }

    async fn seat(&self, valid: &ValidWorker) -> Result<Seat, Error> {
        Ok(match &valid.home {
            WorkerHome::Cluster { cluster, .. } => self.hosts.seats.seat(cluster, &valid.own).await?,
            WorkerHome::Namespace(place) => self.hosts.seat(place, &valid.own).await?,
            WorkerHome::Outside { connection, .. } => match self.connected(valid, connection).await? {
                Ok(_) => Seat::outside(&connection.address),
                Err(Unusable::Missing(why)) => Seat::NoCredentials(why),
                Err(Unusable::Wrong(why)) => Seat::BadCredentials(why),
            },
        })
    }

    async fn observe(
        &self,
        object: &TemporalWorker,
        valid: &ValidWorker,
        home: &Home,
        _fresh: bool,
    ) -> Result<Seen, Error> {
        let seen = self.look(object, valid).await?;
        let taken_by = self.elder(&place(object), home).await?;
        let mut seen = Seen { taken_by, ..seen };
        let old = object.status.clone().unwrap_or_default();
        let answer = self.ask(valid, home, &mut seen, &old).await?;
        (seen.temporal, seen.silence) = self.observer.heard((&place(object), &valid.home), answer, Timestamp::now());
        self.measure(valid, &seen);
        Ok(seen)
    }

    async fn observe_away(
        &self,
        object: &TemporalWorker,
        valid: &ValidWorker,
        _seat: &Seat,
    ) -> Result<Option<Seen>, Error> {
        Ok(Some(self.look(object, valid).await?))
    }

    fn plan(
        object: &TemporalWorker,
        valid: &ValidWorker,
        seat: &Seat,
        seen: Option<&Seen>,
        old: &TemporalWorkerStatus,
        now: Timestamp,
    ) -> WorkerPlan {
        plan::plan(valid, object.metadata.generation, seat, seen, old, now)
    }

    async fn apply(&self, object: &TemporalWorker, changes: &Changes) -> Result<Applied, ApplyError> {
        let (namespace, uid) = (object.namespace().unwrap_or_default(), object.uid().unwrap_or_default());
        let live = self.observer.live(&namespace, &uid);
        self.applier.apply(&Owner::of(object), changes, &live).await
    }

    async fn act(&self, valid: &ValidWorker, home: &Home, act: &Act) -> Result<(), Error> {
        let read;
        let act = match act {
            Act::RunGate(run) if let Some(from) = &run.input_from => {
                let input = Some(self.observer.argument(&valid.own, from).await?);
                read = Act::RunGate(Box::new(GateRun { input, ..(**run).clone() }));
                &read
            }
            other => other,
        };
        let target = self.target(valid, home).await?;
        match (self.temporal.change_worker(&target, &which(valid), act).await, valid.home.connection()) {
            (Err(error), Some(connection)) if error.is_about_credentials() => {
                Err(Error::Credentials(plan::refusal(connection, &error.to_string())))
            }
            (done, _) => Ok(done?),
        }
    }

    fn next_look(&self, _: &Home) -> Duration {
        plan::CALM
    }

    fn note(&self, namespace: Option<&str>, event: &Event<TemporalWorker>) -> Vec<Place> {
        self.all.note(namespace, event, resident)
    }

    fn residents(&self, ground: &Ground) -> Vec<Place> {
        let on = |host: &ClusterRef, namespaced: bool| {
            let is = move |lives: &Lives| (*lives == Lives::OnNamespace) == namespaced;
            self.all.on(host).into_iter().filter(move |(_, r)| is(&r.kept)).map(|(place, _)| place)
        };
        let namespaces = self.hosts.of(ground);
        let theirs = namespaces.iter().flat_map(|namespace| on(namespace, true));
        let own = match ground {
            Ground::Cluster(cluster) => Some(on(cluster, false)),
            Ground::Namespace(_) => None,
        };
        own.into_iter().flatten().chain(theirs).collect()
    }

    fn forget(&self, gone: &Place) {
        let (namespace, name) = gone;
        self.observer.forget(gone);
        self.applier.forget(gone);
        self.metrics.worker_versions(namespace, name, &BTreeMap::new());
    }
}

fn which(valid: &ValidWorker) -> WorkerRef {
    WorkerRef { namespace: valid.home.namespace().to_owned(), deployment: valid.deployment_name.clone() }
}

/// Two of one Worker Deployment stand in each other's way, where it is the same Temporal's; unversioned ones never do.
fn resident(object: &TemporalWorker) -> Resident<Lives> {
    let (own, spec) = (place(object), &object.spec);
    let none = Reference::default();
    let namespace = spec.namespace.clone().unwrap_or_default();
    let (on, lives) = match (&spec.cluster_ref, &spec.namespace_ref) {
        (Some(cluster), _) => (cluster, Lives::OnCluster(namespace)),
        (None, None) if spec.connection.is_some() => (&none, Lives::OnCluster(namespace)),
        (None, namespace) => (namespace.as_ref().unwrap_or(&none), Lives::OnNamespace),
    };
    let name = format!("{}/{}", own.0, own.1);
    let claim = match spec.versioning.unwrap_or_default() {
        Versioning::Versioned => spec.deployment_name.clone().unwrap_or(name),
        // no Worker Deployment can be called so
        Versioning::Unversioned => format!("unversioned:{name}"),
    };
    let resident = Resident { claim, ..Resident::of(object, on, lives) };
    match &spec.connection {
        Some(connection) => Resident { cluster: ClusterRef::outside(&connection.host_port), ..resident },
        None => resident,
    }
}
