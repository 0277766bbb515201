//! The example worker as a TemporalWorker, and its starter.

use std::collections::BTreeMap;
use std::time::Duration;

use e2e::command::Cmd;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use serde::Deserialize;
use serde_json::{Value, json};
use temporal_operator::api::conditions;
use temporal_operator::api::worker::{TemporalWorker, TemporalWorkerStatus, VersionState, VersionStatus};
use tokio::task::{JoinHandle, spawn_blocking};

use super::bed::{Bed, limited, output};
use super::cluster::Cluster;
use super::temporal::NAMESPACE;
use super::wait::{PATIENCE, until};

/// A TemporalWorker on a cluster.
#[derive(Clone)]
pub struct Hello {
    /// The cluster whose Temporal namespace `e2e` it works for.
    pub cluster: Cluster,
    /// Its name, and its task queue's.
    pub name: &'static str,
}

/// What became of a greeting.
#[derive(Debug, Clone, Deserialize)]
pub struct Greeting {
    /// The workflow's id.
    pub id: String,
    /// Its result.
    pub result: Option<Greeted>,
    /// What the caller was told instead.
    pub error: Option<String>,
    /// From the start to the result.
    pub seconds: f64,
}

/// The result of a greeting.
#[derive(Debug, Clone, Deserialize)]
pub struct Greeted {
    /// What was said.
    pub text: String,
    /// The build that ran the workflow.
    pub workflow_build: String,
}

impl Greeting {
    /// The build that ran it.
    pub fn build(&self) -> &str {
        &self.result.as_ref().unwrap_or_else(|| panic!("{} failed: {:?}", self.id, self.error)).workflow_build
    }

    /// Its number among those that were started with it.
    pub fn number(&self) -> usize {
        self.id.rsplit('-').next().and_then(|n| n.parse().ok()).unwrap_or_default()
    }
}

impl Hello {
    /// A worker that is not applied yet.
    pub fn new(cluster: &Cluster, name: &'static str) -> Self {
        Self { cluster: cluster.clone(), name }
    }

    /// A spec with one pod, and `more` on top.
    pub fn spec(&self, more: &Value) -> Value {
        let mut spec = json!({
            "clusterRef": {"name": self.cluster.name}, "namespace": NAMESPACE, "template": self.template(&json!([])),
        });
        for (key, value) in more.as_object().expect("a map").clone() {
            spec[key] = value;
        }
        spec
    }

    /// The pods, with these variables beside the task queue.
    pub fn template(&self, variables: &Value) -> Value {
        let mut env = vec![json!({"name": "TASK_QUEUE", "value": self.name})];
        env.extend(variables.as_array().expect("a list").iter().cloned());
        json!({"spec": {
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "worker", "image": "hello:dev", "imagePullPolicy": "IfNotPresent", "env": env,
                "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 1},
                "resources": {"requests": {"cpu": "10m", "memory": "24Mi"}},
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
        }})
    }

    /// Its API.
    pub fn api(&self) -> Api<TemporalWorker> {
        Api::namespaced(self.cluster.client.clone(), &self.cluster.namespace)
    }

    /// Applies a spec.
    pub async fn apply(&self, spec: &Value) {
        let body = json!({"apiVersion": "temporal.io/v1beta1", "kind": "TemporalWorker",
            "metadata": {"name": self.name}, "spec": spec});
        self.api().patch(self.name, &PatchParams::apply("e2e").force(), &Patch::Apply(&body)).await.unwrap();
    }

    /// Applies a spec, waits until nothing is left to do, and returns the build that is current.
    pub async fn current_after(&self, spec: &Value) -> String {
        self.apply(spec).await;
        self.settled().await.current.expect("a settled versioned worker has a current version")
    }

    /// Its status.
    pub async fn status(&self) -> Result<TemporalWorkerStatus, String> {
        let worker = self.api().get(self.name).await.map_err(|error| error.to_string())?;
        Ok(worker.status.unwrap_or_default())
    }

    /// Waits until its status is so; the status.
    pub async fn shows(&self, what: &str, is_so: impl Fn(&TemporalWorkerStatus) -> bool) -> TemporalWorkerStatus {
        until(&format!("worker {}: {what}", self.name), PATIENCE, async || {
            let status = self.status().await?;
            if is_so(&status) { Ok(status) } else { Err(brief(&status)) }
        })
        .await
    }

    /// Waits until it is ready for its newest generation and nothing is left to do.
    pub async fn settled(&self) -> TemporalWorkerStatus {
        until(&format!("worker {} is ready and settled", self.name), PATIENCE, async || {
            let worker = self.api().get(self.name).await.map_err(|error| error.to_string())?;
            let status = worker.status.unwrap_or_default();
            let says = |type_: &str, value: &str| {
                conditions::get(&status.conditions, type_)
                    .is_some_and(|c| c.status == value && c.observed_generation == worker.metadata.generation)
            };
            let settled = status.observed_generation == worker.metadata.generation
                && says(conditions::READY, "True")
                && says(conditions::RECONCILING, "False");
            if settled { Ok(status) } else { Err(brief(&status)) }
        })
        .await
    }

    /// Deletes it, with all pods.
    pub async fn delete(&self) {
        self.api().delete(self.name, &DeleteParams::default()).await.unwrap();
    }

    /// The live pods of its Deployments.
    pub async fn pods(&self) -> Vec<Pod> {
        let pods: Api<Pod> = Api::namespaced(self.cluster.client.clone(), &self.cluster.namespace);
        let selector = self.status().await.ok().and_then(|s| s.selector).expect("a worker tells its selector");
        let pods = pods.list(&ListParams::default().labels(&selector)).await.unwrap();
        pods.into_iter().filter(|p| p.metadata.deletion_timestamp.is_none()).collect()
    }

    /// The Deployment of a version.
    pub async fn deployment(&self, build: &str) -> Option<Deployment> {
        let name = version(&self.status().await.ok()?, build)?.deployment.clone()?;
        self.deployments().get_opt(&name).await.unwrap()
    }

    /// The API of Deployments beside it.
    pub fn deployments(&self) -> Api<Deployment> {
        Api::namespaced(self.cluster.client.clone(), &self.cluster.namespace)
    }

    /// The name of its Worker Deployment in Temporal.
    pub fn in_temporal(&self) -> String {
        format!("{}/{}", self.cluster.namespace, self.name)
    }

    /// `temporal worker deployment` on it, or on one of its versions.
    pub async fn tool(&self, verb: &str, build: Option<&str>, more: &[&str]) -> Result<String, String> {
        let name = self.in_temporal();
        let build: &[&str] = &build.map_or(vec![], |build| vec!["--build-id", build]);
        let args = [&["worker", "deployment", verb, "--deployment-name", &name], build, more].concat();
        self.cluster.temporal(&args).await
    }

    /// The starter, with these arguments.
    async fn starter(&self, args: &[&str]) -> Cmd {
        let cmd = limited(300, &Bed::get().hello).args(args);
        let cmd = cmd.env("TEMPORAL_ADDRESS", self.cluster.frontend().await).env("TEMPORAL_NAMESPACE", NAMESPACE);
        cmd.env("TASK_QUEUE", self.name)
    }

    /// Greets so often and so fast; what became of each.
    pub async fn greet(&self, count: usize, rate: f64, more: &[&str]) -> Vec<Greeting> {
        self.greets(count, rate, more).await.await.unwrap()
    }

    /// The same beside the scenario.
    pub async fn greets(&self, count: usize, rate: f64, more: &[&str]) -> JoinHandle<Vec<Greeting>> {
        let (count, rate) = (count.to_string(), rate.to_string());
        let cmd = self.starter(&[&["greet", "--count", &count, "--rate", &rate, "--tolerant"], more].concat()).await;
        spawn_blocking(move || {
            let said = cmd.output().unwrap_or_else(|error| panic!("the starter: {error:#}"));
            said.lines().map(|line| serde_json::from_str(line).expect("the starter prints JSON")).collect()
        })
    }

    /// Begins a visit and waits until the guest is there.
    pub async fn visit(&self, id: &str, more: &[&str]) {
        output(self.starter(&[&["visit", "--id", id], more].concat()).await).unwrap();
        let query = ["workflow", "query", "--workflow-id", id, "--type", "is_here"];
        until(&format!("visit {id} has begun"), PATIENCE, async || {
            let said = self.cluster.temporal(&query).await?;
            if said.contains("true") { Ok(()) } else { Err(said) }
        })
        .await;
    }

    /// Ends a visit: the builds at its beginning and at its end.
    pub async fn leave(&self, id: &str) -> (String, String) {
        let said = output(self.starter(&["leave", id]).await).unwrap();
        let said: Value = serde_json::from_str(&said).unwrap();
        let text = |key: &str| said["result"][key].as_str().unwrap_or_default().to_owned();
        (text("arrived_on"), text("left_on"))
    }
}

/// A version in a status.
pub fn version<'a>(status: &'a TemporalWorkerStatus, build: &str) -> Option<&'a VersionStatus> {
    status.versions.iter().find(|version| version.build_id == build)
}

/// Whether a version is in a state.
pub fn is(status: &TemporalWorkerStatus, build: &str, state: VersionState) -> bool {
    version(status, build).is_some_and(|version| version.state == state)
}

/// How many of them each build ran.
pub fn by_build(greetings: &[Greeting]) -> BTreeMap<&str, usize> {
    let mut all = BTreeMap::new();
    for greeting in greetings {
        *all.entry(greeting.build()).or_default() += 1;
    }
    all
}

/// A status in one line.
pub fn brief(status: &TemporalWorkerStatus) -> String {
    let version = |v: &VersionStatus| format!("{} {:?} {}/{}", v.build_id, v.state, v.ready, v.replicas);
    let versions: Vec<_> = status.versions.iter().map(version).collect();
    format!("{:?} {:?} ramp {:?} {versions:?}", status.phase, status.message, status.ramp)
}

/// The uids of pods.
pub fn uids(pods: &[Pod]) -> Vec<String> {
    let mut all: Vec<_> = pods.iter().filter_map(ResourceExt::uid).collect();
    all.sort();
    all
}

/// A time of the scenarios' long form, or the short form's.
pub fn seconds(short: u64, long: u64) -> Duration {
    Duration::from_secs(if super::bed::full() { long } else { short })
}
