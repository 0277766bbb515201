//! Deletion: finalizers, preconditions, garbage collection.

use std::sync::Arc;

use k8s_openapi::api::{
    batch::v1::Job,
    core::v1::{ConfigMap, Namespace, Pod},
};
use kube::{
    Resource, ResourceExt,
    api::{Api, DeleteParams, Patch, PatchParams, Preconditions, PropagationPolicy},
};
use serde_json::json;

use crate::{Widget, WidgetSpec, config_map, fake_api::FakeApi, from, refusal, start, widget};

/// A Widget and a ConfigMap that belongs to it.
fn put_family(api: &FakeApi) {
    let owner = api.put(&widget("w", WidgetSpec::default()));
    let mut child = config_map("child", &json!({}));
    child.owner_references_mut().push(owner.controller_owner_ref(&()).unwrap());
    api.put(&child);
}

fn child(api: &FakeApi) -> Option<ConfigMap> {
    api.get("default", "child")
}

#[tokio::test]
async fn an_object_with_finalizers_goes_with_the_last_of_them() {
    let (api, client) = start();
    put_family(&api);
    api.edit::<Widget>("default", "w", |widget| widget.finalizers_mut().push("example.com/f".into()));
    let widgets: Api<Widget> = Api::default_namespaced(client);
    let marked = widgets.delete("w", &DeleteParams::default()).await.unwrap().left().unwrap();
    assert!(marked.metadata.deletion_timestamp.is_some());
    assert!(child(&api).is_some());
    let more = Patch::Merge(json!({"metadata": {"finalizers": ["example.com/f", "example.com/g"]}}));
    assert_eq!(refusal(widgets.patch("w", &PatchParams::default(), &more).await).code, 422);
    let none = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    widgets.patch("w", &PatchParams::default(), &none).await.unwrap();
    assert!(api.get::<Widget>("default", "w").is_none());
    assert!(child(&api).is_none());
}

#[tokio::test]
async fn the_finalizer_helper_of_kube_works() {
    use kube::runtime::{
        controller::Action,
        finalizer::{Event, finalizer},
    };
    let (api, client) = start();
    api.put(&widget("w", WidgetSpec::default()));
    let widgets: Api<Widget> = Api::default_namespaced(client);
    let pass = async || {
        let widget = Arc::new(api.get::<Widget>("default", "w").unwrap());
        let step = async |_: Event<Widget>| Ok::<_, std::io::Error>(Action::await_change());
        finalizer(&widgets, "example.com/f", widget, step).await.unwrap();
    };
    pass().await;
    assert_eq!(api.get::<Widget>("default", "w").unwrap().finalizers(), ["example.com/f"]);
    pass().await;
    api.delete::<Widget>("default", "w");
    pass().await;
    assert!(api.get::<Widget>("default", "w").is_none());
}

#[tokio::test]
async fn dependents_go_with_their_owner_or_stay_as_orphans() {
    let (api, client) = start();
    let widgets: Api<Widget> = Api::default_namespaced(client);
    put_family(&api);
    let orphan = DeleteParams { propagation_policy: Some(PropagationPolicy::Orphan), ..DeleteParams::default() };
    widgets.delete("w", &orphan).await.unwrap();
    assert_eq!(child(&api).unwrap().owner_references().len(), 0);

    put_family(&api);
    widgets.delete("w", &DeleteParams::foreground()).await.unwrap();
    assert!(child(&api).is_none() && api.get::<Widget>("default", "w").is_none());

    put_family(&api);
    api.hold_garbage_collector(true);
    widgets.delete("w", &DeleteParams::background()).await.unwrap();
    assert!(child(&api).is_some());
    api.hold_garbage_collector(false);
    assert!(child(&api).is_none());
}

#[tokio::test]
async fn preconditions_guard_a_deletion() {
    let (api, client) = start();
    api.put(&config_map("a", &json!({})));
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    let other = Preconditions { uid: Some("other".into()), resource_version: None };
    let guarded = DeleteParams { preconditions: Some(other), ..DeleteParams::default() };
    assert_eq!(refusal(maps.delete("a", &guarded).await).code, 409);
    let uid = api.get::<ConfigMap>("default", "a").unwrap().uid();
    let right = Preconditions { uid, resource_version: None };
    let guarded = DeleteParams { preconditions: Some(right), ..DeleteParams::default() };
    let gone = maps.delete("a", &guarded).await.unwrap().right().unwrap();
    assert!(gone.is_success());
}

#[tokio::test]
async fn a_job_deleted_without_a_policy_orphans_its_pods() {
    let (api, client) = start();
    let job: Job = from(json!({
        "metadata": {"name": "j", "namespace": "default"},
        "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "i:1"}]}}},
    }));
    let job = api.put(&job);
    let mut pod: Pod = from(json!({
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "i:1"}]},
    }));
    pod.owner_references_mut().push(job.controller_owner_ref(&()).unwrap());
    api.put(&pod);
    let jobs: Api<Job> = Api::default_namespaced(client);
    jobs.delete("j", &DeleteParams::default()).await.unwrap();
    assert!(api.get::<Pod>("default", "p").is_some());
}

#[tokio::test]
async fn a_namespace_takes_its_content_along() {
    let (api, client) = start();
    let mut map = config_map("a", &json!({}));
    map.metadata.namespace = Some("other".into());
    map.finalizers_mut().push("example.com/f".into());
    api.put(&map);
    api.delete::<Namespace>("", "other");
    let phase = api.get::<Namespace>("", "other").unwrap().status.unwrap().phase;
    assert_eq!(phase.as_deref(), Some("Terminating"));
    let maps: Api<ConfigMap> = Api::namespaced(client, "other");
    let late: ConfigMap = from(json!({"metadata": {"name": "b"}}));
    assert_eq!(refusal(maps.create(&kube::api::PostParams::default(), &late).await).code, 403);
    api.edit::<ConfigMap>("other", "a", |map| map.finalizers_mut().clear());
    assert!(api.get::<Namespace>("", "other").is_none());
}

#[tokio::test]
async fn a_collection_is_deleted_by_its_labels() {
    let (api, client) = start();
    for (name, label) in [("a", "x"), ("b", "y")] {
        let mut map = config_map(name, &json!({}));
        map.labels_mut().insert("l".into(), label.into());
        api.put(&map);
    }
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    let selected = kube::api::ListParams::default().labels("l=x");
    maps.delete_collection(&DeleteParams::default(), &selected).await.unwrap();
    let left: Vec<String> = api.list::<ConfigMap>(None).iter().map(ResourceExt::name_any).collect();
    assert_eq!(left, ["b"]);
    assert_eq!(api.writes_by("operator")[0].verb, "deletecollection");
}
