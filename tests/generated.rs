//! Generated files are what the code prints. `UPDATE=1 cargo test --test generated` (or `make generate`) rewrites them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "generated/reference.rs"]
mod reference;

use std::path::Path;
use temporal_operator::api;

/// Largest CRD that client-side `kubectl apply` takes: it stores the object again in an annotation of at most 256 KiB.
const LARGEST: usize = 200 * 1024;
const CHART: &str = "charts/temporal-operator";

#[test]
fn crds_are_up_to_date_and_small_enough() {
    for crd in api::all_crds() {
        let name = format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural);
        let text = format!("---\n{}", serde_yaml::to_string(&crd).unwrap());
        assert!(serde_json::to_string(&crd).unwrap().len() < LARGEST, "{name} is too large for kubectl apply");
        compare(&Path::new("crds").join(name), &text);
    }
}

#[test]
fn the_reference_is_up_to_date() {
    for crd in api::all_crds() {
        let page = reference::page(&crd);
        assert!(page.contains("| `spec."), "fields are found");
        compare(
            &Path::new("docs/reference").join(format!("{}.md", crd.spec.names.singular.as_deref().unwrap())),
            &page,
        );
    }
}

/// The chart has the CRDs as well, each with the word that keeps it when the release is uninstalled.
#[test]
fn crds_of_the_chart_are_up_to_date() {
    for mut crd in api::all_crds() {
        let name = format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural);
        crd.metadata.annotations.get_or_insert_default().insert("helm.sh/resource-policy".into(), "keep".into());
        // what config/default puts on all objects
        let labels = ["app.kubernetes.io/name", "app.kubernetes.io/part-of"];
        crd.metadata.labels = Some(labels.map(|label| (label.to_owned(), "temporal-operator".to_owned())).into());
        let text = format!("---\n{}", serde_yaml::to_string(&crd).unwrap());
        compare(&Path::new(CHART).join("files/crds").join(name), &text);
    }
}

/// The operator's rights are written once, in `config/rbac`.
#[test]
fn rules_of_the_chart_are_those_of_the_cluster_role() {
    let role = std::fs::read_to_string("config/rbac/all-namespaces/role.yaml").unwrap();
    let rules = role.split_once("\nrules:\n").unwrap().1;
    compare(&Path::new(CHART).join("files/rules.yaml"), rules.split_once("---\n").unwrap().0);
}

fn compare(path: &Path, wanted: &str) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, wanted).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(found == wanted, "{} is stale; run `make generate`", path.display());
}
