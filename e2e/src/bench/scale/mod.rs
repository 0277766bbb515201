//! Many clusters at once, on nodes that are there in name only.

mod fake_nodes;
mod manifest;

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::measure::{self, Calls, Process};
use super::{Cost, alone, settled};
use crate::demo::{Install, Kube, install};
use crate::layout::Layout;
use crate::step::{Screen, Step};
use fake_nodes::FakeNodes;

/// Where all of it is made.
const NAMESPACE: &str = "bench-scale";
/// Time for the operator to come to rest, before and after.
const REST: Duration = Duration::from_secs(20);
/// Longest wait for a cluster more.
const PATIENCE_EACH: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(300);

/// What so many clusters cost.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scale {
    /// How many.
    pub clusters: usize,
    /// From apply until all are Ready, seconds.
    pub seconds: f64,
    /// Resident memory before, bytes.
    pub memory_before: u64,
    /// When all are Ready, bytes.
    pub memory_ready: u64,
    /// The most until after the settled time, bytes.
    pub memory_peak: u64,
    /// Processor time of the operator until all are Ready, seconds.
    pub cpu: f64,
    /// The same of API server and etcd.
    pub api_cpu: f64,
    /// The same of kube-controller-manager, kube-scheduler and kwok.
    pub controllers_cpu: f64,
    /// The operator's calls until all are Ready.
    pub calls: Calls,
    /// What they cost when all is done.
    pub settled: Cost,
}

/// Measures each number of clusters, each with an operator that has just started.
pub(super) fn run(
    screen: &Screen,
    layout: &Layout,
    kube: &Kube,
    image_key: &str,
    counts: &[usize],
) -> Result<Vec<Scale>> {
    let nodes = FakeNodes::start(screen, layout, kube)?;
    counts
        .iter()
        .map(|count| {
            remove(screen, kube)?;
            // first of all its kinds
            install(screen, layout, kube, &Install { image_key: format!("{image_key}-{count}"), image: None })?;
            alone(kube)?;
            prepare(kube)?;
            let scale = screen.step(&format!("{count} clusters"), |step| many(step, layout, kube, &nodes, *count))?;
            remove(screen, kube)?;
            Ok(scale)
        })
        .collect()
}

fn prepare(kube: &Kube) -> Result<()> {
    kube.kubectl().args(["create", "namespace", NAMESPACE]).run()?;
    let secret = ["create", "secret", "generic", "postgres", "--from-literal=password=none"];
    kube.kubectl().args(["-n", NAMESPACE]).args(secret).run()
}

fn many(step: &Step, layout: &Layout, kube: &Kube, nodes: &FakeNodes<'_>, count: usize) -> Result<Scale> {
    let list = manifest::list(kube, layout, count)?;
    sleep(REST);
    let operator = Process::operator()?;
    let daemon = |name| Process::daemon(layout, name);
    let api = [daemon("kube-apiserver")?, daemon("etcd")?];
    let controllers = [daemon("kube-controller-manager")?, daemon("kube-scheduler")?, nodes.process()];
    let together = |all: &[Process]| all.iter().map(Process::cpu_seconds).sum::<Result<f64>>();

    let memory_before = operator.memory()?;
    let before = (operator.cpu_seconds()?, together(&api)?, together(&controllers)?);
    let mark = measure::calls_mark(layout)?;
    let started = Instant::now();
    kube.kubectl().args(["-n", NAMESPACE, "apply", "--server-side", "-f", "-"]).input(list).run()?;
    all_ready(step, kube, count, started)?;
    let seconds = started.elapsed().as_secs_f64();
    let memory_ready = operator.memory()?;
    let after = (operator.cpu_seconds()?, together(&api)?, together(&controllers)?);
    let calls = measure::calls_since(layout, mark)?;

    step.now("all are Ready; what they cost when settled");
    sleep(REST);
    let settled = settled(layout)?;
    Ok(Scale {
        clusters: count,
        seconds,
        memory_before,
        memory_ready,
        memory_peak: operator.peak_memory()?,
        cpu: after.0 - before.0,
        api_cpu: after.1 - before.1,
        controllers_cpu: after.2 - before.2,
        calls,
        settled,
    })
}

/// Asks in a form that costs the API server little, and not too often: whoever looks takes from the machine too.
fn all_ready(step: &Step, kube: &Kube, count: usize, started: Instant) -> Result<()> {
    let patience = PATIENCE + PATIENCE_EACH * u32::try_from(count).unwrap_or(u32::MAX);
    loop {
        let table = kube.kubectl().args(["-n", NAMESPACE, "get", "temporalclusters", "--no-headers"]).output()?;
        let ready = table.lines().filter(|line| line.split_whitespace().nth(1) == Some("True")).count();
        step.now(&format!("{ready} of {count} are Ready"));
        if ready == count {
            return Ok(());
        }
        if started.elapsed() > patience {
            let late = table.lines().find(|line| line.split_whitespace().nth(1) != Some("True")).unwrap_or_default();
            bail!("{ready} of {count} clusters are Ready after {} s; one that is not: {late}", patience.as_secs());
        }
        sleep(Duration::from_millis(if count > 100 { 1000 } else { 500 }));
    }
}

/// Removes the clusters of this run, or of one that was interrupted.
fn remove(screen: &Screen, kube: &Kube) -> Result<()> {
    let namespace = format!("namespace/{NAMESPACE}");
    if kube.kubectl().args(["get", &namespace, "--ignore-not-found", "-o", "name"]).output()?.trim().is_empty() {
        return Ok(());
    }
    screen.step("remove the clusters", |_| {
        kube.kubectl().args(["delete", &namespace, "--wait=false"]).run()?;
        let gone = kube.kubectl().args(["wait", "--for=delete", &namespace, "--timeout=1800s"]).run();
        gone.context("the clusters do not go")
    })
}
