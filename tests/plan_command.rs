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
