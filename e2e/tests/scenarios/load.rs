//! Load on a cluster while something happens to it, and the table of what came of it.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use e2e::failure::explain;
use e2e::load::{Figures, Load, Report, Table, Target};
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::block_in_place;
use tokio::time::sleep;

use super::bed::{Bed, full};
use super::cluster::{Cluster, ROLES, Scene};
use super::temporal::NAMESPACE;

/// How workflows come.
#[derive(Debug, Clone, Copy)]
pub struct Flow {
    /// Workflows a second.
    rate: f64,
    /// Over how many task queues, each with a worker.
    queues: u16,
}

impl Flow {
    /// All to one queue. The short form has other scenarios beside it, and no more processors for them; in the long form,
    /// with 15 a second two cores are fully taken as soon as a server starts.
    pub fn busy() -> Self {
        Self { rate: if full() { 8.0 } else { 2.0 }, queues: 1 }
    }

    /// To many queues, one every five seconds to each: their polls mostly wait.
    pub fn quiet() -> Self {
        Self { rate: 4.0, queues: 20 }
    }
}

/// One load at a time: two would measure each other, and take each other's processors.
static TURN: Semaphore = Semaphore::const_new(1);

/// A load of a cluster, in phases.
pub struct Loaded {
    load: Load,
    title: String,
    rate: f64,
    _turn: SemaphorePermit<'static>,
}

/// Undisturbed load, to compare with.
pub fn steady() -> Duration {
    Duration::from_secs(if full() { 60 } else { 15 })
}

/// A scene, a cluster in it, and a load that has been on it for a while.
pub async fn loaded(scene: &str, manifest: &Value, title: &str) -> (Scene, Cluster, Loaded) {
    loaded_by(Flow::busy(), scene, manifest, title).await
}

/// The same with another load.
pub async fn loaded_by(flow: Flow, scene: &str, manifest: &Value, title: &str) -> (Scene, Cluster, Loaded) {
    let turn = turn().await;
    let scene = Scene::open(scene).await;
    let (cluster, _) = scene.create("main", manifest).await;
    let mut load = Loaded::begin(flow, &cluster, title, turn).await;
    load.phase("steady");
    sleep(steady()).await;
    (scene, cluster, load)
}

/// Waits for the turn of the next load. To be had before a scene is opened, whose place others would wait for.
pub async fn turn() -> SemaphorePermit<'static> {
    TURN.acquire().await.expect("it is never closed")
}

impl Loaded {
    /// Begins; returns when workflows end.
    pub async fn start(cluster: &Cluster, title: &str, turn: SemaphorePermit<'static>) -> Self {
        Self::begin(Flow::busy(), cluster, title, turn).await
    }

    async fn begin(flow: Flow, cluster: &Cluster, title: &str, turn: SemaphorePermit<'static>) -> Self {
        let Flow { rate, queues } = flow;
        cluster.register_namespace().await;
        let bed = Bed::get();
        let files = bed.layout.log().join("load");
        let target = Target {
            address: cluster.frontend().await,
            namespace: NAMESPACE.to_owned(),
            queue: format!("{}-{}", cluster.namespace, cluster.name),
            queues,
        };
        let load = block_in_place(|| Load::start(&bed.python, &bed.layout.repo, &files, &target, rate));
        let load = load.unwrap_or_else(|error| panic!("no load on {cluster}: {}", explain(&error)));
        Self { load, title: title.to_owned(), rate, _turn: turn }
    }

    /// A new phase begins.
    pub fn phase(&mut self, name: &str) {
        self.load.phase(name);
    }

    /// The end: what came of every workflow, printed as a table.
    pub fn stop(self) -> Report {
        let report = block_in_place(|| self.load.stop());
        let report = report.unwrap_or_else(|error| panic!("the load of {:?} broke: {}", self.title, explain(&error)));
        println!("{}", text(&self.title, self.rate, &report));
        report
    }
}

/// No workflow was lost or ran twice, and callers got no errors.
pub fn assert_nothing_lost(report: &Report) {
    assert_nothing_gone(report);
    assert_no_errors(report, &report.figures);
}

/// Callers got no errors in these phases. The SDK does not try again when a connection breaks after it has awaited a
/// result for ten seconds, and results take that long on a machine with much to do: the short form counts only starts.
pub fn assert_no_errors(report: &Report, phases: &[Figures]) {
    let count = |f: &Figures| if full() { f.failed } else { f.refused };
    assert_eq!(phases.iter().map(count).sum::<usize>(), 0, "callers got errors: {:?}", report.errors);
}

/// No workflow was lost or ran twice, whatever callers were told.
pub fn assert_nothing_gone(report: &Report) {
    let all = |count: fn(&Figures) -> usize| report.figures.iter().map(count).sum::<usize>();
    assert_eq!(all(|f| f.lost), 0, "lost: {:?}", report.verdict.unfinished);
    assert_eq!(all(|f| f.duplicated), 0, "ran twice: {:?}", report.verdict.duplicated);
    let verdict = &report.verdict;
    let known = |id: &&String| verdict.unfinished.get(*id).is_none_or(|status| status != "MISSING");
    let unlisted: Vec<_> = verdict.unlisted.iter().filter(known).collect();
    assert!(unlisted.is_empty(), "not listed: {unlisted:?}");
}

fn text(title: &str, rate: f64, report: &Report) -> String {
    let mut text = format!("\n{title}, {rate} workflows/s\n\n{}", Table(&report.figures));
    let average = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let average: Vec<&str> = average.split(' ').take(3).collect();
    let late = report.late.as_secs_f64() * 1000.0;
    let _ = writeln!(
        text,
        "\nThe load itself: {:.0} % of a processor, 99 % of the starts within {late:.0} ms; activities carried out \
         twice: {}; load average of the machine {}",
        report.cpu * 100.0,
        report.repeated,
        average.join(" ")
    );
    for (error, count) in report.errors.iter().take(10) {
        let _ = writeln!(text, "error ({count} times): {error}");
    }
    text
}

/// A manifest with so many pods of every role.
pub fn replicated(mut spec: Value, replicas: usize) -> Value {
    for role in ROLES {
        spec["services"][role]["replicas"] = replicas.into();
    }
    spec
}
