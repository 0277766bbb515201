//! Everything that the operator needs goes away, one after the other and together, and comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use e2e::command::Cmd;
use e2e::step::Screen;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use kube::{Client, ResourceExt};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use temporal_operator::api::conditions::SCHEMA_READY;
use temporal_operator::api::{TemporalCluster, annotations};

use super::bed::{Bed, OPERATOR_LIVES, OPERATOR_NAMESPACE, full};
use super::cluster::{Cluster, PodFact, Scene, VERSION, manifest, restarts, with_databases};
use super::operator::{self, log_since, signal};
use super::wait::{since, until};

/// Within this time the status says what is away: a settled cluster is looked at every 10 to 12 s.
const TOLD: Duration = Duration::from_secs(30);
/// Within this time after the end all is well again.
const WELL: Duration = Duration::from_secs(90);
/// Log lines of the operator in a minute without something. Backing off means few.
const LINES: usize = 60;
/// Statuses written while something is away: what is away, and after a minute that the cluster is not ready.
const STATUSES: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn every_dependency_away_and_back() {
    use Dependency::{ApiServer, ApiServerFrozen, Dns, Frontend, Postgres};
    let mut scene = Scene::bare("away").await;
    let storage = Storage::make(&scene);
    scene.postgres_ready().await;
    let (cluster, _) = scene.create("main", &manifest(VERSION)).await;
    cluster.workflow("before").await;
    scene.operator = None;
    let alone = OPERATOR_LIVES.write().await;
    let outages: &[(&[Dependency], u64)] = if full() {
        &[
            (&[Postgres], 180),
            (&[Dns], 180),
            (&[Frontend], 180),
            (&[ApiServerFrozen], 180),
            (&[ApiServer], 180),
            (&[Frontend, Dns, Postgres, ApiServerFrozen], 60),
        ]
    } else {
        // one that is killed leaves the operator the same as one that is frozen, and the whole testbed without it
        &[
            (&[Postgres], 15),
            (&[Dns], 10),
            (&[Frontend], 10),
            (&[ApiServerFrozen], 13),
            (&[Frontend, Dns, Postgres, ApiServerFrozen], 13),
        ]
    };
    let began = Instant::now();
    let mut told = Vec::new();
    for (away, seconds) in outages {
        told.push(outage(&scene, &cluster, away, Duration::from_secs(*seconds)).await);
        println!("  {}", told.last().unwrap());
    }
    drop(alone);
    scene.close(&format!("{}; {} in all", told.join("; "), since(began))).await;
    drop(storage);
}

/// What may be away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dependency {
    /// Killed: nobody listens.
    ApiServer,
    /// Frozen: it takes connections and requests and does not answer.
    ApiServerFrozen,
    Postgres,
    Dns,
    Frontend,
}

impl Dependency {
    /// Takes it away; it comes back with the value.
    async fn leave(self, scene: &Scene, cluster: &Cluster) -> Away {
        let bed = Bed::get();
        match self {
            Self::ApiServer => Away::killed(api_server()),
            Self::ApiServerFrozen => Away::frozen(api_server()),
            Self::Postgres => Away::scaled(bed, &scene.namespace, "statefulset/postgres"),
            Self::Dns => {
                let away = Away::scaled(bed, "kube-system", "deployment/coredns");
                // what is connected stays so: only an operator that begins has to look the frontend up
                replace_operator(&scene.client).await;
                away
            }
            Self::Frontend => Away::container(frontend(&scene.client, cluster).await),
        }
    }

    /// What the status of a cluster that serves says.
    fn words(self) -> Option<&'static str> {
        match self {
            Self::Postgres => {
                Some("The frontend answers the operator, but the database does not answer the frontend: ")
            }
            Self::Dns => Some("DNS does not lead the operator to the frontend: "),
            Self::Frontend => Some("The frontend role of server"),
            Self::ApiServer | Self::ApiServerFrozen => None,
        }
    }

    fn is_api_server(self) -> bool {
        matches!(self, Self::ApiServer | Self::ApiServerFrozen)
    }
}

/// What an outage must leave as it is.
struct Before {
    pods: BTreeMap<&'static str, BTreeSet<PodFact>>,
    operator_restarts: i32,
}

impl Before {
    async fn see(scene: &Scene, cluster: &Cluster) -> Self {
        Self { pods: cluster.all_pods().await, operator_restarts: operator_restarts(&scene.client).await }
    }
}

/// One outage, from its beginning until all is well again; its figures.
async fn outage(scene: &Scene, cluster: &Cluster, all: &[Dependency], length: Duration) -> String {
    let before = Before::see(scene, cluster).await;
    let mut figures = vec![format!("{all:?} away for {} s", length.as_secs())];
    let mut away = Vec::new();
    for dependency in all {
        away.push(dependency.leave(scene, cluster).await);
    }
    let (began, from) = (Instant::now(), Timestamp::now());
    let mut late = None;
    if all.iter().any(|d| d.is_api_server()) {
        tokio::time::sleep(length).await;
    } else {
        let counted = reconciles(&scene.client).await;
        let said = says(cluster, all[0].words().unwrap(), TOLD).await;
        figures.push(format!("after {} {said:?}", since(began)));
        if full() && all.contains(&Dependency::Dns) {
            late = Some(self::late(scene, &mut figures).await);
        }
        tokio::time::sleep(length.saturating_sub(began.elapsed())).await;
        figures.push(paced(scene, cluster, counted, (began, from), &said).await);
    }
    let lines = log_since(from);
    figures.push(format!("{} log lines", lines.len()));
    assert!(lines.len() < LINES * (began.elapsed().as_secs() as usize).div_ceil(60), "a flood: {lines:#?}");

    let ended = Instant::now();
    while let Some(one) = away.pop() {
        drop(one);
    }
    well(scene, cluster, all).await;
    figures.push(format!("well {} after the end", since(ended)));
    assert!(ended.elapsed() < WELL, "{figures:?}");
    if let Some(late) = late {
        late.condition(SCHEMA_READY, "True").await;
        figures.push(format!("the new cluster's schema {} after the end", since(ended)));
        late.api().delete(&late.name, &DeleteParams::default()).await.unwrap();
    }
    unharmed(scene, cluster, all, (before, length), &mut figures).await;
    let workflow = cluster.workflow(&format!("after-{}", from.as_second())).await;
    figures.push(format!("workflow {workflow:.2} s"));
    figures.join(", ")
}

/// While something is away the status stays with what it has said, and looks are few.
async fn paced(
    scene: &Scene,
    cluster: &Cluster,
    (leader, before): (String, f64),
    (began, from): (Instant, Timestamp),
    said: &str,
) -> String {
    let (pod, count) = reconciles(&scene.client).await;
    let count = if pod == leader { count - before } else { count };
    // clusters that other scenarios have left are looked at as well
    let clusters = Api::<TemporalCluster>::all(scene.client.clone()).list(&ListParams::default()).await.unwrap();
    let bound = 2.0 * began.elapsed().as_secs_f64() * clusters.items.len().max(1) as f64;
    assert!(count < bound, "{count} reconciles in {}", since(began));

    let name = format!("\"cluster\":\"{cluster}\"");
    let written: Vec<String> =
        log_since(from).into_iter().filter(|l| l.contains(&name) && l.contains("\"INFO\"")).collect();
    let message = cluster.get().await.unwrap().status.and_then(|s| s.message).unwrap_or_default();
    assert!(written.len() <= STATUSES, "after {said:?}: {written:#?}");
    assert_eq!(said.split(':').next(), message.split(':').next(), "it stays so: {written:#?}");
    format!("{count} reconciles, {} statuses written", written.len())
}

/// Server pods are the same, with no restart, and the operator has ended only where it lost its Lease.
async fn unharmed(
    scene: &Scene,
    cluster: &Cluster,
    all: &[Dependency],
    (mut before, length): (Before, Duration),
    figures: &mut Vec<String>,
) {
    let mut after = cluster.all_pods().await;
    if all.contains(&Dependency::Frontend) && length >= Duration::from_secs(120) {
        // a server that does not listen for two minutes is started again
        before.pods.remove("frontend");
        after.remove("frontend");
    }
    assert_eq!(before.pods, after, "server pods are the same, with no restart; {figures:?}");
    let replaced = if all.contains(&Dependency::Dns) { 0 } else { before.operator_restarts };
    let restarted = operator_restarts(&scene.client).await - replaced;
    figures.push(format!("the operator restarted {restarted} times"));
    // each loss of the Lease is one, and a process that finds no API server waits
    let bound = i32::from(all.iter().any(|d| d.is_api_server()));
    assert!(restarted <= bound, "{figures:?}");
}

/// Waits until the status says it.
async fn says(cluster: &Cluster, words: &str, within: Duration) -> String {
    until(&format!("the status of {cluster} says {words:?}"), within, async || {
        let message = cluster.get().await?.status.and_then(|s| s.message).unwrap_or_default();
        if message.contains(words) { Ok(message) } else { Err(message) }
    })
    .await
}

/// A cluster that is made while names cannot be looked up.
async fn late(scene: &Scene, figures: &mut Vec<String>) -> Cluster {
    let late = scene.cluster("late");
    late.apply(&with_databases(VERSION, "late")).await;
    let began = Instant::now();
    // the tool's resolver tries for a while, for each database that there may be
    let said = says(&late, "lookup postgres", Duration::from_secs(150)).await;
    figures.push(format!("a new cluster after {} {said:?}", since(began)));
    tokio::time::sleep(Duration::from_secs(15)).await;
    let jobs: Api<Job> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let jobs = jobs.list(&ListParams::default().labels("app.kubernetes.io/name=late")).await.unwrap().items;
    let tries = jobs.iter().filter_map(|j| j.annotations().get(annotations::ATTEMPT)?.parse::<u32>().ok()).max();
    let tries = tries.unwrap_or_default();
    assert!((1..8).contains(&tries), "{tries} tries");
    figures.push(format!("{tries} tries of its schema Job"));
    late
}

/// Settled, and a change is carried out: the status alone may be an old one.
async fn well(scene: &Scene, cluster: &Cluster, all: &[Dependency]) {
    if all.contains(&Dependency::Postgres) {
        scene.postgres_ready().await;
    }
    let mark = Timestamp::now().as_second() % 500 + 200;
    // an API server that was killed may not answer yet
    until("the API server takes a change", WELL, async || {
        let body = json!({"spec": {"dynamicConfig": {"values": {"limit.maxIDLength": [{"value": mark}]}}}});
        let sent = cluster.api().patch(&cluster.name, &PatchParams::default(), &Patch::Merge(&body)).await;
        sent.map(drop).map_err(|e| e.to_string())
    })
    .await;
    let status = cluster.settled().await;
    let bed = Bed::get();
    let map = bed.kubectl(&cluster.namespace, &["get", "configmap", "main-dynamicconfig", "-o", "yaml"]).unwrap();
    assert!(map.contains(&mark.to_string()), "after {all:?} the change is not carried out: {map}; {status:?}");
}

/// The leader's pod and the number of its reconciles.
async fn reconciles(client: &Client) -> (String, f64) {
    let pod = operator::leader(client).await.name_any();
    (pod, operator::metric(&operator::metrics(client).await, "temporal_operator_reconciles_total"))
}

/// Deletes the operator's pods and waits until another one leads.
async fn replace_operator(client: &Client) {
    let pods: Api<Pod> = Api::namespaced(client.clone(), OPERATOR_NAMESPACE);
    let old: Vec<String> = operator::pods(client).await.iter().map(ResourceExt::name_any).collect();
    for name in &old {
        pods.delete(name, &DeleteParams::default()).await.unwrap();
    }
    // after an API server that was away for minutes, Kubernetes' own controllers come back with a backoff
    until("another operator leads", WELL, async || {
        let leader = operator::leader(client).await.name_any();
        if old.contains(&leader) { Err(leader) } else { Ok(()) }
    })
    .await;
}

/// How often the operator's containers were started again.
async fn operator_restarts(client: &Client) -> i32 {
    operator::pods(client).await.iter().map(restarts).sum()
}

async fn frontend(client: &Client, cluster: &Cluster) -> Pod {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &cluster.namespace);
    let ours = format!("app.kubernetes.io/name={},app.kubernetes.io/component=frontend", cluster.name);
    pods.list(&ListParams::default().labels(&ours)).await.unwrap().items.remove(0)
}

fn api_server() -> Pid {
    let file = Bed::get().layout.run().join("kube-apiserver.pid");
    Pid::from_raw(fs::read_to_string(file).unwrap().trim().parse().unwrap())
}

/// Something that is away until this value goes: in any case, since others need it too.
struct Away(Option<Box<dyn FnOnce() + Send>>);

impl Away {
    fn killed(pid: Pid) -> Self {
        kill(pid, Signal::SIGKILL).unwrap();
        let layout = &Bed::get().layout;
        Self(Some(Box::new(move || drop(e2e::cluster::up(&Screen::new(layout), layout, None)))))
    }

    fn frozen(pid: Pid) -> Self {
        kill(pid, Signal::SIGSTOP).unwrap();
        Self(Some(Box::new(move || {
            let _ = kill(pid, Signal::SIGCONT);
        })))
    }

    fn container(pod: Pod) -> Self {
        signal(&pod, "SIGSTOP").unwrap();
        Self(Some(Box::new(move || drop(signal(&pod, "SIGCONT")))))
    }

    fn scaled(bed: &'static Bed, namespace: &str, what: &str) -> Self {
        let (namespace, what) = (namespace.to_owned(), what.to_owned());
        let scale = move |n: &str| bed.kubectl(&namespace, &["scale", &what, "--replicas", n]).map(drop);
        scale("0").unwrap();
        Self(Some(Box::new(move || drop(scale("1")))))
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        if let Some(back) = self.0.take() {
            back();
        }
    }
}

/// A PostgreSQL whose data outlive its pod: in a directory of the host, since the testbed has no provisioner.
struct Storage {
    directory: PathBuf,
    volume: String,
}

impl Storage {
    fn make(scene: &Scene) -> Self {
        let bed = Bed::get();
        let directory = bed.layout.data().join(format!("volume-{}", scene.namespace));
        let made = Cmd::new("install").args(["-d", "-m", "0777"]).arg(&directory);
        super::bed::output(made).unwrap();
        let volume = scene.namespace.clone();
        let size = json!({"storage": "1Gi"});
        let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": volume}, "spec": {
                "capacity": size, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": directory},
                "persistentVolumeReclaimPolicy": "Retain",
            }},
            {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": {
                "storageClassName": "", "volumeName": volume, "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": size},
            }},
        ]});
        let kubectl = |args: &[&str], input: String| {
            let kubectl = e2e::demo::Kube::testbed(&bed.layout).kubectl();
            super::bed::output(kubectl.args(["-n", &scene.namespace]).args(args).input(input)).unwrap()
        };
        kubectl(&["apply", "-f", "-"], objects.to_string());
        let sample = kubectl(&["kustomize", &bed.config("samples/postgres")], String::new());
        let kept = sample.replace("emptyDir: {}", "persistentVolumeClaim: {claimName: data}");
        assert_ne!(sample, kept);
        kubectl(&["apply", "-f", "-"], kept);
        Self { directory, volume }
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let _ = Bed::get().kubectl("default", &["delete", "persistentvolume", &self.volume, "--wait=false"]);
        let _ = fs::remove_dir_all(&self.directory);
    }
}
