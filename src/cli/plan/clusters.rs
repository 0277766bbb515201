//! `temporal-operator plan` of TemporalClusters.

use super::difference::{Amount, each, title, write_steps};
use super::manifests::Manifests;
use super::objects::print_all;
use super::outcome::{Outcome, refused};
use crate::cli::{Failure, print};
use std::fmt::Write;
use temporal_operator::api::{TemporalCluster, TemporalClusterStatus};
use temporal_operator::build::{self, SecretVersions};
use temporal_operator::plan::preview::{Preview, preview};
use temporal_operator::validate::{self, Invalid, ValidCluster, change};

/// Prints the objects of each.
pub(super) fn objects(all: &[TemporalCluster]) -> Result<Outcome, Failure> {
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

/// Prints the difference of each.
pub(super) fn compare(old: &Manifests, new: &Manifests, show: Amount) -> Result<Outcome, Failure> {
    let changes = |before: &TemporalCluster, after: &TemporalCluster| one(before, after, show);
    let stays = "its databases stay";
    each(&old.clusters, &new.clusters, changes, |cluster| valid(cluster).is_some(), stays)
}

fn one(before: &TemporalCluster, after: &TemporalCluster, show: Amount) -> Result<Outcome, Failure> {
    if valid(after).is_none() {
        return Ok(Outcome::Refused);
    }
    let old = match validate::cluster(before) {
        Ok(old) => old,
        Err(invalid) => return Ok(refused("refused, in the manifest given by --from", &invalid)),
    };
    if let Err(invalid) = change::check(&before.spec, &after.spec) {
        return Ok(refused("refused", &invalid));
    }
    let preview = way(&old, after).and_then(|way| Ok((preview(&old, &way)?, way)));
    let (preview, way) = match preview {
        Ok(found) => found,
        Err(invalid) => return Ok(refused("refused", &invalid)),
    };
    print(&text(&title(after), &old, &way, &preview, show)?)?;
    Ok(match () {
        () if preview.is_empty() => Outcome::Same,
        () if preview.restarted_roles().is_empty() => Outcome::Changes,
        () => Outcome::Restarts,
    })
}

/// The cluster as it is at each version on the way, as wanted last.
fn way(old: &ValidCluster, wanted: &TemporalCluster) -> Result<Vec<ValidCluster>, Invalid> {
    let mut way = Vec::new();
    let mut present = old.version.to_string();
    loop {
        let status = TemporalClusterStatus { version: Some(present), ..TemporalClusterStatus::default() };
        let next = validate::cluster(&TemporalCluster { status: Some(status), ..wanted.clone() })?;
        let there = next.version == next.target;
        present = next.version.to_string();
        way.push(next);
        if there {
            return Ok(way);
        }
    }
}

fn text(
    title: &str,
    old: &ValidCluster,
    way: &[ValidCluster],
    preview: &Preview,
    show: Amount,
) -> Result<String, Failure> {
    if preview.is_empty() {
        return Ok(format!("{title}: nothing changes\n"));
    }
    let mut text = format!("{title}: ");
    let versions: Vec<String> =
        way.iter().map(|c| c.version.to_string()).filter(|v| *v != old.version.to_string()).collect();
    match versions.is_empty() {
        true => writeln!(text, "server {} stays", old.version)?,
        false => writeln!(text, "server {} becomes {}", old.version, versions.join(", then "))?,
    }
    write_steps(&mut text, preview, show)?;
    let mut roles: Vec<&str> = Vec::new();
    for role in preview.restarted_roles().into_iter().map(|r| r.name()) {
        if !roles.contains(&role) {
            roles.push(role);
        }
    }
    match roles.is_empty() {
        true => writeln!(text, "\nNo server pod restarts.")?,
        false => writeln!(text, "\nServer pods that restart, one role after the other: {}.", roles.join(", "))?,
    }
    Ok(text)
}

/// The cluster if it can be carried out; what is to be said of it goes to standard error.
fn valid(cluster: &TemporalCluster) -> Option<ValidCluster> {
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
