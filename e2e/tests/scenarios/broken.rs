//! A version that starts and breaks: its pods are ready, and do not belong to the cluster. The server is a real one, with
//! a config that leads it to a copy of the database.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{Api, ListParams, ObjectMeta, PostParams};
use serde_json::{Value, json};
use temporal_operator::api::conditions;

use super::bed::Bed;
use super::cluster::{Scene, VERSION, manifest};
use super::load::{assert_nothing_gone, loaded, replicated, steady};
use super::wait::{PATIENCE, since, until};

/// The file in the ConfigMaps.
const FILE: &str = "config_template.yaml";

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_starts_and_breaks_goes_back_under_load() {
    [VERSION, "1.32.0"].iter().for_each(|version| Bed::get().server_images(version));
    let mut spec = replicated(manifest(VERSION), 2);
    spec["rollout"] = json!({"stepTimeout": "45s"});
    let (scene, cluster, mut load) = loaded("broken-version", &spec, "a version that breaks").await;
    copy_of_the_database(&scene);
    poisoned_config(&scene).await;

    load.phase("broken version");
    let began = Instant::now();
    cluster.patch(json!({"version": "1.32.0", "services": {"matching": {"overrides": poison()}}})).await;
    let said = until("the rollout has stopped", PATIENCE, async || {
        let status = cluster.get().await?.status.unwrap_or_default();
        let stalled = conditions::get(&status.conditions, conditions::STALLED);
        match stalled.filter(|c| c.status == "True" && c.reason == "RolloutStopped") {
            Some(condition) => Ok(condition.message.clone()),
            None => Err(status.message.unwrap_or_default()),
        }
    })
    .await;
    let told = since(began);
    for part in ["stopped at the matching role", "not proven within 45 s", "gets back what was last proven"] {
        assert!(said.contains(part), "{part:?} is not in {said:?}");
    }
    assert!(said.contains("is not in Temporal's ring"), "its pods were ready, and not of the cluster: {said:?}");
    cluster.condition(conditions::MEMBERSHIP_HEALTHY, "True").await;
    let back = since(began);
    load.phase("back");
    tokio::time::sleep(steady()).await;
    let status = cluster.get().await.unwrap().status.unwrap();
    assert_eq!(status.version.as_deref(), Some(VERSION));
    assert_eq!(versions(&status), [VERSION], "no role is left with the new version");

    cluster.patch(json!({"version": VERSION, "services": {"matching": {"overrides": Value::Null}}})).await;
    cluster.settled().await;
    let report = load.stop();
    assert_nothing_gone(&report);
    // the old pods stayed: nobody waits for the step's end
    let waited = report.figures.iter().map(|f| f.over(Duration::from_secs(30))).sum::<usize>();
    assert_eq!(waited, 0, "longer than 30 s");
    scene.close(&format!("stopped after {told}: {said:?}; all members back after {back}")).await;
}

fn versions(status: &temporal_operator::api::TemporalClusterStatus) -> Vec<String> {
    let mut all: Vec<String> = status.services.iter().map(|s| s.version.clone()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// A database like the cluster's, without its members: a server on it takes itself for the cluster, and is alone in it.
fn copy_of_the_database(scene: &Scene) {
    let script = r#"export PGPASSWORD=$POSTGRES_PASSWORD PGHOST=127.0.0.1 PGUSER=$POSTGRES_USER
        psql -q -d postgres -c 'CREATE DATABASE poisoned'
        pg_dump temporal | psql -q -d poisoned
        psql -q -d poisoned -c "UPDATE schema_version SET db_name = 'poisoned'; DELETE FROM cluster_membership""#;
    let copy = ["exec", "postgres-0", "--", "sh", "-ec", script];
    Bed::get().kubectl(&scene.namespace, &copy).unwrap();
}

/// The cluster's config, but for the database.
async fn poisoned_config(scene: &Scene) {
    let maps: Api<ConfigMap> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let all = maps.list(&ListParams::default()).await.unwrap().items;
    let config = all.into_iter().find(|m| m.name_any().starts_with("main-config-")).unwrap();
    let text = config.data.unwrap()[FILE].replace("databaseName: temporal\n", "databaseName: poisoned\n");
    assert!(text.contains("poisoned"), "{text}");
    let poisoned = ConfigMap {
        metadata: ObjectMeta { name: Some("poisoned".to_owned()), ..ObjectMeta::default() },
        data: Some([(FILE.to_owned(), text)].into()),
        ..ConfigMap::default()
    };
    maps.create(&PostParams::default(), &poisoned).await.unwrap();
}

/// Lets the pods of a role read that config.
fn poison() -> Value {
    let pod = json!({
        "containers": [{
            "name": "service",
            "env": [{"name": "TEMPORAL_SERVER_CONFIG_FILE_PATH", "value": format!("/poisoned/{FILE}")}],
            "volumeMounts": [{"name": "poisoned", "mountPath": "/poisoned"}],
        }],
        "volumes": [{"name": "poisoned", "configMap": {"name": "poisoned"}}],
    });
    json!({"deployment": {"spec": {"template": {"spec": pod}}}})
}
