//! Lists, selectors, metadata-only answers, watches.

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    ResourceExt,
    api::{Api, ListParams, WatchEvent, WatchParams},
};
use serde_json::json;

use crate::{Widget, WidgetSpec, config_map, fake_api::FakeApi, refusal, start, widget};

fn put_labelled(api: &FakeApi, name: &str, label: &str) {
    let mut map = config_map(name, &json!({"x": "1"}));
    map.labels_mut().insert("tier".into(), label.into());
    api.put(&map);
}

#[tokio::test]
async fn lists_select_by_labels_and_fields() {
    let (api, client) = start();
    put_labelled(&api, "a", "web");
    put_labelled(&api, "b", "db");
    api.put(&config_map("c", &json!({})));
    let maps: Api<ConfigMap> = Api::all(client);
    let names = async |params: ListParams| {
        let list = maps.list(&params).await.unwrap();
        list.iter().map(ResourceExt::name_any).collect::<Vec<_>>().join(",")
    };
    let labels = |selector: &str| ListParams::default().labels(selector);
    assert_eq!(names(labels("tier=web")).await, "a");
    assert_eq!(names(labels("tier!=web")).await, "b,c");
    assert_eq!(names(labels("tier in (web, db),tier notin (db)")).await, "a");
    assert_eq!(names(labels("!tier")).await, "c");
    assert_eq!(names(labels("tier")).await, "a,b");
    assert_eq!(names(ListParams::default().fields("metadata.name=b")).await, "b");
    let unsupported = ListParams::default().fields("spec.size=1");
    assert_eq!(refusal(maps.list(&unsupported).await).code, 400);
}

#[tokio::test]
async fn long_lists_come_in_pages() {
    let (api, client) = start();
    for index in 0..5 {
        api.put(&config_map(&format!("m{index}"), &json!({})));
    }
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    let mut params = ListParams::default().limit(2);
    let mut names = Vec::new();
    loop {
        let page = maps.list(&params).await.unwrap();
        names.extend(page.iter().map(ResourceExt::name_any));
        let Some(token) = page.metadata.continue_ else { break };
        params = params.continue_token(&token);
    }
    assert_eq!(names, ["m0", "m1", "m2", "m3", "m4"]);
}

#[tokio::test]
async fn metadata_alone_on_request() {
    let (api, client) = start();
    api.put(&widget("w", WidgetSpec::default()));
    let widgets: Api<Widget> = Api::default_namespaced(client.clone());
    let one = widgets.get_metadata("w").await.unwrap();
    assert_eq!(one.types.unwrap().kind, "PartialObjectMetadata");
    assert_eq!(one.metadata.generation, Some(1));
    let list = widgets.list_metadata(&ListParams::default()).await.unwrap();
    assert_eq!((list.items.len(), list.types.kind.as_str()), (1, "PartialObjectMetadataList"));
    let raw = http::Request::get("/apis/example.com/v1/namespaces/default/widgets/w")
        .header("accept", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1")
        .body(Vec::new())
        .unwrap();
    let raw: serde_json::Value = client.request(raw).await.unwrap();
    assert!(raw.get("spec").is_none());
    let events = widgets.watch_metadata(&WatchParams::default(), "0").await.unwrap();
    let event = events.boxed().try_next().await.unwrap().unwrap();
    let WatchEvent::Added(object) = event else { panic!("{event:?}") };
    assert_eq!(object.name_any(), "w");
}

#[tokio::test]
async fn watches_resume_and_follow_their_selection() {
    let (api, client) = start();
    put_labelled(&api, "a", "web");
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    let version = maps.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    put_labelled(&api, "b", "web");
    put_labelled(&api, "a", "db");
    put_labelled(&api, "c", "db");
    api.delete::<ConfigMap>("default", "b");

    let params = WatchParams::default().labels("tier=web").timeout(1);
    let events = maps.watch(&params, &version).await.unwrap();
    let seen: Vec<String> = events
        .map_ok(|event| match event {
            WatchEvent::Added(map) => format!("+{}", map.name_any()),
            WatchEvent::Modified(map) => format!("~{}", map.name_any()),
            WatchEvent::Deleted(map) => format!("-{}", map.name_any()),
            WatchEvent::Bookmark(_) => "mark".into(),
            WatchEvent::Error(status) => status.message,
        })
        .try_collect()
        .await
        .unwrap();
    assert_eq!(seen, ["+b", "-a", "-b", "mark"]);
}

#[tokio::test]
async fn discovery_names_the_kinds_served() {
    let (_api, client) = start();
    assert_eq!(client.apiserver_version().await.unwrap().major, "1");
    let resources = client.list_api_group_resources("example.com/v1").await.unwrap().resources;
    assert_eq!(resources[0].name, "widgets");
}
