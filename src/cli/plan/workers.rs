//! `temporal-operator plan` of TemporalWorkers.

use super::difference::{Amount, each, title, write_steps};
use super::manifests::Manifests;
use super::objects::print_all;
use super::outcome::{Outcome, refused};
use crate::cli::{Failure, print};
use kube::ResourceExt;
use std::fmt::Write;
use temporal_operator::api::TemporalWorker;
use temporal_operator::api::services::Role;
use temporal_operator::build::worker::build_id;
use temporal_operator::plan::preview::Preview;
use temporal_operator::plan::seat;
use temporal_operator::plan::worker::preview::{objects as objects_of, preview};
use temporal_operator::temporal::Target;
use temporal_operator::validate::{self, ValidWorker, WorkerHome};

/// In the place of an address that no file tells.
const UNKNOWN: &str = "(the frontend of its TemporalNamespace)";

/// Prints the objects of each.
pub(super) fn objects(all: &Manifests) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::Same;
    for worker in &all.workers {
        match valid(worker) {
            Some(valid) => {
                let address = address(&valid, all).unwrap_or_else(|| UNKNOWN.to_owned());
                print_all(&objects_of(&valid, &address))?;
            }
            None => outcome = Outcome::Refused,
        }
    }
    Ok(outcome)
}

/// Prints the difference of each.
pub(super) fn compare(old: &Manifests, new: &Manifests, show: Amount) -> Result<Outcome, Failure> {
    let changes = |before: &TemporalWorker, after: &TemporalWorker| one((before, old), (after, new), show);
    let stays = "what Temporal has of it stays unless spec.allowDeletion is true";
    each(&old.workers, &new.workers, changes, |worker| valid(worker).is_some(), stays)
}

fn one(
    (before, old): (&TemporalWorker, &Manifests),
    (after, new): (&TemporalWorker, &Manifests),
    show: Amount,
) -> Result<Outcome, Failure> {
    let Some(wanted) = valid(after) else { return Ok(Outcome::Refused) };
    let present = match validate::worker(before) {
        Ok(present) => present,
        Err(invalid) => return Ok(refused("refused, in the manifest given by --from", &invalid)),
    };
    if let Err(invalid) = validate::worker_change(&before.spec, &after.spec) {
        return Ok(refused("refused", &invalid));
    }
    // one file may have what the other lacks, and neither may: that is no change
    let (from, to) = (address(&present, old), address(&wanted, new));
    let known = |first: &Option<String>, then: &Option<String>| first.clone().or_else(|| then.clone());
    let unknown = || UNKNOWN.to_owned();
    let addresses = (known(&from, &to).unwrap_or_else(unknown), known(&to, &from).unwrap_or_else(unknown));
    let preview = preview(&present, &wanted, (&addresses.0, &addresses.1));
    print(&text(&title(after), (&present, &wanted), &preview, show)?)?;
    Ok(match () {
        () if preview.is_empty() => Outcome::Same,
        () if preview.restarts() => Outcome::Restarts,
        () => Outcome::Changes,
    })
}

fn text(
    title: &str,
    (old, new): (&ValidWorker, &ValidWorker),
    preview: &Preview,
    show: Amount,
) -> Result<String, Failure> {
    if preview.is_empty() {
        return Ok(format!("{title}: nothing changes in Kubernetes\n"));
    }
    let (before, after) = (build_id(old), build_id(new));
    let mut text = format!("{title}: ");
    match (before == after, after.is_empty()) {
        (true, true) => writeln!(text, "workers without versions")?,
        (true, false) => writeln!(text, "version {after} stays")?,
        (false, _) => writeln!(text, "version {after} comes beside {before}")?,
    }
    write_steps(&mut text, preview, show)?;
    let end = if preview.restarts() { "Pods are replaced in place." } else { "No pod restarts." };
    writeln!(text, "\n{end}")?;
    Ok(text)
}

/// The worker if it can be carried out; what is to be said of it goes to standard error.
fn valid(worker: &TemporalWorker) -> Option<ValidWorker> {
    validate::worker(worker).map_err(|invalid| refused("refused", &invalid)).ok()
}

/// Host and port of the frontend. A cluster that is not in the file has the usual port; of a namespace that is not, it is not
/// known where it is.
fn address(worker: &ValidWorker, all: &Manifests) -> Option<String> {
    let (namespace, name) = match &worker.home {
        WorkerHome::Cluster { cluster, .. } => (cluster.namespace.clone(), cluster.name.clone()),
        WorkerHome::Namespace((own, name)) => {
            let mut all = all.namespaces.iter();
            let cluster = &all.find(|n| n.name_any() == *name && n.namespace().as_ref() == Some(own))?.spec.cluster_ref;
            (cluster.namespace_from(own), cluster.name.clone())
        }
        WorkerHome::Outside { connection, .. } => return Some(connection.address.clone()),
    };
    let mut clusters = all.clusters.iter();
    let cluster = clusters.find(|c| c.name_any() == name && c.namespace().as_ref() == Some(&namespace));
    let usual = u16::try_from(Role::Frontend.grpc_port()).unwrap_or_default();
    let port = cluster.map_or(usual, |cluster| seat::host(cluster).port);
    Some(Target::frontend(namespace, name, port).authority())
}
