//! `temporal-operator plan`: the objects of a manifest, or what a change of it would do, offline.

use super::preview::{Amount, compare};
use super::{Failure, print, workers};
use clap::Args;
use kube::Resource;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_yaml::Value;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use temporal_operator::api::{TemporalCluster, TemporalNamespace, TemporalWorker};
use temporal_operator::build::{self, Object, SecretVersions};
use temporal_operator::validate::{self, Invalid, ValidCluster};

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

/// What the exit code says, the gravest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    Same,
    Changes,
    Restarts,
    Refused,
}

/// What a file has of the kinds that become objects, and of those that these refer to.
#[derive(Default)]
pub(super) struct Manifests {
    pub clusters: Vec<TemporalCluster>,
    pub workers: Vec<TemporalWorker>,
    pub namespaces: Vec<TemporalNamespace>,
}

/// Prints the objects in the order they are applied, or the difference.
pub fn plan(args: &PlanArgs) -> Result<ExitCode, Failure> {
    let new = manifests(&args.filename, &args.namespace)?;
    if new.clusters.is_empty() && new.workers.is_empty() && args.from.is_none() {
        return Err(format!("{} has no TemporalCluster and no TemporalWorker", args.filename.display()).into());
    }
    let outcome = match &args.from {
        None => objects(&new.clusters)?.max(workers::objects(&new)?),
        Some(from) => compare(&manifests(from, &args.namespace)?, &new, args.show)?,
    };
    Ok(match outcome {
        Outcome::Refused => ExitCode::from(2),
        Outcome::Changes if args.exit_code => ExitCode::from(3),
        Outcome::Restarts if args.exit_code => ExitCode::from(4),
        _ => ExitCode::SUCCESS,
    })
}

fn objects(all: &[TemporalCluster]) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::Same;
    for cluster in all {
        match valid(cluster).map(|valid| build::everything(&valid, &SecretVersions::new())) {
            Some(Ok(objects)) => {
                print_all(&objects)?;
            }
            Some(Err(invalid)) => outcome = refused("refused", &invalid),
            None => outcome = Outcome::Refused,
        }
    }
    Ok(outcome)
}

pub(super) fn print_all(objects: &[Object]) -> Result<(), Failure> {
    for object in objects {
        print(&format!("---\n{}", yaml(object)?))?;
    }
    Ok(())
}

/// The cluster if it can be carried out; what is to be said of it goes to standard error.
pub(super) fn valid(cluster: &TemporalCluster) -> Option<ValidCluster> {
    match validate::cluster(cluster) {
        Ok(valid) => {
            for warning in &valid.warnings {
                eprintln!("note: {warning}");
            }
            Some(valid)
        }
        Err(invalid) => {
            refused("refused", &invalid);
            None
        }
    }
}

/// A line on standard error for each problem.
pub(super) fn refused(what: &str, invalid: &Invalid) -> Outcome {
    for problem in &invalid.problems {
        eprintln!("{what}: {}: {}", problem.field, problem.message);
    }
    Outcome::Refused
}

fn manifests(path: &Path, namespace: &str) -> Result<Manifests, Failure> {
    let text = read(path)?;
    let mut all = Manifests::default();
    for document in serde_yaml::Deserializer::from_str(&text) {
        let value = Value::deserialize(document).map_err(|e| format!("{} is not YAML: {e}", path.display()))?;
        match value.get("kind").and_then(Value::as_str) {
            Some("TemporalCluster") => all.clusters.push(resource(value, path, namespace)?),
            Some("TemporalWorker") => all.workers.push(resource(value, path, namespace)?),
            Some("TemporalNamespace") => all.namespaces.push(resource(value, path, namespace)?),
            _ => {}
        }
    }
    Ok(all)
}

fn resource<K>(value: Value, path: &Path, namespace: &str) -> Result<K, Failure>
where
    K: Resource<DynamicType = ()> + DeserializeOwned,
{
    let read = serde_yaml::from_value::<K>(value);
    let mut resource = read.map_err(|e| format!("{}: not a {}: {e}", path.display(), K::kind(&())))?;
    resource.meta_mut().namespace.get_or_insert_with(|| namespace.to_owned());
    Ok(resource)
}

fn read(path: &Path) -> Result<String, Failure> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()).into())
}

fn yaml(object: &Object) -> Result<String, Failure> {
    Ok(serde_yaml::to_string(&object.sealed()?.body)?)
}
