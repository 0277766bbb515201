//! `temporal-operator plan`: the objects of a manifest, offline.

use super::{Failure, print};
use clap::Args;
use serde::Deserialize;
use serde_yaml::Value;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use temporal_operator::api::TemporalCluster;
use temporal_operator::build::{self, Object, SecretVersions};
use temporal_operator::validate;

/// Flags of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The manifest, one or more documents; `-` for standard input. Documents of other kinds are passed over.
    #[arg(short, long, value_name = "FILE")]
    filename: PathBuf,
    /// Namespace of the objects, where the manifest names none.
    #[arg(short, long, value_name = "NAMESPACE", default_value = "default")]
    namespace: String,
}

/// Prints the objects in the order they are applied. Exit code 2: a manifest cannot be carried out.
pub fn plan(args: &PlanArgs) -> Result<ExitCode, Failure> {
    let mut refused = false;
    let mut found = false;
    for mut cluster in clusters(&read(&args.filename)?)? {
        found = true;
        cluster.metadata.namespace.get_or_insert_with(|| args.namespace.clone());
        match validate::cluster(&cluster)
            .and_then(|valid| Ok((build::everything(&valid, &SecretVersions::new())?, valid)))
        {
            Ok((objects, valid)) => {
                for warning in &valid.warnings {
                    eprintln!("note: {warning}");
                }
                for object in objects {
                    print(&format!("---\n{}", yaml(&object)?))?;
                }
            }
            Err(invalid) => {
                refused = true;
                for problem in invalid.problems {
                    eprintln!("refused: {}: {}", problem.field, problem.message);
                }
            }
        }
    }
    if !found {
        return Err(format!("{} has no TemporalCluster", args.filename.display()).into());
    }
    Ok(if refused { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

fn read(path: &Path) -> Result<String, Failure> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()).into())
}

fn clusters(text: &str) -> Result<Vec<TemporalCluster>, Failure> {
    let mut all = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        let value = Value::deserialize(document)?;
        if value.get("kind").and_then(Value::as_str) == Some("TemporalCluster") {
            all.push(serde_yaml::from_value(value)?);
        }
    }
    Ok(all)
}

fn yaml(object: &Object) -> Result<String, Failure> {
    Ok(serde_yaml::to_string(&object.sealed()?.body)?)
}
