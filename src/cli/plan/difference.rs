//! What a change of a resource does, for people and for pull requests.

use super::outcome::Outcome;
use crate::cli::{Failure, print};
use clap::ValueEnum;
use kube::{Resource, ResourceExt};
use serde_json::Value;
use similar::TextDiff;
use std::fmt::Write;
use temporal_operator::plan::preview::{Change, Preview, differences};

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

pub(super) fn title<K: Resource<DynamicType = ()>>(resource: &K) -> String {
    format!("{} {}/{}", K::kind(&()), resource.namespace().unwrap_or_default(), resource.name_any())
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
