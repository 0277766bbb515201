//! Workers of a Temporal that no cluster describes: behind TLS, with a client certificate and with an API key.

use std::fmt::Debug;
use std::time::Instant;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Resource;
use kube::api::{Api, Patch, PatchParams};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use temporal_operator::api::conditions::{self, READY};
use temporal_operator::api::worker::TemporalWorkerStatus;

use super::door::{Door, NAME};
use super::ground::Ground;
use super::hello::{Hello, uids};
use super::postgres::Authority;
use super::temporal::NAMESPACE;
use super::wait::{PATIENCE, since, until};

#[tokio::test(flavor = "multi_thread")]
async fn workers_come_to_a_temporal_behind_tls() {
    let ground = Ground::beside().await;
    let authority = Authority::new("door");
    put::<ConfigMap>(&ground, "door", json!({"data": {"ca.pem": authority.pem}})).await;
    let frontend = ground.cluster.frontend().await;
    let with_certificate = Door::open(&authority, frontend.clone(), None).await;
    let with_key = Door::open(&authority, frontend, Some("first")).await;
    let (certificates, keys) =
        tokio::join!(certificates(&ground, &with_certificate, &authority), keys(&ground, &with_key),);
    println!("workers outside: {certificates}; {keys}");
}

/// Versioned: the operator routes what it sees through the door.
async fn certificates(ground: &Ground, door: &Door, authority: &Authority) -> String {
    let hello = Hello::new(&ground.cluster, "certificates");
    let spec = outside(&hello, door, json!({"mutualTLSSecretRef": {"name": "door-client"}}));
    hello.apply(&spec).await;
    hello.shows("it waits for the Secret", |s| is(s, "SecretMissing") && says(s, "door-client")).await;
    let strangers = Authority::new("strangers");
    client(ground, &strangers).await;
    hello.shows("strangers are not let in", |s| is(s, "CredentialsRefused") && says(s, "fatal alert")).await;
    client(ground, authority).await;
    let began = Instant::now();
    let build = hello.settled().await.current.expect("it has a current version");
    let ready = since(began);
    let greetings = hello.greet(5, 5.0, &[]).await;
    assert!(greetings.iter().all(|g| g.build() == build), "{greetings:?}");
    hello.delete().await;
    format!("with a client certificate current {ready} after that was there")
}

/// Unversioned, and its key is changed.
async fn keys(ground: &Ground, door: &Door) -> String {
    let hello = Hello::new(&ground.cluster, "keys");
    key(ground, "first").await;
    let connection = json!({"apiKeySecretRef": {"name": "door-key", "key": "key"}});
    let mut spec = outside(&hello, door, connection);
    // an unversioned worker is asked about by its scaling alone
    spec["versioning"] = json!("Unversioned");
    spec["scaling"] = json!({"min": 2, "max": 3, "taskQueues": [{"name": hello.name}]});
    hello.apply(&spec).await;
    hello.settled().await;
    let old = uids(&hello.pods().await);
    assert!(hello.greet(5, 5.0, &[]).await.iter().all(|g| g.result.is_some()));

    door.change_key("second");
    hello.shows("the old key is not taken", |s| is(s, "CredentialsRefused") && says(s, "key in Secret door-key")).await;
    key(ground, "second").await;
    let began = Instant::now();
    until("the pods have the new key", PATIENCE, async || {
        let now = uids(&hello.pods().await);
        if old.iter().all(|uid| !now.contains(uid)) { Ok(()) } else { Err(format!("{now:?}")) }
    })
    .await;
    hello.settled().await;
    let renewed = since(began);
    assert!(hello.greet(5, 5.0, &[]).await.iter().all(|g| g.result.is_some()));
    hello.delete().await;
    format!("with an API key, new pods work {renewed} after it changed")
}

/// The spec of a worker that comes through a door.
fn outside(hello: &Hello, door: &Door, credentials: Value) -> Value {
    let mut connection = credentials;
    connection["hostPort"] = json!(door.address);
    connection["tls"] = json!({"serverName": NAME, "caCertConfigMapRef": {"name": "door", "key": "ca.pem"}});
    let mut spec = hello.spec(&json!({"connection": connection, "namespace": NAMESPACE}));
    spec.as_object_mut().unwrap().remove("clusterRef");
    spec
}

fn is(status: &TemporalWorkerStatus, reason: &str) -> bool {
    conditions::get(&status.conditions, READY).is_some_and(|c| c.reason == reason)
}

fn says(status: &TemporalWorkerStatus, words: &str) -> bool {
    status.message.as_ref().is_some_and(|message| message.contains(words))
}

async fn client(ground: &Ground, by: &Authority) {
    let pair = by.certificate("worker", &[]);
    let data = json!({"tls.crt": pair.certificate, "tls.key": pair.key});
    put::<Secret>(ground, "door-client", json!({"type": "kubernetes.io/tls", "stringData": data})).await;
}

async fn key(ground: &Ground, key: &str) {
    put::<Secret>(ground, "door-key", json!({"stringData": {"key": key}})).await;
}

async fn put<K>(ground: &Ground, name: &str, mut object: Value)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    (object["apiVersion"], object["kind"]) = (json!(K::api_version(&())), json!(K::kind(&())));
    object["metadata"] = json!({"name": name});
    let api: Api<K> = Api::namespaced(ground.cluster.client.clone(), &ground.cluster.namespace);
    api.patch(name, &PatchParams::apply("e2e").force(), &Patch::Apply(&object)).await.unwrap();
}
