//! Build ids, names, and what pods are given.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::api::TemporalWorker;
use crate::validate;
use k8s_openapi::api::core::v1::EnvVar;
use serde_json::json;

fn worker(spec: &Value) -> ValidWorker {
    let mut all = json!({
        "apiVersion": "temporal.io/v1beta1", "kind": "TemporalWorker",
        "metadata": {"name": "orders", "namespace": "ns"},
        "spec": {
            "clusterRef": {"name": "c"}, "namespace": "shop",
            "template": {"spec": {"containers": [{"name": "worker", "image": "r/orders:1.0"}]}},
        },
    });
    json_patch::merge(&mut all["spec"], spec);
    validate::worker(&serde_json::from_value::<TemporalWorker>(all).unwrap()).unwrap()
}

fn build(worker: &ValidWorker, configs: &ConfigVersions) -> Deployment {
    let id = build_id(worker);
    let version = Version { build_id: &id, template: &worker.template, replicas: Some(2) };
    match deployment(worker, &version, &Surroundings { address: "h:7233", client_has_ca: false, configs }) {
        Some(Object::Deployment(deployment)) => *deployment,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_template_is_a_version_and_the_same_template_the_same_one() {
    let id = |spec: &Value| build_id(&worker(spec));
    let first = id(&json!({}));
    assert!(first.starts_with("1.0-") && first.len() == 14, "{first}");
    assert_eq!(first, id(&json!({"replicas": 5, "deployment": {"minReadySeconds": 3}})), "only the template counts");
    assert_ne!(first, id(&json!({"template": {"spec": {"terminationGracePeriodSeconds": 60}}})));
    assert_eq!(id(&json!({"buildID": "mine"})), "mine");
    assert_eq!(id(&json!({"versioning": "Unversioned"})), "");
}

#[test]
fn a_given_build_id_with_another_template_is_another_revision_of_the_same_deployment() {
    let (a, b) = (
        worker(&json!({"buildID": "mine"})),
        worker(&json!({"buildID": "mine", "template": {"spec": {"hostNetwork": true}}})),
    );
    assert_eq!(object_name(&a, "mine"), object_name(&b, "mine"));
    let name = |w: &ValidWorker| revision(w, "mine", 1, &w.template).key().name;
    assert_ne!(name(&a), name(&b));
}

#[test]
fn only_a_config_that_the_template_refers_to_restarts_the_pods() {
    let env = json!([{"name": "K", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "k"}}}]);
    let container =
        json!({"name": "worker", "image": "orders:1", "env": env, "envFrom": [{"configMapRef": {"name": "flags"}}]});
    let volumes = json!([
        {"name": "a", "secret": {"secretName": "tls"}},
        {"name": "b", "projected": {"sources": [{"secret": {"name": "deep"}}, {"configMap": {"name": "wide"}}]}},
    ]);
    let worker = worker(&json!({"template": {"spec": {"containers": [container], "volumes": volumes}}}));
    let all: Vec<String> = references(&worker.template).iter().map(ToString::to_string).collect();
    assert_eq!(all, ["configmap/flags", "configmap/wide", "secret/deep", "secret/keys", "secret/tls"]);
    let configs = ConfigVersions::from([
        (ConfigRef::Secret("keys".to_owned()), Some("7".to_owned())),
        (ConfigRef::Secret("tls".to_owned()), None),
        (ConfigRef::Secret("other".to_owned()), Some("8".to_owned())),
        (ConfigRef::ConfigMap("flags".to_owned()), Some("9".to_owned())),
    ]);
    let template = build(&worker, &configs).spec.unwrap().template;
    let annotations = template.metadata.unwrap().annotations.unwrap();
    assert_eq!(annotations["temporal.io/secret-versions"], "configmap/flags=9,secret/keys=7");
}

#[test]
fn every_container_is_given_where_temporal_is_before_what_the_user_gives() {
    let container =
        |name: &str| json!({"name": name, "image": "i", "env": [{"name": "A", "value": "$(TEMPORAL_ADDRESS)"}]});
    let spec = json!({"containers": [container("a"), container("b")], "initContainers": [container("i")]});
    let deployment = build(&worker(&json!({"template": {"spec": spec}})), &ConfigVersions::new());
    let pod = deployment.spec.unwrap().template.spec.unwrap();
    for container in pod.containers.iter().chain(pod.init_containers.iter().flatten()) {
        let names: Vec<&str> = container.env.iter().flatten().map(|v| v.name.as_str()).collect();
        let ours = ["TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_DEPLOYMENT_NAME", "TEMPORAL_WORKER_BUILD_ID"];
        assert_eq!(names, [ours.as_slice(), &["A"]].concat(), "{}", container.name);
    }
}

#[test]
fn a_spread_of_the_users_own_stays() {
    let own = json!([{"maxSkew": 2, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}]);
    let spread = |spec: &Value| {
        let pod = build(&worker(spec), &ConfigVersions::new()).spec.unwrap().template.spec.unwrap();
        pod.topology_spread_constraints.unwrap().remove(0).topology_key
    };
    assert_eq!(spread(&json!({})), "kubernetes.io/hostname");
    assert_eq!(spread(&json!({"template": {"spec": {"topologySpreadConstraints": own}}})), "rack");
}

fn connected(connection: &Value) -> ValidWorker {
    worker(&json!({"clusterRef": null, "connection": connection}))
}

/// The variables of the first container beside those of every worker, with their values or where these come from.
fn variables(worker: &ValidWorker, client_has_ca: bool) -> Vec<String> {
    let configs = ConfigVersions::new();
    let version = Version { build_id: "", template: &worker.template, replicas: None };
    let around = Surroundings { address: "h:7233", client_has_ca, configs: &configs };
    let Some(Object::Deployment(deployment)) = deployment(worker, &version, &around) else { panic!("no Deployment") };
    let pod = deployment.spec.unwrap().template.spec.unwrap();
    let said = |v: &EnvVar| {
        let key = v.value_from.as_ref().and_then(|from| from.secret_key_ref.as_ref());
        let from = key.map(|key| format!("{}/{}", key.name, key.key));
        format!("{}={}", v.name, v.value.clone().or(from).unwrap_or_default())
    };
    pod.containers[0].env.iter().flatten().skip(2).map(said).collect()
}

#[test]
fn a_connection_is_told_by_the_variables_that_sdks_read() {
    let plain = connected(&json!({"hostPort": "h:7233"}));
    assert!(variables(&plain, false).is_empty());
    let encrypted = connected(&json!({"hostPort": "h:7233", "tls": {"serverName": "t"}}));
    assert_eq!(variables(&encrypted, false), ["TEMPORAL_TLS=true", "TEMPORAL_TLS_SERVER_NAME=t"]);
    let key = connected(&json!({"hostPort": "h:7233", "apiKeySecretRef": {"name": "keys", "key": "k"}}));
    assert_eq!(variables(&key, false), ["TEMPORAL_TLS=true", "TEMPORAL_API_KEY=keys/k"]);
    let client = connected(&json!({"hostPort": "h:7233", "mutualTLSSecretRef": {"name": "client"}}));
    let files = ["CLIENT_CERT_PATH=/etc/temporal/tls/tls.crt", "CLIENT_KEY_PATH=/etc/temporal/tls/tls.key"]
        .map(|file| format!("TEMPORAL_TLS_{file}"));
    assert_eq!(variables(&client, false)[1..], files);
    assert_eq!(variables(&client, true)[1], "TEMPORAL_TLS_SERVER_CA_CERT_PATH=/etc/temporal/tls/ca.crt");
    let public = json!({"hostPort": "h:7233", "tls": {}, "mutualTLSSecretRef": {"name": "client"}});
    assert_eq!(variables(&connected(&public), true)[1..], files);
}

#[test]
fn authorities_that_are_named_have_a_place_of_their_own() {
    let place = json!({"name": "authorities", "key": "pem"});
    for (field, kind) in [("caCertSecretRef", "secret"), ("caCertConfigMapRef", "configmap")] {
        let tls = json!({field: place});
        let worker = connected(&json!({"hostPort": "h:1", "tls": tls, "mutualTLSSecretRef": {"name": "client"}}));
        assert!(variables(&worker, true).contains(&"TEMPORAL_TLS_SERVER_CA_CERT_PATH=/etc/temporal/ca/ca.crt".into()));
        let connection = worker.home.connection().unwrap();
        let all: Vec<String> = connection_references(connection).map(|config| config.to_string()).collect();
        assert_eq!(all, ["secret/client".to_owned(), format!("{kind}/authorities")]);
    }
}

#[test]
fn a_changed_credential_restarts_the_pods_and_is_no_new_version() {
    let worker = connected(&json!({"hostPort": "h:1", "apiKeySecretRef": {"name": "keys", "key": "k"}}));
    let template = |version: &str| {
        let configs = ConfigVersions::from([(ConfigRef::Secret("keys".to_owned()), Some(version.to_owned()))]);
        let deployment = build(&worker, &configs);
        (deployment.metadata.name, deployment.spec.unwrap().template)
    };
    let (one, two) = (template("1"), template("2"));
    assert_eq!(one.0, two.0);
    assert_ne!(one.1, two.1);
}
