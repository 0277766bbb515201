//! The objects that every sample becomes, byte for byte. `UPDATE=1 cargo test --test golden` (or `make generate`)
//! rewrites them; read the difference before you commit it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde::Deserialize;
use std::path::{Path, PathBuf};
use temporal_operator::api::{TemporalCluster, TemporalWorker};
use temporal_operator::build::worker::{self, ConfigRef, ConfigVersions, Surroundings, Version};
use temporal_operator::build::{self, Object, SecretVersions};
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
        compare(&name, &build::everything(&valid, &secrets).unwrap());
    }
}

#[test]
fn the_sample_of_a_worker_becomes_these_objects() {
    let text = std::fs::read_to_string("config/samples/worker/temporalworker.yaml").unwrap();
    let valid = validate::worker(&serde_yaml::from_str::<TemporalWorker>(&text).unwrap()).unwrap();
    let configs = ConfigVersions::from([(ConfigRef::Secret("orders-keys".to_owned()), Some("1".to_owned()))]);
    let around =
        Surroundings { address: "demo-frontend.temporal-demo.svc:7233", client_has_ca: false, configs: &configs };
    let (id, template) = (worker::build_id(&valid), &valid.template);
    let version = Version { build_id: &id, template, replicas: valid.replicas };
    let objects = [
        worker::disruption_budget(&valid, &id),
        worker::revision(&valid, &id, 1, template),
        worker::deployment(&valid, &version, &around).unwrap(),
    ];
    compare("worker", &objects);
}

/// The examples of the documents: a client certificate, and an API key.
#[test]
fn workers_of_another_temporal_become_these_objects() {
    let page = std::fs::read_to_string("docs/workers.md").unwrap();
    let block = page.split("```yaml\n").find(|block| block.contains("mutualTLSSecretRef")).unwrap();
    let mut objects = Vec::new();
    for document in serde_yaml::Deserializer::from_str(block.split("```").next().unwrap()) {
        let mut worker = TemporalWorker::deserialize(document).unwrap();
        worker.metadata.namespace = Some("shop".to_owned());
        let valid = validate::worker(&worker).unwrap();
        let address = &worker.spec.connection.unwrap().host_port;
        let secrets = ["orders-client", "temporal"].map(|name| ConfigRef::Secret(name.to_owned()));
        let all = secrets.into_iter().chain([ConfigRef::ConfigMap("temporal-ca".to_owned())]);
        let configs: ConfigVersions = all.map(|config| (config, Some("1".to_owned()))).collect();
        let around = Surroundings { address, client_has_ca: true, configs: &configs };
        let id = worker::build_id(&valid);
        let version = Version { build_id: &id, template: &valid.template, replicas: Some(1) };
        objects.push(worker::deployment(&valid, &version, &around).unwrap());
    }
    assert_eq!(objects.len(), 2);
    compare("connections", &objects);
}

fn compare(name: &str, objects: &[Object]) {
    let yaml = |object: &Object| format!("---\n{}", serde_yaml::to_string(&object.sealed().unwrap().body).unwrap());
    let text: String = objects.iter().map(yaml).collect();
    let path = format!("tests/golden/{name}.yaml");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "{path} differs from what the code builds; run `make generate` and read the difference");
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
