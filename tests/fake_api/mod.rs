//! An in-memory Kubernetes API server for tests.
//!
//! [`FakeApi`] holds the objects; [`FakeApi::client`] makes a [`kube::Client`] that speaks to it
//! through the real request path of kube, so that controllers, watches, leases and server-side apply
//! run unchanged. Every file says at its top what it does as the real server does and what it leaves
//! out. Tests act as a user with the typed helpers (user [`TEST_USER`]), count requests in the audit
//! log, kill a user's clients after its n-th write, and compare end states with [`FakeApi::dump`].
#![allow(dead_code, reason = "each test binary uses its own part of it")]
#![allow(clippy::panic, reason = "a helper called wrongly is a failed test")]

use std::{
    collections::BTreeMap,
    fmt::Display,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Resource;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::sync::watch::{Receiver, Sender};

mod apply;
mod audit;
pub mod cluster_sim;
mod crash;
mod defaults;
mod dump;
mod errors;
mod fields;
mod gc;
mod http;
mod json_patch;
mod kinds;
mod managers;
mod operation;
mod patches;
mod schema;
mod selectors;
mod shape;
mod store;
mod validation;
mod watch;
mod write;

pub use audit::Call;
pub use crash::{Cut, Kill};
use crash::{Session, Sessions, connection_reset};
use errors::Failure;
use gc::DeleteOptions;
use operation::{Operation, Request};
use store::{Store, now};
use write::Target;

/// The user that the typed helpers act as.
pub const TEST_USER: &str = "test";

/// A handle on the server; clones share it.
#[derive(Clone)]
pub struct FakeApi(Arc<Shared>);

struct Shared {
    server: Mutex<Server>,
    version: Sender<u64>,
}

struct Server {
    store: Store,
    calls: Vec<Call>,
    sessions: Sessions,
    /// Changes so far that were more than a Lease or an Event.
    progress: u64,
}

/// The server and its clients.
impl FakeApi {
    /// A server with the built-in kinds and the namespace `default`.
    pub fn new() -> Self {
        let server = Server { store: Store::new(), calls: Vec::new(), sessions: Sessions::default(), progress: 0 };
        let api = Self(Arc::new(Shared { server: Mutex::new(server), version: Sender::new(0) }));
        api.ensure_namespace("default");
        api.clear_audit();
        api
    }

    /// Serves custom resources, and their definitions as objects.
    pub fn register_crds(&self, crds: &[CustomResourceDefinition]) {
        for crd in crds {
            self.server().store.kinds.register(crd);
            self.put(crd);
            let established = json!({"conditions": [
                {"type": "NamesAccepted", "status": "True", "reason": "NoConflicts", "message": "", "lastTransitionTime": now()},
                {"type": "Established", "status": "True", "reason": "InitialNamesAccepted", "message": "", "lastTransitionTime": now()},
            ]});
            let name = crd.metadata.name.clone().unwrap_or_default();
            self.put_status::<CustomResourceDefinition>("", &name, &established);
        }
    }

    /// A new client, known to the audit log by the user's name; its default namespace is `default`.
    pub fn client(&self, user: &str) -> kube::Client {
        let api = self.clone();
        let session = self.server().sessions.open(user);
        let service = tower::service_fn(move |request| {
            let (api, session) = (api.clone(), session.clone());
            async move { http::serve(&api, &session, request).await }
        });
        kube::Client::new(service, "default")
    }

    fn server(&self) -> MutexGuard<'_, Server> {
        self.0.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, read: impl FnOnce(&Store) -> T) -> T {
        read(&self.server().store)
    }

    /// Changes are announced by the resourceVersion they lead to.
    fn versions(&self) -> Receiver<u64> {
        self.0.version.subscribe()
    }

    fn announce(&self, server: &Server) {
        let announced = |version: &mut u64| {
            let behind = *version != server.store.version;
            *version = server.store.version;
            behind
        };
        self.0.version.send_if_modified(announced);
    }

    /// Carries out a request, logs it, collects garbage and cuts connections that are due; an error
    /// when the answer does not reach the client.
    fn perform(&self, session: &Session, request: &Request) -> io::Result<Result<(u16, Value), Failure>> {
        let mut server = self.server();
        if session.is_dead() {
            return Err(connection_reset());
        }
        let before = server.store.version;
        let code = server.store.code_of_success(request);
        let result = server.store.execute(request).map(|body| (code, body));
        let changed = server.store.version != before;
        let code = result.as_ref().err().map_or(code, |failure| failure.code);
        let call = Call::new(&session.user, request, changed, code);
        server.store.collect_garbage();
        server.progress += u64::from(changed && !call.is_bookkeeping());
        let cut = server.sessions.count(&call);
        server.calls.push(call);
        self.announce(&server);
        match cut {
            Some(Cut::BeforeAnswer) => Err(connection_reset()),
            Some(Cut::AfterAnswer) | None => Ok(result),
        }
    }
}

/// Counting and crashing.
impl FakeApi {
    /// Every request since the start or the last [`Self::clear_audit`].
    pub fn audit(&self) -> Vec<Call> {
        self.server().calls.clone()
    }

    pub fn clear_audit(&self) {
        self.server().calls.clear();
    }

    /// The user's requests with a writing verb, whether or not they changed anything.
    pub fn writes_by(&self, user: &str) -> Vec<Call> {
        let mut calls = self.audit();
        calls.retain(|call| call.user == user && call.write);
        calls
    }

    /// Cuts all connections the user has, once it has made `writes` more changes to the store (a
    /// refused write, or one that changes nothing, does not count).
    pub fn kill_after(&self, user: &str, writes: usize, cut: Cut) -> Kill {
        self.kill_after_matching(user, writes, cut, |_| true)
    }

    /// As [`Self::kill_after`], counting only some of the writes (not Leases, for instance).
    pub fn kill_after_matching(
        &self,
        user: &str,
        writes: usize,
        cut: Cut,
        counts: impl Fn(&Call) -> bool + Send + 'static,
    ) -> Kill {
        self.server().sessions.order(user, writes, cut, Box::new(counts))
    }

    /// Cuts all connections the user has at this moment.
    pub fn kill(&self, user: &str) {
        self.server().sessions.kill(user);
    }

    /// Leaves dependents of deleted owners in place until it is called with `false`.
    pub fn hold_garbage_collector(&self, hold: bool) {
        let mut server = self.server();
        server.store.hold_garbage_collector = hold;
        server.store.collect_garbage();
        self.announce(&server);
    }
}

/// Waiting and comparing.
impl FakeApi {
    /// The whole end state, see [`dump`]; `ignored` names further fields to leave out.
    pub fn dump(&self, ignored: &[&str]) -> BTreeMap<String, Value> {
        self.read(|store| dump::dump(store, ignored))
    }

    /// Resolves when the condition holds; it is looked at again after every change.
    pub async fn wait_until(&self, condition: impl Fn(&Self) -> bool) {
        let mut versions = self.versions();
        loop {
            versions.borrow_and_update();
            if condition(self) {
                return;
            }
            if versions.changed().await.is_err() {
                return;
            }
        }
    }

    /// Resolves when nothing but Leases and Events has changed for that long.
    pub async fn wait_quiet(&self, quiet: Duration) {
        loop {
            let progress = self.server().progress;
            tokio::time::sleep(quiet).await;
            if self.server().progress == progress {
                return;
            }
        }
    }
}

/// Acting as a user.
impl FakeApi {
    /// Creates the object, or replaces it whatever its resourceVersion; a missing namespace is
    /// created. The status is left alone, see [`Self::put_status`].
    pub fn put<K: ApiObject>(&self, object: &K) -> K {
        let mut body = as_value(object);
        let namespace = object.meta().namespace.clone().unwrap_or_else(|| "default".into());
        self.ensure_namespace(&namespace);
        let name = object.meta().name.clone().unwrap_or_default();
        let live = self.get::<K>(&namespace, &name);
        let operation = match live {
            Some(live) => {
                let version = live.meta().resource_version.clone();
                body["metadata"]["resourceVersion"] = version.unwrap_or_default().into();
                Operation::Update(body)
            }
            None => Operation::Create(body),
        };
        self.act::<K>(&namespace, &name, None, operation)
    }

    /// Replaces the status of an object.
    pub fn put_status<K: ApiObject>(&self, namespace: &str, name: &str, status: &Value) -> K {
        let live: Option<K> = self.get(namespace, name);
        let mut body = live.map(|live| as_value(&live)).unwrap_or_default();
        body["status"] = status.clone();
        self.act(namespace, name, Some("status"), Operation::Update(body))
    }

    /// The object, if it is there; the namespace of a cluster-scoped one does not matter.
    pub fn get<K: ApiObject>(&self, namespace: &str, name: &str) -> Option<K> {
        let target = self.target::<K>(namespace, name, None);
        let found = self.read(|store| store.get(&target.kind, namespace, name).cloned());
        found.ok().map(from_value)
    }

    /// The objects of a kind in a namespace, or in all.
    pub fn list<K: ApiObject>(&self, namespace: Option<&str>) -> Vec<K> {
        let target = self.target::<K>("", "", None);
        self.read(|store| {
            store.of_kind(&target.kind, namespace).map(|(_, object)| from_value(object.clone())).collect()
        })
    }

    /// Changes an object in place.
    pub fn edit<K: ApiObject>(&self, namespace: &str, name: &str, change: impl FnOnce(&mut K)) -> K {
        let Some(mut object) = self.get::<K>(namespace, name) else {
            panic!("{} {namespace}/{name} is not there to edit", K::kind(&()))
        };
        change(&mut object);
        self.act(namespace, name, None, Operation::Update(as_value(&object)))
    }

    /// Deletes an object as `kubectl` does (background); whether it was there.
    pub fn delete<K: ApiObject>(&self, namespace: &str, name: &str) -> bool {
        let target = self.target::<K>(namespace, name, None);
        let options = DeleteOptions { propagation: Some(gc::Propagation::Background), ..DeleteOptions::default() };
        self.act_as(TEST_USER, target, Operation::Delete(options)).is_ok()
    }

    fn act<K: ApiObject>(&self, namespace: &str, name: &str, subresource: Option<&str>, operation: Operation) -> K {
        let target = self.target::<K>(namespace, name, subresource);
        let result = self.act_as(TEST_USER, target, operation);
        from_value(result.unwrap_or_else(|failure| refused(&failure)))
    }

    fn act_as(&self, user: &str, mut target: Target, operation: Operation) -> Result<Value, Failure> {
        target.field_manager = user.to_owned();
        let answer = self.perform(&Session::new(user), &Request { target, operation });
        answer.unwrap_or_else(|error| refused(&error)).map(|(_, body)| body)
    }

    fn target<K: ApiObject>(&self, namespace: &str, name: &str, subresource: Option<&str>) -> Target {
        let (group, kind) = (K::group(&()), K::kind(&()));
        self.target_of(&group, &kind, namespace, name, subresource)
    }

    fn target_of(&self, group: &str, kind: &str, namespace: &str, name: &str, subresource: Option<&str>) -> Target {
        let Some(kind) = self.read(|store| store.kinds.of_kind(group, kind)) else {
            panic!("{kind} of group \"{group}\" is not registered")
        };
        Target {
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            subresource: subresource.map(str::to_owned),
            field_manager: String::new(),
            dry_run: false,
        }
    }

    fn ensure_namespace(&self, name: &str) {
        let target = self.target_of("", "Namespace", "", name, None);
        if self.read(|store| store.get(&target.kind, "", name).is_err()) {
            let body = json!({"metadata": {"name": name}});
            let created = self.act_as(TEST_USER, target, Operation::Create(body));
            created.unwrap_or_else(|failure| refused(&failure));
        }
    }
}

/// What the typed helpers take: any kind of k8s-openapi or derived with `CustomResource`.
pub trait ApiObject: Resource<DynamicType = ()> + Serialize + DeserializeOwned {}
impl<K: Resource<DynamicType = ()> + Serialize + DeserializeOwned> ApiObject for K {}

fn as_value<K: Serialize>(object: &K) -> Value {
    serde_json::to_value(object).unwrap_or_else(|error| refused(&error))
}

fn from_value<K: DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).unwrap_or_else(|error| refused(&error))
}

fn refused(error: &dyn Display) -> ! {
    panic!("the fake API refused a test helper: {error}")
}
