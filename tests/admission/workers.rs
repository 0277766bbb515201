//! Cases of TemporalWorker.
#![allow(clippy::needless_pass_by_value, reason = "values are written in place")]

#[path = "connections.rs"]
mod connections;

use super::table::Case;
use serde_json::{Value, json};

/// A manifest that is taken.
pub fn base() -> Value {
    json!({
        "apiVersion": "temporal.io/v1beta1",
        "kind": "TemporalWorker",
        "metadata": {"name": "orders"},
        "spec": {
            "clusterRef": {"name": "prod"},
            "namespace": "orders",
            "template": {"spec": {"containers": [{"name": "worker", "image": "orders:1.0"}]}},
        },
    })
}

fn taken(name: &'static str, spec: Value) -> Case {
    Case { name, patch: json!({"spec": spec}), refusal: None }
}

fn refused(name: &'static str, spec: Value, words: &'static str) -> Case {
    Case { name, patch: json!({"spec": spec}), refusal: Some(words) }
}

fn named(name: &'static str, own: &str, words: &'static str) -> Case {
    Case { name, patch: json!({"metadata": {"name": own}}), refusal: Some(words) }
}

fn template(change: Value) -> Value {
    json!({"template": change})
}

fn pod(change: Value) -> Value {
    template(json!({"spec": change}))
}

fn container(change: Value) -> Value {
    let mut container = json!({"name": "worker", "image": "orders:1.0"});
    super::table::merge(&mut container, &change);
    pod(json!({"containers": [container]}))
}

fn rollout(change: Value) -> Value {
    json!({"rollout": change})
}

fn progressive(steps: Value) -> Value {
    rollout(json!({"strategy": "Progressive", "steps": steps}))
}

fn gate(change: Value) -> Value {
    rollout(json!({"gate": change}))
}

fn scaling(change: Value) -> Value {
    let mut scaling = json!({"max": 10});
    super::table::merge(&mut scaling, &change);
    json!({"scaling": scaling})
}

/// Every case.
pub fn cases() -> Vec<Case> {
    [accepted(), of_homes(), connections::cases(), of_versions(), of_templates(), of_rollouts(), of_scaling()]
        .into_iter()
        .flatten()
        .collect()
}

fn accepted() -> Vec<Case> {
    vec![
        taken("the least", json!({})),
        taken(
            "everything of versions",
            json!({
                "clusterRef": {"name": "prod", "namespace": "temporal"}, "versioning": "Versioned",
                "deploymentName": "shop/orders", "buildID": "v1.4_rc-2", "allowDeletion": true,
                "deployment": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1}},
                    "minReadySeconds": 5, "progressDeadlineSeconds": 300},
                "rollout": {
                    "strategy": "Progressive", "paused": true, "promote": "v1.4", "onFailure": "Pause", "rollbackWindow": "0s",
                    "steps": [
                        {"percent": 5, "pause": "10m"},
                        {"percent": 50, "pause": "1h30m", "gate": {"prometheus": {"url": "http://p:9090", "query": "up", "min": "0.99"}}},
                    ],
                    "gate": {"workflow": {"type": "Check", "taskQueue": "orders", "input": {"a": [1, null]}, "timeout": "5m", "retries": 2}},
                },
                "sunset": {"scaleDownAfter": "30m", "deleteAfter": "48h"},
                "scaling": {"min": 0, "max": 20, "backlogPerPod": 10, "maxBacklogAge": "30s", "slotUtilization": 60,
                    "scaleDownAfter": "2m", "idleAfter": "10m", "taskQueues": [{"name": "orders", "types": ["Workflow", "Activity"]}]},
            }),
        ),
        taken("unversioned", json!({"versioning": "Unversioned", "replicas": 3})),
        taken(
            "unversioned and scaled",
            json!({"versioning": "Unversioned", "scaling": {"max": 5, "taskQueues": [{"name": "q"}]}}),
        ),
        taken("on a namespace", json!({"clusterRef": null, "namespace": null, "namespaceRef": {"name": "orders"}})),
        taken("no pods", json!({"replicas": 0})),
        taken(
            "a pod with all sorts of things",
            template(json!({
                "metadata": {"labels": {"team": "a", "app.kubernetes.io/version": "1"}, "annotations": {"prometheus.io/scrape": "true"}},
                "spec": {
                    "restartPolicy": "Always", "terminationGracePeriodSeconds": 120,
                    "initContainers": [{"name": "init", "image": "init", "env": [{"name": "A", "value": "b"}]}],
                    "containers": [{"name": "worker", "image": "orders:1.0",
                        "env": [{"name": "TEMPORAL_TLS", "value": "$(TEMPORAL_ADDRESS)"}, {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
                        "resources": {"limits": {"memory": "256Mi"}}}],
                    "volumes": [{"name": "v", "configMap": {"name": "c"}}],
                },
            })),
        ),
        taken(
            "a gate with both, and an input from a Secret",
            gate(json!({
                "workflow": {"type": "Check", "inputFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                "prometheus": {"url": "https://p", "query": "rate(x[1m])", "min": "-1", "max": "2.5"},
            })),
        ),
        taken("manual", rollout(json!({"strategy": "Manual"}))),
    ]
}

fn of_homes() -> Vec<Case> {
    let one = "spec: exactly one of clusterRef, namespaceRef and connection is needed";
    vec![
        named("a name of 53 characters", &"a".repeat(53), "metadata.name: at most 52 characters and no dot"),
        named("a name with a dot", "orders.v1", "metadata.name: at most 52 characters and no dot"),
        refused("no home", json!({"clusterRef": null, "namespace": null}), one),
        refused("two homes", json!({"namespaceRef": {"name": "orders"}}), one),
        refused(
            "a cluster without a namespace",
            json!({"namespace": null}),
            "spec.namespace: the Temporal namespace goes with",
        ),
        refused(
            "a namespace beside namespaceRef",
            json!({"clusterRef": null, "namespaceRef": {"name": "orders"}}),
            "spec.namespace: the Temporal namespace goes with",
        ),
        refused(
            "Temporal's own namespace",
            json!({"namespace": "temporal-system"}),
            "spec.namespace: temporal-system is Temporal's own",
        ),
        refused("an empty namespace", json!({"namespace": ""}), "spec.namespace"),
        refused("a cluster without a name", json!({"clusterRef": {"name": ""}}), "spec.clusterRef.name"),
        refused("a connection beside a cluster", json!({"connection": {"hostPort": "h:7233"}}), one),
    ]
}

fn of_versions() -> Vec<Case> {
    let versioned = "go with versioning: Versioned; remove them or change it";
    let unversioned = |change: Value| {
        let mut all = json!({"versioning": "Unversioned"});
        super::table::merge(&mut all, &change);
        all
    };
    vec![
        refused("an unknown versioning", json!({"versioning": "Pinned"}), "spec.versioning: Unsupported value"),
        refused("a rollout without versions", unversioned(json!({"rollout": {}})), versioned),
        refused("a sunset without versions", unversioned(json!({"sunset": {}})), versioned),
        refused("a build id without versions", unversioned(json!({"buildID": "a"})), versioned),
        refused("a Worker Deployment without versions", unversioned(json!({"deploymentName": "a"})), versioned),
        refused(
            "queues that nobody tells",
            unversioned(json!({"scaling": {"max": 2}})),
            "spec.scaling.taskQueues: unversioned workers",
        ),
        refused(
            "a Worker Deployment with a dot",
            json!({"deploymentName": "a.b"}),
            "spec.deploymentName: Temporal takes no .",
        ),
        refused(
            "a Worker Deployment with a colon",
            json!({"deploymentName": "a:b"}),
            "spec.deploymentName: Temporal takes no .",
        ),
        refused("a build id with a space", json!({"buildID": "a b"}), "spec.buildID: letters, digits"),
        refused("a build id that ends with a dash", json!({"buildID": "a-"}), "spec.buildID: letters, digits"),
        refused("a long build id", json!({"buildID": "a".repeat(64)}), "spec.buildID"),
        refused(
            "replicas beside scaling",
            json!({"replicas": 2, "scaling": {"max": 4}}),
            "spec.replicas: scaling decides",
        ),
        refused("fewer pods than none", json!({"replicas": -1}), "spec.replicas"),
    ]
}

fn of_templates() -> Vec<Case> {
    let env = "TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID are given";
    let own = |map: &str, key: &str| template(json!({"metadata": {map: {key: "x"}}}));
    vec![
        refused("no template", json!({"template": null}), "spec.template: Required value"),
        refused("no containers", pod(json!({"containers": []})), "spec.template.spec.containers"),
        refused("a container without an image", container(json!({"image": null})), "image: Required value"),
        refused(
            "a pod that ends",
            pod(json!({"restartPolicy": "Never"})),
            "spec.template.spec.restartPolicy: must be Always",
        ),
        refused(
            "an address of one's own",
            container(json!({"env": [{"name": "TEMPORAL_ADDRESS", "value": "h:1"}]})),
            env,
        ),
        refused(
            "a build id of one's own",
            container(json!({"env": [{"name": "TEMPORAL_WORKER_BUILD_ID", "value": "1"}]})),
            env,
        ),
        refused(
            "a namespace of one's own in an init container",
            pod(
                json!({"initContainers": [{"name": "i", "image": "i", "env": [{"name": "TEMPORAL_NAMESPACE", "value": "x"}]}]}),
            ),
            env,
        ),
        refused(
            "a label that selects",
            own("labels", "worker.temporal.io/name"),
            "are the operator's own; remove them",
        ),
        refused("a label of the operator", own("labels", "temporal.io/x"), "are the operator's own; remove them"),
        refused(
            "a label of the standard",
            own("labels", "app.kubernetes.io/managed-by"),
            "are the operator's own; remove them",
        ),
        refused(
            "an annotation of the operator",
            own("annotations", "temporal.io/secret-versions"),
            "are the operator's own; remove them",
        ),
        refused(
            "a deadline of nothing",
            json!({"deployment": {"progressDeadlineSeconds": 0}}),
            "spec.deployment.progressDeadlineSeconds",
        ),
    ]
}

fn of_rollouts() -> Vec<Case> {
    let duration = "must be a Go duration";
    let order = "spec.rollout.steps: each step's percent must be more than that of the one before";
    vec![
        refused(
            "no steps",
            rollout(json!({"strategy": "Progressive"})),
            "spec.rollout.steps: strategy Progressive needs",
        ),
        refused(
            "steps of nothing",
            rollout(json!({"steps": [{"percent": 5, "pause": "1m"}]})),
            "spec.rollout.steps: go with strategy Progressive",
        ),
        refused(
            "steps down",
            progressive(json!([{"percent": 50, "pause": "1m"}, {"percent": 5, "pause": "1m"}])),
            order,
        ),
        refused(
            "steps on the spot",
            progressive(json!([{"percent": 5, "pause": "1m"}, {"percent": 5, "pause": "1m"}])),
            order,
        ),
        refused("a step of all", progressive(json!([{"percent": 100, "pause": "1m"}])), "steps[0].percent"),
        refused("a pause in words", progressive(json!([{"percent": 5, "pause": "a while"}])), duration),
        refused(
            "an unknown strategy",
            rollout(json!({"strategy": "Blue"})),
            "spec.rollout.strategy: Unsupported value",
        ),
        refused(
            "more failing workflows than are looked at",
            rollout(json!({"maxFailingWorkflows": 21})),
            "spec.rollout.maxFailingWorkflows",
        ),
        refused("a gate of nothing", gate(json!({})), "gate: needs a workflow or a prometheus query"),
        refused(
            "a gate that nothing fails",
            gate(json!({"prometheus": {"url": "http://p", "query": "up"}})),
            "gate.prometheus: needs min or max",
        ),
        refused(
            "a URL of another kind",
            gate(json!({"prometheus": {"url": "p:9090", "query": "up", "min": "1"}})),
            "spec.rollout.gate.prometheus.url",
        ),
        refused(
            "a bound in words",
            gate(json!({"prometheus": {"url": "http://p", "query": "up", "min": "one"}})),
            "spec.rollout.gate.prometheus.min",
        ),
        refused(
            "an input from nowhere",
            gate(json!({"workflow": {"type": "C", "inputFrom": {}}})),
            "inputFrom: exactly one of",
        ),
        refused("a sunset in days", json!({"sunset": {"deleteAfter": "7d"}}), duration),
    ]
}

fn of_scaling() -> Vec<Case> {
    vec![
        refused("no most", json!({"scaling": {"min": 1}}), "spec.scaling.max: Required value"),
        refused("more than most", scaling(json!({"min": 11})), "spec.scaling: min must not exceed max"),
        refused("a most of none", scaling(json!({"max": 0})), "spec.scaling.max"),
        refused("no backlog at all", scaling(json!({"backlogPerPod": 0})), "spec.scaling.backlogPerPod"),
        refused("more than all slots", scaling(json!({"slotUtilization": 101})), "spec.scaling.slotUtilization"),
        refused("an age in words", scaling(json!({"maxBacklogAge": "soon"})), "must be a Go duration"),
        refused(
            "an unknown kind of queue",
            scaling(json!({"taskQueues": [{"name": "q", "types": ["Query"]}]})),
            "Unsupported value",
        ),
        refused("a queue without a name", scaling(json!({"taskQueues": [{"name": ""}]})), "taskQueues[0].name"),
    ]
}
