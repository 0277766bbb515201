//! The Helm chart and the kustomizations install the same, object by object. Needs helm and kubectl, which are built when
//! they are absent, and no cluster.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use e2e::build::Target;
use e2e::command::Cmd;
use e2e::demo::OPERATOR_NAMESPACE;
use e2e::layout::Layout;
use e2e::step::Screen;
use serde::Deserialize;
use serde_json::Value;

/// What Helm says of an object and kubectl does not.
const OF_HELM: [&str; 3] = ["app.kubernetes.io/managed-by", "helm.sh/chart", "helm.sh/resource-policy"];

/// Objects by kind, namespace and name.
type Objects = BTreeMap<(String, String, String), Value>;

/// Whoever comes first builds what is absent.
fn layout() -> &'static Layout {
    static LAYOUT: LazyLock<Layout> = LazyLock::new(|| {
        let layout = Layout::from_environment().unwrap();
        for target in [Target::Helm, Target::Kubernetes] {
            target.build(&Screen::new(&layout), &layout).unwrap();
        }
        layout
    });
    &LAYOUT
}

/// What the chart becomes. The namespace is the user's.
fn chart(layout: &Layout, values: &[&str]) -> Objects {
    let chart = layout.repo.join("charts/temporal-operator");
    let helm = Cmd::new(layout.bin().join("helm")).args(["template", "temporal-operator"]).arg(chart);
    // a helm from source takes itself for one of a Kubernetes that is long gone
    let helm = helm.args(["--namespace", OPERATOR_NAMESPACE, "--kube-version", e2e::versions::KUBERNETES]);
    objects(&helm.args(values.iter().flat_map(|value| ["--set", value])).output().unwrap())
}

/// What a kustomization becomes.
fn config(layout: &Layout, name: &str) -> Objects {
    let kubectl = Cmd::new(layout.kubernetes("kubectl")).arg("kustomize").arg(layout.repo.join("config").join(name));
    objects(&kubectl.output().unwrap())
}

fn objects(text: &str) -> Objects {
    let documents = serde_yaml::Deserializer::from_str(text).map(|d| Value::deserialize(d).unwrap());
    let mut all = Objects::new();
    for mut object in documents.filter(|d| !d.is_null()) {
        for words in ["labels", "annotations"] {
            let Some(map) = object["metadata"][words].as_object_mut() else { continue };
            map.retain(|key, _| !OF_HELM.contains(&key.as_str()));
            if map.is_empty() {
                object["metadata"].as_object_mut().unwrap().remove(words);
            }
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let key = (text(&object["kind"]), text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]));
        assert!(all.insert(key.clone(), object).is_none(), "{key:?} is there twice");
    }
    all
}

fn assert_same(chart: &Objects, config: &Objects) {
    let names = |objects: &Objects| objects.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(chart), names(config));
    let mut wrong = Vec::new();
    for (key, object) in chart {
        differing(&format!("{key:?}"), object, &config[key], &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The paths at which two objects differ. A field that is not there and one that is null are the same to the API server,
/// and so are 1 and 1.0.
fn differing(path: &str, chart: &Value, config: &Value, all: &mut Vec<String>) {
    match (chart, config) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                let (a, b) = (a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null));
                differing(&format!("{path}.{key}"), a, b, all);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (n, (a, b)) in a.iter().zip(b).enumerate() {
                differing(&format!("{path}[{n}]"), a, b, all);
            }
        }
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => {}
        (a, b) if a != b => all.push(format!("{path}: {a} in the chart, {b} in the kustomization")),
        _ => {}
    }
}

#[test]
fn without_values_it_is_config_default() {
    let layout = layout();
    let mut config = config(layout, "default");
    let namespace = config.remove(&("Namespace".to_owned(), String::new(), OPERATOR_NAMESPACE.to_owned()));
    assert!(namespace.is_some(), "the one object that the chart leaves to `helm install --create-namespace`");
    let chart = chart(layout, &[]);
    assert!(chart.keys().any(|(kind, ..)| kind == "CustomResourceDefinition"));
    assert_same(&chart, &config);
}

#[test]
fn for_listed_namespaces_it_is_config_namespaced() {
    let layout = layout();
    let one = chart(layout, &["watchNamespaces={temporal}", "crds.install=false"]);
    assert_same(&one, &config(layout, "namespaced"));
    let two = chart(layout, &["watchNamespaces={temporal,orders}", "crds.install=false"]);
    for objects in [&one, &two] {
        let wide: Vec<_> = objects.keys().filter(|(_, namespace, _)| namespace.is_empty()).collect();
        assert!(wide.is_empty(), "nothing is outside of namespaces: {wide:?}");
    }
    let role = |objects: &Objects, namespace: &str| {
        objects[&("Role".to_owned(), namespace.to_owned(), "temporal-operator".to_owned())]["rules"].clone()
    };
    assert_eq!(role(&two, "orders"), role(&one, "temporal"));
}

#[test]
fn values_are_checked_and_carried_out() {
    let layout = layout();
    let deployment = |values: &[&str]| {
        let all = chart(layout, values);
        all.into_iter().find(|((kind, ..), _)| kind == "Deployment").unwrap().1["spec"].clone()
    };
    let spec = deployment(&[
        "replicas=2",
        "image.repository=registry.example/operator",
        "image.tag=1.2.3",
        "nodeSelector.disk=ssd",
        "tolerations[0].key=dedicated",
        "affinity.nodeAffinity.x=y",
        "podAnnotations.note=seen",
        "log.level=debug",
        "resources.limits.memory=256Mi",
        "imagePullSecrets[0].name=registry",
    ]);
    assert_eq!(spec["replicas"], 2);
    assert_eq!(spec["template"]["metadata"]["annotations"]["note"], "seen");
    let pod = &spec["template"]["spec"];
    assert_eq!(pod["nodeSelector"]["disk"], "ssd");
    assert_eq!(pod["tolerations"][0]["key"], "dedicated");
    assert_eq!(pod["affinity"]["nodeAffinity"]["x"], "y");
    assert_eq!(pod["imagePullSecrets"][0]["name"], "registry");
    let container = &pod["containers"][0];
    assert_eq!(container["image"], "registry.example/operator:1.2.3");
    assert_eq!(container["resources"]["limits"]["memory"], "256Mi");
    let args = container["args"].to_string();
    assert!(args.contains("--leader-elect") && args.contains("--log-level=debug"), "{args}");

    let refused = |value: &str| {
        let chart = layout.repo.join("charts/temporal-operator");
        let helm = Cmd::new(layout.bin().join("helm")).args(["template", "x"]).arg(chart);
        let said = helm.args(["--kube-version", e2e::versions::KUBERNETES, "--set", value]).output();
        said.expect_err(&format!("{value} is taken")).to_string()
    };
    for (value, words) in [
        ("watchNamespace=one", "watchNamespace"),
        ("watchNamespaces={Not_A_Name}", "pattern"),
        ("replicas=many", "replicas"),
        ("log.format=xml", "format"),
        ("serviceAccount.create=false", "serviceAccount.name"),
    ] {
        let said = refused(value);
        assert!(said.contains(words), "{value}: {said}");
    }
}
