//! Crashes: a controller killed after each of its writes comes to the same end.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Client, Resource, ResourceExt,
    api::{Api, ListParams, Patch, PatchParams, WatchParams},
    runtime::{Controller, controller::Action, watcher},
};
use serde_json::{Value, json};

use crate::{
    Widget, WidgetSpec, config_map,
    fake_api::{Cut, FakeApi},
    start, widget,
};

/// Applies `size` ConfigMaps for a Widget, then its status.
async fn reconcile(widget: Arc<Widget>, client: Arc<Client>) -> kube::Result<Action> {
    let params = PatchParams::apply("operator").force();
    let maps: Api<ConfigMap> = Api::default_namespaced((*client).clone());
    for index in 0..widget.spec.size {
        let name = format!("{}-{index}", widget.name_any());
        let config = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "ownerReferences": [widget.controller_owner_ref(&())]},
            "data": {"size": widget.spec.size.to_string()},
        });
        maps.patch(&name, &params, &Patch::Apply(config)).await?;
    }
    let widgets: Api<Widget> = Api::default_namespaced((*client).clone());
    let status = json!({"apiVersion": "example.com/v1", "kind": "Widget", "status": {"ready": true}});
    widgets.patch_status(&widget.name_any(), &params, &Patch::Apply(status)).await?;
    Ok(Action::await_change())
}

async fn run_controller(client: Client) {
    let widgets: Api<Widget> = Api::default_namespaced(client.clone());
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let on_error = |_, _: &kube::Error, _| Action::requeue(Duration::from_millis(10));
    Controller::new(widgets, watcher::Config::default())
        .owns(maps, watcher::Config::default())
        .run(reconcile, on_error, Arc::new(client))
        .for_each(|_| async {})
        .await;
}

async fn settle(api: &FakeApi) {
    let ready = |api: &FakeApi| {
        let widget: Option<Widget> = api.get("default", "w");
        widget.is_some_and(|widget| widget.status.is_some_and(|status| status.ready))
    };
    api.wait_until(ready).await;
    api.wait_quiet(Duration::from_millis(50)).await;
}

/// Runs to the end, with one crash after the n-th write; the end state, and whether it crashed.
async fn run(crash: Option<(usize, Cut)>) -> (BTreeMap<String, Value>, bool) {
    let (api, client) = start();
    let kill = crash.map(|(writes, cut)| api.kill_after("operator", writes, cut));
    api.put(&widget("w", WidgetSpec { size: 3, ..WidgetSpec::default() }));
    if let Some(kill) = &kill {
        tokio::select! {
            () = run_controller(client) => {}
            () = kill.fired() => {}
            () = settle(&api) => {}
        }
    }
    let second = tokio::spawn(run_controller(api.client("operator")));
    settle(&api).await;
    second.abort();
    (api.dump(&[]), kill.is_some_and(|kill| kill.has_fired()))
}

#[tokio::test]
async fn a_controller_ends_alike_wherever_it_is_killed() {
    let (undisturbed, _) = run(None).await;
    assert!(undisturbed.contains_key("ConfigMap/default/w-2"));
    let mut crashes = 0;
    for writes in 1.. {
        let mut fired = false;
        for cut in [Cut::AfterAnswer, Cut::BeforeAnswer] {
            let (disturbed, crashed) = run(Some((writes, cut))).await;
            assert_eq!(disturbed, undisturbed, "killed after write {writes}, {cut:?}");
            fired |= crashed;
        }
        if !fired {
            break;
        }
        crashes += 1;
    }
    assert_eq!(crashes, 4);
}

#[tokio::test]
async fn a_settled_second_pass_changes_nothing() {
    let (api, client) = start();
    api.put(&widget("w", WidgetSpec { size: 2, ..WidgetSpec::default() }));
    let first = tokio::spawn(run_controller(client));
    settle(&api).await;
    first.abort();
    api.clear_audit();
    let second = tokio::spawn(run_controller(api.client("operator")));
    settle(&api).await;
    second.abort();
    let writes = api.writes_by("operator");
    assert_eq!(writes.len(), 3, "{writes:?}");
    assert!(writes.iter().all(|call| call.verb == "apply" && !call.changed));
}

#[tokio::test]
async fn a_killed_client_is_cut_off_and_a_new_one_resumes_its_watch() {
    let (api, client) = start();
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let version = maps.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    let mut events = maps.watch(&WatchParams::default(), &version).await.unwrap().boxed();
    let kill = api.kill_after("operator", 1, Cut::BeforeAnswer);
    let created = maps.create(&kube::api::PostParams::default(), &config_map("a", &json!({}))).await;
    assert!(matches!(created, Err(kube::Error::Service(_))));
    kill.fired().await;
    assert!(api.get::<ConfigMap>("default", "a").is_some());
    while events.next().await.is_some() {}
    assert!(maps.list(&ListParams::default()).await.is_err());

    let maps: Api<ConfigMap> = Api::default_namespaced(api.client("operator"));
    let mut events = maps.watch(&WatchParams::default(), &version).await.unwrap().boxed();
    assert!(events.next().await.unwrap().is_ok());
}

#[tokio::test]
async fn only_the_writes_that_match_count_and_others_users_do_not() {
    let (api, client) = start();
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    let kill = api.kill_after_matching("operator", 1, Cut::AfterAnswer, |call| call.name == "b");
    let params = kube::api::PostParams::default();
    api.put(&config_map("b", &json!({})));
    maps.create(&params, &config_map("a", &json!({}))).await.unwrap();
    assert!(!kill.has_fired());
    maps.delete("b", &kube::api::DeleteParams::default()).await.unwrap();
    assert!(kill.has_fired());
    let other: Api<ConfigMap> = Api::default_namespaced(api.client("other"));
    api.kill("operator");
    other.get("a").await.unwrap();
}
