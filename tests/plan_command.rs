//! `temporal-operator plan` as a pull request's check runs it: words and exit codes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;

const BASE: &str = include_str!("../config/samples/ha/temporalcluster.yaml");

/// What the command answers.
struct Answer {
    code: i32,
    out: String,
    err: String,
}

fn written(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn plan(arguments: &[&str]) -> Answer {
    let output = Command::new(env!("CARGO_BIN_EXE_temporal-operator")).arg("plan").args(arguments).output().unwrap();
    Answer {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The change of the sample into `text`.
fn change(name: &str, text: &str, more: &[&str]) -> Answer {
    let before = written(&format!("{name}-before.yaml"), BASE);
    let after = written(&format!("{name}-after.yaml"), text);
    plan(&[&["-f", after.to_str().unwrap(), "--from", before.to_str().unwrap(), "--exit-code"], more].concat())
}

#[test]
fn the_same_manifest_changes_nothing() {
    let same = change("same", BASE, &[]);
    assert_eq!((same.code, same.out.as_str()), (0, "TemporalCluster default/ha: nothing changes\n"), "{}", same.err);
}

#[test]
fn an_upgrade_restarts_every_role_in_order() {
    let upgrade = change("upgrade", &BASE.replace("version: 1.31.2", "version: 1.32.0"), &[]);
    assert_eq!(upgrade.code, 4, "{}", upgrade.err);
    let order = ["default store", "visibility store", "Roll matching", "Roll history", "Roll frontend", "Roll worker"];
    let places: Vec<usize> = order.iter().map(|words| upgrade.out.find(words).expect(words)).collect();
    assert!(places.is_sorted(), "{}", upgrade.out);
    assert!(upgrade.out.contains("\"temporalio/server:1.31.2\" → \"temporalio/server:1.32.0\""), "{}", upgrade.out);
}

#[test]
fn an_upgrade_of_two_minors_names_the_one_between() {
    let before = written("way-before.yaml", &BASE.replace("version: 1.31.2", "version: 1.30.8"));
    let after = written("way-after.yaml", &BASE.replace("version: 1.31.2", "version: 1.32.0"));
    let way = plan(&["-f", after.to_str().unwrap(), "--from", before.to_str().unwrap()]);
    assert!(way.out.contains("server 1.30.8 becomes 1.31.2, then 1.32.0"), "{}{}", way.out, way.err);
    assert_eq!(way.out.matches("Roll matching").count(), 2, "{}", way.out);
    assert_eq!(way.out.matches("by a Job").count(), 4, "{}", way.out);
}

#[test]
fn scaling_restarts_nothing() {
    let scaled = change("scaled", &BASE.replace("replicas: 3", "replicas: 4"), &["--show", "diff"]);
    assert_eq!(scaled.code, 3, "{}{}", scaled.out, scaled.err);
    assert!(scaled.out.contains("Scale Deployment ha-history from 3 to 4 pods"), "{}", scaled.out);
    assert!(scaled.out.contains("-  replicas: 3\n      +  replicas: 4"), "{}", scaled.out);
}

#[test]
fn what_may_not_change_is_refused() {
    let shards = change("shards", &BASE.replace("numHistoryShards: 512", "numHistoryShards: 1024"), &[]);
    assert_eq!(shards.code, 2, "{}", shards.out);
    assert!(shards.err.contains("refused: spec.numHistoryShards: cannot change"), "{}", shards.err);
    let skipped = change("skipped", &BASE.replace("version: 1.31.2", "version: 1.30.8"), &[]);
    assert_eq!(skipped.code, 2, "{}", skipped.out);
    assert!(skipped.err.contains("spec.version: a downgrade"), "{}", skipped.err);
}

#[test]
fn what_is_no_manifest_is_an_error() {
    let broken = written("broken.yaml", "a: [");
    let answer = plan(&["-f", broken.to_str().unwrap()]);
    assert_eq!(answer.code, 1);
    assert!(answer.err.contains("broken.yaml is not YAML"), "{}", answer.err);
    assert_eq!(plan(&["-f", "/nowhere.yaml"]).code, 1);
}

const WORKER: &str = include_str!("../config/samples/worker/temporalworker.yaml");

/// The change of the sample's worker into `text`.
fn change_worker(name: &str, text: &str, more: &[&str]) -> Answer {
    let before = written(&format!("{name}-before.yaml"), WORKER);
    let after = written(&format!("{name}-after.yaml"), text);
    plan(&[&["-f", after.to_str().unwrap(), "--from", before.to_str().unwrap(), "--exit-code"], more].concat())
}

#[test]
fn a_worker_s_objects_are_printed_with_the_address_of_its_cluster() {
    let namespace = include_str!("../config/samples/namespace/temporalnamespace.yaml")
        .replace("name: orders", "name: default")
        .replace("namespace: temporal-demo", "namespace: shop");
    let alone = written("worker.yaml", WORKER);
    let answer = plan(&["-f", alone.to_str().unwrap(), "-n", "shop"]);
    assert_eq!(answer.code, 0, "{}", answer.err);
    for words in
        ["kind: PodDisruptionBudget", "kind: ControllerRevision", "kind: Deployment", "replicas: 1", "namespace: shop"]
    {
        assert!(answer.out.contains(words), "{words} in {}", answer.out);
    }
    assert!(answer.out.contains("(the frontend of its TemporalNamespace)"), "{}", answer.out);
    let together = written("worker-and-namespace.yaml", &format!("{WORKER}\n---\n{namespace}"));
    let answer = plan(&["-f", together.to_str().unwrap(), "-n", "shop"]);
    assert!(answer.out.contains("demo-frontend.shop.svc:7233"), "{}{}", answer.out, answer.err);
}

#[test]
fn a_worker_that_is_the_same_changes_nothing() {
    let same = change_worker("same-worker", WORKER, &[]);
    let said = "TemporalWorker default/hello: nothing changes in Kubernetes\n";
    assert_eq!((same.code, same.out.as_str()), (0, said), "{}", same.err);
}

#[test]
fn a_new_template_is_a_version_beside_the_old_one_and_says_how_it_takes_over() {
    let new = change_worker("new-worker", &WORKER.replace("value: en", "value: de"), &[]);
    assert_eq!(new.code, 3, "{}{}", new.out, new.err);
    let order = [
        "comes beside dev-",
        "Create Deployment hello-",
        "Wait until the pods of version dev-",
        "Run workflow Check on version dev-",
        "20 % of new workflows, for 30s at least",
        "50 % of new workflows",
        "Make version dev-",
        "remove them 5m after the last one, and the version 1h after it",
        "No pod restarts.",
    ];
    let places: Vec<usize> =
        order.iter().map(|words| new.out.find(words).unwrap_or_else(|| panic!("{words}: {}", new.out))).collect();
    assert!(places.is_sorted(), "{}", new.out);
    assert_eq!(new.out.matches("\n  + ").count(), 3, "{}", new.out);
    assert!(!new.out.contains("\n  - ") && !new.out.contains("\n  ~ "), "the old version stays: {}", new.out);
}

#[test]
fn a_template_under_a_given_build_id_replaces_pods_in_place() {
    let given = WORKER.replace("spec:\n  namespaceRef:", "spec:\n  buildID: v1\n  namespaceRef:");
    let (before, after) =
        (written("given-before.yaml", &given), written("given-after.yaml", &given.replace("value: en", "value: de")));
    let rolled = plan(&["-f", after.to_str().unwrap(), "--from", before.to_str().unwrap(), "--exit-code"]);
    assert_eq!(rolled.code, 4, "{}{}", rolled.out, rolled.err);
    assert!(rolled.out.contains("version v1 stays") && rolled.out.contains("Roll Deployment hello-"), "{}", rolled.out);
    assert!(
        rolled.out.contains("\"en\" → \"de\"") && rolled.out.contains("Pods are replaced in place."),
        "{}",
        rolled.out
    );
}

#[test]
fn what_may_not_change_of_a_worker_is_refused() {
    let moved = change_worker("moved-worker", &WORKER.replace("name: default", "name: other"), &[]);
    assert_eq!(moved.code, 2, "{}", moved.out);
    assert!(moved.err.contains("refused: spec.namespaceRef: cannot change"), "{}", moved.err);
    let gone = written("no-worker.yaml", "kind: Other");
    let before = written("a-worker.yaml", WORKER);
    let answer = plan(&["-f", gone.to_str().unwrap(), "--from", before.to_str().unwrap(), "--exit-code"]);
    assert_eq!(answer.code, 4, "{}", answer.err);
    assert!(answer.out.contains("unless spec.allowDeletion is true"), "{}", answer.out);
}
