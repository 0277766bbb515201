//! What a process uses, by /proc, and what the operator asked of the API server, by the audit log.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cluster::Daemon;
use crate::layout::Layout;

const USER: &str = "system:serviceaccount:temporal-operator-system:temporal-operator";
/// Ticks of /proc/<pid>/stat a second; fixed by the kernel's interface on all architectures Linux runs here.
const TICKS: f64 = 100.0;

/// A process on this machine.
pub(super) struct Process(PathBuf);

impl Process {
    /// A process by its number.
    pub fn of(pid: u32) -> Self {
        Self(PathBuf::from(format!("/proc/{pid}")))
    }

    /// A daemon of the testbed.
    pub fn daemon(layout: &Layout, name: &str) -> Result<Self> {
        let pid = Daemon::new(layout, name).pid().with_context(|| format!("{name} does not run"))?;
        Ok(Self(PathBuf::from(format!("/proc/{pid}"))))
    }

    /// The operator in the testbed.
    pub fn operator() -> Result<Self> {
        for entry in std::fs::read_dir("/proc").context("cannot read /proc")? {
            let dir = entry.context("cannot read /proc")?.path();
            let line = std::fs::read(dir.join("cmdline")).unwrap_or_default();
            let mut words = line.split(|b| *b == 0);
            let program = words.next().unwrap_or_default();
            if program.ends_with(b"temporal-operator") && words.next() == Some(b"run") {
                return Ok(Self(dir));
            }
        }
        bail!("the operator does not run")
    }

    /// Resident memory, bytes.
    pub fn memory(&self) -> Result<u64> {
        self.status("VmRSS:")
    }

    /// The most resident memory it ever had, bytes.
    pub fn peak_memory(&self) -> Result<u64> {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> Result<u64> {
        let text = std::fs::read_to_string(self.0.join("status")).context("a process is gone")?;
        let line = text.lines().find_map(|l| l.strip_prefix(name)).with_context(|| format!("no {name}"))?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().with_context(|| format!("{name} no number"))?;
        Ok(kib * 1024)
    }

    /// Processor time since its start, seconds.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let text = std::fs::read_to_string(self.0.join("stat")).context("a process is gone")?;
        // the name may have spaces: fields are counted after it; utime and stime are the 14th and 15th of all
        let (_, rest) = text.rsplit_once(')').context("no name in stat")?;
        let ticks: f64 = rest.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<f64>().ok()).sum();
        Ok(ticks / TICKS)
    }
}

/// Calls of the operator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Calls {
    pub reads: usize,
    pub writes: usize,
}

/// Where the audit log ends now.
pub(super) fn calls_mark(layout: &Layout) -> Result<u64> {
    let log = layout.audit_log();
    Ok(std::fs::metadata(&log).with_context(|| format!("{} is not there", log.display()))?.len())
}

/// The operator's calls since then, but for its Lease and watches that began before.
pub(super) fn calls_since(layout: &Layout, mark: u64) -> Result<Calls> {
    let mut log = File::open(layout.audit_log()).context("cannot read the audit log")?;
    log.seek(SeekFrom::Start(mark)).context("cannot read the audit log")?;
    let lines = BufReader::new(log).lines().map(|line| line.context("cannot read the audit log"));
    let mut calls = Calls::default();
    // most lines are of others: only those that may be the operator's are read as JSON
    for line in lines {
        let line = line?;
        if line.contains(USER) {
            calls.count(&line);
        }
    }
    Ok(calls)
}

impl Calls {
    fn count(&mut self, line: &str) {
        let Ok(call) = serde_json::from_str::<Value>(line) else { return };
        if call["user"]["username"] != USER || call["objectRef"]["resource"] == "leases" {
            return;
        }
        match call["verb"].as_str().unwrap_or_default() {
            "get" | "list" => self.reads += 1,
            "create" | "update" | "patch" | "delete" => self.writes += 1,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_operators_calls_count() {
        let line = |user: &str, verb: &str, resource: &str| {
            serde_json::json!({"user": {"username": user}, "verb": verb, "objectRef": {"resource": resource}})
                .to_string()
        };
        let mut calls = Calls::default();
        [
            line(USER, "get", "secrets"),
            line(USER, "patch", "deployments"),
            line(USER, "update", "leases"),
            line(USER, "watch", "jobs"),
            line("admin", "create", "pods"),
            "half a li".to_owned(),
        ]
        .iter()
        .for_each(|line| calls.count(line));
        assert_eq!(calls, Calls { reads: 1, writes: 1 });
    }
}
