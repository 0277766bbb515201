//! Cases of the Job before an upgrade.

use super::{Case, refused, taken};
use serde_json::{Value, json};

fn job(spec: Value) -> Value {
    json!({"rollout": {"beforeUpgrade": {"spec": spec}}})
}

fn pod(change: Value) -> Value {
    let mut pod = json!({"containers": [{"name": "backup", "image": "postgres:17", "command": ["pg_dump"]}]});
    super::merge(&mut pod, &change);
    job(json!({"template": {"spec": pod}}))
}

pub fn gate() -> Vec<Case> {
    vec![
        taken("a backup before an upgrade", pod(json!({}))),
        taken(
            "a backup with everything",
            json!({"rollout": {"beforeUpgrade": {
                "metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}},
                "spec": {"backoffLimit": 2, "activeDeadlineSeconds": 600, "template": {
                    "metadata": {"annotations": {"sidecar.istio.io/inject": "false"}},
                    "spec": {"restartPolicy": "OnFailure", "serviceAccountName": "backup",
                        "initContainers": [{"name": "wait", "image": "busybox"}],
                        "containers": [{"name": "backup", "image": "postgres:17"}]},
                }},
            }}}),
        ),
        refused("a gate without a template", job(json!({})), "template: Required value"),
        refused("a gate without a pod", job(json!({"template": {}})), "template.spec: Required value"),
        refused("a gate without containers", pod(json!({"containers": []})), "should have at least 1 items"),
        refused("a gate that never ends", pod(json!({"restartPolicy": "Always"})), "restartPolicy: Unsupported value"),
        refused("a gate without an image", pod(json!({"containers": [{"name": "a"}]})), "image: Required value"),
        refused(
            "a suspended gate",
            job(json!({"suspend": true, "template": {"spec": {"containers": [{"name": "a", "image": "b"}]}}})),
            "a Job that is suspended holds the upgrade up for ever",
        ),
        refused(
            "a gate of no pods",
            job(json!({"parallelism": 0, "template": {"spec": {"containers": [{"name": "a", "image": "b"}]}}})),
            "should be greater than or equal to 1",
        ),
    ]
}
