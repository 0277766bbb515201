//! `temporal-operator plan --from`: what a change of the manifest would do, for people and for pull requests.

use super::plan::{Manifests, Outcome, refused, valid};
use super::{Failure, print, workers};
use clap::ValueEnum;
use kube::{Resource, ResourceExt};
use serde_json::Value;
use similar::TextDiff;
use std::fmt::Write;
use temporal_operator::api::{TemporalCluster, TemporalClusterStatus};
use temporal_operator::plan::preview::{Change, Preview, differences, preview};
use temporal_operator::validate::{self, Invalid, ValidCluster, change};

/// How much of each changed object is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Amount {
    /// Its name.
    Names,
    /// Its name and each field that differs.
    Fields,
    /// A unified diff of its YAML.
    Diff,
}

/// Longest value printed on a line.
const LONGEST: usize = 100;

/// Prints the difference of each resource that is in either of the manifests.
pub(super) fn compare(old: &Manifests, new: &Manifests, show: Amount) -> Result<Outcome, Failure> {
    let changes = |before: &TemporalCluster, after: &TemporalCluster| one(before, after, show);
    let stays = "its databases stay";
    let clusters = each(&old.clusters, &new.clusters, changes, |cluster| valid(cluster).is_some(), stays)?;
    Ok(clusters.max(workers::compare(old, new, show)?))
}

/// The gravest of what is said of each resource of a kind.
pub(super) fn each<K: Resource<DynamicType = ()>>(
    old: &[K],
    new: &[K],
    changes: impl Fn(&K, &K) -> Result<Outcome, Failure>,
    is_valid: impl Fn(&K) -> bool,
    stays: &str,
) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::Same;
    let same = |a: &K, b: &K| a.name_any() == b.name_any() && a.namespace() == b.namespace();
    for resource in new {
        let said = match old.iter().find(|o| same(o, resource)) {
            Some(before) => changes(before, resource)?,
            None => {
                print(&format!("{}: new; `plan -f` without --from prints its objects\n", title(resource)))?;
                if is_valid(resource) { Outcome::Changes } else { Outcome::Refused }
            }
        };
        outcome = outcome.max(said);
    }
    for resource in old.iter().filter(|o| !new.iter().any(|n| same(o, n))) {
        print(&format!(
            "{}: not in the new manifest; when it is deleted from Kubernetes all its objects go, {stays}\n",
            title(resource)
        ))?;
        outcome = outcome.max(Outcome::Restarts);
    }
    Ok(outcome)
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

pub(super) fn title<K: Resource<DynamicType = ()>>(resource: &K) -> String {
    format!("{} {}/{}", K::kind(&()), resource.namespace().unwrap_or_default(), resource.name_any())
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

/// The steps in their order, and the objects that differ.
pub(super) fn write_steps(text: &mut String, preview: &Preview, show: Amount) -> Result<(), Failure> {
    writeln!(text, "\nIn this order:")?;
    for (i, step) in preview.steps.iter().enumerate() {
        writeln!(text, "  {}. {step}", i + 1)?;
    }
    writeln!(text, "\nObjects:")?;
    for change in &preview.changes {
        write_change(text, change, show)?;
    }
    Ok(())
}

fn write_change(text: &mut String, change: &Change, show: Amount) -> Result<(), Failure> {
    let sign = match (&change.before, &change.after) {
        (None, _) => '+',
        (_, None) => '-',
        _ => '~',
    };
    writeln!(text, "  {sign} {}", change.key)?;
    match (show, &change.before, &change.after) {
        (Amount::Fields, Some(before), Some(after)) => {
            for (path, was, becomes) in differences(before, after) {
                writeln!(text, "      {path}: {} → {}", short(was.as_ref()), short(becomes.as_ref()))?;
            }
        }
        (Amount::Diff, before, after) => {
            let yaml = |body: &Option<Value>| body.as_ref().map(serde_yaml::to_string).transpose();
            let (before, after) = (yaml(before)?.unwrap_or_default(), yaml(after)?.unwrap_or_default());
            let diff = TextDiff::from_lines(&before, &after);
            for line in diff.unified_diff().context_radius(3).to_string().lines() {
                writeln!(text, "      {line}")?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn short(value: Option<&Value>) -> String {
    let Some(value) = value else { return "(none)".to_owned() };
    let text = value.to_string();
    if text.chars().count() <= LONGEST { text } else { text.chars().take(LONGEST).chain(['…']).collect() }
}
