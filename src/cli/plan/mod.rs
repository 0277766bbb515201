//! `temporal-operator plan`: the objects of a manifest, or what a change of it would do, offline.

use super::Failure;
use clap::Args;
use difference::Amount;
use manifests::Manifests;
use outcome::Outcome;
use std::path::PathBuf;
use std::process::ExitCode;

mod clusters;
mod difference;
mod manifests;
mod objects;
mod outcome;
mod workers;

/// Flags of `plan`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 done; 1 a file cannot be read or is not what it should be; 2 a manifest or its \
                        change is refused. With --exit-code also: 3 something changes and no pod restarts; 4 pods \
                        restart or go.")]
pub struct PlanArgs {
    /// The manifest, one or more documents; `-` for standard input. Documents of other kinds are passed over.
    #[arg(short, long, value_name = "FILE")]
    filename: PathBuf,
    /// The manifest as it is now: print what changes from it, in what order, and what restarts.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// How much of each changed object is printed.
    #[arg(long, value_enum, default_value_t = Amount::Fields, requires = "from")]
    show: Amount,
    /// Let the exit code say whether something changes (3) and whether pods restart (4).
    #[arg(long, requires = "from")]
    exit_code: bool,
    /// Namespace of the objects, where the manifest names none.
    #[arg(short, long, value_name = "NAMESPACE", default_value = "default")]
    namespace: String,
}

/// Prints the objects in the order they are applied, or the difference.
pub fn plan(args: &PlanArgs) -> Result<ExitCode, Failure> {
    let new = Manifests::read(&args.filename, &args.namespace)?;
    if new.clusters.is_empty() && new.workers.is_empty() && args.from.is_none() {
        return Err(format!("{} has no TemporalCluster and no TemporalWorker", args.filename.display()).into());
    }
    let outcome = match &args.from {
        None => clusters::objects(&new.clusters)?.max(workers::objects(&new)?),
        Some(from) => {
            let old = Manifests::read(from, &args.namespace)?;
            clusters::compare(&old, &new, args.show)?.max(workers::compare(&old, &new, args.show)?)
        }
    };
    Ok(match outcome {
        Outcome::Refused => ExitCode::from(2),
        Outcome::Changes if args.exit_code => ExitCode::from(3),
        Outcome::Restarts if args.exit_code => ExitCode::from(4),
        _ => ExitCode::SUCCESS,
    })
}
