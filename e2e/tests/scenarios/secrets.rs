//! Passwords stay where they are: in their Secrets and in the environment of the containers that need them.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt;
use kube::api::{Api, ListParams, PostParams};
use serde_json::json;
use temporal_operator::api::conditions::SCHEMA_READY;

use super::bed::{Bed, OPERATOR_NAMESPACE};
use super::cluster::{Scene, VERSION, manifest};
use super::operator;
use super::wait::{PATIENCE, until};

#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_seen_nowhere() {
    let bed = Bed::get();
    let scene = Scene::open("secrets-stay").await;
    let (wrong, right) = (Marker::new("wrong"), Marker::new("right"));
    let role = format!("CREATE ROLE marked LOGIN SUPERUSER PASSWORD '{}'", right.text.replace('\'', "''"));
    scene.psql(&role).unwrap();
    let secrets: Api<Secret> = Api::namespaced(scene.client.clone(), &scene.namespace);
    let secret = json!({"metadata": {"name": "store"}, "stringData": {"password": wrong.text}});
    secrets.create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();
    let watcher = CommandLines::watch([&wrong, &right]);
    let mut found = Found::default();

    let mut spec = manifest(VERSION);
    for store in ["defaultStore", "visibilityStore"] {
        spec["persistence"][store]["passwordSecretRef"]["name"] = json!("store");
        spec["persistence"][store]["sql"]["user"] = json!("marked");
    }
    // both drivers: their errors differ
    spec["persistence"]["visibilityStore"]["sql"]["pluginName"] = json!("postgres12_pgx");
    spec["ui"] = json!({"enabled": true});
    let cluster = scene.cluster("main");
    cluster.apply(&spec).await;
    let said = until("the status says that the schema Job failed", PATIENCE, async || {
        let (reason, message) = cluster.condition(SCHEMA_READY, "False").await;
        if reason == "SchemaFailed" { Ok(message) } else { Err(format!("{reason}: {message}")) }
    })
    .await;
    assert!(said.contains("password authentication failed"), "{said}");
    // a failed Job's pod goes with the next try
    until("a failed schema Job has logged", PATIENCE, async || {
        let lines = found.logs(&scene, &[&wrong, &right]).await;
        if lines > 0 { Ok(()) } else { Err("nothing yet".to_owned()) }
    })
    .await;
    found.api(&scene, &[&wrong, &right]);

    let corrected = json!({"stringData": {"password": right.text}}).to_string();
    bed.kubectl(&scene.namespace, &["patch", "secret", "store", "-p", &corrected]).unwrap();
    cluster.settled().await;
    let workflow = cluster.workflow("hello").await;
    let lines = found.logs(&scene, &[&wrong, &right]).await;
    let objects = found.api(&scene, &[&wrong, &right]);
    let metrics = operator::metrics(&scene.client).await;
    found.look("the operator's metrics", &metrics, &[&wrong, &right]);
    let (looks, mut seen) = watcher.end();
    seen.extend(found.0);
    assert!(seen.is_empty(), "passwords are seen: {seen:#?}");
    // the search finds what is there
    let kept = secrets.get("store").await.unwrap();
    let mut control = Found::default();
    control.look("the Secret", &serde_json::to_string(&kept).unwrap(), &[&right]);
    assert_eq!(control.0.len(), 1, "the Secret itself has it");
    scene
        .close(&format!(
            "nothing in {objects} objects, {lines} log lines, {looks} looks at all command lines and the metrics; \
             said: {said:?}; workflow {workflow:.2} s"
        ))
        .await;
}

/// A password that is easily found, and all its disguises.
struct Marker {
    text: String,
    forms: Vec<String>,
}

impl Marker {
    fn new(name: &str) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let text = format!("Mk{name}{:x}%zz/@:?#&\"'<>`$={{{{;!", now.as_nanos());
        let escape = |safe: &str| -> String {
            let one = |b: u8| {
                let plain = b.is_ascii_alphanumeric() || safe.as_bytes().contains(&b);
                if plain { char::from(b).to_string() } else { format!("%{b:02X}") }
            };
            text.bytes().map(one).collect()
        };
        // the middle of it, whatever was done to its ends and its odd characters
        let heart: String = text.chars().take_while(char::is_ascii_alphanumeric).collect();
        let mut forms = vec![escape("-_.~"), escape("-_.~$&+,/:;=@"), text.clone(), heart.clone()];
        // base64 of a text within another begins at one of three places
        forms.extend((0..3).map(|skip| STANDARD.encode(&heart.as_bytes()[skip..])[..12].to_owned()));
        Self { text, forms }
    }
}

/// Where a marker was seen.
#[derive(Default)]
struct Found(BTreeSet<String>);

impl Found {
    fn look(&mut self, place: &str, text: &str, markers: &[&Marker]) {
        for line in text.lines() {
            let form = markers.iter().flat_map(|m| &m.forms).find(|form| line.contains(*form));
            if let Some(form) = form {
                let at = line.find(form.as_str()).unwrap_or_default();
                let near: String = line[..at].chars().rev().take(60).collect::<Vec<_>>().into_iter().rev().collect();
                self.0.insert(format!("{place}: …{near}{form}"));
            }
        }
    }

    /// Everything the API server has of the namespace but Secrets; the number of objects.
    fn api(&mut self, scene: &Scene, markers: &[&Marker]) -> usize {
        let bed = Bed::get();
        let kinds = bed.kubectl("", &["api-resources", "--namespaced", "--verbs=list", "-o", "name"]).unwrap();
        let kinds: Vec<&str> = kinds.lines().filter(|k| *k != "secrets").collect();
        assert!(kinds.contains(&"pods") && kinds.contains(&"temporalclusters.temporal.io"), "{kinds:?}");
        let all = ["get", &kinds.join(","), "-o", "json", "--show-managed-fields"];
        let text = bed.kubectl(&scene.namespace, &all).unwrap();
        self.look("the API server", &text, markers);
        let text: serde_json::Value = serde_json::from_str(&text).unwrap();
        text["items"].as_array().map_or(0, Vec::len)
    }

    /// The logs of all containers there, and of the operator; the number of lines.
    async fn logs(&mut self, scene: &Scene, markers: &[&Marker]) -> usize {
        let pods: Api<Pod> = Api::namespaced(scene.client.clone(), &scene.namespace);
        let pods = pods.list(&ListParams::default()).await.unwrap().items;
        let mut all: Vec<_> = pods.iter().map(|p| (scene.namespace.as_str(), p.name_any())).collect();
        let operators = operator::pods(&scene.client).await;
        all.extend(operators.iter().map(|p| (OPERATOR_NAMESPACE, p.name_any())));
        let mut lines = 0;
        for (namespace, pod) in all {
            // a pod may go meanwhile, and a container may not have begun
            let text = Bed::get().kubectl(namespace, &["logs", &pod, "--all-containers", "--ignore-errors"]);
            let text = text.unwrap_or_default();
            self.look(&format!("the log of {pod}"), &text, markers);
            if pod.contains("-schema-") || lines > 0 {
                lines += text.lines().count();
            }
        }
        lines
    }
}

/// Looks at the command lines of all processes of the machine, again and again: those of schema Jobs are short-lived.
struct CommandLines {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<(usize, BTreeSet<String>)>,
}

impl CommandLines {
    fn watch(markers: [&Marker; 2]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&stop);
        // the test's own kubectl takes the password; everything else is to be without
        let hearts: Vec<String> = markers.iter().map(|m| m.forms[3].clone()).collect();
        let own = std::process::id().to_string();
        let thread = std::thread::spawn(move || {
            let (mut looks, mut seen) = (0, BTreeSet::new());
            while !ended.load(Ordering::Relaxed) {
                looks += 1;
                for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
                    let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
                    let line = String::from_utf8_lossy(&line).replace('\0', " ");
                    let ours = || fs::read_to_string(entry.path().join("stat")).is_ok_and(|s| parent(&s) == Some(&own));
                    if hearts.iter().any(|heart| line.contains(heart)) && !ours() {
                        seen.insert(format!("a command line: {line}"));
                    }
                }
                std::thread::sleep(Duration::from_millis(100));
            }
            (looks, seen)
        });
        Self { stop, thread }
    }

    fn end(self) -> (usize, BTreeSet<String>) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// The parent's number in `/proc/N/stat`, after the name in brackets and the state.
fn parent(stat: &str) -> Option<&str> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)
}
