//! The simulated cluster: rollouts and Jobs.

use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    batch::v1::Job,
    core::v1::Pod,
};
use kube::ResourceExt;
use serde_json::json;

use crate::{
    deployment,
    fake_api::{
        FakeApi,
        cluster_sim::{ClusterSim, Rollout},
    },
    from, start,
};

fn status_of(api: &FakeApi, condition: &str) -> (String, String) {
    let status = api.get::<Deployment>("default", "web").and_then(|web| web.status);
    let conditions = status.and_then(|status| status.conditions).unwrap_or_default();
    let found = conditions.into_iter().find(|found| found.type_ == condition);
    found.map(|found| (found.status, found.reason.unwrap_or_default())).unwrap_or_default()
}

async fn until_progressing(api: &FakeApi, generation: i64, reason: &str) {
    api.wait_until(|api| {
        let web: Deployment = api.get("default", "web").unwrap();
        let observed = web.status.and_then(|status| status.observed_generation);
        observed == Some(generation) && status_of(api, "Progressing").1 == reason
    })
    .await;
}

fn sizes(api: &FakeApi) -> Vec<(String, i32)> {
    let mut sets: Vec<(String, i32)> = api
        .list::<ReplicaSet>(None)
        .into_iter()
        .map(|set| {
            let revision = set.annotations()["deployment.kubernetes.io/revision"].clone();
            (revision, set.spec.unwrap().replicas.unwrap())
        })
        .collect();
    sets.sort();
    sets
}

fn revisions(sizes: &[(&str, i32)]) -> Vec<(String, i32)> {
    sizes.iter().map(|(revision, size)| ((*revision).to_owned(), *size)).collect()
}

#[tokio::test]
async fn a_deployment_rolls_out_is_held_gets_stuck_and_goes_back() {
    let (api, _client) = start();
    let sim = ClusterSim::start(&api);
    api.put(&deployment("web:1"));
    until_progressing(&api, 1, "NewReplicaSetAvailable").await;
    let status = api.get::<Deployment>("default", "web").unwrap().status.unwrap();
    assert_eq!((status.ready_replicas, status.updated_replicas), (Some(2), Some(2)));
    let pod = api.list::<Pod>(None).remove(0);
    assert!(pod.labels().contains_key("pod-template-hash"));
    assert_eq!(pod.owner_references()[0].kind, "ReplicaSet");

    sim.hold_deployments(true);
    api.put(&deployment("web:2"));
    until_progressing(&api, 2, "ReplicaSetUpdated").await;
    assert_eq!(sizes(&api), revisions(&[("1", 2), ("2", 1)]));
    let status = api.get::<Deployment>("default", "web").unwrap().status.unwrap();
    assert_eq!((status.ready_replicas, status.updated_replicas), (Some(2), Some(1)));
    assert_eq!(status_of(&api, "Available").0, "True");
    sim.hold_deployments(false);
    until_progressing(&api, 2, "NewReplicaSetAvailable").await;
    assert_eq!(sizes(&api), revisions(&[("1", 0), ("2", 2)]));

    sim.rollouts(|web| {
        let image = &web["spec"]["template"]["spec"]["containers"][0]["image"];
        if image == "web:bad" { Rollout::Stuck } else { Rollout::Completes }
    });
    api.put(&deployment("web:bad"));
    until_progressing(&api, 3, "ProgressDeadlineExceeded").await;
    api.put(&deployment("web:1"));
    until_progressing(&api, 4, "NewReplicaSetAvailable").await;
    assert_eq!(sizes(&api), revisions(&[("2", 0), ("3", 0), ("4", 2)]));

    api.delete::<Pod>("default", &api.list::<Pod>(None)[0].name_any());
    api.wait_until(|api| api.list::<Pod>(None).len() == 2).await;
    api.delete::<Deployment>("default", "web");
    assert_eq!((api.list::<Pod>(None).len(), api.list::<ReplicaSet>(None).len()), (0, 0));
}

#[tokio::test]
async fn a_paused_deployment_makes_no_new_pods() {
    let (api, _client) = start();
    let _sim = ClusterSim::start(&api);
    api.put(&deployment("web:1"));
    until_progressing(&api, 1, "NewReplicaSetAvailable").await;
    let mut paused = deployment("web:2");
    let spec = paused.spec.as_mut().unwrap();
    (spec.paused, spec.replicas) = (Some(true), Some(3));
    api.put(&paused);
    until_progressing(&api, 2, "DeploymentPaused").await;
    assert_eq!(sizes(&api), revisions(&[("1", 3)]));
}

fn job(name: &str) -> Job {
    from(json!({
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "ttlSecondsAfterFinished": 60,
            "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i:1"}]}},
        },
    }))
}

fn condition_of(api: &FakeApi, name: &str) -> Option<String> {
    let conditions = api.get::<Job>("default", name)?.status?.conditions?;
    Some(conditions.last()?.type_.clone())
}

#[tokio::test]
async fn jobs_succeed_fail_with_a_message_wait_and_expire() {
    let (api, _client) = start();
    let sim = ClusterSim::start(&api);
    sim.fail_jobs(|name| (name == "bad").then(|| "schema is newer".to_owned()));
    api.put(&job("good"));
    api.put(&job("bad"));
    api.wait_until(|api| condition_of(api, "bad").is_some()).await;
    assert_eq!(condition_of(&api, "good").as_deref(), Some("Complete"));
    assert_eq!(condition_of(&api, "bad").as_deref(), Some("Failed"));
    let status = api.get::<Job>("default", "bad").unwrap().status.unwrap();
    assert_eq!((status.failed, status.completion_time), (Some(1), None));
    let pod: Pod = api.get("default", "bad-0").unwrap();
    assert_eq!(pod.labels()["job-name"], "bad");
    let container = pod.status.unwrap().container_statuses.unwrap().remove(0);
    let message = container.state.unwrap().terminated.unwrap().message;
    assert_eq!(message.as_deref(), Some("schema is newer"));

    sim.hold_jobs(true);
    api.put(&job("slow"));
    let active = |api: &FakeApi| api.get::<Job>("default", "slow").unwrap().status.unwrap_or_default().active;
    api.wait_until(|api| active(api) == Some(1)).await;
    sim.expire_jobs();
    let left: Vec<String> = api.list::<Job>(None).iter().map(ResourceExt::name_any).collect();
    assert_eq!(left, ["slow"]);
    sim.hold_jobs(false);
    assert_eq!(condition_of(&api, "slow").as_deref(), Some("Complete"));
    assert_eq!(active(&api), None);
}
