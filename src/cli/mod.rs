//! Commands and their flags.

mod namespaces;
mod plan;
mod run;

use clap::{Parser, Subcommand};
use std::io::Write;
use std::process::ExitCode;
use temporal_operator::api;

/// Any failure of a command, already in words.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs self-hosted Temporal on Kubernetes.
#[derive(Debug, Parser)]
#[command(version, about, long_about = None)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the operator on the cluster of the current kubeconfig context, or on the one it runs in.
    Run(run::RunArgs),
    /// Print the CustomResourceDefinitions as YAML.
    Crds,
    /// Print what a manifest becomes, or what a change of it would do, without asking or changing any cluster.
    Plan(plan::PlanArgs),
    /// Print the operator's version and the Temporal servers it runs.
    Version,
}

impl Command {
    /// Carries the command out.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Run(args) => run::run(args),
            Self::Crds => {
                print(&crds()?)?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Plan(args) => plan::plan(&args),
            Self::Version => {
                print(&version())?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

/// To standard output. That its reader has had enough (`| head`) is no failure.
fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Every CRD, as one YAML stream.
fn crds() -> Result<String, Failure> {
    let mut text = String::new();
    for crd in api::all_crds() {
        text.push_str("---\n");
        text.push_str(&serde_yaml::to_string(&crd)?);
    }
    Ok(text)
}

fn version() -> String {
    let servers: Vec<String> =
        temporal_operator::validate::version::RELEASES.iter().map(|r| r.tested().to_string()).collect();
    format!("temporal-operator {}\ntested with Temporal server {}\n", env!("CARGO_PKG_VERSION"), servers.join(", "))
}
