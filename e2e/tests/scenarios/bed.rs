//! What all scenarios share: the testbed with the operator that was just built, and the commands to look at it.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::{Context, Result};
use e2e::build;
use e2e::cluster::{Lent, State};
use e2e::command::Cmd;
use e2e::demo::{Install, Kube, install};
pub use e2e::demo::{OPERATOR, OPERATOR_NAMESPACE};
use e2e::failure::{WithRemedy, explain};
use e2e::image::{self, Archive, Image};
use e2e::layout::Layout;
use e2e::step::Screen;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::sync::RwLock;

use super::audit::Moment;
use super::cluster::VERSION;

/// Held for reading by whoever needs an operator that is left alone, for writing by whoever kills it.
pub static OPERATOR_LIVES: RwLock<()> = RwLock::const_new(());

/// Images are made one after the other.
static IMAGES: Mutex<()> = Mutex::new(());

/// Whether the long form is asked for.
pub fn full() -> bool {
    std::env::var("TEMPORAL_OPERATOR_E2E").is_ok_and(|mode| mode == "full")
}

/// The testbed, its operator being the one of this tree.
#[derive(Debug, Clone)]
pub struct Bed {
    /// Where its files are.
    pub layout: Layout,
    /// The interpreter that has Temporal's SDK.
    pub python: PathBuf,
    /// The example worker's starter.
    pub hello: PathBuf,
}

impl Bed {
    /// The testbed, made ready by whoever comes first.
    pub fn get() -> &'static Self {
        static BED: OnceLock<Result<Bed, String>> = OnceLock::new();
        let ready = || BED.get_or_init(|| prepare().map_err(|error| explain(&error)));
        match tokio::task::block_in_place(ready) {
            Ok(bed) => bed,
            Err(error) => panic!("the testbed is not ready: {error}"),
        }
    }

    /// A client of its API server, for the runtime of the test that asks.
    pub async fn client(&self) -> Client {
        client(&self.layout).await
    }

    /// Brings the images of a server version into the nodes.
    pub fn server_images(&self, version: &str) {
        self.images(&format!("temporal:{version}"));
    }

    /// Brings images into the nodes.
    pub fn images(&self, name: &str) {
        let images = Image::named(name).unwrap();
        let loaded = tokio::task::block_in_place(|| load(&self.layout, &images));
        loaded.unwrap_or_else(|error| panic!("no image {name}: {}", explain(&error)));
    }

    /// Nodes beside those of the testbed, with what a server pod needs; none when it has no room for so many.
    pub fn lend(&self, count: usize) -> Option<Lent> {
        let lent = tokio::task::block_in_place(|| {
            let _turn = IMAGES.lock().unwrap_or_else(PoisonError::into_inner);
            Lent::some(&Screen::new(&self.layout), &self.layout, count, VERSION)
        });
        lent.unwrap_or_else(|error| panic!("no nodes to lose: {}", explain(&error)))
    }

    /// kubectl in a namespace.
    pub fn kubectl(&self, namespace: &str, args: &[&str]) -> Result<String, String> {
        output(Kube::testbed(&self.layout).kubectl().args(["-n", namespace, "--request-timeout=60s"]).args(args))
    }

    /// The same with a standard input.
    pub fn kubectl_with(&self, namespace: &str, args: &[&str], input: &str) -> Result<String, String> {
        output(
            Kube::testbed(&self.layout)
                .kubectl()
                .args(["-n", namespace, "--request-timeout=60s"])
                .args(args)
                .input(input),
        )
    }

    /// `kubectl apply -k` of a directory below `config` that names its namespace itself.
    pub fn apply(&self, path: &str) {
        output(Kube::testbed(&self.layout).kubectl().args(["apply", "-k", &self.config(path)])).unwrap();
    }

    /// A directory below `config`.
    pub fn config(&self, path: &str) -> String {
        self.layout.repo.join("config").join(path).display().to_string()
    }
}

/// A client of the testbed's API server.
pub async fn client(layout: &Layout) -> Client {
    let kubeconfig = Kubeconfig::read_from(layout.kubeconfig()).expect("the testbed has a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

/// Runs a command without holding up other tasks of the test.
pub fn output(cmd: Cmd) -> Result<String, String> {
    tokio::task::block_in_place(|| cmd.output()).map_err(|error| error.to_string())
}

/// A command that ends after so many seconds, come what may.
pub fn limited(seconds: u32, program: &Path) -> Cmd {
    Cmd::new("timeout").args(["--kill-after=5", &seconds.to_string()]).arg(program)
}

fn prepare() -> Result<Bed> {
    Moment::now().keep();
    let layout = Layout::from_environment()?;
    let keep = std::env::var_os("TEMPORAL_OPERATOR_E2E_KEEP").is_some();
    let images = Image::demo().into_iter().filter(|i| !keep || *i != Image::Operator);
    let archives = load(&layout, &images.collect::<Vec<_>>())?;
    if let Some(operator) = archives.iter().find(|a| a.reference == Image::Operator.reference()) {
        let how = Install { image_key: operator.key.clone(), image: None };
        install(&Screen::new(&layout), &layout, &Kube::testbed(&layout), &how)?;
    }
    let screen = Screen::new(&layout);
    let python = build::python(&screen, &layout)?;
    let hello = build::example(&screen, &layout, "hello", &["hello"])?.remove(0);
    Ok(Bed { layout, python, hello })
}

fn load(layout: &Layout, images: &[Image]) -> Result<Vec<Archive>> {
    let _turn = IMAGES.lock().unwrap_or_else(PoisonError::into_inner);
    let state = State::read(layout).context("there is no cluster");
    let state = state.remedy("`cargo run -p e2e --bin testbed -- up` makes one")?;
    let screen = Screen::new(layout);
    let archives = images.iter().map(|i| image::make(&screen, layout, i)).collect::<Result<Vec<_>>>()?;
    image::load(&screen, layout, &state.list(), &archives)?;
    Ok(archives)
}
