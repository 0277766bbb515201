//! Tests of the in-memory API server itself, through the client that operators use.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

mod fake_api;

#[path = "fake_api_test/apply.rs"]
mod apply;
#[path = "fake_api_test/cluster.rs"]
mod cluster;
#[path = "fake_api_test/crash.rs"]
mod crash;
#[path = "fake_api_test/deletion.rs"]
mod deletion;
#[path = "fake_api_test/reads.rs"]
mod reads;
#[path = "fake_api_test/writes.rs"]
mod writes;

use k8s_openapi::api::{apps::v1::Deployment, core::v1::ConfigMap};
use kube::{
    Client, CustomResource, CustomResourceExt,
    api::{Api, Patch, PatchParams},
    core::Status,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use fake_api::FakeApi;

/// A custom resource with a status, a keyed list, an atomic list and a default.
#[derive(CustomResource, Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[kube(group = "example.com", version = "v1", kind = "Widget", namespaced, status = "WidgetStatus", derive = "Default")]
struct WidgetSpec {
    #[serde(default = "one")]
    #[schemars(default = "one")]
    size: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    parts: Vec<Part>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
struct Part {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    colour: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
struct WidgetStatus {
    ready: bool,
}

fn one() -> u32 {
    1
}

/// A server that knows Widgets, and a client of the user `operator`.
fn start() -> (FakeApi, Client) {
    let api = FakeApi::new();
    api.register_crds(&[Widget::crd()]);
    api.clear_audit();
    let client = api.client("operator");
    (api, client)
}

fn config_map(name: &str, data: &Value) -> ConfigMap {
    from(json!({"metadata": {"name": name, "namespace": "default"}, "data": data}))
}

fn widget(name: &str, spec: WidgetSpec) -> Widget {
    let mut widget = Widget::new(name, spec);
    widget.metadata.namespace = Some("default".into());
    widget
}

fn deployment(image: &str) -> Deployment {
    from(json!({
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": image}]},
            },
        },
    }))
}

fn from<K: serde::de::DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).unwrap()
}

/// A server-side apply as `manager`.
async fn apply_as<K>(client: &Client, manager: &str, force: bool, config: Value) -> kube::Result<K>
where
    K: fake_api::ApiObject + kube::Resource<Scope = k8s_openapi::NamespaceResourceScope> + Clone + std::fmt::Debug,
{
    let mut params = PatchParams::apply(manager);
    params.force = force;
    let mut config = config;
    config["apiVersion"] = K::api_version(&()).into();
    config["kind"] = K::kind(&()).into();
    let name = config["metadata"]["name"].as_str().unwrap().to_owned();
    Api::<K>::default_namespaced(client.clone()).patch(&name, &params, &Patch::Apply(config)).await
}

/// The error answer of a refused request.
fn refusal<T: std::fmt::Debug>(result: kube::Result<T>) -> Status {
    match result {
        Err(kube::Error::Api(status)) => *status,
        other => panic!("expected a refusal, got {other:?}"),
    }
}
