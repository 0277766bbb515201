//! A schedule: it waits for what it needs, fires, is put right, and keeps the pause that somebody gave it.

use std::time::{Duration, Instant};

use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use temporal_operator::api::{TemporalSchedule, conditions};
use tokio::time::sleep;

use super::bed::{Bed, OPERATOR_LIVES, full};
use super::cluster::{Cluster, Scene, VERSION, manifest};
use super::crash::kill;
use super::temporal::NAMESPACE;
use super::wait::{PATIENCE, since, until};

const NAME: &str = "ticker";
const NOTE: &str = "by hand";
/// Longer than the operator lets pass between two looks.
const A_LOOK: Duration = Duration::from_secs(45);

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_fires_and_a_pause_by_hand_stays() {
    let mut scene = Scene::open("schedules").await;
    let cluster = scene.cluster("main");
    let schedule = Schedule { cluster: cluster.clone() };

    // in the wrong order, each of them waits for the next
    schedule.apply(&ticking(true)).await;
    let (_, why) = schedule.condition("False").await;
    assert!(why.contains(NAMESPACE), "it says what it waits for: {why}");
    register(&cluster).await;
    // the oldest servers as well
    let version = if full() { "1.30.8" } else { VERSION };
    Bed::get().server_images(version);
    cluster.apply(&manifest(version)).await;
    cluster.settled().await;
    let began = Instant::now();
    schedule.condition("True").await;
    let ready = since(began);
    let fired = schedule.has_fired().await;

    let calm = schedule.is_left_alone().await;
    schedule.pause_stays(&mut scene).await;
    let repaired = schedule.drift_is_put_right().await;
    schedule.ends_only_when_it_may().await;
    scene
        .close(&format!(
            "on {version} ready {ready} after its cluster, first workflow after {fired}; nothing written in {} s; a pause outlives the operator; drift put right in {repaired}",
            calm.as_secs()
        ))
        .await;
}

/// The TemporalNamespace that `temporal` speaks of.
async fn register(cluster: &Cluster) {
    let namespace = json!({
        "apiVersion": "temporal.io/v1beta1", "kind": "TemporalNamespace", "metadata": {"name": NAMESPACE},
        "spec": {"clusterRef": {"name": cluster.name}, "retentionPeriod": "24h"},
    });
    let api: Api<temporal_operator::api::TemporalNamespace> =
        Api::namespaced(cluster.client.clone(), &cluster.namespace);
    api.patch(NAMESPACE, &PatchParams::apply("e2e").force(), &Patch::Apply(&namespace)).await.unwrap();
}

/// A workflow every two seconds, that nobody works on and that ends by itself.
fn ticking(allow_deletion: bool) -> Value {
    json!({
        "namespaceRef": {"name": NAMESPACE},
        "allowDeletion": allow_deletion,
        "memo": {"scenario": "schedules"},
        "schedule": {
            "action": {"workflow": {
                "type": "Tick", "taskQueue": "nobody", "inputs": [{"a": 1}, null], "executionTimeout": "10s",
                "retryPolicy": {"maximumAttempts": 1},
            }},
            "spec": {"intervals": [{"every": "2s"}], "crons": ["0 12 * * MON-FRI # noon"], "timezoneName": "Europe/Paris"},
            "policy": {"overlap": "allowAll"},
        },
    })
}

struct Schedule {
    cluster: Cluster,
}

impl Schedule {
    fn api(&self) -> Api<TemporalSchedule> {
        Api::namespaced(self.cluster.client.clone(), &self.cluster.namespace)
    }

    async fn apply(&self, spec: &Value) {
        let body = json!({"apiVersion": "temporal.io/v1beta1", "kind": "TemporalSchedule", "metadata": {"name": NAME}, "spec": spec});
        self.api().patch(NAME, &PatchParams::apply("e2e").force(), &Patch::Apply(&body)).await.unwrap();
    }

    /// Waits until `Ready` of the newest generation has that value; its reason and message.
    async fn condition(&self, value: &str) -> (String, String) {
        until(&format!("schedule {NAME} of {} has Ready={value}", self.cluster), PATIENCE, async || {
            let schedule = self.api().get(NAME).await.map_err(|e| e.to_string())?;
            let status = schedule.status.clone().unwrap_or_default();
            match conditions::get(&status.conditions, conditions::READY) {
                Some(c) if c.status == value && c.observed_generation == schedule.metadata.generation => {
                    Ok((c.reason.clone(), c.message.clone()))
                }
                _ => Err(format!("{:?} {:?}", status.message, status.conditions)),
            }
        })
        .await
    }

    /// Waits for the first workflow; how long that took.
    async fn has_fired(&self) -> String {
        let began = Instant::now();
        until(&format!("{NAME} starts a workflow"), PATIENCE, async || {
            let all = self.cluster.workflows().await?;
            if all.iter().any(|id| id.starts_with(&format!("{NAME}-"))) { Ok(()) } else { Err(format!("{all:?}")) }
        })
        .await;
        since(began)
    }

    /// What Temporal has.
    async fn described(&self) -> Result<Value, String> {
        let text = self.cluster.temporal(&["schedule", "describe", "--schedule-id", NAME, "-o", "json"]).await?;
        serde_json::from_str(&text).map_err(|e| format!("{e}: {text}"))
    }

    /// Nothing is written to Temporal or to Kubernetes while all is as it should be.
    async fn is_left_alone(&self) -> Duration {
        let version = |schedule: TemporalSchedule| schedule.resource_version();
        let before =
            (self.described().await.unwrap()["conflictToken"].clone(), version(self.api().get(NAME).await.unwrap()));
        sleep(A_LOOK).await;
        let after =
            (self.described().await.unwrap()["conflictToken"].clone(), version(self.api().get(NAME).await.unwrap()));
        assert_eq!(before, after, "mark of Temporal, version of the resource");
        A_LOOK
    }

    /// Through an operator that is killed, and the manifest applied again.
    async fn pause_stays(&self, scene: &mut Scene) {
        self.cluster
            .temporal(&["schedule", "toggle", "--schedule-id", NAME, "--pause", "--reason", NOTE])
            .await
            .unwrap();
        scene.operator = None;
        let alone = OPERATOR_LIVES.write().await;
        kill(scene).await;
        drop(alone);
        scene.operator = Some(OPERATOR_LIVES.read().await);
        self.apply(&ticking(true)).await;
        until("the operator has seen the pause", PATIENCE, async || {
            let (reason, message) = self.condition("True").await;
            if reason == "SchedulePaused" && message.contains(NOTE) {
                Ok(())
            } else {
                Err(format!("{reason}: {message}"))
            }
        })
        .await;
        self.is_paused().await.unwrap();
    }

    async fn is_paused(&self) -> Result<(), String> {
        let state = self.described().await?["schedule"]["state"].clone();
        if state["paused"] == true && state["notes"] == NOTE { Ok(()) } else { Err(format!("not paused: {state}")) }
    }

    /// The type of the workflow is put right, the pause stays; how long that took.
    async fn drift_is_put_right(&self) -> String {
        let change = ["schedule", "update", "--schedule-id", NAME, "--interval", "1h", "--type", "Other"];
        let rest = ["--task-queue", "nobody", "--paused", "--notes", NOTE];
        self.cluster.temporal(&[&change[..], &rest[..]].concat()).await.unwrap();
        let began = Instant::now();
        until("what was changed by hand is put right", PATIENCE, async || {
            let all = self.described().await?["schedule"].clone();
            let (action, spec) = (&all["action"]["startWorkflow"], &all["spec"]);
            let right = action["workflowType"]["name"] == "Tick" && spec["timezoneName"] == "Europe/Paris";
            if right { Ok(()) } else { Err(format!("{action} {spec}")) }
        })
        .await;
        self.is_paused().await.unwrap();
        since(began)
    }

    /// It stays in Temporal without `allowDeletion`, is taken over by the next resource, and goes with that.
    async fn ends_only_when_it_may(&self) {
        self.apply(&ticking(false)).await;
        self.condition("True").await;
        self.delete().await;
        self.is_paused().await.expect("it is still there, as it was");
        self.apply(&ticking(true)).await;
        self.condition("True").await;
        self.is_paused().await.expect("it is taken over as it is");
        self.delete().await;
        let error = self.described().await.unwrap_err();
        assert!(error.contains("not found"), "it is deleted in Temporal: {error}");
    }

    async fn delete(&self) {
        self.api().delete(NAME, &DeleteParams::default()).await.unwrap();
        until("the resource is gone", PATIENCE, async || match self.api().get_opt(NAME).await {
            Ok(None) => Ok(()),
            Ok(Some(schedule)) => Err(format!("{:?}", schedule.status)),
            Err(error) => Err(error.to_string()),
        })
        .await;
    }
}
