//! A namespace with a PostgreSQL, and the TemporalClusters in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use k8s_openapi::api::core::v1::{Namespace, Pod, Service};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use temporal_operator::api::{TemporalCluster, TemporalClusterStatus, conditions};
use tokio::sync::RwLockReadGuard;

use super::bed::{Bed, OPERATOR_LIVES};
use super::places::Place;
use super::wait::{PATIENCE, until};

/// The server's roles.
pub const ROLES: [&str; 4] = ["frontend", "history", "matching", "worker"];
/// The version of scenarios that do not care.
pub const VERSION: &str = "1.31.2";
/// Label of the namespaces, with the scenario's title.
const SCENARIO: &str = "e2e.temporal.io/scenario";

/// A scenario's place: a namespace of its own.
pub struct Scene {
    /// The namespace.
    pub namespace: String,
    /// A client of the API server.
    pub client: Client,
    title: String,
    /// The operator is not killed meanwhile.
    pub operator: Option<RwLockReadGuard<'static, ()>>,
    _place: Option<Place>,
}

impl Scene {
    /// A fresh namespace with a PostgreSQL that is ready.
    pub async fn open(title: &str) -> Self {
        let scene = Self::bare(title).await;
        scene.postgres().await;
        scene
    }

    /// A fresh namespace. What an earlier run of the scenario left is removed.
    pub async fn bare(title: &str) -> Self {
        Bed::get();
        let place = Place::take(title).await;
        let operator = Some(OPERATOR_LIVES.read().await);
        Self { operator, _place: Some(place), ..Self::within(title).await }
    }

    /// A fresh namespace for who has a place already, and an operator that is left alone.
    pub async fn within(title: &str) -> Self {
        let client = Bed::get().client().await;
        let all: Api<Namespace> = Api::all(client.clone());
        let old = all.list(&ListParams::default().labels(&format!("{SCENARIO}={title}"))).await.unwrap();
        for namespace in old {
            // it may be on its way out already
            let _ = all.delete(&namespace.name_any(), &DeleteParams::default()).await;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let namespace = format!("e2e-{title}-{:05x}", now & 0xf_ffff);
        all.create(&PostParams::default(), &restricted(&namespace, title)).await.unwrap();
        Self { namespace, client, title: title.to_owned(), operator: None, _place: None }
    }

    /// Another namespace of the same scenario.
    pub async fn second(&self) -> Self {
        Self::within(&format!("{}-2", self.title)).await
    }

    /// Puts the sample's PostgreSQL here and waits until it answers.
    pub async fn postgres(&self) {
        let bed = Bed::get();
        bed.kubectl(&self.namespace, &["apply", "-k", &bed.config("samples/postgres")]).unwrap();
        self.postgres_ready().await;
    }

    /// Waits until PostgreSQL answers.
    pub async fn postgres_ready(&self) -> Pod {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        until("PostgreSQL is ready", PATIENCE, async || {
            let pod = pods.get("postgres-0").await.map_err(|e| e.to_string())?;
            if is_ready(&pod) { Ok(pod) } else { Err(format!("{:?}", pod.status)) }
        })
        .await
    }

    /// The answer of PostgreSQL to a query.
    pub fn psql(&self, query: &str) -> Result<String, String> {
        self.psql_in("postgres", query)
    }

    /// The answer of one of PostgreSQL's databases to a query, without the last line's end.
    pub fn psql_in(&self, database: &str, query: &str) -> Result<String, String> {
        let asked = [("DATABASE", database), ("QUERY", query)];
        Ok(self.shell_of_postgres(r#"psql "$DATABASE" -Atc "$QUERY""#, &asked)?.trim_end().to_owned())
    }

    /// What a script says in PostgreSQL's pod, logged in by its environment, with these variables.
    pub fn shell_of_postgres(&self, script: &str, variables: &[(&str, &str)]) -> Result<String, String> {
        let login = r#"export PGPASSWORD="$POSTGRES_PASSWORD" PGHOST=127.0.0.1 PGUSER="$POSTGRES_USER""#;
        let script = format!("{login}\n{script}");
        let variables: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let head = ["exec", "postgres-0", "--", "env"].into_iter();
        let tail = ["sh", "-c", &script].into_iter();
        let args: Vec<&str> = head.chain(variables.iter().map(String::as_str)).chain(tail).collect();
        Bed::get().kubectl(&self.namespace, &args)
    }

    /// A cluster here, not made yet.
    pub fn cluster(&self, name: &str) -> Cluster {
        Cluster { namespace: self.namespace.clone(), name: name.to_owned(), client: self.client.clone() }
    }

    /// Makes a cluster and waits until it is settled; how long that took.
    pub async fn create(&self, name: &str, manifest: &Value) -> (Cluster, f64) {
        let cluster = self.cluster(name);
        let began = Instant::now();
        cluster.apply(manifest).await;
        cluster.settled().await;
        (cluster, began.elapsed().as_secs_f64())
    }

    /// The end of a scenario that went well: its line, and the namespace is deleted.
    pub async fn close(self, figures: &str) {
        println!("{}: {figures}", self.title.replace('-', " "));
        self.remove().await;
    }

    /// Deletes the namespace without waiting for its end.
    pub async fn remove(self) {
        let all: Api<Namespace> = Api::all(self.client.clone());
        all.delete(&self.namespace, &DeleteParams::default()).await.unwrap();
    }
}

fn restricted(name: &str, title: &str) -> Namespace {
    serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {SCENARIO: title, "pod-security.kubernetes.io/enforce": "restricted"}},
    }))
    .unwrap()
}

/// A small cluster of this version; databases `temporal` and `temporal_visibility` of the namespace's PostgreSQL.
pub fn manifest(version: &str) -> Value {
    with_databases(version, "temporal")
}

/// The same with databases of another name.
pub fn with_databases(version: &str, database: &str) -> Value {
    let store = |database: &str| {
        json!({
            "sql": {
                "pluginName": "postgres12", "user": "temporal", "databaseName": database, "connectAddr": "postgres:5432",
                "maxServerConnections": 300,
            },
            "passwordSecretRef": {"name": "postgres"},
        })
    };
    json!({
        "version": version,
        "numHistoryShards": 64,
        "persistence": {
            "defaultStore": store(database),
            "visibilityStore": store(&format!("{database}_visibility")),
        },
    })
}

/// Pods that come and go at once and not gently: where nobody works on the cluster meanwhile.
pub fn hasty(mut spec: Value) -> Value {
    const DRAINS: [&str; 6] = [
        "frontend.shutdownFailHealthCheckDuration",
        "frontend.shutdownDrainDuration",
        "history.alignMembershipChange",
        "history.shutdownDrainDuration",
        "matching.alignMembershipChange",
        "matching.shutdownDrainDuration",
    ];
    for key in DRAINS {
        spec["dynamicConfig"]["values"][key] = json!([{"value": "0s"}]);
    }
    spec
}

/// A TemporalCluster.
#[derive(Clone)]
pub struct Cluster {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// A client of the API server.
    pub client: Client,
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What of a server pod must not change by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodFact {
    /// Identity of the pod.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// Restarts of all its containers.
    pub restarts: i32,
    /// Its address.
    pub ip: String,
}

impl Cluster {
    /// Its API.
    pub fn api(&self) -> Api<TemporalCluster> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Applies a manifest's `spec`.
    pub async fn apply(&self, spec: &Value) {
        let metadata = json!({"name": self.name});
        let body =
            json!({"apiVersion": "temporal.io/v1beta1", "kind": "TemporalCluster", "metadata": metadata, "spec": spec});
        let params = PatchParams::apply("e2e").force();
        self.api().patch(&self.name, &params, &Patch::Apply(&body)).await.unwrap();
    }

    /// Changes part of its `spec`.
    pub async fn patch(&self, spec: Value) {
        let body = json!({"spec": spec});
        self.api().patch(&self.name, &PatchParams::default(), &Patch::Merge(&body)).await.unwrap();
    }

    /// The resource.
    pub async fn get(&self) -> Result<TemporalCluster, String> {
        self.api().get(&self.name).await.map_err(|error| error.to_string())
    }

    /// Waits until the operator says of the newest generation that it is ready and nothing is left to do.
    pub async fn settled(&self) -> TemporalClusterStatus {
        until(&format!("cluster {self} is ready and settled"), PATIENCE, async || {
            let cluster = self.get().await?;
            let status = cluster.status.clone().unwrap_or_default();
            if is_settled(&cluster) { Ok(status) } else { Err(self.state(&status).await) }
        })
        .await
    }

    /// Waits until a condition has a value; the condition's reason and message.
    pub async fn condition(&self, type_: &str, value: &str) -> (String, String) {
        until(&format!("{type_} of {self} is {value}"), PATIENCE, async || {
            let status = self.get().await?.status.unwrap_or_default();
            match conditions::get(&status.conditions, type_) {
                Some(c) if c.status == value => Ok((c.reason.clone(), c.message.clone())),
                _ => Err(self.state(&status).await),
            }
        })
        .await
    }

    /// The operator's sentence, the conditions and the pods that are not ready.
    async fn state(&self, status: &TemporalClusterStatus) -> String {
        let all: Vec<_> = status.conditions.iter().map(|c| format!("{}={} {}", c.type_, c.status, c.reason)).collect();
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let pods = pods.list(&ListParams::default()).await.map(|l| l.items).unwrap_or_default();
        let phase = |p: &Pod| p.status.as_ref().and_then(|s| s.phase.clone()).unwrap_or_default();
        let late: Vec<_> =
            pods.iter().filter(|p| !is_ready(p)).map(|p| format!("{} {}", p.name_any(), phase(p))).collect();
        let message = status.message.as_deref().unwrap_or("(no message)");
        format!(
            "{message:?} [{}] of generation {:?}; pods not ready: {late:?}",
            all.join(", "),
            status.observed_generation
        )
    }

    /// The live pods of a role.
    pub async fn pods(&self, role: &str) -> BTreeSet<PodFact> {
        let pods = self.pods_there(role).await;
        pods.iter().filter(|p| p.metadata.deletion_timestamp.is_none()).map(fact).collect()
    }

    /// The pods of a role, or of several with a comma between, those that are ending too: a frontend serves on meanwhile.
    pub async fn pods_there(&self, roles: &str) -> Vec<Pod> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let selector = format!("app.kubernetes.io/name={},app.kubernetes.io/component in ({roles})", self.name);
        pods.list(&ListParams::default().labels(&selector)).await.unwrap().items
    }

    /// The pod of the sample's PostgreSQL beside it.
    pub async fn database(&self) -> Pod {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        pods.get("postgres-0").await.unwrap()
    }

    /// The live pods of every role.
    pub async fn all_pods(&self) -> BTreeMap<&'static str, BTreeSet<PodFact>> {
        let mut all = BTreeMap::new();
        for role in ROLES {
            all.insert(role, self.pods(role).await);
        }
        all
    }

    /// Gives a role so many pods by hand.
    pub fn scale(&self, role: &str, pods: u32) {
        let name = format!("{}-{role}", self.name);
        let args = ["scale", "deployment", &name, &format!("--replicas={pods}")];
        Bed::get().kubectl(&self.namespace, &args).unwrap();
    }

    /// Takes a role away, and waits until its pods are gone.
    pub async fn without(&self, role: &str) {
        self.scale(role, 0);
        until(&format!("the {role} role of {self} is away"), PATIENCE, async || {
            let left: Vec<_> = self.pods_there(role).await.iter().map(fact).collect();
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        })
        .await;
    }

    /// `address:port` of the frontend's Service, as the host reaches it.
    pub async fn frontend(&self) -> String {
        format!("{}:7233", self.service_ip("frontend").await)
    }

    /// The address of one of its Services.
    pub async fn service_ip(&self, suffix: &str) -> String {
        let services: Api<Service> = Api::namespaced(self.client.clone(), &self.namespace);
        let service = services.get(&format!("{}-{suffix}", self.name)).await;
        let service = service.unwrap_or_else(|error| panic!("no Service {suffix} of {self}: {error}"));
        service.spec.and_then(|s| s.cluster_ip).expect("the Service has an address")
    }
}

/// Ready for its newest generation, and nothing left to do.
pub fn is_settled(cluster: &TemporalCluster) -> bool {
    let status = cluster.status.clone().unwrap_or_default();
    let says = |type_: &str, value: &str| {
        conditions::get(&status.conditions, type_)
            .is_some_and(|c| c.status == value && c.observed_generation == cluster.metadata.generation)
    };
    status.observed_generation == cluster.metadata.generation
        && says(conditions::READY, "True")
        && says(conditions::RECONCILING, "False")
}

/// Whether Kubernetes counts a pod as ready.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|s| s.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
}

/// How often a pod's containers were started again.
pub fn restarts(pod: &Pod) -> i32 {
    let statuses = pod.status.as_ref().and_then(|s| s.container_statuses.as_ref());
    statuses.into_iter().flatten().map(|c| c.restart_count).sum()
}

/// What of a pod must not change by itself.
pub fn fact(pod: &Pod) -> PodFact {
    PodFact {
        uid: pod.uid().unwrap_or_default(),
        name: pod.name_any(),
        restarts: restarts(pod),
        ip: pod.status.as_ref().and_then(|s| s.pod_ip.clone()).unwrap_or_default(),
    }
}
