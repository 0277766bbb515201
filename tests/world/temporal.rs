//! The simulated Temporal: rings of the pods that run, and namespaces in memory.

use crate::fake_api::FakeApi;
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard};
use temporal_operator::api::SYSTEM_NAMESPACE;
use temporal_operator::api::labels;
use temporal_operator::api::namespace::AttributeType;
use temporal_operator::api::services::Role;
use temporal_operator::plan::namespace::{Change, LiveNamespace, Registration};
use temporal_operator::temporal::{
    Answer, ClusterRef, ClusterView, FakeQueues, FakeSchedules, Namespaces, ShardView, Target, Temporal, TemporalError,
};

use super::NAMESPACE;

/// A Temporal whose rings hold the pods that run, each ring member owning its share of the shards.
pub struct SimTemporal {
    pub(super) api: FakeApi,
    /// What the canary meets; then rings and shards have no answer either, for they are asked through the same parts.
    pub(super) fault: Mutex<Option<TemporalError>>,
    pub(super) namespaces: Mutex<BTreeMap<String, LiveNamespace>>,
    /// Writes to namespaces, in words.
    pub(super) writes: Mutex<Vec<String>>,
    /// Reads of namespaces.
    pub(super) reads: Mutex<Vec<String>>,
    /// Workflows that are open in each namespace.
    pub(super) open: Mutex<u64>,
    pub ends: super::ends::Ends,
    pub schedules: FakeSchedules,
    pub workers: super::workers::SimWorkers,
    pub queues: FakeQueues,
}

impl SimTemporal {
    pub(super) fn new(api: FakeApi) -> Self {
        let (namespaces, writes, reads) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self {
            api,
            fault: Mutex::default(),
            namespaces,
            writes,
            reads,
            open: Mutex::default(),
            ends: super::ends::Ends::default(),
            schedules: FakeSchedules::default(),
            workers: super::workers::SimWorkers::default(),
            queues: FakeQueues::default(),
        }
    }

    pub fn fail(&self, call: &'static str, reason: &str) {
        *self.fault.lock().unwrap() = Some(TemporalError::Unreachable { call, reason: reason.to_owned() });
    }

    pub fn heal(&self) {
        *self.fault.lock().unwrap() = None;
    }

    /// The namespaces, to look at and to change behind the operator's back.
    pub fn namespaces(&self) -> MutexGuard<'_, BTreeMap<String, LiveNamespace>> {
        self.namespaces.lock().unwrap()
    }

    /// How many workflows are open.
    pub fn set_open(&self, number: u64) {
        *self.open.lock().unwrap() = number;
    }

    /// Writes since the last time.
    pub fn take_writes(&self) -> Vec<String> {
        std::mem::take(&mut self.writes.lock().unwrap())
    }

    /// Reads since the last time.
    pub fn take_reads(&self) -> Vec<String> {
        std::mem::take(&mut self.reads.lock().unwrap())
    }

    pub(super) fn silent(&self, call: &'static str) -> Result<(), TemporalError> {
        let unanswered = || TemporalError::Unreachable { call, reason: "nothing within 3s".to_owned() };
        self.fault.lock().unwrap().as_ref().map_or(Ok(()), |_| Err(unanswered()))
    }

    fn members(&self, cluster: &str, role: Role) -> BTreeSet<SocketAddr> {
        let has = |pod: &Pod, label: &str, value: &str| pod.labels().get(label).is_some_and(|v| v == value);
        let of_role = |pod: &Pod| has(pod, labels::NAME, cluster) && has(pod, labels::COMPONENT, role.name());
        let pods = self.api.list::<Pod>(Some(NAMESPACE));
        let ips = pods
            .iter()
            .filter(|p| of_role(p))
            .filter_map(|p| p.status.as_ref()?.pod_ip.as_ref()?.parse::<IpAddr>().ok());
        ips.map(|ip| SocketAddr::new(ip, 7233)).collect()
    }

    fn read<T>(&self, call: &'static str, name: &str, answer: impl FnOnce() -> T) -> Result<T, TemporalError> {
        self.reads.lock().unwrap().push(format!("{call} {name}").trim().to_owned());
        self.silent(call).map(|()| answer())
    }

    fn write(
        &self,
        call: &'static str,
        name: &str,
        change: impl FnOnce(&mut BTreeMap<String, LiveNamespace>) -> Result<(), &'static str>,
    ) -> Result<(), TemporalError> {
        self.silent(call)?;
        self.writes.lock().unwrap().push(format!("{call} {name}"));
        let refused = |code| TemporalError::Refused { call, code, failure: None, message: "no".to_owned() };
        change(&mut self.namespaces()).map_err(refused)
    }
}

impl Temporal for SimTemporal {
    fn describe_cluster<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<ClusterView, TemporalError>> {
        let members = |role| self.members(&target.cluster.name, role);
        let rings = Role::ALL.into_iter().map(|r| (r, members(r))).filter(|(_, m)| !m.is_empty()).collect();
        let view = ClusterView {
            cluster_name: target.cluster.name.clone(),
            history_shard_count: 64,
            rings,
            ..ClusterView::default()
        };
        ready(self.silent("DescribeCluster").map(|()| view)).boxed()
    }

    fn shards<'a>(
        &'a self,
        _: &'a Target,
        hosts: &'a BTreeSet<SocketAddr>,
    ) -> BoxFuture<'a, Result<ShardView, TemporalError>> {
        let held: BTreeMap<_, _> = hosts.iter().take(1).map(|host| (*host, (1..=64).collect())).collect();
        ready(Ok(ShardView { held, ..ShardView::default() })).boxed()
    }

    fn canary<'a>(&'a self, _: &'a Target) -> BoxFuture<'a, Result<(), TemporalError>> {
        ready(self.fault.lock().unwrap().clone().map_or(Ok(()), Err)).boxed()
    }

    fn visibility<'a>(&'a self, _: &'a Target) -> BoxFuture<'a, Result<(), TemporalError>> {
        ready(Ok(())).boxed()
    }

    fn users_visibility<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<(), TemporalError>> {
        self.visibility(target)
    }

    fn forget(&self, _: &ClusterRef) {}
}

impl Namespaces for SimTemporal {
    fn list<'a>(&'a self, _: &'a Target) -> Answer<'a, Vec<LiveNamespace>> {
        ready(self.read("ListNamespaces", "", || self.namespaces().values().cloned().collect())).boxed()
    }

    fn describe<'a>(&'a self, _: &'a Target, name: &'a str) -> Answer<'a, Option<LiveNamespace>> {
        ready(self.read("DescribeNamespace", name, || self.namespaces().get(name).cloned())).boxed()
    }

    fn register<'a>(&'a self, _: &'a Target, wanted: &'a Registration) -> Answer<'a, ()> {
        let register = |all: &mut BTreeMap<String, LiveNamespace>| {
            if all.contains_key(&wanted.name) {
                return Err("ALREADY_EXISTS");
            }
            let live = LiveNamespace {
                name: wanted.name.clone(),
                id: format!("id-of-{}", wanted.name),
                description: wanted.description.clone(),
                owner_email: wanted.owner_email.clone(),
                data: wanted.data.clone(),
                retention: wanted.retention,
                columns: BTreeMap::new(),
            };
            all.insert(wanted.name.clone(), live);
            Ok(())
        };
        self.ends.write(|| ready(self.write("RegisterNamespace", &wanted.name, register)).boxed())
    }

    fn update<'a>(&'a self, _: &'a Target, name: &'a str, change: &'a Change) -> Answer<'a, ()> {
        let update = |all: &mut BTreeMap<String, LiveNamespace>| {
            let live = all.get_mut(name).ok_or("NOT_FOUND")?;
            live.retention = change.retention.unwrap_or(live.retention);
            live.description = change.description.clone().unwrap_or(live.description.clone());
            live.owner_email = change.owner_email.clone().unwrap_or(live.owner_email.clone());
            live.data.extend(change.data.clone());
            Ok(())
        };
        self.ends.write(|| ready(self.write("UpdateNamespace", name, update)).boxed())
    }

    fn attributes<'a>(&'a self, _: &'a Target, name: &'a str) -> Answer<'a, BTreeMap<String, AttributeType>> {
        let call = "ListSearchAttributes";
        let known = name == SYSTEM_NAMESPACE || self.namespaces().contains_key(name);
        let refused = || TemporalError::Refused { call, code: "NOT_FOUND", failure: None, message: "no".to_owned() };
        let answer = self.read(call, name, BTreeMap::new);
        ready(answer.and_then(|all| if known { Ok(all) } else { Err(refused()) })).boxed()
    }

    /// As the server does it: the next free column of the type, and silence about one that is there.
    fn add_attributes<'a>(
        &'a self,
        _: &'a Target,
        name: &'a str,
        attributes: &'a BTreeMap<String, AttributeType>,
    ) -> Answer<'a, ()> {
        let add = |all: &mut BTreeMap<String, LiveNamespace>| {
            let live = all.get_mut(name).ok_or("NOT_FOUND")?;
            for (attribute, type_) in attributes {
                if live.columns.values().any(|known| known == attribute) {
                    continue;
                }
                let free = (1..=3).map(|n| format!("{type_}{n:02}")).find(|column| !live.columns.contains_key(column));
                live.columns.insert(free.ok_or("INVALID_ARGUMENT")?, attribute.clone());
            }
            Ok(())
        };
        self.ends.write(|| ready(self.write("AddSearchAttributes", name, add)).boxed())
    }

    fn remove_attributes<'a>(&'a self, _: &'a Target, name: &'a str, attributes: &'a [String]) -> Answer<'a, ()> {
        let remove = |all: &mut BTreeMap<String, LiveNamespace>| {
            all.get_mut(name).ok_or("NOT_FOUND")?.columns.retain(|_, known| !attributes.contains(known));
            Ok(())
        };
        self.ends.write(|| ready(self.write("RemoveSearchAttributes", name, remove)).boxed())
    }

    fn open_workflows<'a>(&'a self, _: &'a Target, name: &'a str) -> Answer<'a, u64> {
        ready(self.read("CountWorkflowExecutions", name, || *self.open.lock().unwrap())).boxed()
    }

    fn delete<'a>(&'a self, _: &'a Target, name: &'a str) -> Answer<'a, ()> {
        let delete = |all: &mut BTreeMap<String, LiveNamespace>| all.remove(name).map(drop).ok_or("NOT_FOUND");
        self.ends.write(|| ready(self.write("DeleteNamespace", name, delete)).boxed())
    }
}
