//! Temporal's side: what servers do with Worker Deployments, with shorter times.

use super::at;
use std::collections::BTreeMap;
use std::time::Duration;
use temporal_operator::api::worker::VersionState;
use temporal_operator::plan::worker::{Act, InTemporal, KnownVersion, Routing};

pub const OURS: &str = "operator";
/// Seconds between two counts of the workflows that are pinned to a version that drains.
const COUNTS: u32 = 30;
/// Seconds that somebody who has polled is remembered.
const POLLERS: u32 = 50;

#[derive(Clone, Debug)]
pub struct Version {
    pub state: VersionState,
    pub drained: Option<u32>,
    last_current: Option<u32>,
    polled: u32,
    /// Second of the next count.
    count: u32,
}

#[derive(Debug, Default)]
pub struct Server {
    pub now: u32,
    pub current: Option<String>,
    current_since: Option<u32>,
    pub ramping: Option<String>,
    pub percent: f32,
    ramping_since: Option<u32>,
    percent_since: Option<u32>,
    pub manager: String,
    pub modifier: String,
    pub token: u64,
    pub versions: BTreeMap<String, Version>,
    /// Whether a version drains again when a workflow is pinned to it.
    pub revives: bool,
    /// Open workflows, and when they end.
    pub pinned: Vec<(String, u32)>,
    /// Versions that were removed, with when they were drained.
    pub gone: Vec<(String, Option<u32>)>,
}

impl Server {
    pub fn routes(&self) -> (Option<String>, Option<String>, u32) {
        (self.current.clone(), self.ramping.clone(), self.percent.round() as u32)
    }

    pub fn poll(&mut self, id: &str) {
        let now = self.now;
        let new = Version { state: VersionState::Inactive, drained: None, last_current: None, polled: now, count: 0 };
        self.versions.entry(id.to_owned()).or_insert(new).polled = now;
    }

    pub fn tick(&mut self) {
        let now = self.now;
        self.pinned.retain(|(_, ends)| *ends > now);
        for (id, version) in &mut self.versions {
            let open = self.pinned.iter().any(|(pinned, _)| pinned == id);
            match version.state {
                VersionState::Draining if now >= version.count => {
                    version.count = now + COUNTS;
                    if !open {
                        (version.state, version.drained) = (VersionState::Drained, Some(now));
                    }
                }
                VersionState::Drained if open && self.revives => {
                    (version.state, version.drained, version.count) = (VersionState::Draining, None, now + COUNTS);
                }
                _ => {}
            }
        }
    }

    pub fn describe(&self) -> InTemporal {
        if self.versions.is_empty() {
            return InTemporal::Absent;
        }
        let version = |version: &Version| KnownVersion {
            state: version.state,
            drained_since: version.drained.map(at),
            last_current: version.last_current.map(at),
            ..KnownVersion::default()
        };
        InTemporal::Known(Box::new(Routing {
            current: self.current.clone(),
            current_since: self.current_since.map(at),
            ramping: self.ramping.clone(),
            percent: self.percent,
            ramping_since: self.ramping_since.map(at),
            percent_since: self.percent_since.map(at),
            manager: self.manager.clone(),
            last_modifier: if self.modifier == OURS { String::new() } else { self.modifier.clone() },
            versions: self.versions.iter().map(|(id, known)| (id.clone(), version(known))).collect(),
            ..Routing::default()
        }))
    }

    /// A write; what is not possible is refused.
    pub fn change(&mut self, act: &Act, by: &str) -> Result<(), String> {
        if !self.manager.is_empty() && self.manager != by {
            return Err("ManagerIdentity".to_owned());
        }
        match act {
            Act::SetCurrent(id) => self.set_current(id)?,
            Act::SetRamping(id, percent) => self.set_ramping(id.as_deref(), *percent)?,
            Act::DeleteVersion(id) => return self.delete(id, by),
            Act::DeleteDeployment | Act::RunGate(_) => {}
        }
        self.token += 1;
        self.modifier = by.to_owned();
        Ok(())
    }

    fn set_current(&mut self, id: &str) -> Result<(), String> {
        if !self.versions.contains_key(id) {
            return Err("not found".to_owned());
        }
        if self.current.as_deref() == Some(id) {
            return Ok(());
        }
        let (now, before) = (self.now, self.current.take());
        if self.ramping.as_deref() == Some(id) {
            (self.ramping, self.percent, self.percent_since) = (None, 0.0, Some(now));
        }
        self.current = Some(id.to_owned());
        self.current_since = Some(now);
        self.set_state(id, VersionState::Current);
        if let Some(before) = before.filter(|before| self.ramping.as_ref() != Some(before)) {
            self.versions.get_mut(&before).unwrap().last_current = Some(now);
            self.set_state(&before, VersionState::Draining);
        }
        Ok(())
    }

    fn set_ramping(&mut self, id: Option<&str>, percent: f32) -> Result<(), String> {
        if id.is_some_and(|id| !self.versions.contains_key(id)) {
            return Err("not found".to_owned());
        }
        if id.is_some() && id == self.current.as_deref() {
            return Err("already current".to_owned());
        }
        if self.ramping.as_deref() != id {
            self.ramping_since = Some(self.now);
        }
        let before = self.ramping.take().filter(|before| Some(before.as_str()) != id);
        if let Some(before) = before {
            self.set_state(&before, VersionState::Draining);
        }
        if let Some(id) = id {
            self.set_state(id, VersionState::Ramping);
        }
        (self.ramping, self.percent, self.percent_since) = (id.map(str::to_owned), percent, Some(self.now));
        Ok(())
    }

    fn set_state(&mut self, id: &str, state: VersionState) {
        let count = self.now + COUNTS;
        if let Some(version) = self.versions.get_mut(id) {
            (version.state, version.drained, version.count) = (state, None, count);
        }
    }

    /// One that is used or polled stays.
    fn delete(&mut self, id: &str, by: &str) -> Result<(), String> {
        let routed = [&self.current, &self.ramping].iter().any(|routed| routed.as_deref() == Some(id));
        let Some(version) = self.versions.get(id) else { return Ok(()) };
        if routed || version.state == VersionState::Draining || self.now < version.polled + POLLERS {
            return Ok(());
        }
        self.gone.push((id.to_owned(), version.drained));
        self.versions.remove(id);
        self.modifier = by.to_owned();
        Ok(())
    }

    pub fn was_current_within(&self, id: &str, window: Duration) -> bool {
        let last = self.versions.get(id).and_then(|version| version.last_current);
        last.is_some_and(|last| Duration::from_secs((self.now - last).into()) <= window)
    }

    pub fn picture(&self) -> String {
        let versions: Vec<String> = self.versions.iter().map(|(id, v)| format!("{id} {:?}", v.state)).collect();
        format!(
            "current {:?} ramping {:?} {} % by {} [{}] pinned {:?}",
            self.current,
            self.ramping,
            self.percent,
            self.modifier,
            versions.join(", "),
            self.pinned
        )
    }
}
