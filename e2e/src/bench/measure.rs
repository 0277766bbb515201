//! What a process uses, by /proc, and what the operator asked of the API server, by the audit log.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::layout::Layout;

const USER: &str = "system:serviceaccount:temporal-operator-system:temporal-operator";
/// Ticks of /proc/<pid>/stat a second; fixed by the kernel's interface on all architectures Linux runs here.
const TICKS: f64 = 100.0;

/// A process on this machine.
pub(super) struct Process(PathBuf);

impl Process {
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
        let text = std::fs::read_to_string(self.0.join("status")).context("the operator is gone")?;
        let line = text.lines().find_map(|l| l.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().context("VmRSS is no number")?;
        Ok(kib * 1024)
    }

    /// Processor time since its start, seconds.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let text = std::fs::read_to_string(self.0.join("stat")).context("the operator is gone")?;
        // the name may have spaces: fields are counted after it; utime and stime are the 14th and 15th of all
        let (_, rest) = text.rsplit_once(')').context("no name in stat")?;
        let ticks: f64 = rest.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<f64>().ok()).sum();
        Ok(ticks / TICKS)
    }
}

/// Calls of the operator.
#[derive(Debug, Default, PartialEq, Eq)]
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
    let text = std::fs::read(layout.audit_log()).context("cannot read the audit log")?;
    let start = usize::try_from(mark).unwrap_or(0).min(text.len());
    Ok(count(&String::from_utf8_lossy(&text[start..])))
}

fn count(lines: &str) -> Calls {
    let mut calls = Calls::default();
    for line in lines.lines() {
        let Ok(call) = serde_json::from_str::<Value>(line) else { continue };
        if call["user"]["username"] != USER || call["objectRef"]["resource"] == "leases" {
            continue;
        }
        match call["verb"].as_str().unwrap_or_default() {
            "get" | "list" => calls.reads += 1,
            "create" | "update" | "patch" | "delete" => calls.writes += 1,
            _ => {}
        }
    }
    calls
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
        let log = [
            line(USER, "get", "secrets"),
            line(USER, "patch", "deployments"),
            line(USER, "update", "leases"),
            line(USER, "watch", "jobs"),
            line("admin", "create", "pods"),
            "half a li".to_owned(),
        ];
        assert_eq!(count(&log.join("\n")), Calls { reads: 1, writes: 1 });
    }
}
