//! Dependencies point one way, and files stay small.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Each layer and what it may use. A module not listed may not be used by any of them.
const LAYERS: [(&str, &[&str]); 17] = [
    ("api", &[]),
    ("scaling", &[]),
    ("schedule", &[]),
    ("validate", &["api", "scaling", "schedule"]),
    ("build", &["api", "validate"]),
    ("plan", &["api", "build", "scaling", "schedule", "validate"]),
    ("error", &[]),
    ("lease", &[]),
    ("prometheus", &[]),
    ("temporal", &["api", "plan", "scaling", "schedule"]),
    ("watches", &["api", "build", "plan"]),
    ("observe", &["api", "build", "plan", "prometheus", "scaling", "temporal", "validate", "watches"]),
    ("apply", &["api", "build", "error", "plan", "watches"]),
    ("report", &["api", "plan"]),
    ("telemetry", &["error"]),
    (
        "controller",
        &[
            "api",
            "apply",
            "build",
            "error",
            "lease",
            "observe",
            "plan",
            "report",
            "telemetry",
            "temporal",
            "validate",
            "watches",
        ],
    ),
    ("cli", &[]),
];

/// What the pure layers may not touch: clients, the clock, randomness, the environment.
const IMPURE: [&str; 8] =
    ["kube::Client", "kube::Api", "tokio", "tonic", "Timestamp::now", "Instant::now", "SystemTime", "std::env"];
const PURE: [&str; 6] = ["api", "scaling", "schedule", "validate", "build", "plan"];
const LONGEST: usize = 400;

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            all.push(path);
        }
    }
    all
}

/// The layer a file belongs to: the first component below `src`.
fn layer(path: &Path) -> String {
    let first =
        path.strip_prefix("src").unwrap().components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

fn is_test(path: &Path) -> bool {
    path.file_name().is_some_and(|n| n == "tests.rs" || n == "stub.rs")
}

fn uses(text: &str) -> BTreeSet<String> {
    let code: Vec<&str> = text.lines().filter(|l| !l.trim_start().starts_with("//")).collect();
    code.join("\n")
        .split("crate::")
        .skip(1)
        .map(|rest| rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect::<String>())
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn dependencies_point_one_way() {
    let mut wrong = Vec::new();
    for path in sources(Path::new("src")) {
        let from = layer(&path);
        if ["lib", "main"].contains(&from.as_str()) {
            continue;
        }
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == from) else {
            wrong.push(format!("{}: the layer {from} is not in the table", path.display()));
            continue;
        };
        for used in uses(&std::fs::read_to_string(&path).unwrap()) {
            if used != from && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{} uses {used}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_layers_touch_nothing_outside() {
    let mut wrong = Vec::new();
    for path in sources(Path::new("src")).into_iter().filter(|p| PURE.contains(&layer(p).as_str()) && !is_test(p)) {
        let text = std::fs::read_to_string(&path).unwrap();
        wrong.extend(IMPURE.iter().filter(|i| text.contains(**i)).map(|i| format!("{} uses {i}", path.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_stay_small() {
    let mut long = Vec::new();
    for path in sources(Path::new("src")).into_iter().chain(sources(Path::new("e2e/src"))).filter(|p| !is_test(p)) {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        if lines > LONGEST {
            long.push(format!("{}: {lines} lines", path.display()));
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}
