//! Many clusters at once, on nodes that are there in name only.

mod by_kubectl;
mod fake_nodes;
mod manifest;
mod text;

pub(super) use text::text;

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

use super::measure::{self, Calls, Process};
use super::{Cost, alone, operator, page, settled};
use crate::demo::{Install, Kube, install};
use crate::layout::Layout;
use crate::step::{Screen, Step};
use by_kubectl::ByKubectl;
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
    /// Time that clusters have been Ready until the last one was, all together, seconds.
    pub ready_for: f64,
    /// The operator's calls until all are Ready.
    pub calls: Calls,
    /// What they cost when all is done.
    pub settled: Cost,
    /// The same objects without the operator; not for very many, which takes long and says the same.
    pub by_kubectl: Option<ByKubectl>,
}

impl Scale {
    /// Processor time of the operator but for what it spent on clusters that were Ready before the last one, seconds.
    fn making(&self) -> f64 {
        let upkeep = self.settled.cpu_per_minute / 60.0 / self.clusters as f64;
        self.cpu - upkeep * self.ready_for
    }
}

/// Up to so many are also made without the operator.
const COMPARED: usize = 100;

/// Where it is measured.
struct Bench<'a> {
    layout: &'a Layout,
    kube: &'a Kube,
    nodes: FakeNodes<'a>,
}

impl Bench<'_> {
    /// Processor time so far of API server and etcd, and of kube-controller-manager, kube-scheduler and kwok, seconds.
    fn cpu(&self) -> Result<(f64, f64)> {
        let of = |name| Process::daemon(self.layout, name)?.cpu_seconds();
        let api = of("kube-apiserver")? + of("etcd")?;
        let controllers =
            of("kube-controller-manager")? + of("kube-scheduler")? + self.nodes.process().cpu_seconds()?;
        Ok((api, controllers))
    }
}

/// Measures each number of clusters, writing the page as it goes; each with an operator that has just started.
pub(super) fn run(
    screen: &Screen,
    layout: &Layout,
    kube: &Kube,
    (operator, image_key): (&Path, &str),
    counts: &[usize],
) -> Result<Vec<Scale>> {
    let bench = Bench { layout, kube, nodes: FakeNodes::start(screen, layout, kube)? };
    let one = |count: &usize| -> Result<Scale> {
        remove(screen, kube)?;
        // first of all its kinds
        install(screen, layout, kube, &Install { image_key: format!("{image_key}-{count}"), image: None })?;
        alone(kube)?;
        let by_kubectl = (*count <= COMPARED).then(|| without(screen, &bench, operator, *count)).transpose()?;
        prepare(kube)?;
        let scale = screen.step(&format!("{count} clusters"), |step| many(step, &bench, *count))?;
        remove(screen, kube)?;
        Ok(Scale { by_kubectl, ..scale })
    };
    let mut all = Vec::new();
    for count in counts {
        all.push(one(count)?);
        // many take long, and few need not wait for them
        page::put(layout, page::SCALE, &text(&all))?;
    }
    Ok(all)
}

/// The same objects by kubectl.
fn without(screen: &Screen, bench: &Bench<'_>, operator: &Path, count: usize) -> Result<ByKubectl> {
    prepare(bench.kube)?;
    let name = format!("the objects of {count} clusters, without the operator");
    let took = screen.step(&name, |_| by_kubectl::run(bench, operator, count))?;
    remove(screen, bench.kube)?;
    operator::start(bench.kube)?;
    Ok(took)
}

fn prepare(kube: &Kube) -> Result<()> {
    kube.kubectl().args(["create", "namespace", NAMESPACE]).run()?;
    let secret = ["create", "secret", "generic", "postgres", "--from-literal=password=none"];
    kube.kubectl().args(["-n", NAMESPACE]).args(secret).run()
}

fn many(step: &Step, bench: &Bench<'_>, count: usize) -> Result<Scale> {
    let Bench { layout, kube, .. } = bench;
    let list = manifest::list(kube, layout, count)?;
    sleep(REST);
    let operator = Process::operator()?;
    let memory_before = operator.memory()?;
    let (cpu_before, before) = (operator.cpu_seconds()?, bench.cpu()?);
    let mark = measure::calls_mark(layout)?;
    let started = Instant::now();
    kube.kubectl().args(["-n", NAMESPACE, "apply", "--server-side", "-f", "-"]).input(list).run()?;
    all_ready(step, kube, count, started)?;
    let seconds = started.elapsed().as_secs_f64();
    let memory_ready = operator.memory()?;
    let (cpu, after) = (operator.cpu_seconds()? - cpu_before, bench.cpu()?);
    let calls = measure::calls_since(layout, mark)?;
    let ready_for = ready_for(kube)?;

    step.now("all are Ready; what they cost when settled");
    sleep(REST);
    let settled = settled(layout)?;
    Ok(Scale {
        clusters: count,
        seconds,
        memory_before,
        memory_ready,
        memory_peak: operator.peak_memory()?,
        cpu,
        api_cpu: after.0 - before.0,
        controllers_cpu: after.1 - before.1,
        ready_for,
        calls,
        settled,
        by_kubectl: None,
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

/// How long each has been Ready by now, together, seconds.
fn ready_for(kube: &Kube) -> Result<f64> {
    let since = r#"jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].lastTransitionTime}{"\n"}{end}"#;
    let times = kube.kubectl().args(["-n", NAMESPACE, "get", "temporalclusters", "-o", since]).output()?;
    let now = Timestamp::now();
    times.lines().try_fold(0.0, |sum, line| {
        let at: Timestamp = line.parse().with_context(|| format!("`{line}` is no time"))?;
        Ok(sum + now.duration_since(at).as_secs_f64())
    })
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
