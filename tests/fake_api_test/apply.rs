//! Server-side apply: ownership, removal, conflicts, lists.

use k8s_openapi::api::{apps::v1::Deployment, core::v1::ConfigMap};
use kube::{ResourceExt, api::Api};
use serde_json::{Value, json};

use crate::{Widget, apply_as, config_map, deployment, refusal, start};

fn data(entries: &Value) -> Value {
    json!({"metadata": {"name": "a"}, "data": entries})
}

#[tokio::test]
async fn fields_dropped_by_their_manager_go_and_others_stay() {
    let (api, client) = start();
    apply_as::<ConfigMap>(&client, "one", false, data(&json!({"x": "1", "y": "1"}))).await.unwrap();
    apply_as::<ConfigMap>(&client, "two", false, data(&json!({"z": "2"}))).await.unwrap();
    apply_as::<ConfigMap>(&client, "one", false, data(&json!({"y": "1"}))).await.unwrap();
    let map: ConfigMap = api.get("default", "a").unwrap();
    let keys: Vec<String> = map.data.unwrap().into_keys().collect();
    assert_eq!(keys, ["y", "z"]);

    apply_as::<ConfigMap>(&client, "one", false, json!({"metadata": {"name": "a"}})).await.unwrap();
    apply_as::<ConfigMap>(&client, "two", false, json!({"metadata": {"name": "a"}})).await.unwrap();
    assert_eq!(api.get::<ConfigMap>("default", "a").unwrap().data, None);
}

#[tokio::test]
async fn an_apply_that_changes_nothing_leaves_no_trace() {
    let (api, client) = start();
    let config = json!({"metadata": {"name": "web", "labels": {"a": "b"}}, "spec": deployment("web:1").spec});
    let first: Deployment = apply_as(&client, "one", false, config.clone()).await.unwrap();
    let second: Deployment = apply_as(&client, "one", false, config).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(first.metadata.generation, Some(1));
    let changed: Vec<bool> = api.writes_by("operator").iter().map(|call| call.changed).collect();
    assert_eq!(changed, [true, false]);
}

#[tokio::test]
async fn a_field_of_another_manager_is_a_conflict_unless_forced() {
    let (_api, client) = start();
    apply_as::<ConfigMap>(&client, "one", false, data(&json!({"x": "1"}))).await.unwrap();
    apply_as::<ConfigMap>(&client, "two", false, data(&json!({"x": "1"}))).await.unwrap();
    let refused = apply_as::<ConfigMap>(&client, "two", false, data(&json!({"x": "2"}))).await;
    let refused = refusal(refused);
    assert_eq!((refused.code, refused.reason.as_str()), (409, "Conflict"));
    assert_eq!(refused.message, "Apply failed with 1 conflict: conflict with \"one\": .data.x");
    assert_eq!(refused.details.unwrap().causes[0].reason, "FieldManagerConflict");

    apply_as::<ConfigMap>(&client, "two", true, data(&json!({"x": "2"}))).await.unwrap();
    let given_up: ConfigMap = apply_as(&client, "one", false, data(&json!({}))).await.unwrap();
    assert_eq!(given_up.data.unwrap()["x"], "2");
}

#[tokio::test]
async fn an_update_takes_over_what_it_changes() {
    let (api, client) = start();
    apply_as::<ConfigMap>(&client, "one", false, data(&json!({"x": "1"}))).await.unwrap();
    api.put(&config_map("a", &json!({"x": "by hand"})));
    refusal(apply_as::<ConfigMap>(&client, "one", false, data(&json!({"x": "1"}))).await);
    let managers = api.get::<ConfigMap>("default", "a").unwrap().metadata.managed_fields.unwrap();
    let names: Vec<_> = managers.into_iter().map(|line| line.manager.unwrap()).collect();
    assert_eq!(names, ["test"]);
}

#[tokio::test]
async fn keyed_lists_merge_by_their_keys_and_atomic_ones_do_not() {
    let (api, client) = start();
    api.put(&deployment("web:1"));
    let container = |container: Value| json!({"metadata": {"name": "web"}, "spec": {"template": {"spec": {"containers": [container]}}}});
    let sidecar = container(json!({
        "name": "sidecar", "image": "s:1",
        "ports": [{"containerPort": 1}, {"containerPort": 2}],
        "args": ["a", "b"],
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
    }));
    apply_as::<Deployment>(&client, "one", false, sidecar).await.unwrap();
    let less = container(json!({
        "name": "sidecar", "image": "s:1",
        "ports": [{"containerPort": 2}],
        "args": ["b"],
        "env": [{"name": "B", "value": "2"}],
    }));
    let after: Deployment = apply_as(&client, "one", false, less).await.unwrap();
    let containers = after.spec.unwrap().template.spec.unwrap().containers;
    let names: Vec<&str> = containers.iter().map(|container| container.name.as_str()).collect();
    assert_eq!(names, ["web", "sidecar"]);
    assert_eq!(containers[1].args.as_deref(), Some(["b".to_owned()].as_slice()));
    assert_eq!(containers[1].ports.as_ref().unwrap().len(), 1);
    assert_eq!(containers[1].env.as_ref().unwrap()[0].name, "B");

    let none = json!({"metadata": {"name": "web"}});
    let after: Deployment = apply_as(&client, "one", false, none).await.unwrap();
    let containers = after.spec.unwrap().template.spec.unwrap().containers;
    assert_eq!(containers.len(), 1);
}

#[tokio::test]
async fn custom_resources_merge_prune_and_default_by_their_schema() {
    let (api, client) = start();
    let spec = |spec: Value| json!({"metadata": {"name": "w"}, "spec": spec});
    let first = spec(json!({"parts": [{"name": "a"}], "notes": ["x"]}));
    let created: Widget = apply_as(&client, "one", false, first).await.unwrap();
    assert_eq!(created.spec.size, 1);
    let second = spec(json!({"parts": [{"name": "b", "colour": "red"}]}));
    let both: Widget = apply_as(&client, "two", false, second).await.unwrap();
    let parts: Vec<&str> = both.spec.parts.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(parts, ["a", "b"]);
    let third = spec(json!({"notes": ["x", "y"]}));
    let refused = refusal(apply_as::<Widget>(&client, "two", false, third).await);
    assert_eq!(refused.details.unwrap().causes[0].field, ".spec.notes");
    let widgets: Api<Widget> = Api::default_namespaced(client);
    let unknown = kube::api::Patch::Merge(json!({"spec": {"unknown": 1}}));
    widgets.patch("w", &kube::api::PatchParams::default(), &unknown).await.unwrap();
    let dump = api.dump(&[]);
    assert!(dump["Widget.example.com/default/w"]["spec"].get("unknown").is_none());
}

#[tokio::test]
async fn the_status_is_applied_by_a_manager_of_its_own() {
    let (api, client) = start();
    let config = json!({"metadata": {"name": "w"}, "spec": {"size": 2}, "status": {"ready": true}});
    let created: Widget = apply_as(&client, "one", false, config.clone()).await.unwrap();
    assert_eq!(created.status, None);
    let mut status = config;
    status["apiVersion"] = "example.com/v1".into();
    status["kind"] = "Widget".into();
    status["spec"]["size"] = 7.into();
    let widgets: Api<Widget> = Api::default_namespaced(client);
    let params = kube::api::PatchParams::apply("one");
    let patched = widgets.patch_status("w", &params, &kube::api::Patch::Apply(status)).await.unwrap();
    assert_eq!((patched.spec.size, patched.status.unwrap().ready), (2, true));
    assert_eq!(patched.metadata.generation, Some(1));
    let lines = api.get::<Widget>("default", "w").unwrap().managed_fields().to_vec();
    let subresources: Vec<_> = lines.into_iter().map(|line| line.subresource).collect();
    assert_eq!(subresources, [None, Some("status".to_owned())]);
}

#[tokio::test]
async fn traps_of_the_real_server_are_here_too() {
    let (_api, client) = start();
    let spec = |spec: Value| json!({"metadata": {"name": "w"}, "spec": spec});
    let undeclared = apply_as::<Widget>(&client, "one", false, spec(json!({"unknown": 1}))).await;
    let undeclared = refusal(undeclared);
    assert_eq!(undeclared.code, 500);
    assert!(undeclared.message.ends_with(".spec.unknown: field not declared in schema"));

    apply_as::<Widget>(&client, "one", false, spec(json!({}))).await.unwrap();
    let widgets: Api<Widget> = Api::default_namespaced(client.clone());
    let params = kube::api::PatchParams::apply("one");
    let status = |status: Value| {
        kube::api::Patch::Apply(json!({"apiVersion": "example.com/v1", "kind": "Widget", "status": status}))
    };
    widgets.patch_status("w", &params, &status(json!({"ready": true}))).await.unwrap();
    let emptied = widgets.patch_status("w", &params, &status(json!({}))).await.unwrap();
    assert_eq!(emptied.status, None);
    let null = refusal(apply_as::<Widget>(&client, "one", false, spec(json!({"notes": null}))).await);
    assert_eq!((null.code, null.details.unwrap().causes[0].field.as_str()), (422, "spec.notes"));

    let rolling = json!({"metadata": {"name": "web"}, "spec": deployment("web:1").spec});
    apply_as::<Deployment>(&client, "one", false, rolling.clone()).await.unwrap();
    let mut recreate = rolling;
    recreate["spec"]["strategy"] = json!({"type": "Recreate"});
    let refused = refusal(apply_as::<Deployment>(&client, "one", false, recreate).await);
    assert_eq!(refused.details.unwrap().causes[0].field, "spec.strategy.rollingUpdate");
}
