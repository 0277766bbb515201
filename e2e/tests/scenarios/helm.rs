//! A second operator, installed by Helm for listed namespaces only: installed, upgraded, uninstalled.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use e2e::build::Target;
use e2e::command::Cmd;
use e2e::step::Screen;
use serde_json::{Value, json};
use temporal_operator::api::conditions::READY;

use super::audit::{Moment, calls_of, user};
use super::bed::{Bed, OPERATOR, OPERATOR_LIVES, OPERATOR_NAMESPACE, output};
use super::cluster::{Scene, VERSION, manifest};
use super::wait::{PATIENCE, since, until};

const RELEASE: &str = "second";
/// Its Deployment and ServiceAccount.
const NAME: &str = "second-temporal-operator";
const CRD: &str = "temporalclusters.temporal.io";

#[tokio::test(flavor = "multi_thread")]
async fn helm_installs_an_operator_for_listed_namespaces() {
    let bed = Bed::get();
    tokio::task::block_in_place(|| Target::Helm.build(&Screen::new(&bed.layout), &bed.layout)).unwrap();
    let mut scene = Scene::open("helm").await;
    let home = scene.second().await;
    scene.operator = None;
    let alone = OPERATOR_LIVES.write().await;
    // it looks after all namespaces, and so after those of the other
    let stopped = Stopped::begin().await;
    let release = Release { home: &home, watched: format!("{{{},{}}}", scene.namespace, home.namespace) };

    let (moment, began) = (Moment::now(), Instant::now());
    release.put("install", &earlier_chart(), &["--take-ownership"]);
    assert_eq!(crd()["spec"]["names"]["categories"], json!(["earlier"]), "the chart installs its CRDs");
    let installed = since(began);
    let (cluster, ready) = scene.create("main", &manifest(VERSION)).await;
    let workflow = cluster.workflow("by-the-second").await;
    let other = home.cluster("other");
    other.apply(&manifest(VERSION)).await;
    let (reason, _) = other.condition(READY, "False").await;
    assert_eq!(reason, "SecretMissing", "the second of the namespaces is looked after too");
    let calls = only_its_own(&scene, &home, moment);

    let before = cluster.all_pods().await;
    release.put("upgrade", &bed.layout.repo.join("charts/temporal-operator"), &["--set", "replicas=2"]);
    assert_eq!(crd()["spec"]["names"]["categories"], json!(["temporal"]), "an upgrade brings the CRDs along");
    cluster.patch(limit(200)).await;
    cluster.settled().await;
    only_its_own(&scene, &home, moment);

    release.helm(&["uninstall", RELEASE, "--wait"]);
    assert!(crd()["metadata"]["deletionTimestamp"].is_null(), "the CRD stays");
    assert!(cluster.get().await.unwrap().metadata.deletion_timestamp.is_none(), "the cluster stays");
    let rights = bed.kubectl(&scene.namespace, &["get", "roles,rolebindings", "-o", "name"]).unwrap();
    assert_eq!(rights.trim(), "", "no right is left");
    let alone_again = cluster.workflow("without-operator").await;

    drop(stopped);
    drop(alone);
    cluster.patch(limit(201)).await;
    cluster.settled().await;
    assert_eq!(before, cluster.all_pods().await, "server pods must be the same, with no restart");
    home.remove().await;
    scene
        .close(&format!(
            "installed in {installed}; cluster ready in {ready:.1} s, workflow {workflow:.2} s; {calls} calls, none refused \
             or elsewhere; uninstalled: CRD and cluster stay, workflow {alone_again:.2} s; the first operator goes on with it"
        ))
        .await;
}

fn limit(value: u32) -> Value {
    json!({"dynamicConfig": {"values": {"limit.maxIDLength": [{"value": value}]}}})
}

/// The second operator called for nothing outside of its namespaces, and was refused nothing. How many calls there were.
fn only_its_own(scene: &Scene, home: &Scene, moment: Moment) -> usize {
    let user = user(&home.namespace, NAME);
    let may = |verb: &str, what: &str, place: &[&str]| {
        let args = [&["auth", "can-i", verb, what, "--as", user.as_str()], place].concat();
        Bed::get().kubectl("default", &args).is_ok_and(|said| said.trim() == "yes")
    };
    assert!(may("list", CRD, &["-n", &scene.namespace]));
    assert!(!may("list", CRD, &["-n", "default"]) && !may("list", CRD, &["--all-namespaces"]), "a right too many");
    let calls = calls_of(&user, moment);
    let refused: Vec<_> = calls.iter().filter(|call| call.refused).collect();
    assert!(refused.is_empty(), "the second operator was refused: {refused:#?}");
    let places: BTreeSet<_> = calls.iter().filter_map(|call| call.namespace.as_deref()).collect();
    assert_eq!(places, BTreeSet::from([scene.namespace.as_str(), home.namespace.as_str()]));
    let wide: Vec<_> = calls.iter().filter(|c| c.namespace.is_none() && !c.is_discovery()).collect();
    assert!(wide.is_empty(), "calls outside of namespaces: {wide:#?}");
    calls.len()
}

fn crd() -> Value {
    let text = Bed::get().kubectl("default", &["get", "crd", CRD, "-o", "json"]).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The chart as an earlier version might have been, with another CRD.
fn earlier_chart() -> PathBuf {
    let layout = &Bed::get().layout;
    let dir = layout.testbed().join("chart-earlier");
    let _ = std::fs::remove_dir_all(&dir);
    output(Cmd::new("cp").arg("-r").arg(layout.repo.join("charts/temporal-operator")).arg(&dir)).unwrap();
    let file = dir.join("files/crds/temporal.io_temporalclusters.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let (now, then) = ("categories:\n    - temporal\n", "categories:\n    - earlier\n");
    assert_eq!(text.matches(now).count(), 1);
    std::fs::write(&file, text.replace(now, then)).unwrap();
    dir
}

/// The release of the second operator.
struct Release<'a> {
    home: &'a Scene,
    watched: String,
}

impl Release<'_> {
    /// Installs or upgrades it, and waits until its pods are ready.
    fn put(&self, verb: &str, chart: &Path, more: &[&str]) {
        let chart = chart.display().to_string();
        let watched = format!("watchNamespaces={}", self.watched);
        let args = [verb, RELEASE, &chart, "--wait", "--timeout=180s", "--set", &watched];
        self.helm(&[&args, more].concat());
    }

    fn helm(&self, args: &[&str]) {
        let layout = &Bed::get().layout;
        let helm = Cmd::new(layout.bin().join("helm")).arg("--kubeconfig").arg(layout.kubeconfig());
        output(helm.args(["--namespace", &self.home.namespace]).args(args)).unwrap();
    }
}

/// The testbed's own operator is stopped until this goes.
struct Stopped;

impl Stopped {
    async fn begin() -> Self {
        let stopped = Self;
        scale(0).unwrap();
        until("the operator has stopped", PATIENCE, async || {
            let ours = format!("app.kubernetes.io/instance={OPERATOR}");
            let pods = Bed::get().kubectl(OPERATOR_NAMESPACE, &["get", "pods", "-l", &ours, "-o", "name"])?;
            if pods.trim().is_empty() { Ok(()) } else { Err(pods) }
        })
        .await;
        stopped
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let started = scale(1).and_then(|_| {
            let deployment = format!("deployment/{OPERATOR}");
            Bed::get().kubectl(OPERATOR_NAMESPACE, &["rollout", "status", &deployment, "--timeout=120s"])
        });
        // a panic here, while another is under way, would end all scenarios
        if let Err(error) = started {
            eprintln!("the operator does not start again: {error}");
        }
    }
}

fn scale(replicas: u32) -> Result<String, String> {
    let replicas = format!("--replicas={replicas}");
    Bed::get().kubectl(OPERATOR_NAMESPACE, &["scale", &format!("deployment/{OPERATOR}"), &replicas])
}
