//! Autoscalers, and the requests that they need.

use super::*;

#[test]
fn a_size_gives_the_requests_that_a_role_does_not_say() {
    let cluster = valid(|m| {
        m["spec"]["size"] = json!("Small");
        m["spec"]["services"] = json!({
            "history": {"autoscaling": {"maxReplicas": 3}},
            "worker": {"resources": {"requests": {"cpu": "1"}}},
        });
    });
    let container = |role: &str| {
        let name = format!("c-{role}");
        body(&cluster, Kind::Deployment, &name)["spec"]["template"]["spec"]["containers"][0].clone()
    };
    let history = container("history");
    let expected = json!({"requests": {"cpu": "500m", "memory": "1024Mi"}, "limits": {"memory": "1024Mi"}});
    assert_eq!(history["resources"], expected);
    let env = history["env"].as_array().unwrap();
    assert!(env.contains(&json!({"name": "GOMEMLIMIT", "value": "921MiB"})), "{env:?}");
    let worker = container("worker");
    assert_eq!(worker["resources"], json!({"requests": {"cpu": "1"}}), "theirs as a whole");
    assert!(!worker["env"].to_string().contains("GOMEMLIMIT"));
}

fn scaled(history: &Value) -> ValidCluster {
    valid(|m| m["spec"]["services"] = json!({"history": history}))
}

#[test]
fn an_autoscaler_scales_the_roles_deployment_and_nobody_else_does() {
    let cluster = scaled(&json!({
        "autoscaling": {"minReplicas": 2, "maxReplicas": 9}, "resources": {"requests": {"cpu": "1"}},
    }));
    let spec = &body(&cluster, Kind::HorizontalPodAutoscaler, "c-history")["spec"];
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "c-history"});
    assert_eq!(spec["scaleTargetRef"], target);
    assert_eq!((&spec["minReplicas"], &spec["maxReplicas"]), (&json!(2), &json!(9)));
    assert_eq!(spec["metrics"][0]["resource"]["target"]["averageUtilization"], 70);
    let deployment = body(&cluster, Kind::Deployment, "c-history");
    assert!(deployment["spec"]["replicas"].is_null());
    // 64 shards are few for 9 pods and one more
    assert_eq!(deployment["spec"]["strategy"]["rollingUpdate"], json!({"maxSurge": 0, "maxUnavailable": 1}));
}

#[rstest]
#[case::none(json!({}), Some("spec.services.history.resources.requests.cpu"))]
#[case::memory(json!({"resources": {"requests": {"memory": "1Gi"}}}), Some("spec.services.history.resources.requests.cpu"))]
#[case::limit(json!({"resources": {"limits": {"cpu": "1"}}}), None)]
#[case::sidecar(json!({"resources": {"requests": {"cpu": "1"}},
    "initContainers": [{"name": "proxy", "image": "p", "restartPolicy": "Always"}]}), Some("spec.services.history.autoscaling"))]
#[case::before(json!({"resources": {"requests": {"cpu": "1"}}, "initContainers": [{"name": "wait", "image": "w"}]}), None)]
#[case::overridden(json!({"overrides": {"deployment": {"spec": {"template": {"spec":
    {"containers": [{"name": "service", "resources": {"requests": {"cpu": "1"}}}]}}}}}}), None)]
fn a_share_of_a_request_needs_the_request(#[case] mut history: Value, #[case] field: Option<&str>) {
    history["autoscaling"] = json!({"maxReplicas": 3});
    let refused = everything(&scaled(&history), &SecretVersions::new()).err();
    assert_eq!(refused.as_ref().map(|e| e.problems[0].field.as_str()), field, "{refused:?}");
}
