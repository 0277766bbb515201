//! The demo: from nothing to a finished workflow.

mod kube;
mod operator;
mod remote;
mod summary;
mod temporal;
mod worker;

pub use kube::Kube;
pub use operator::{Install, OPERATOR, OPERATOR_NAMESPACE, install};
pub use remote::{Loading, demo as demo_on};
pub use summary::env;
pub use temporal::register_namespace;
pub use worker::example;

use anyhow::Result;
use clap::ValueEnum;

use crate::build::Target;
use crate::cluster;
use crate::command::put;
use crate::host;
use crate::image::{self, Image};
use crate::layout::Layout;
use crate::step::Screen;
use worker::Worker;

/// The Temporal namespace that is registered for it.
pub const TEMPORAL_NAMESPACE: &str = "default";
/// The file that names the last profile.
const LAST: &str = "profile";

/// Which sample the demo shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// One of everything.
    Demo,
    /// Several of everything, on three nodes.
    Ha,
}

impl Profile {
    /// The name of its TemporalCluster, and of its directory below `config/samples`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Demo => "demo",
            Self::Ha => "ha",
        }
    }

    /// Where its objects are.
    pub fn namespace(self) -> &'static str {
        match self {
            Self::Demo => "temporal-demo",
            Self::Ha => "temporal-ha",
        }
    }

    /// The Service of the frontend.
    pub fn frontend(self) -> String {
        format!("{}-frontend", self.name())
    }

    /// The Service of the Web UI.
    pub fn ui(self) -> String {
        format!("{}-ui", self.name())
    }

    /// The one that was shown last on the cluster that is up.
    fn last(layout: &Layout) -> Self {
        let name = std::fs::read_to_string(layout.run().join(LAST)).unwrap_or_default();
        if name == Self::Ha.name() { Self::Ha } else { Self::Demo }
    }

    /// It is shown; known until the cluster goes.
    fn remember(self, layout: &Layout) -> Result<()> {
        put(&layout.run().join(LAST), self.name()).map(drop)
    }

    fn nodes(self) -> Option<u8> {
        (self == Self::Ha).then_some(3)
    }
}

/// The demo on a cluster of its own.
pub fn demo(screen: &Screen, layout: &Layout, profile: Profile, nodes: Option<u8>) -> Result<()> {
    host::need_root()?;
    host::install(screen, layout, &host::BASE)?;
    for target in Target::demo() {
        target.build(screen, layout)?;
    }
    let archives = Image::demo().iter().map(|i| image::make(screen, layout, i)).collect::<Result<Vec<_>>>()?;
    let nodes = cluster::up(screen, layout, nodes.or(profile.nodes()))?;
    image::load(screen, layout, &nodes, &archives)?;

    let kube = Kube::testbed(layout);
    let key = |image: Image| archives.iter().find(|a| a.reference == image.reference()).map(|a| a.key.clone());
    let key = |image: Image| key(image).unwrap_or_default();
    install(screen, layout, &kube, &Install { image_key: key(Image::Operator), image: None })?;
    operator::sample(screen, layout, &kube, profile)?;
    let frontend = format!("{}:7233", kube.service_ip(profile.namespace(), &profile.frontend())?);
    let how = Worker { image_key: key(Image::Hello), image: None };
    let greeted = worker::greet(screen, layout, &kube, profile, &how)?;
    let ui = format!("{}:8080", kube.service_ip(profile.namespace(), &profile.ui())?);
    temporal::ui_answers(screen, &ui)?;
    summary::local(layout, &kube, profile, &greeted, &frontend, &ui)
}
