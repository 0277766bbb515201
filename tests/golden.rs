//! The objects that every sample becomes, byte for byte. `UPDATE=1 cargo test --test golden` (or `make generate`)
//! rewrites them; read the difference before you commit it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde::Deserialize;
use std::path::{Path, PathBuf};
use temporal_operator::api::TemporalCluster;
use temporal_operator::build::{self, SecretVersions};
use temporal_operator::validate;

fn samples() -> Vec<(String, PathBuf)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir("config/samples").unwrap() {
        let path = entry.unwrap().path();
        let manifest = path.join("temporalcluster.yaml");
        if manifest.exists() {
            all.push((path.file_name().unwrap().to_string_lossy().into_owned(), manifest));
        }
    }
    all.sort();
    all
}

fn read(path: &Path, namespace: &str) -> TemporalCluster {
    let text = std::fs::read_to_string(path).unwrap();
    let document = serde_yaml::Deserializer::from_str(&text).next().unwrap();
    let mut cluster = TemporalCluster::deserialize(document).unwrap();
    cluster.metadata.namespace = Some(namespace.to_owned());
    cluster
}

#[test]
fn samples_become_these_objects() {
    let all = samples();
    assert!(all.len() >= 2, "{all:?}");
    for (name, manifest) in all {
        let valid = validate::cluster(&read(&manifest, &format!("temporal-{name}"))).unwrap();
        let secrets = SecretVersions::from([("postgres".to_owned(), "1".to_owned())]);
        let text: String = build::everything(&valid, &secrets)
            .unwrap()
            .iter()
            .map(|object| format!("---\n{}", serde_yaml::to_string(&object.sealed().unwrap().body).unwrap()))
            .collect();
        let path = format!("tests/golden/{name}.yaml");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(found == text, "{path} differs from what the code builds; run `make generate` and read the difference");
    }
}

#[test]
fn no_sample_puts_a_password_into_an_object() {
    for (name, _) in samples() {
        let text = std::fs::read_to_string(format!("tests/golden/{name}.yaml")).unwrap();
        for line in text.lines().filter(|l| l.contains("password")) {
            let reference = line.contains("{{ env") || line.trim() == "key: password";
            assert!(reference, "{name}: {line}");
        }
    }
}
