//! What the operator may do is what it does: a look at the audit log when all scenarios have run.

use std::collections::BTreeSet;

use e2e::layout::Layout;
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use kube::Api;

use super::audit::{Call, Moment, calls};
use super::bed::{OPERATOR, OPERATOR_NAMESPACE, client};

/// API group, resource and verb.
type Right = (String, String, String);

/// Rights that no scenario is sure to use, and what they are for.
const RARE: [(&str, &str, &str, &str); 9] = [
    // the testbed has no OwnerReferencesPermissionEnforcement, which asks for it whenever an owned object is made
    ("temporal.io", "temporalclusters/finalizers", "update", "admission plugin OwnerReferencesPermissionEnforcement"),
    ("temporal.io", "temporalworkers/finalizers", "update", "admission plugin OwnerReferencesPermissionEnforcement"),
    // they cannot be changed, so one is read whole only when somebody else has put a label on it
    ("apps", "controllerrevisions", "get", "a change by somebody else"),
    // the same news within six minutes is counted on the first event
    ("events.k8s.io", "events", "patch", "the same event again"),
    // the first operator on a testbed makes it, and it stays; the one of helm.rs makes its own
    ("coordination.k8s.io", "leases", "create", "the first operator of all"),
    // read whole only when somebody else has changed one since it was sent
    ("networking.k8s.io", "ingresses", "get", "a change by somebody else"),
    ("monitoring.coreos.com", "servicemonitors", "get", "a change by somebody else"),
    // these go with their cluster; the operator deletes one only when a later version of it makes no such object any more
    ("", "serviceaccounts", "delete", "a later version of the operator does without it"),
    ("policy", "poddisruptionbudgets", "delete", "a later version of the operator does without it"),
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "looks at what all scenarios did: `make scenarios` runs it when they have ended"]
async fn rights_are_those_that_are_used() {
    let calls = calls(Moment::kept());
    let refused: Vec<&Call> = calls.iter().filter(|call| call.refused).collect();
    assert!(refused.is_empty(), "the operator was refused: {refused:#?}");

    let (granted, used) = (granted().await, used(&calls));
    let rare: BTreeSet<Right> = RARE.iter().map(|(g, r, v, _)| right(g, r, v)).collect();
    let unused: Vec<_> = granted.difference(&used).filter(|right| !rare.contains(*right)).collect();
    assert!(unused.is_empty(), "rights that no scenario used; take them away or say in RARE why not: {unused:#?}");
    let strange: Vec<_> = used.difference(&granted).collect();
    assert!(strange.is_empty(), "used by other rights than the operator's own: {strange:#?}");
    let stale: Vec<_> = rare.difference(&granted).collect();
    assert!(stale.is_empty(), "in RARE and not granted: {stale:#?}");
    println!("rights: {} calls refused none, {} rights, {} used", calls.len(), granted.len(), used.len());
}

fn right(group: &str, resource: &str, verb: &str) -> Right {
    (group.to_owned(), resource.to_owned(), verb.to_owned())
}

/// What the calls needed.
fn used(calls: &[Call]) -> BTreeSet<Right> {
    let of_resources = calls.iter().filter(|call| !call.is_discovery());
    let rights = of_resources.flat_map(|call| {
        let create = call.created.then(|| right(&call.group, &call.resource, "create"));
        [Some(right(&call.group, &call.resource, &call.verb)), create]
    });
    rights.flatten().collect()
}

/// What the installed roles allow.
async fn granted() -> BTreeSet<Right> {
    let client = client(&Layout::from_environment().unwrap()).await;
    let wide: ClusterRole = Api::all(client.clone()).get(OPERATOR).await.expect("the operator is installed");
    let own: Role =
        Api::namespaced(client, OPERATOR_NAMESPACE).get(&format!("{OPERATOR}-leader-election")).await.unwrap();
    let rules = [wide.rules.unwrap_or_default(), own.rules.unwrap_or_default()].concat();
    rules.iter().flat_map(rights).collect()
}

fn rights(rule: &PolicyRule) -> Vec<Right> {
    let mut all = Vec::new();
    for group in rule.api_groups.iter().flatten() {
        for resource in rule.resources.iter().flatten() {
            all.extend(rule.verbs.iter().map(|verb| right(group, resource, verb)));
        }
    }
    all
}
