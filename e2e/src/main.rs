//! The testbed's command line.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use e2e::bench;
use e2e::build::Target;
use e2e::cluster::{self, State};
use e2e::command::end_with_the_user;
use e2e::demo::{self, Loading, Profile};
use e2e::failure::explain;
use e2e::host;
use e2e::image::{self, Image, Named};
use e2e::layout::{Layout, Node};
use e2e::step::Screen;

/// A real Kubernetes and a real Temporal on this machine.
#[derive(Debug, Parser)]
#[command(name = "testbed", version)]
struct Args {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// From nothing to a finished workflow.
    Demo {
        /// Which sample to show.
        #[arg(long, default_value = "demo")]
        profile: Profile,
        /// Number of nodes, 1 to 3.
        #[arg(long, conflicts_with = "context")]
        nodes: Option<u8>,
        /// A context of the kubeconfig: its cluster is used, and none is made.
        #[arg(long)]
        context: Option<String>,
        /// With --context: where the images are pushed to, for the cluster to pull.
        #[arg(long, requires = "context")]
        registry: Option<String>,
        /// With --context: how the images get into the cluster.
        #[arg(long, requires = "context")]
        image_load: Option<Loading>,
    },
    /// Run an example on the demo that is up: what has changed is built and rolled out, and a workflow shows it.
    Example {
        /// Its directory below examples/.
        name: String,
    },
    /// Print the shell's exports for the cluster: eval "$(make -s env)".
    Env,
    /// Bring up the cluster, without Temporal.
    Up {
        /// Number of nodes, 1 to 3; as many as there are, if not given.
        #[arg(long)]
        nodes: Option<u8>,
    },
    /// Take the cluster down; built programs and images stay.
    Down,
    /// Take the cluster down and remove all that was ever made, except by cargo.
    Distclean,
    /// Build programs: kubernetes, etcd, coredns, temporal[:VERSION], ui, python, helm, kwok, prometheus, browser.
    Build {
        /// What to build; what the demo needs, if not given.
        targets: Vec<Target>,
    },
    /// Make images and load them into the nodes that are up: demo, cluster, temporal[:VERSION], ui, postgres, opensearch,
    /// prometheus, busybox, operator, hello.
    Images {
        /// What to make; what the demo needs, if not given.
        images: Vec<Named>,
    },
    /// Measure the operator and write BENCHMARKS.md; on a testbed without clusters.
    Bench(bench::What),
    /// Look whether this machine can run the testbed.
    Doctor,
    /// Take a node's link down; its pods run on.
    Cut {
        /// The node's number.
        node: u8,
    },
    /// Bring a node's link back.
    Join {
        /// The node's number.
        node: u8,
    },
    /// Run the containerd client on a node.
    Ctr {
        /// The node's number.
        node: u8,
        /// Arguments of `ctr`.
        #[arg(last = true)]
        args: Vec<String>,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(args.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {}", explain(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> Result<()> {
    end_with_the_user()?;
    let layout = Layout::from_environment()?;
    let screen = Screen::new(&layout);
    match verb {
        Verb::Demo { profile, context: Some(context), registry, image_load, .. } => {
            demo::demo_on(&screen, &layout, profile, &context, registry.as_deref(), image_load)
        }
        Verb::Demo { profile, nodes, .. } => demo::demo(&screen, &layout, profile, nodes),
        Verb::Example { name } => demo::example(&screen, &layout, &name),
        Verb::Env => demo::env(&layout),
        Verb::Up { nodes } => cluster::up(&screen, &layout, nodes).map(drop),
        Verb::Down => cluster::down(&screen, &layout),
        Verb::Distclean => distclean(&screen, &layout),
        Verb::Build { targets } => build(&screen, &layout, targets),
        Verb::Images { images } => images_of(&screen, &layout, images),
        Verb::Bench(what) => bench::bench(&screen, &layout, &what),
        Verb::Doctor => host::doctor(&layout),
        Verb::Cut { node } => cluster::cut(existing(&layout, node)?),
        Verb::Join { node } => cluster::join(existing(&layout, node)?),
        Verb::Ctr { node, args } => Err(image::ctr(&layout, existing(&layout, node)?).args(args).exec()),
    }
}

fn build(screen: &Screen, layout: &Layout, targets: Vec<Target>) -> Result<()> {
    host::install(screen, layout, &host::BASE)?;
    let targets = if targets.is_empty() { Target::demo() } else { targets };
    targets.iter().try_for_each(|target| target.build(screen, layout))
}

fn images_of(screen: &Screen, layout: &Layout, named: Vec<Named>) -> Result<()> {
    host::need_root()?;
    host::install(screen, layout, &host::BASE)?;
    let images: Vec<Image> =
        if named.is_empty() { Image::demo() } else { named.into_iter().flat_map(|n| n.0).collect() };
    let archives = images.iter().map(|i| image::make(screen, layout, i)).collect::<Result<Vec<_>>>()?;
    match State::read(layout) {
        Some(state) => image::load(screen, layout, &state.list(), &archives),
        None => Ok(()),
    }
}

fn distclean(screen: &Screen, layout: &Layout) -> Result<()> {
    cluster::down(screen, layout)?;
    screen.step(&format!("remove {}", layout.cache.display()), |_| e2e::build::clear(&layout.cache))
}

fn existing(layout: &Layout, number: u8) -> Result<Node> {
    let node = Node::new(number).context("nodes have the numbers 1 to 3")?;
    cluster::must_exist(node, layout)?;
    Ok(node)
}
