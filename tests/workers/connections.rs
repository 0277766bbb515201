//! Workers of a Temporal that no cluster describes.

use super::*;
use k8s_openapi::ByteString;
use temporal_operator::api::conditions::{self, READY};

fn connected(spec: &Value) -> TemporalWorker {
    let connection =
        json!({"hostPort": "Temporal.example.com:7233", "apiKeySecretRef": {"name": "keys", "key": "orders"}});
    let mut all = json!({"clusterRef": null, "connection": connection});
    json_patch::merge(&mut all, spec);
    worker(&all)
}

fn keys(key: &str, value: &str) -> Secret {
    let data = BTreeMap::from([(key.to_owned(), ByteString(value.into()))]);
    let mut secret = Secret { data: Some(data), ..Secret::default() };
    (secret.metadata.name, secret.metadata.namespace) = (Some("keys".to_owned()), Some(NAMESPACE.to_owned()));
    secret
}

fn rotate(world: &World, key: &str, value: &str) {
    let new = keys(key, value).data;
    world.api.edit::<Secret>(NAMESPACE, "keys", |secret| secret.data = new);
}

fn reason(world: &World) -> String {
    conditions::get(&status(world).conditions, READY).map(|c| c.reason.clone()).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_worker_waits_for_credentials_that_can_be_used() {
    let world = World::new();
    world.api.put(&connected(&json!({"replicas": 2})));
    let _operator = world.operator();
    says(&world, Phase::Pending, "There is no Secret ns/keys; make it").await;
    world.api.put(&keys("other", "k"));
    says(&world, Phase::Pending, "Secret ns/keys has no key orders; add it").await;
    rotate(&world, "orders", "key\n");
    says(&world, Phase::Failed, "Key orders of Secret ns/keys cannot be used: it has a line break").await;
    assert!(deployments(&world).is_empty(), "no pod could work");
    rotate(&world, "orders", "key");
    says(&world, Phase::Ready, "2 pods of version").await;
    let deployment = deployments(&world).remove(0);
    let container = &deployment.spec.as_ref().unwrap().template.spec.as_ref().unwrap().containers[0];
    assert_eq!(container.env.as_ref().unwrap()[0].value.as_deref(), Some("Temporal.example.com:7233"));

    world.api.wait_quiet(Duration::from_secs(120)).await;
    world.api.clear_audit();
    sleep(Duration::from_secs(600)).await;
    assert!(world.writes().is_empty(), "{:#?}", world.writes());
    let reads: Vec<Call> = world.api.audit().into_iter().filter(|c| c.resource == "secrets").collect();
    assert!(reads.iter().all(|call| call.verb == "get"), "{reads:#?}");
    assert!((10..=80).contains(&reads.len()), "{}", reads.len());
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_taken_no_more_is_told_and_a_new_one_is_taken_up() {
    let world = World::new();
    world.api.put(&keys("orders", "old"));
    world.api.put(&connected(&json!({"replicas": 2})));
    let _operator = world.operator();
    says(&world, Phase::Ready, "2 pods").await;
    let (before, target) = (deployments(&world), status(&world).target);
    world.temporal.workers.revoke();
    says(&world, Phase::Failed, "(let the server take the API key in Secret keys, key orders, or put one there").await;
    assert_eq!((reason(&world).as_str(), deployments(&world).len()), ("CredentialsRefused", 1));
    rotate(&world, "orders", "new");
    says(&world, Phase::Ready, "2 pods").await;
    sleep(Duration::from_secs(120)).await;
    let after = deployments(&world);
    assert_ne!(after[0].spec, before[0].spec, "the pods are restarted");
    assert_eq!((after.len(), status(&world).target), (1, target), "it is no new version");
}

#[tokio::test(start_paused = true)]
async fn pods_stay_whatever_becomes_of_secret_and_server() {
    let world = World::new();
    world.api.put(&keys("orders", "key"));
    world.api.put(&connected(&json!({"replicas": 2, "allowDeletion": true})));
    let _operator = world.operator();
    says(&world, Phase::Ready, "2 pods").await;
    let before = deployments(&world)[0].spec.clone();
    world.api.delete::<Secret>(NAMESPACE, "keys");
    says(&world, Phase::Pending, "There is no Secret ns/keys").await;
    assert_eq!(reason(&world), "SecretMissing");
    world.api.put(&keys("orders", "key"));
    says(&world, Phase::Ready, "2 pods").await;
    world.temporal.fail("DescribeWorkerDeployment", "connection refused");
    says(&world, Phase::Pending, "the pods stay as they are").await;
    assert_eq!(reason(&world), "TemporalUnreachable");
    let after = deployments(&world)[0].spec.clone();
    assert_eq!(after.as_ref().unwrap().replicas, before.unwrap().replicas);
    world.temporal.heal();
    says(&world, Phase::Ready, "2 pods").await;

    world.api.delete::<Secret>(NAMESPACE, "keys");
    says(&world, Phase::Pending, "There is no Secret ns/keys").await;
    world.api.delete::<TemporalWorker>(NAMESPACE, NAME);
    says(&world, Phase::Deleting, "There is no Secret ns/keys; make it, or correct spec.connection. To let").await;
    world.api.put(&keys("orders", "key"));
    gone(&world).await;
}

#[tokio::test(start_paused = true)]
async fn who_came_first_has_the_worker_deployment_of_an_address() {
    let world = World::new();
    world.api.put(&keys("orders", "key"));
    let _operator = world.operator();
    let named = |name: &str, host_port: &str| {
        let connection = json!({"hostPort": host_port});
        let mut worker = connected(&json!({"deploymentName": "shared", "connection": connection}));
        worker.metadata.name = Some(name.to_owned());
        worker
    };
    world.api.put(&named("first", "temporal.example.com:7233"));
    sleep(Duration::from_secs(5)).await;
    world.api.put(&named(NAME, "TEMPORAL.example.com:7233"));
    world.api.put(&named("elsewhere", "other.example.com:7233"));
    says(&world, Phase::Failed, "Worker Deployment shared belongs to TemporalWorker ns/first").await;
    let elsewhere = |api: &FakeApi| api.get::<TemporalWorker>(NAMESPACE, "elsewhere").and_then(|w| w.status);
    until(&world, "not taken elsewhere", |api| elsewhere(api).is_some_and(|s| s.phase != Some(Phase::Failed))).await;
    world.api.delete::<TemporalWorker>(NAMESPACE, "first");
    until(&world, "taken over", |_| reason(&world) != "WorkerDeploymentTaken").await;
}
