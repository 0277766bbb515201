//! The pods of all clusters, as the API server tells: whose frontend an address is, and who is in a cluster's rings.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};

const ALL: &str = "app.kubernetes.io/managed-by=temporal-operator";
const CLUSTER: &str = "app.kubernetes.io/name";
const ROLE: &str = "app.kubernetes.io/component";
/// Name of the port that is in a ring, which pods of other things have none of.
const RPC: &str = "rpc";

/// Namespace and name, of a pod or of a cluster.
pub type Name = (String, String);
/// Members by role.
pub type Rings = BTreeMap<String, Vec<SocketAddr>>;

/// What is known now.
#[derive(Clone, Default)]
pub struct Pods(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    members: HashMap<Name, Member>,
    by_ip: HashMap<IpAddr, Name>,
    clusters: HashMap<Name, BTreeSet<Name>>,
}

struct Member {
    cluster: Name,
    role: String,
    address: SocketAddr,
}

impl Pods {
    /// Follows the pods for as long as it is awaited; a watch that breaks is begun anew.
    pub async fn follow(self, client: Client) {
        let pods: Api<Pod> = Api::all(client);
        let mut events = watcher(pods, watcher::Config::default().labels(ALL)).default_backoff().boxed();
        let mut listed = Known::default();
        while let Some(event) = events.next().await {
            match event {
                Ok(watcher::Event::Init) => listed = Known::default(),
                Ok(watcher::Event::InitApply(pod)) => listed.put(&pod),
                Ok(watcher::Event::InitDone) => *self.known() = std::mem::take(&mut listed),
                Ok(watcher::Event::Apply(pod)) => self.known().put(&pod),
                Ok(watcher::Event::Delete(pod)) => self.known().remove(&name(&pod)),
                Err(error) => eprintln!("the pods cannot be watched, which is tried again: {error}"),
            }
        }
    }

    /// The pod with this address.
    pub fn at(&self, ip: IpAddr) -> Option<Name> {
        self.known().by_ip.get(&ip).cloned()
    }

    /// The rings of a pod's cluster; none once the pod is gone.
    pub fn rings(&self, pod: &Name) -> Option<Rings> {
        let known = self.known();
        let cluster = &known.members.get(pod)?.cluster;
        let mut rings = Rings::new();
        for member in known.clusters.get(cluster)?.iter().filter_map(|name| known.members.get(name)) {
            rings.entry(member.role.clone()).or_default().push(member.address);
        }
        Some(rings)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn put(&mut self, pod: &Pod) {
        let name = name(pod);
        self.remove(&name);
        let Some(member) = member(pod) else { return };
        self.by_ip.insert(member.address.ip(), name.clone());
        self.clusters.entry(member.cluster.clone()).or_default().insert(name.clone());
        self.members.insert(name, member);
    }

    fn remove(&mut self, name: &Name) {
        let Some(member) = self.members.remove(name) else { return };
        // the address may be another's by now
        if self.by_ip.get(&member.address.ip()) == Some(name) {
            self.by_ip.remove(&member.address.ip());
        }
        if let Some(pods) = self.clusters.get_mut(&member.cluster) {
            pods.remove(name);
            if pods.is_empty() {
                self.clusters.remove(&member.cluster);
            }
        }
    }
}

/// What a pod is in a ring; nothing before it has an address and once it is leaving.
fn member(pod: &Pod) -> Option<Member> {
    let status = pod.status.as_ref()?;
    if pod.metadata.deletion_timestamp.is_some() || status.phase.as_deref() != Some("Running") {
        return None;
    }
    let ip = status.pod_ip.as_ref()?.parse().ok()?;
    let mut ports = pod.spec.as_ref()?.containers.iter().filter_map(|c| c.ports.as_ref()).flatten();
    let port = ports.find(|p| p.name.as_deref() == Some(RPC))?.container_port;
    Some(Member {
        cluster: (pod.namespace()?, pod.labels().get(CLUSTER)?.clone()),
        role: pod.labels().get(ROLE)?.clone(),
        address: SocketAddr::new(ip, u16::try_from(port).ok()?),
    })
}

fn name(pod: &Pod) -> Name {
    (pod.namespace().unwrap_or_default(), pod.name_any())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(cluster: &str, role: &str, port: u16, ip: &str) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"namespace": "ns", "name": format!("{cluster}-{role}-{ip}"), "labels": {CLUSTER: cluster, ROLE: role}},
            "spec": {"containers": [{"name": role, "ports": [{"name": RPC, "containerPort": port}]}]},
            "status": {"phase": "Running", "podIP": ip},
        }))
        .unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn rings_hold_the_pods_of_the_cluster_that_was_dialled() {
        let pods = Pods::default();
        let ui: Pod = serde_json::from_value(json!({
            "metadata": {"namespace": "ns", "name": "a-ui", "labels": {CLUSTER: "a", ROLE: "ui"}},
            "spec": {"containers": [{"name": "ui", "ports": [{"name": "http", "containerPort": 8080}]}]},
            "status": {"phase": "Running", "podIP": "10.0.0.9"},
        }))
        .unwrap();
        for pod in [
            pod("a", "frontend", 7233, "10.0.0.1"),
            pod("a", "history", 7234, "10.0.0.2"),
            pod("b", "frontend", 7233, "10.0.0.3"),
            ui,
        ] {
            pods.known().put(&pod);
        }
        let frontend = pods.at(ip("10.0.0.1")).unwrap();
        let rings = pods.rings(&frontend).unwrap();
        let expected = [("frontend", "10.0.0.1:7233"), ("history", "10.0.0.2:7234")];
        let expected = expected.map(|(role, member)| (role.to_owned(), vec![member.parse().unwrap()]));
        assert_eq!(rings, Rings::from(expected));
        assert_eq!(pods.at(ip("10.0.0.9")), None);
    }

    #[test]
    fn a_pod_that_leaves_leaves_its_ring_and_answers_no_more() {
        let pods = Pods::default();
        let mut history = pod("a", "history", 7234, "10.0.0.2");
        pods.known().put(&pod("a", "frontend", 7233, "10.0.0.1"));
        pods.known().put(&history);
        let frontend = pods.at(ip("10.0.0.1")).unwrap();
        assert_eq!(pods.rings(&frontend).unwrap().len(), 2);
        history.metadata.deletion_timestamp = Some(serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap());
        pods.known().put(&history);
        assert_eq!(pods.rings(&frontend).unwrap().len(), 1);
        pods.known().remove(&frontend);
        assert_eq!(pods.rings(&frontend), None);
        assert!(pods.known().clusters.is_empty());
    }

    #[test]
    fn an_address_is_its_newest_pods() {
        let pods = Pods::default();
        let (old, new) = (pod("a", "frontend", 7233, "10.0.0.1"), pod("b", "frontend", 7233, "10.0.0.1"));
        pods.known().put(&old);
        pods.known().put(&new);
        pods.known().remove(&name(&old));
        assert_eq!(pods.at(ip("10.0.0.1")), Some(name(&new)));
    }
}
