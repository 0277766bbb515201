//! The table of manifests on a real API server: each refusal by its words, and changes that are refused later. That the
//! API server takes the CRD at all shows that no rule exceeds CEL's cost limit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

#[path = "../../tests/admission/namespaces.rs"]
mod namespaces;
#[path = "../../tests/admission/schedules.rs"]
mod schedules;
#[path = "../../tests/admission/table.rs"]
mod table;
#[path = "../../tests/admission/workers.rs"]
mod workers;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Client, Config, ResourceExt};
use serde::Deserialize;
use serde_json::{Value, json};
use table::{base, cases, merge};

const NAMESPACE: &str = "default";

/// A client of the testbed, with the CRDs as they are in this tree.
async fn client() -> Client {
    let layout = e2e::layout::Layout::from_environment().unwrap();
    let kubeconfig = Kubeconfig::read_from(layout.kubeconfig()).expect("the testbed is up");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let client = Client::try_from(config).unwrap();
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    for crd in temporal_operator::api::all_crds() {
        let name = crd.name_any();
        let params = PatchParams::apply("admission-test").force();
        crds.patch(&name, &params, &Patch::Apply(&crd)).await.expect("the API server takes the CRD");
        await_condition(crds.clone(), &name, conditions::is_crd_established()).await.unwrap();
    }
    client
}

fn clusters(client: &Client) -> Api<DynamicObject> {
    of_kind(client, "TemporalCluster")
}

fn of_kind(client: &Client, kind: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("temporal.io", "v1beta1", kind);
    Api::namespaced_with(client.clone(), NAMESPACE, &ApiResource::from_gvk(&kind))
}

fn object(manifest: Value) -> DynamicObject {
    serde_json::from_value(manifest).unwrap()
}

#[tokio::test]
async fn the_api_server_agrees_with_the_table() {
    let refusals = agrees(&clusters(&client().await), &base(), cases()).await;
    assert!(refusals >= 60);
    println!("admission: {refusals} refusals with their words");
}

#[tokio::test]
async fn the_api_server_agrees_with_the_table_of_namespaces() {
    let api = of_kind(&client().await, "TemporalNamespace");
    let refusals = agrees(&api, &namespaces::base(), namespaces::cases()).await;
    assert!(refusals >= 25);
    println!("admission of namespaces: {refusals} refusals with their words");
}

#[tokio::test]
async fn the_api_server_agrees_with_the_table_of_schedules() {
    let api = of_kind(&client().await, "TemporalSchedule");
    let refusals = agrees(&api, &schedules::base(), schedules::cases()).await;
    assert!(refusals >= 40);
    println!("admission of schedules: {refusals} refusals with their words");
}

#[tokio::test]
async fn the_api_server_agrees_with_the_table_of_workers() {
    let api = of_kind(&client().await, "TemporalWorker");
    let refusals = agrees(&api, &workers::base(), workers::cases()).await;
    assert!(refusals >= 50);
    println!("admission of workers: {refusals} refusals with their words");
}

#[tokio::test]
async fn what_may_not_change_of_a_worker_is_refused() {
    let api = of_kind(&client().await, "TemporalWorker");
    let changes = [
        (json!({"clusterRef": {"name": "other"}}), Some("spec.clusterRef: cannot change")),
        (json!({"namespace": "other"}), Some("spec.namespace: cannot change")),
        (
            json!({"clusterRef": null, "namespace": null, "namespaceRef": {"name": "n"}}),
            Some("spec.namespaceRef: cannot change"),
        ),
        (json!({"clusterRef": null, "connection": {"hostPort": "h:7233"}}), Some("spec.connection: cannot come or go")),
        (json!({"versioning": "Unversioned"}), Some("spec.versioning: cannot change")),
        (json!({"deploymentName": "other"}), Some("spec.deploymentName: cannot change")),
        (json!({"versioning": "Versioned", "replicas": 3}), None),
    ];
    only_refused(&api, workers::base(), &changes).await;
}

/// Sends every case; how many were refused.
async fn agrees(api: &Api<DynamicObject>, base: &Value, cases: Vec<table::Case>) -> usize {
    let dry_run = PostParams { dry_run: true, field_manager: None };
    let mut wrong = Vec::new();
    let mut refusals = 0;
    for case in cases {
        let mut manifest = base.clone();
        merge(&mut manifest, &case.patch);
        match (api.create(&dry_run, &object(manifest)).await, case.refusal) {
            (Ok(_), None) => {}
            (Err(kube::Error::Api(status)), Some(words)) if status.message.contains(words) => refusals += 1,
            (Ok(_), Some(words)) => wrong.push(format!("{}: taken, should say {words:?}", case.name)),
            (Err(error), expected) => wrong.push(format!("{}: expected {expected:?}, got {error}", case.name)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    refusals
}

/// Every resource of ours in a fenced block of the documents is taken as it stands.
#[tokio::test]
async fn examples_of_the_documents_are_taken() {
    let client = client().await;
    let dry_run = PostParams { dry_run: true, field_manager: None };
    let repo = e2e::layout::Layout::from_environment().unwrap().repo;
    let pages = std::fs::read_dir(repo.join("docs")).unwrap().map(|e| e.unwrap().path());
    let pages = pages.filter(|p| p.extension().is_some_and(|e| e == "md")).chain([repo.join("README.md")]);
    let mut taken = 0;
    let mut wrong = Vec::new();
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        for block in text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()) {
            for document in serde_yaml::Deserializer::from_str(block) {
                let Ok(mut manifest) = Value::deserialize(document) else { continue };
                let kinds = ["TemporalCluster", "TemporalNamespace", "TemporalSchedule", "TemporalWorker"];
                let Some(kind) = kinds.into_iter().find(|k| manifest["kind"] == *k) else { continue };
                let api = of_kind(&client, kind);
                manifest["metadata"]["namespace"] = json!(NAMESPACE);
                match api.create(&dry_run, &object(manifest)).await {
                    Ok(_) => taken += 1,
                    Err(error) => wrong.push(format!("{}: {error}", page.display())),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(taken >= 12, "{taken} examples are found");
    println!("documents: {taken} examples are taken");
}

#[tokio::test]
async fn what_may_not_change_of_a_namespace_is_refused() {
    let api = of_kind(&client().await, "TemporalNamespace");
    let manifest = namespaces::base();
    let changes = [
        (json!({"clusterRef": {"name": "other"}}), Some("spec.clusterRef: cannot change")),
        (json!({"clusterRef": {"namespace": "other"}}), Some("spec.clusterRef: cannot change")),
        (json!({"retentionPeriod": "72h"}), None),
    ];
    only_refused(&api, manifest, &changes).await;
}

#[tokio::test]
async fn what_may_not_change_of_a_schedule_is_refused() {
    let api = of_kind(&client().await, "TemporalSchedule");
    let changes = [
        (json!({"namespaceRef": {"name": "other"}}), Some("spec.namespaceRef: cannot change")),
        (json!({"namespaceRef": {"namespace": "other"}}), Some("spec.namespaceRef: cannot change")),
        (json!({"schedule": {"spec": {"crons": ["0 4 * * *"]}}}), None),
    ];
    only_refused(&api, schedules::base(), &changes).await;
}

#[tokio::test]
async fn what_may_not_change_is_refused() {
    let api = clusters(&client().await);
    let mut manifest = base();
    manifest["spec"]["clusterName"] = json!("one");
    // nothing is made of it: it waits for a Secret that does not exist
    manifest["spec"]["persistence"]["defaultStore"]["passwordSecretRef"] = json!({"name": "nowhere"});
    let changes = [
        (json!({"numHistoryShards": 128}), Some("spec.numHistoryShards: cannot change")),
        (json!({"clusterName": "two"}), Some("spec.clusterName: cannot change")),
        (json!({"clusterName": null}), Some("spec.clusterName: cannot change")),
        (json!({"log": {"level": "debug"}}), None),
    ];
    only_refused(&api, manifest, &changes).await;
}

/// Each change of a resource made from the manifest is refused in these words, or taken.
async fn only_refused(api: &Api<DynamicObject>, mut manifest: Value, changes: &[(Value, Option<&str>)]) {
    manifest["metadata"]["name"] = json!("immutable");
    let params = PatchParams::apply("admission-test").force();
    api.patch("immutable", &params, &Patch::Apply(object(manifest))).await.unwrap();
    let mut wrong = Vec::new();
    for (spec, words) in changes {
        let patch = Patch::Merge(json!({"spec": spec}));
        match (api.patch("immutable", &PatchParams::default().dry_run(), &patch).await, words) {
            (Ok(_), None) => {}
            (Err(kube::Error::Api(status)), Some(words)) if status.message.contains(words) => {}
            (answer, words) => wrong.push(format!("{spec}: expected {words:?}, got {:?}", answer.err())),
        }
    }
    api.delete("immutable", &DeleteParams::default()).await.unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
