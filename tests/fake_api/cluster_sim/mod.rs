//! A simulated cluster: the Deployment and Job controllers and the kubelet, as one task.
//!
//! It acts as [`CONTROLLER_USER`] whenever the store changes, without a sleep, until there is nothing
//! left to do. Faithful: what other controllers can see of a rollout or a Job (see the files of this
//! folder). Left out: scheduling, resources, services and their EndpointSlices, StatefulSets, bare
//! ReplicaSets.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{
    FakeApi,
    errors::Failure,
    gc::{DeleteOptions, Propagation},
    json_patch,
    operation::Operation,
    patches::Patch,
    store::now,
    write::text,
};

mod deployments;
mod jobs;

/// The user of the simulated controllers.
pub const CONTROLLER_USER: &str = "kube-controller-manager";

/// How the newest pods of a Deployment fare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rollout {
    /// They become ready, and the old ones go.
    Completes,
    /// The first ones start but do not become ready for now; the old ones stay.
    Held,
    /// As held, and the progress deadline is over.
    Stuck,
}

/// The running simulation; dropping it ends it.
pub struct ClusterSim {
    sim: Arc<Sim>,
    task: JoinHandle<()>,
}

struct Sim {
    api: FakeApi,
    knobs: Mutex<Knobs>,
    stepping: Mutex<()>,
}

type RolloutOf = dyn Fn(&Value) -> Rollout + Send;
type FailureOf = dyn Fn(&str) -> Option<String> + Send;

struct Knobs {
    rollout: Box<RolloutOf>,
    job_failure: Box<FailureOf>,
    hold_jobs: bool,
}

impl ClusterSim {
    /// Starts it on the current tokio runtime.
    pub fn start(api: &FakeApi) -> Self {
        let knobs =
            Knobs { rollout: Box::new(|_| Rollout::Completes), job_failure: Box::new(|_| None), hold_jobs: false };
        let sim = Arc::new(Sim { api: api.clone(), knobs: Mutex::new(knobs), stepping: Mutex::new(()) });
        let task = tokio::spawn(run(sim.clone()));
        Self { sim, task }
    }

    /// Keeps all rollouts from getting further, or lets them.
    pub fn hold_deployments(&self, hold: bool) {
        let rollout = if hold { Rollout::Held } else { Rollout::Completes };
        self.rollouts(move |_| rollout);
    }

    /// Decides each rollout by its Deployment (its image, for instance). Pods that are ready stay so.
    pub fn rollouts(&self, rollout: impl Fn(&Value) -> Rollout + Send + 'static) {
        lock(&self.sim.knobs).rollout = Box::new(rollout);
        self.sim.step();
    }

    /// Lets Jobs fail: the text is what their container says at its end, `None` lets one succeed.
    pub fn fail_jobs(&self, failure: impl Fn(&str) -> Option<String> + Send + 'static) {
        lock(&self.sim.knobs).job_failure = Box::new(failure);
        self.sim.step();
    }

    /// Keeps started Jobs running, or lets them end.
    pub fn hold_jobs(&self, hold: bool) {
        lock(&self.sim.knobs).hold_jobs = hold;
        self.sim.step();
    }

    /// Deletes the finished Jobs that have a `ttlSecondsAfterFinished`, as if it were over.
    pub fn expire_jobs(&self) {
        self.sim.expire_jobs();
    }
}

impl Drop for ClusterSim {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn run(sim: Arc<Sim>) {
    let mut versions = sim.api.versions();
    loop {
        versions.borrow_and_update();
        sim.step();
        if versions.changed().await.is_err() {
            return;
        }
    }
}

impl Sim {
    fn step(&self) {
        let _alone = lock(&self.stepping);
        loop {
            let before = *self.api.versions().borrow();
            self.step_deployments();
            self.step_jobs();
            if *self.api.versions().borrow() == before {
                return;
            }
        }
    }

    /// The objects of a kind that are not being deleted.
    fn living(&self, group: &str, kind: &str) -> Vec<Value> {
        let kind = self.api.target_of(group, kind, "", "", None).kind;
        let living = |object: &&Value| object["metadata"].get("deletionTimestamp").is_none();
        self.api.read(|store| store.of_kind(&kind, None).map(|(_, object)| object).filter(living).cloned().collect())
    }

    /// The living objects of a kind that the owner controls.
    fn controlled_by(&self, owner: &Value, group: &str, kind: &str) -> Vec<Value> {
        let mut objects = self.living(group, kind);
        objects.retain(|object| {
            let references = object["metadata"]["ownerReferences"].as_array();
            let is_owner =
                |reference: &Value| reference["uid"] == owner["metadata"]["uid"] && reference["controller"] == true;
            references.into_iter().flatten().any(is_owner)
        });
        objects
    }

    fn create(&self, object: &Value) -> Option<Value> {
        self.act(object, None, Operation::Create(object.clone())).ok()
    }

    /// Writes a part of an object if that changes it; that it may be gone by now does not matter.
    fn patch(&self, object: &Value, subresource: Option<&str>, patch: Value) {
        let mut patched = object.clone();
        json_patch::merge(&mut patched, &patch);
        if patched == *object {
            return;
        }
        self.act(object, subresource, Operation::Patch(Patch::Merge(patch))).ok();
    }

    fn delete(&self, object: &Value) {
        let options = DeleteOptions { propagation: Some(Propagation::Background), ..DeleteOptions::default() };
        self.act(object, None, Operation::Delete(options)).ok();
    }

    fn act(&self, object: &Value, subresource: Option<&str>, operation: Operation) -> Result<Value, Failure> {
        let api_version = object["apiVersion"].as_str().unwrap_or_default();
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let kind = object["kind"].as_str().unwrap_or_default();
        let (namespace, name) = (text(object, "namespace"), text(object, "name"));
        let target = self.api.target_of(group, kind, namespace, name, subresource);
        self.api.act_as(CONTROLLER_USER, target, operation)
    }

    /// The pod of that name from a template, created if it is not there.
    fn ensure_pod(&self, owner: &Value, name: &str, template: &Value) -> Option<Value> {
        let pods = self.controlled_by(owner, "", "Pod");
        if let Some(pod) = pods.into_iter().find(|pod| text(pod, "name") == name) {
            return Some(pod);
        }
        let mut pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": template["metadata"],
            "spec": template["spec"],
        });
        pod["metadata"]["name"] = name.into();
        pod["metadata"]["namespace"] = owner["metadata"]["namespace"].clone();
        pod["metadata"]["ownerReferences"] = json!([controller_reference(owner)]);
        pod["spec"]["nodeName"] = "node-0".into();
        self.create(&pod)
    }

    /// A pod that runs, ready or not.
    fn report_running(&self, pod: &Value, ready: bool) {
        if pod["status"]["phase"] == "Running" && is_ready(pod) == ready {
            return;
        }
        let address = match pod["status"]["podIP"].as_str() {
            Some(address) => address.to_owned(),
            None => self.api.server().store.allocate_address("10.244"),
        };
        let state = json!({"running": {"startedAt": now()}});
        let status = json!({
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "hostIP": "10.0.0.1",
            "startTime": now(),
            "conditions": conditions(pod, &[
                ("PodScheduled", "True", "", ""),
                ("Initialized", "True", "", ""),
                ("ContainersReady", truth(ready), "", ""),
                ("Ready", truth(ready), "", ""),
            ]),
            "containerStatuses": container_statuses(pod, ready, &state),
        });
        self.patch(pod, Some("status"), json!({"status": status}));
    }

    /// A pod whose containers have ended.
    fn report_ended(&self, pod: &Value, failure: Option<&str>) {
        let (phase, code, reason) = match failure {
            Some(_) => ("Failed", 1, "Error"),
            None => ("Succeeded", 0, "Completed"),
        };
        let mut ended = json!({"exitCode": code, "reason": reason, "startedAt": now(), "finishedAt": now()});
        if let Some(message) = failure {
            ended["message"] = message.into();
        }
        let status = json!({
            "phase": phase,
            "conditions": conditions(pod, &[("Ready", "False", "PodCompleted", "")]),
            "containerStatuses": container_statuses(pod, false, &json!({"terminated": ended})),
        });
        self.patch(pod, Some("status"), json!({"status": status}));
    }
}

fn container_statuses(pod: &Value, ready: bool, state: &Value) -> Vec<Value> {
    let containers = pod["spec"]["containers"].as_array();
    let status = |container: &Value| {
        json!({
            "name": container["name"],
            "image": container["image"],
            "imageID": container["image"],
            "ready": ready,
            "started": ready,
            "restartCount": 0,
            "state": state,
        })
    };
    containers.into_iter().flatten().map(status).collect()
}

fn truth(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

fn is_ready(pod: &Value) -> bool {
    has_condition(pod, "Ready")
}

fn has_condition(object: &Value, wanted: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    let holds = |condition: &Value| condition["type"] == wanted && condition["status"] == "True";
    conditions.into_iter().flatten().any(holds)
}

/// Conditions (type, status, reason, message), times kept where the status has not changed.
fn conditions(object: &Value, wanted: &[(&str, &str, &str, &str)]) -> Vec<Value> {
    let present = object["status"]["conditions"].as_array();
    let transition = |kind: &str, status: &str| {
        let known = |condition: &&Value| condition["type"] == kind && condition["status"] == status;
        let known = present.into_iter().flatten().find(known);
        known.map_or_else(|| now().into(), |condition| condition["lastTransitionTime"].clone())
    };
    let condition = |&(kind, status, reason, message): &(&str, &str, &str, &str)| {
        let mut condition = json!({
            "type": kind, "status": status, "lastTransitionTime": transition(kind, status),
        });
        if !reason.is_empty() {
            condition["reason"] = reason.into();
            condition["message"] = message.into();
        }
        condition
    };
    wanted.iter().map(condition).collect()
}

fn controller_reference(owner: &Value) -> Value {
    json!({
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": true,
        "blockOwnerDeletion": true,
    })
}
