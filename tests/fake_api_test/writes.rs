//! Create, update, patch: what is refused, filled in, bumped.

use k8s_openapi::api::{
    apps::v1::Deployment,
    batch::v1::Job,
    core::v1::{ConfigMap, Secret, Service},
};
use kube::{
    ResourceExt,
    api::{Api, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::{Widget, WidgetSpec, config_map, deployment, from, refusal, start, widget};

#[tokio::test]
async fn a_second_create_and_a_stale_update_are_refused() {
    let (_api, client) = start();
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    let params = PostParams::default();
    let created = maps.create(&params, &config_map("a", &json!({"x": "1"}))).await.unwrap();
    let again = refusal(maps.create(&params, &created_without_version(&created)).await);
    assert_eq!((again.code, again.reason.as_str()), (409, "AlreadyExists"));
    assert_eq!(again.message, "configmaps \"a\" already exists");

    let mut changed = created.clone();
    changed.data.get_or_insert_default().insert("x".into(), "2".into());
    maps.replace("a", &params, &changed).await.unwrap();
    let stale = refusal(maps.replace("a", &params, &changed).await);
    assert_eq!((stale.code, stale.reason.as_str()), (409, "Conflict"));
    let missing = refusal(maps.get("b").await);
    assert_eq!(missing.message, "configmaps \"b\" not found");
    assert_eq!(missing.details.unwrap().kind, "configmaps");
}

fn created_without_version(map: &ConfigMap) -> ConfigMap {
    let mut map = map.clone();
    map.metadata.resource_version = None;
    map
}

#[tokio::test]
async fn unknown_namespaces_resources_and_names_are_refused() {
    let (_api, client) = start();
    let nowhere: Api<ConfigMap> = Api::namespaced(client.clone(), "nowhere");
    let params = PostParams::default();
    let map: ConfigMap = from(json!({"metadata": {"name": "a"}}));
    assert_eq!(refusal(nowhere.create(&params, &map).await).message, "namespaces \"nowhere\" not found");
    let unserved: Api<k8s_openapi::api::storage::v1::StorageClass> = Api::all(client.clone());
    assert_eq!(refusal(unserved.get("a").await).code, 404);
    let here: Api<ConfigMap> = Api::default_namespaced(client);
    let named: ConfigMap = from(json!({"metadata": {"name": "Not_A_Name"}}));
    assert_eq!(refusal(here.create(&params, &named).await).code, 422);
    let generated: ConfigMap = from(json!({"metadata": {"generateName": "map-"}}));
    assert!(here.create(&params, &generated).await.unwrap().name_any().starts_with("map-0"));
}

#[tokio::test]
async fn the_status_and_the_rest_are_written_apart() {
    let (api, client) = start();
    let widgets: Api<Widget> = Api::default_namespaced(client);
    let mut sent = widget("w", WidgetSpec { size: 3, ..WidgetSpec::default() });
    sent.status = Some(crate::WidgetStatus { ready: true });
    let created = widgets.create(&PostParams::default(), &sent).await.unwrap();
    assert_eq!((created.status.is_none(), created.metadata.generation), (true, Some(1)));

    let merge = Patch::Merge(json!({"spec": {"size": 9}, "status": {"ready": true}}));
    let params = PatchParams::default();
    let reported = widgets.patch_status("w", &params, &merge).await.unwrap();
    assert_eq!((reported.spec.size, reported.status.clone().unwrap().ready), (3, true));
    assert_eq!(reported.metadata.generation, Some(1));
    let off = Patch::Merge(json!({"spec": {"size": 9}, "status": {"ready": false}}));
    let resized = widgets.patch("w", &params, &off).await.unwrap();
    assert_eq!((resized.spec.size, resized.status.unwrap().ready), (9, true));
    assert_eq!(resized.metadata.generation, Some(2));

    api.clear_audit();
    widgets.patch("w", &params, &off).await.unwrap();
    let call = &api.writes_by("operator")[0];
    assert_eq!((call.verb, call.write, call.changed, call.code), ("patch", true, false, 200));
    let mut versionless = api.get::<Widget>("default", "w").unwrap();
    versionless.metadata.resource_version = None;
    let refused = widgets.replace("w", &PostParams::default(), &versionless).await;
    assert_eq!(refusal(refused).code, 422);
}

#[tokio::test]
async fn strategic_and_json_patches() {
    let (api, client) = start();
    api.put(&deployment("web:1"));
    let deployments: Api<Deployment> = Api::default_namespaced(client.clone());
    let containers = json!([{"name": "web", "image": "web:2"}, {"name": "extra", "image": "e:1"}]);
    let patch = Patch::Strategic(json!({"spec": {"template": {"spec": {"containers": containers}}}}));
    deployments.patch("web", &PatchParams::default(), &patch).await.unwrap();
    let removal = json!([{"name": "extra", "$patch": "delete"}]);
    let patch = Patch::Strategic(json!({"spec": {"template": {"spec": {"containers": removal}}}}));
    let after = deployments.patch("web", &PatchParams::default(), &patch).await.unwrap();
    let containers = after.spec.unwrap().template.spec.unwrap().containers;
    assert_eq!((containers.len(), containers[0].image.as_deref()), (1, Some("web:2")));

    let json_patch = |operations: Value| {
        http::Request::patch("/apis/apps/v1/namespaces/default/deployments/web")
            .header("content-type", "application/json-patch+json")
            .body(operations.to_string().into_bytes())
            .unwrap()
    };
    let scale = json!([{"op": "replace", "path": "/spec/replicas", "value": 5}]);
    let scaled: Deployment = client.request(json_patch(scale)).await.unwrap();
    assert_eq!(scaled.spec.unwrap().replicas, Some(5));
    let moves = json!([
        {"op": "add", "path": "/metadata/labels", "value": {"a/b": "1"}},
        {"op": "copy", "from": "/metadata/labels/a~1b", "path": "/metadata/labels/c"},
        {"op": "move", "from": "/metadata/labels/a~1b", "path": "/metadata/labels/d"},
        {"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": "z", "image": "z:1"}},
        {"op": "remove", "path": "/spec/template/spec/containers/0"},
        {"op": "test", "path": "/metadata/labels", "value": {"c": "1", "d": "1"}},
    ]);
    let moved: Deployment = client.request(json_patch(moves)).await.unwrap();
    assert_eq!(moved.spec.unwrap().template.spec.unwrap().containers[0].name, "z");
    let failing = json!([{"op": "test", "path": "/spec/replicas", "value": 1}]);
    assert_eq!(refusal(client.request::<Value>(json_patch(failing)).await).code, 422);
}

#[tokio::test]
async fn what_is_immutable_stays() {
    let (api, client) = start();
    let mut frozen = config_map("a", &json!({"x": "1"}));
    frozen.immutable = Some(true);
    api.put(&frozen);
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let merge = |patch: Value| Patch::Merge(patch);
    let params = PatchParams::default();
    let refused = refusal(maps.patch("a", &params, &merge(json!({"data": {"x": "2"}}))).await);
    assert_eq!((refused.code, refused.reason.as_str()), (422, "Invalid"));
    maps.patch("a", &params, &merge(json!({"metadata": {"labels": {"l": "v"}}}))).await.unwrap();

    api.put::<Job>(&from(json!({
        "metadata": {"name": "j", "namespace": "default"},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i:1"}]}}},
    })));
    let jobs: Api<Job> = Api::default_namespaced(client.clone());
    let change = json!({"spec": {"template": {"metadata": {"labels": {"l": "v"}}}}});
    assert_eq!(refusal(jobs.patch("j", &params, &merge(change)).await).code, 422);

    api.put(&deployment("web:1"));
    let deployments: Api<Deployment> = Api::default_namespaced(client);
    let change = json!({"spec": {"selector": {"matchLabels": {"app": "other"}}}});
    assert_eq!(refusal(deployments.patch("web", &params, &merge(change)).await).code, 422);
}

#[tokio::test]
async fn services_keep_their_address_and_secrets_encode_text() {
    let (api, client) = start();
    let service = |port: u16| -> Service {
        from(json!({
            "metadata": {"name": "s", "namespace": "default"},
            "spec": {"ports": [{"port": port}]},
        }))
    };
    let address = api.put(&service(80)).spec.unwrap().cluster_ip;
    let spec = api.put(&service(81)).spec.unwrap();
    assert_eq!((spec.cluster_ip, spec.type_.as_deref()), (address, Some("ClusterIP")));
    let services: Api<Service> = Api::default_namespaced(client);
    let moved = Patch::Merge(json!({"spec": {"clusterIP": "10.96.9.9"}}));
    assert_eq!(refusal(services.patch("s", &PatchParams::default(), &moved).await).code, 422);

    let secret: Secret = from(json!({
        "metadata": {"name": "s", "namespace": "default"}, "stringData": {"password": "secret"},
    }));
    let stored = api.put(&secret);
    assert_eq!(stored.data.unwrap()["password"].0, b"secret");
    assert_eq!(stored.string_data, None);
}

#[tokio::test]
async fn a_dry_run_stores_nothing() {
    let (api, client) = start();
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    let params = PostParams { dry_run: true, ..PostParams::default() };
    maps.create(&params, &config_map("a", &json!({}))).await.unwrap();
    assert!(api.get::<ConfigMap>("default", "a").is_none());
    assert!(!api.audit()[0].changed);
}
