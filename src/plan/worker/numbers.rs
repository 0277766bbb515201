//! How many pods each version has.

use super::{Fate, Seen, Sight};
use crate::scaling::{self, Need};
use k8s_openapi::api::apps::v1::Deployment;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A version, and what it is to be.
pub(super) struct Planned<'a> {
    pub build_id: &'a str,
    /// Its template, where it is known.
    pub template: Option<&'a Map<String, Value>>,
    /// Its place in the order of versions.
    pub number: i64,
    pub deployment: Option<&'a Deployment>,
    /// None: left as it is.
    pub fate: Option<Fate>,
    /// Number of pods; none when it is somebody else's.
    pub pods: Option<i32>,
    /// Why so many, where the work decides.
    pub why: Option<String>,
}

impl Planned<'_> {
    /// Number of pods that it is to have, for all that is known.
    pub fn size(&self) -> i32 {
        self.pods.or_else(|| present(self.deployment)).unwrap_or(1)
    }

    /// Whether its objects go.
    pub fn goes(&self) -> bool {
        let lost = self.template.is_none() && self.fate == Some(Fate::Rests);
        lost || self.fate == Some(Fate::Goes)
    }
}

/// Every version that has a template or a Deployment, the newest first.
pub(super) fn of<'a>(
    sight: &Sight<'a>,
    seen: &'a Seen,
    target: &'a str,
    fates: &BTreeMap<String, Fate>,
) -> Vec<Planned<'a>> {
    let known = seen.revisions.keys().chain(seen.deployments.keys()).map(String::as_str);
    let all: BTreeSet<&str> = known.chain([target]).collect();
    let newest = seen.revisions.values().map(|r| r.number).max().unwrap_or(0);
    let mut versions: Vec<Planned<'a>> = all
        .into_iter()
        .map(|build_id| {
            let revision = seen.revisions.get(build_id);
            let wanted = (build_id == target).then_some(&sight.valid.template);
            let same = revision.filter(|r| wanted.is_none_or(|template| *template == r.template));
            let mut version = Planned {
                build_id,
                template: wanted.or(revision.map(|r| &r.template)),
                number: same.map_or(if wanted.is_some() { newest + 1 } else { 0 }, |r| r.number),
                deployment: seen.deployments.get(build_id),
                fate: fates.get(build_id).copied(),
                pods: None,
                why: None,
            };
            (version.pods, version.why) = pods(sight, seen, &version);
            version
        })
        .collect();
    versions.sort_by(|a, b| (b.number, a.build_id).cmp(&(a.number, b.build_id)));
    versions
}

/// The number of pods of a version, and why where the work decides on it.
fn pods(sight: &Sight<'_>, seen: &Seen, version: &Planned<'_>) -> (Option<i32>, Option<String>) {
    let valid = sight.valid;
    let present = present(version.deployment);
    let Some(need) = need(version.fate) else {
        let rests = version.fate.is_some();
        return (Some(if rests { 0 } else { present.unwrap_or_else(|| before(sight, version.build_id)) }), None);
    };
    let Some(policy) = &valid.scaling else {
        let least = i32::from(need != Need::Serves);
        return match valid.replicas {
            Some(given) => (Some(given.max(least)), None),
            None if valid.versioned => (Some(1), None),
            // whoever scales it decides, once it is there
            None => (present.is_none().then_some(1), None),
        };
    };
    let start = if need == Need::Serves { policy.min } else { policy.min.max(1) };
    let decision = scaling::decide(policy, need, present.unwrap_or(start), seen.load(version.build_id), sight.now);
    (Some(decision.pods), Some(decision.why))
}

/// When the work of a version must be looked at again.
pub(super) fn due(sight: &Sight<'_>, seen: &Seen, version: &Planned<'_>) -> Option<Duration> {
    let need = need(version.fate).filter(|_| sight.valid.scaling.is_some())?;
    let history = seen.load(version.build_id);
    let due = scaling::due(need, present(version.deployment).unwrap_or(0), history);
    let passed = history.last().map(|last| sight.now.duration_since(last.at).unsigned_abs()).unwrap_or_default();
    Some(due.saturating_sub(passed).max(Duration::from_secs(1)))
}

fn need(fate: Option<Fate>) -> Option<Need> {
    match fate? {
        Fate::Serves => Some(Need::Serves),
        Fate::Candidate => Some(Need::Candidate),
        Fate::Drains => Some(Need::Drains),
        Fate::Rests | Fate::Goes => None,
    }
}

/// The number of pods that a version's Deployment has now.
pub(super) fn present(deployment: Option<&Deployment>) -> Option<i32> {
    Some(deployment?.spec.as_ref()?.replicas.unwrap_or(1))
}

/// The number that a version had whose Deployment is gone.
fn before(sight: &Sight<'_>, build_id: &str) -> i32 {
    sight.old.versions.iter().find(|v| v.build_id == build_id).map_or(1, |version| version.replicas)
}
