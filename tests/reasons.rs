//! Every reason that the code can give a condition is explained in `docs/troubleshooting.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// CamelCase words in the same files that are no reasons of ours: Kubernetes' condition types, phases and states.
const OTHERS: [&str; 24] = [
    "Complete",
    "ContainerCreating",
    "ErrImagePull",
    "ImagePullBackOff",
    "CrashLoopBackOff",
    "DeadlineExceeded",
    "Failed",
    "False",
    "Job",
    "No",
    "OOMKilled",
    "Pending",
    "PodInitializing",
    "PodReadyToStartContainers",
    "PodScheduled",
    "Progressing",
    "Ready",
    "ReplicaFailure",
    "ScalingActive",
    "True",
    "Unable",
    "Unknown",
    "Running",
    "Succeeded",
];
/// Where conditions are made.
const PLACES: [&str; 2] = ["src/plan", "src/controller"];

fn sources(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    let (dirs, files): (Vec<_>, Vec<_>) = entries.partition(|p| p.is_dir());
    let is_code = |p: &PathBuf| p.extension().is_some_and(|e| e == "rs") && !p.ends_with("tests.rs");
    let below = dirs.iter().filter(|d| !d.ends_with("tests")).flat_map(|d| sources(d));
    files.into_iter().filter(is_code).chain(below).collect()
}

/// String literals that are one CamelCase word, tests left out.
fn words(path: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let is_word = |w: &&str| {
        w.len() > 1 && w.starts_with(|c: char| c.is_ascii_uppercase()) && w.chars().all(|c| c.is_ascii_alphanumeric())
    };
    // SHOUTED words are names of codes
    let is_camel = |w: &&str| w.chars().any(|c| c.is_ascii_lowercase());
    code.split('"').skip(1).step_by(2).filter(is_word).filter(is_camel).map(str::to_owned).collect()
}

#[test]
fn every_reason_is_explained() {
    let page = std::fs::read_to_string("docs/troubleshooting.md").unwrap();
    let all: BTreeSet<String> =
        PLACES.iter().flat_map(|place| sources(Path::new(place))).flat_map(|path| words(&path)).collect();
    let reasons: Vec<&String> = all.iter().filter(|w| !OTHERS.contains(&w.as_str())).collect();
    assert!(reasons.len() > 20, "the search finds them: {reasons:?}");
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| ")).collect();
    let unexplained: Vec<_> =
        reasons.iter().filter(|r| !rows.iter().any(|l| l.contains(&format!("| `{r}` |")))).collect();
    assert!(unexplained.is_empty(), "docs/troubleshooting.md says nothing of {unexplained:?}");
}

#[test]
fn nothing_is_explained_that_does_not_exist() {
    let page = std::fs::read_to_string("docs/troubleshooting.md").unwrap();
    let all: BTreeSet<String> =
        PLACES.iter().flat_map(|place| sources(Path::new(place))).flat_map(|path| words(&path)).collect();
    let table = page.split("## Reasons").nth(1).and_then(|t| t.split("\n## ").next()).unwrap_or_default();
    let explained = table.lines().filter(|l| l.starts_with("| ") && l.contains("| `"));
    let explained: Vec<&str> = explained.filter_map(|line| line.split('`').nth(1)).collect();
    assert!(explained.len() > 20, "{explained:?}");
    let unknown: Vec<_> = explained.iter().filter(|r| !all.contains(**r)).collect();
    assert!(unknown.is_empty(), "docs/troubleshooting.md explains {unknown:?}, which no code gives");
}
