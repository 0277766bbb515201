//! Tables: what a change makes of a Deployment, and which changes are refused in which words.

#![allow(clippy::needless_pass_by_value, reason = "values are written in place")]

use super::*;
use crate::api::overrides::Overrides;
use crate::validate::read_overrides;
use rstest::rstest;

fn generated() -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "c-frontend", "namespace": "ns",
            "labels": {"app.kubernetes.io/name": "c", "app.kubernetes.io/managed-by": "temporal-operator"},
        },
        "spec": {
            "selector": {"matchLabels": {"app.kubernetes.io/name": "c"}},
            "template": {
                "metadata": {"labels": {"app.kubernetes.io/name": "c", "temporal.io/config-hash": "h"}},
                "spec": {
                    "containers": [{
                        "name": "service",
                        "image": "temporalio/server",
                        "env": [{"name": "POD_IP", "value": "1"}, {"name": "LOG", "value": "a"}],
                        "livenessProbe": {"tcpSocket": {"port": 6933}, "periodSeconds": 20},
                        "ports": [{"name": "rpc", "containerPort": 7233, "protocol": "TCP"}],
                        "volumeMounts": [{"name": "config", "mountPath": "/etc/temporal/config"}],
                    }],
                    "volumes": [{"name": "config", "configMap": {"name": "c-config"}}],
                },
            },
        },
    })
}

fn changed(overrides: Value) -> Result<Value, Invalid> {
    let overrides: Overrides = serde_json::from_value(json!({"deployment": overrides})).unwrap();
    let change = read_overrides("o", &overrides)?;
    let deployment = serde_json::from_value(generated()).unwrap();
    apply(deployment, "service", &[change]).map(|d| serde_json::to_value(d).unwrap())
}

fn pod(patch: Value) -> Value {
    json!({"spec": {"template": {"spec": patch}}})
}

fn server(patch: Value) -> Value {
    let mut container = json!({"name": "service"});
    container.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    pod(json!({"containers": [container]}))
}

const POD: &str = "/spec/template/spec";

#[rstest]
#[case::sidecar_comes_last(pod(json!({"containers": [{"name": "a", "image": "b"}]})), "/containers/1", json!({"name": "a", "image": "b"}))]
#[case::server_stays_first(pod(json!({"containers": [{"name": "a"}]})), "/containers/0/name", json!("service"))]
#[case::env_is_added(server(json!({"env": [{"name": "X", "value": "y"}]})), "/containers/0/env/2", json!({"name": "X", "value": "y"}))]
#[case::env_is_changed(server(json!({"env": [{"name": "LOG", "value": "b"}]})), "/containers/0/env/1/value", json!("b"))]
#[case::env_from(server(json!({"envFrom": [{"secretRef": {"name": "s"}}]})), "/containers/0/envFrom", json!([{"secretRef": {"name": "s"}}]))]
#[case::mount(server(json!({"volumeMounts": [{"name": "v", "mountPath": "/v"}]})), "/containers/0/volumeMounts/1/mountPath", json!("/v"))]
#[case::port(server(json!({"ports": [{"containerPort": 7233, "hostPort": 7233}]})), "/containers/0/ports", json!([{"name": "rpc", "containerPort": 7233, "hostPort": 7233, "protocol": "TCP"}]))]
#[case::resources(server(json!({"resources": {"limits": {"cpu": 1, "memory": "1Gi"}}})), "/containers/0/resources/limits", json!({"cpu": "1", "memory": "1Gi"}))]
#[case::volume(pod(json!({"volumes": [{"name": "v", "emptyDir": {}}]})), "/volumes/1", json!({"name": "v", "emptyDir": {}}))]
#[case::volume_source(pod(json!({"volumes": [{"name": "config", "configMap": null, "emptyDir": {}}]})), "/volumes/0", json!({"name": "config", "emptyDir": {}}))]
#[case::retained_keys(pod(json!({"volumes": [{"$retainKeys": ["name", "emptyDir"], "name": "config", "emptyDir": {}}]})), "/volumes/0", json!({"name": "config", "emptyDir": {}}))]
#[case::init_container(pod(json!({"initContainers": [{"name": "i", "image": "b"}]})), "/initContainers", json!([{"name": "i", "image": "b"}]))]
#[case::map(pod(json!({"nodeSelector": {"disk": "ssd"}})), "/nodeSelector", json!({"disk": "ssd"}))]
#[case::atomic_list(pod(json!({"tolerations": [{"$patch": "replace"}, {"key": "a", "operator": "Exists"}]})), "/tolerations", json!([{"key": "a", "operator": "Exists"}]))]
#[case::replaced_probe(server(json!({"livenessProbe": {"$patch": "replace", "tcpSocket": null, "grpc": {"port": 7233}}})), "/containers/0/livenessProbe", json!({"grpc": {"port": 7233}}))]
#[case::merged_probe(server(json!({"livenessProbe": {"periodSeconds": 5}})), "/containers/0/livenessProbe", json!({"tcpSocket": {"port": 6933}, "periodSeconds": 5}))]
#[case::replaced_list(server(json!({"env": [{"$patch": "replace"}, {"name": "X", "value": "y"}]})), "/containers/0/env", json!([{"name": "X", "value": "y"}]))]
#[case::deleted_entry(server(json!({"env": [{"name": "POD_IP", "$patch": "delete"}]})), "/containers/0/env", json!([{"name": "LOG", "value": "a"}]))]
#[case::replaced_entry(pod(json!({"containers": [{"name": "service", "$patch": "replace", "image": "x"}]})), "/containers/0", json!({"name": "service", "image": "x"}))]
fn merges(#[case] overrides: Value, #[case] path: &str, #[case] expected: Value) {
    let deployment = changed(overrides).unwrap();
    assert_eq!(deployment.pointer(&format!("{POD}{path}")), Some(&expected), "{deployment}");
}

#[test]
fn a_deleted_field_is_gone() {
    for gone in [json!(null), json!({"$patch": "delete"})] {
        let deployment = changed(server(json!({"livenessProbe": gone}))).unwrap();
        assert_eq!(deployment.pointer(&format!("{POD}/containers/0/livenessProbe")), None, "{deployment}");
    }
}

#[rstest]
#[case(json!({"metadata": {"labels": {"a": "b"}}}), "/metadata/labels/a", json!("b"))]
#[case(json!({"metadata": {"annotations": {"a": "b"}}}), "/metadata/annotations", json!({"a": "b"}))]
#[case(json!({"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}}), "/spec/template/metadata/annotations", json!({"a": "b"}))]
#[case(json!({"jsonPatch": [{"op": "add", "path": "/spec/template/metadata/annotations/a", "value": "b"}]}), "/spec/template/metadata/annotations", json!({"a": "b"}))]
#[case(json!({"jsonPatch": [{"op": "add", "path": "/spec/template/spec/containers/0/env/-", "value": {"name": "X"}}]}), "/spec/template/spec/containers/0/env/2/name", json!("X"))]
#[case(json!({"metadata": {"labels": {"a": "b"}}, "jsonPatch": [{"op": "copy", "from": "/metadata/labels/a", "path": "/metadata/labels/c"}]}), "/metadata/labels/c", json!("b"))]
#[case(json!({"jsonPatch": [{"op": "add", "path": "/spec/minReadySeconds", "value": 5}]}), "/spec/minReadySeconds", json!(5))]
fn changes_the_whole_deployment(#[case] overrides: Value, #[case] path: &str, #[case] expected: Value) {
    assert_eq!(changed(overrides).unwrap().pointer(path), Some(&expected));
}

#[test]
fn the_second_change_is_made_on_top_of_the_first() {
    let change = |value: &str| {
        let overrides = json!({"deployment": server(json!({"env": [{"name": "X", "value": value}]}))});
        read_overrides("o", &serde_json::from_value(overrides).unwrap()).unwrap()
    };
    let deployment = serde_json::from_value(generated()).unwrap();
    let after = apply(deployment, "service", &[change("common"), change("role")]).unwrap();
    let env = after.spec.unwrap().template.spec.unwrap().containers[0].env.clone().unwrap();
    assert_eq!((env.len(), env[2].value.as_deref()), (3, Some("role")));
}

fn operation(operation: Value) -> Value {
    json!({"jsonPatch": [{"op": "test", "path": "/kind", "value": "Deployment"}, operation]})
}

#[rstest]
#[case::no_server(pod(json!({"containers": [{"name": "service", "$patch": "delete"}]})), "o.deployment.spec", "must have the container \"service\"")]
#[case::other_containers_only(pod(json!({"containers": [{"$patch": "replace"}, {"name": "a"}]})), "o.deployment.spec", "must have the container")]
#[case::no_key(server(json!({"env": [{"value": "x"}]})), "o.deployment.spec.template.spec.containers[0].env[0]", "needs name")]
#[case::order(pod(json!({"$setElementOrder/containers": [{"name": "a"}]})), "o.deployment.spec.template.spec.$setElementOrder/containers", "is not carried out")]
#[case::directive(server(json!({"resources": {"$patch": "merg"}})), "o.deployment.spec.template.spec.containers[0].resources.$patch", "must be merge, replace or delete")]
#[case::atomic_delete(pod(json!({"tolerations": [{"key": "a", "$patch": "delete"}]})), "o.deployment.spec.template.spec.tolerations[0]", "replaced as a whole")]
#[case::unknown_field(server(json!({"imge": "x"})), "o.deployment.spec", "spec.template.spec.containers[0].imge: this operator knows no such field")]
#[case::wrong_type(server(json!({"image": 5})), "o.deployment.spec", "spec.template.spec.containers[0].image: invalid type")]
#[case::no_such_path(operation(json!({"op": "add", "path": "/spec/template/spec/affinity/nodeAffinity", "value": {}})), "o.deployment.jsonPatch[1]", "at /spec/template/spec/affinity/nodeAffinity: path is invalid")]
#[case::removes_nothing(operation(json!({"op": "remove", "path": "/spec/paused"})), "o.deployment.jsonPatch[1]", "at /spec/paused: path is invalid")]
#[case::moves_nothing(operation(json!({"op": "move", "from": "/spec/a", "path": "/spec/paused"})), "o.deployment.jsonPatch[1]", "from /spec/a")]
#[case::test_fails(operation(json!({"op": "test", "path": "/kind", "value": "Pod"})), "o.deployment.jsonPatch[1]", "value did not match")]
#[case::labels(operation(json!({"op": "replace", "path": "/metadata/labels", "value": {}})), "o.deployment.jsonPatch", "/metadata/labels is the operator's own")]
#[case::hash(operation(json!({"op": "remove", "path": "/spec/template/metadata/labels/temporal.io~1config-hash"})), "o.deployment.jsonPatch", "/spec/template/metadata/labels is the operator's own")]
#[case::annotation(operation(json!({"op": "add", "path": "/metadata/annotations/temporal.io~1replicas", "value": "x"})), "o.deployment.jsonPatch", "/metadata/annotations is the operator's own")]
#[case::finalizer(operation(json!({"op": "add", "path": "/metadata/finalizers", "value": ["a/b"]})), "o.deployment.jsonPatch", "of metadata change only labels and annotations")]
#[case::moved_name(operation(json!({"op": "move", "from": "/metadata/name", "path": "/metadata/annotations/a"})), "o.deployment.jsonPatch", "/metadata is the operator's own")]
#[case::whole_spec(operation(json!({"op": "replace", "path": "/spec", "value": {}})), "o.deployment.jsonPatch", "/spec/selector is the operator's own")]
#[case::no_pod(operation(json!({"op": "remove", "path": "/spec/template/spec"})), "o.deployment.jsonPatch", "must have the container")]
#[case::twice(operation(json!({"op": "add", "path": "/spec/template/spec/containers/0/env/-", "value": {"name": "LOG"}})), "o.deployment.jsonPatch", "has two entries with name \"LOG\"")]
#[case::no_deployment(operation(json!({"op": "replace", "path": "/spec/template/spec/containers", "value": "x"})), "o.deployment.jsonPatch", "must have the container")]
#[case::not_typed(operation(json!({"op": "add", "path": "/spec/minReadySeconds", "value": "x"})), "o.deployment.jsonPatch", "spec.minReadySeconds: invalid type")]
fn refuses(#[case] overrides: Value, #[case] field: &str, #[case] words: &str) {
    let refusal = changed(overrides).unwrap_err();
    assert_eq!(refusal.problems[0].field, field, "{refusal}");
    assert!(refusal.problems[0].message.contains(words), "{refusal}");
}
