//! What the operator costs, and how fast it is beside the same objects applied by hand; written to `BENCHMARKS.md`.

mod by_hand;
mod load;
mod measure;
mod operator;
mod page;
mod scale;
mod scaling;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::build::{self, Profile, Target};
use crate::cluster;
use crate::demo::{Install, Kube, install};
use crate::failure::WithRemedy;
use crate::host;
use crate::image::{self, Image};
use crate::layout::Layout;
use crate::step::Screen;
use measure::Process;
use page::Page;

/// Longest wait for anything here.
const PATIENCE: &str = "--timeout=300s";
/// Settled time over which idle costs are taken.
const IDLE: Duration = Duration::from_secs(60);

/// A part of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// One cluster, beside the same objects by hand.
    One,
    /// Many clusters at once, on fake nodes.
    Scale,
    /// What clients notice while pods are replaced and lost.
    Load,
    /// How the number of a worker's pods is decided, in a model. It needs no testbed.
    Scaling,
}

/// What is measured.
#[derive(Debug, Args)]
pub struct What {
    /// Only this part; the page keeps what it says of the others.
    #[arg(long)]
    only: Option<Part>,
    /// How many pairs of runs, the operator's and by hand, in turn.
    #[arg(long, default_value_t = 3)]
    pairs: usize,
    /// How many clusters at once, each number in turn.
    #[arg(long, value_delimiter = ',', default_value = "50,500")]
    clusters: Vec<usize>,
    /// How long each undisturbed part under load is, in seconds.
    #[arg(long, default_value_t = 60)]
    calm: u64,
}

/// Measures and writes the page.
pub fn bench(screen: &Screen, layout: &Layout, what: &What) -> Result<()> {
    anyhow::ensure!(what.pairs > 0, "at least one pair is needed");
    let wanted = |part| what.only.is_none_or(|only| only == part);
    if wanted(Part::Scaling) {
        let text = scaling::modelled(screen, layout)?;
        page::put(layout, page::SCALING, &text)?;
        screen.say(&text);
    }
    if what.only == Some(Part::Scaling) {
        return Ok(());
    }
    host::need_root()?;
    host::install(screen, layout, &host::BASE)?;
    // no Temporal runs behind many clusters
    let (targets, images) = match what.only {
        Some(Part::Scale) => (Target::cluster(), vec![Image::Shipped]),
        _ => (Target::demo(), Image::demo().into_iter().map(shipped).collect()),
    };
    targets.iter().try_for_each(|target| target.build(screen, layout))?;
    let archives = images.iter().map(|i| image::make(screen, layout, i)).collect::<Result<Vec<_>>>()?;
    let nodes = cluster::up(screen, layout, None)?;
    image::load(screen, layout, &nodes, &archives)?;
    let kube = Kube::testbed(layout);
    let operator = archives.iter().find(|a| a.reference == Image::Shipped.reference()).context("no operator image")?;
    let image_key = format!("{}-bench", operator.key);
    if wanted(Part::One) || wanted(Part::Load) {
        install(screen, layout, &kube, &Install { image_key: image_key.clone(), image: None })?;
        alone(&kube)?;
    }
    if wanted(Part::One) {
        let image_size = std::fs::metadata(&operator.file).context("the operator's image is not there")?.len();
        let page = one(screen, layout, &kube, what.pairs, image_size)?;
        page::put(layout, page::ONE, &page.text())?;
        screen.say(&page.text());
    }
    if wanted(Part::Load) {
        let python = build::python(screen, layout)?;
        let bed = Bed { kube: &kube, layout, namespace: "bench-load" };
        let text = load::measured(screen, &bed, &python, Duration::from_secs(what.calm))?;
        page::put(layout, page::LOAD, &text)?;
        screen.say(&text);
    }
    if wanted(Part::Scale) {
        let program = build::operator_binary(screen, layout, Profile::Dist)?;
        let scales = scale::run(screen, layout, &kube, (&program, &image_key), &what.clusters)?;
        screen.say(&scale::text(&scales));
    }
    Ok(())
}

/// What is measured is what users run.
fn shipped(image: Image) -> Image {
    if image == Image::Operator { Image::Shipped } else { image }
}

/// One cluster, in turn by the operator and by hand.
fn one(screen: &Screen, layout: &Layout, kube: &Kube, pairs: usize, image_size: u64) -> Result<Page> {
    let binary = build::operator_binary(screen, layout, Profile::Dist)?;
    let binary_size = std::fs::metadata(&binary).context("the operator's program is not there")?.len();
    let idle = screen.step("the operator with nothing to do", |_| idle(layout))?;
    let mut page = Page { image_size, binary_size, idle, ..Page::default() };
    for pair in 0..pairs {
        // in turn, so that whatever warms up helps both
        for operators_turn in [pair % 2 == 0, pair % 2 != 0] {
            let namespace = format!("bench-{pair}-{}", if operators_turn { "operator" } else { "by-hand" });
            let bed = Bed { kube, layout, namespace: &namespace };
            bed.prepare()?;
            if operators_turn {
                page.operator.push(screen.step(&format!("pair {}: the operator", pair + 1), |_| bed.operator())?);
                if page.settled.is_none() {
                    page.settled = Some(screen.step("one cluster, settled", |_| settled(layout))?);
                }
            } else {
                let took = screen.step(&format!("pair {}: by hand", pair + 1), |_| by_hand::run(&bed, &binary));
                page.by_hand.push(took?);
            }
            bed.remove()?;
        }
    }
    Ok(page)
}

/// Other clusters would be measured as well.
fn alone(kube: &Kube) -> Result<()> {
    let others = kube.kubectl().args(["get", "temporalclusters", "-A", "-o", "name"]).output()?;
    if others.trim().is_empty() {
        return Ok(());
    }
    let error = anyhow::anyhow!("there are clusters on the testbed: {}", others.trim());
    Err(error).remedy("`make down`, then `make bench`")
}

/// Costs over a settled time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cost {
    /// Resident memory, bytes.
    pub memory: u64,
    /// Processor time, seconds a minute.
    pub cpu_per_minute: f64,
    /// Calls to the API server a minute, but for the Lease and health: reads and writes.
    pub reads_per_minute: f64,
    /// Writes but for the Lease.
    pub writes: usize,
}

fn idle(layout: &Layout) -> Result<Cost> {
    std::thread::sleep(Duration::from_secs(5));
    settled(layout)
}

fn settled(layout: &Layout) -> Result<Cost> {
    let process = Process::operator()?;
    let (cpu, mark) = (process.cpu_seconds()?, measure::calls_mark(layout)?);
    std::thread::sleep(IDLE);
    let calls = measure::calls_since(layout, mark)?;
    let minutes = IDLE.as_secs_f64() / 60.0;
    Ok(Cost {
        memory: process.memory()?,
        cpu_per_minute: (process.cpu_seconds()? - cpu) / minutes,
        reads_per_minute: calls.reads as f64 / minutes,
        writes: calls.writes,
    })
}

/// One create by the operator.
#[derive(Debug, Clone, Default)]
pub(crate) struct Create {
    /// From apply to Ready, seconds.
    pub seconds: f64,
    /// Processor time of the operator, seconds.
    pub cpu: f64,
    /// Calls of the operator to the API server.
    pub reads: usize,
    /// Of these, writes.
    pub writes: usize,
}

/// A namespace with its PostgreSQL.
pub(crate) struct Bed<'a> {
    /// The cluster.
    pub kube: &'a Kube,
    /// Where things are.
    pub layout: &'a Layout,
    /// The namespace.
    pub namespace: &'a str,
}

impl Bed<'_> {
    /// The sample of the demo, in this namespace.
    pub fn manifest(&self) -> Result<String> {
        let file = self.layout.repo.join("config/samples/demo/temporalcluster.yaml");
        std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
    }

    /// kubectl in this namespace.
    pub fn kubectl<'b>(&self, args: impl IntoIterator<Item = &'b str>) -> crate::command::Cmd {
        self.kube.kubectl().args(["-n", self.namespace]).args(args)
    }

    fn prepare(&self) -> Result<()> {
        self.kube.kubectl().args(["create", "namespace", self.namespace]).run()?;
        let postgres = self.layout.repo.join("config/samples/postgres");
        self.kubectl(["apply", "-k"]).arg(postgres).run()?;
        self.kubectl(["rollout", "status", "statefulset/postgres", PATIENCE]).run()
    }

    fn operator(&self) -> Result<Create> {
        let process = Process::operator()?;
        let (cpu, mark) = (process.cpu_seconds()?, measure::calls_mark(self.layout)?);
        let manifest = self.manifest()?;
        let started = Instant::now();
        self.kubectl(["apply", "-f", "-"]).input(manifest).run()?;
        self.kubectl(["wait", "--for=condition=Ready", "temporalcluster/demo", PATIENCE]).run()?;
        let seconds = started.elapsed().as_secs_f64();
        let calls = measure::calls_since(self.layout, mark)?;
        Ok(Create { seconds, cpu: process.cpu_seconds()? - cpu, reads: calls.reads, writes: calls.writes })
    }

    fn remove(&self) -> Result<()> {
        self.kube.kubectl().args(["delete", "namespace", self.namespace, "--wait=false"]).run()?;
        // nobody waits for these pods to drain
        self.kubectl(["delete", "pods", "--all", "--grace-period=1", "--wait=false"]).run()?;
        let gone = format!("namespace/{}", self.namespace);
        self.kube.kubectl().args(["wait", "--for=delete", &gone, PATIENCE]).run()
    }
}
