//! The Job before an upgrade: what is filled in and what is the user's.

use super::*;
use crate::build::before_upgrade;

fn job(pod: &Value) -> Value {
    let spec = json!({"template": {"metadata": {"labels": {"team": "a"}}, "spec": pod}});
    let cluster = valid(|m| {
        m["metadata"]["name"] = json!("a".repeat(36));
        m["spec"]["imagePullSecrets"] = json!([{"name": "registry"}]);
        m["spec"]["rollout"] = json!({"beforeUpgrade": {"metadata": {"annotations": {"note": "b"}}, "spec": spec}});
    });
    let users = cluster.rollout.before_upgrade.as_ref().unwrap();
    before_upgrade::job(&cluster, users, &"1.30.8".parse().unwrap()).sealed().unwrap().body
}

#[test]
fn what_is_left_open_fits_the_restricted_standard() {
    let body =
        job(&json!({"initContainers": [{"name": "wait", "image": "i"}], "containers": [{"name": "c", "image": "i"}]}));
    assert!(body["metadata"]["name"].as_str().unwrap().len() <= 63);
    assert_eq!(body["spec"]["backoffLimit"], 0);
    assert_eq!(body["spec"]["ttlSecondsAfterFinished"], 300);
    let pod = &body["spec"]["template"]["spec"];
    assert_eq!(pod["restartPolicy"], "Never");
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(pod["imagePullSecrets"], json!([{"name": "registry"}]));
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    for container in [&pod["initContainers"][0], &pod["containers"][0]] {
        assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);
        assert_eq!(container["securityContext"]["capabilities"], json!({"drop": ["ALL"]}));
        assert_eq!(container["terminationMessagePolicy"], "FallbackToLogsOnError");
    }
    for metadata in [&body["metadata"], &body["spec"]["template"]["metadata"]] {
        assert_eq!(metadata["annotations"]["temporal.io/from-version"], "1.30.8");
        assert_eq!(metadata["annotations"]["temporal.io/target-version"], "1.31.2");
        assert_eq!(metadata["labels"]["app.kubernetes.io/component"], "before-upgrade");
    }
    assert_eq!(body["metadata"]["annotations"]["note"], "b");
    assert_eq!(body["spec"]["template"]["metadata"]["labels"]["team"], "a");
}

#[test]
fn what_the_user_says_stays() {
    let body = job(&json!({
        "restartPolicy": "OnFailure", "serviceAccountName": "backup", "securityContext": {"runAsUser": 999},
        "containers": [{"name": "c", "image": "i", "securityContext": {}, "terminationMessagePolicy": "File"}],
    }));
    let pod = &body["spec"]["template"]["spec"];
    assert_eq!(pod["restartPolicy"], "OnFailure");
    assert!(pod["automountServiceAccountToken"].is_null(), "who names an account wants its token");
    assert_eq!(pod["securityContext"], json!({"runAsUser": 999}));
    assert_eq!(pod["containers"][0]["securityContext"], json!({}));
    assert_eq!(pod["containers"][0]["terminationMessagePolicy"], "File");
}
