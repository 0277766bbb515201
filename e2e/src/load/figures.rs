//! What a load came to: latencies by phase, and what failed, was lost or came twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::Deserialize;

/// What the starter saw of one workflow. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Record {
    /// Its id, which no other has.
    pub id: String,
    /// When it should have been started.
    pub due: f64,
    /// When its start was asked for: later than due by what the generator itself is late.
    pub sent: f64,
    /// When the server had taken it.
    pub started: Option<f64>,
    /// When its result had arrived.
    pub completed: Option<f64>,
    /// What the SDK gave the caller instead of a result.
    pub error: Option<String>,
}

/// What the server says afterwards.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Verdict {
    /// Ids that the visibility store does not list.
    pub unlisted: BTreeSet<String>,
    /// Ids that are not completed, with their status; `MISSING` where the server knows none.
    pub unfinished: BTreeMap<String, String>,
    /// Ids with more than one run.
    pub duplicated: BTreeSet<String>,
}

impl Verdict {
    /// The server took it, by its own word or the client's, and it did not complete. A start that failed and left
    /// nothing is no loss: the caller knows.
    fn lost(&self, record: &Record) -> bool {
        match self.unfinished.get(&record.id).map(String::as_str) {
            None => false,
            Some("MISSING") => record.started.is_some(),
            Some(_) => true,
        }
    }
}

/// A part of a run, from this time until the next phase begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// What the table calls it.
    pub name: String,
    /// Seconds since 1970.
    pub from: f64,
}

/// The figures of a phase: of the workflows that were due in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// What the table calls it.
    pub phase: String,
    /// Workflows that were due.
    pub due: usize,
    /// Those whose result arrived.
    pub completed: usize,
    /// Those for which the caller got an error.
    pub failed: usize,
    /// Of these, those that were not even started.
    pub refused: usize,
    /// Those that the server took and that did not complete.
    pub lost: usize,
    /// Those that ran twice.
    pub duplicated: usize,
    /// Latencies of those that completed, in order.
    latencies: Vec<f64>,
}

impl Figures {
    /// The latency that `percent` of all did not exceed (nearest rank).
    pub fn percentile(&self, percent: f64) -> Option<Duration> {
        let rank = (percent / 100.0 * self.latencies.len() as f64).ceil().max(1.0) as usize;
        self.latencies.get(rank - 1).map(|s| Duration::from_secs_f64(s.max(0.0)))
    }

    /// How many took longer, the ones that never arrived included.
    pub fn over(&self, limit: Duration) -> usize {
        self.latencies.iter().filter(|s| **s > limit.as_secs_f64()).count() + self.due - self.completed
    }
}

/// The figures of each phase, in order. What was due before the first phase is left out.
pub fn figures(records: &[Record], verdict: &Verdict, phases: &[Phase]) -> Vec<Figures> {
    let of = |(n, phase): (usize, &Phase)| {
        let until = phases.get(n + 1).map_or(f64::INFINITY, |next| next.from);
        let due: Vec<&Record> = records.iter().filter(|r| r.due >= phase.from && r.due < until).collect();
        let count = |is: &dyn Fn(&Record) -> bool| due.iter().filter(|r| is(r)).count();
        let mut latencies: Vec<f64> = due.iter().filter_map(|r| Some(r.completed? - r.due)).collect();
        latencies.sort_by(f64::total_cmp);
        Figures {
            phase: phase.name.clone(),
            due: due.len(),
            completed: latencies.len(),
            failed: count(&|r| r.error.is_some()),
            refused: count(&|r| r.error.is_some() && r.started.is_none()),
            lost: count(&|r| verdict.lost(r)),
            duplicated: count(&|r| verdict.duplicated.contains(&r.id)),
            latencies,
        }
    };
    phases.iter().enumerate().map(of).collect()
}

/// The figures of a run as a Markdown table.
#[derive(Debug)]
pub struct Table<'a>(pub &'a [Figures]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| phase | due | completed | failed | lost | twice | p50 | p95 | p99 | max | over 1 s |")?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|---|---|")?;
        for row in self.0 {
            let counts = [row.due, row.completed, row.failed, row.lost, row.duplicated].map(|n| n.to_string());
            let times = [50.0, 95.0, 99.0, 100.0].map(|p| seconds(row.percentile(p)));
            let (counts, times) = (counts.join(" | "), times.join(" | "));
            writeln!(f, "| {} | {counts} | {times} | {} |", row.phase, row.over(Duration::from_secs(1)))?;
        }
        Ok(())
    }
}

fn seconds(time: Option<Duration>) -> String {
    time.map_or("–".to_owned(), |t| format!("{:.3} s", t.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(n: usize, due: f64, latency: Option<f64>) -> Record {
        let completed = latency.map(|l| due + l);
        let error = latency.is_none().then(|| "gone".to_owned());
        Record { id: format!("w-{n}"), due, sent: due, started: Some(due), completed, error }
    }

    fn phase(name: &str, from: f64) -> Phase {
        Phase { name: name.to_owned(), from }
    }

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let records: Vec<_> = (1..=200).rev().map(|n| record(n, 5.0, Some(n as f64 / 1000.0))).collect();
        let all = figures(&records, &Verdict::default(), &[phase("all", 0.0)]);
        let at = |p: f64| all[0].percentile(p).unwrap().as_millis();
        assert_eq!([0.0, 50.0, 95.0, 99.0, 99.9, 100.0].map(at), [1, 100, 190, 198, 200, 200]);
        let none = figures(&[], &Verdict::default(), &[phase("none", 0.0)]);
        assert_eq!(none[0].percentile(99.0), None);
    }

    #[test]
    fn a_workflow_counts_in_the_phase_in_which_it_was_due() {
        let records =
            [record(0, 1.0, Some(0.1)), record(1, 10.0, Some(0.1)), record(2, 19.9, Some(30.0)), record(3, 20.0, None)];
        let phases = [phase("steady", 10.0), phase("event", 20.0)];
        let all = figures(&records, &Verdict::default(), &phases);
        let counts: Vec<_> = all.iter().map(|f| (f.due, f.completed, f.failed)).collect();
        assert_eq!(counts, [(2, 2, 0), (1, 0, 1)]);
        // what never arrived took longer than anything
        assert_eq!(all.iter().map(|f| f.over(Duration::from_secs(1))).collect::<Vec<_>>(), [1, 1]);
    }

    #[test]
    fn lost_is_what_was_taken_and_did_not_complete() {
        let mut refused = record(3, 0.0, None);
        refused.started = None;
        let records = [record(0, 0.0, Some(0.1)), record(1, 0.0, None), record(2, 0.0, None), refused.clone()];
        let status = |n: usize, s: &str| (format!("w-{n}"), s.to_owned());
        let verdict = Verdict {
            unfinished: [status(1, "RUNNING"), status(2, "MISSING"), status(3, "MISSING")].into(),
            duplicated: ["w-0".to_owned()].into(),
            ..Verdict::default()
        };
        let all = figures(&records, &verdict, &[phase("all", 0.0)]);
        assert_eq!((all[0].failed, all[0].refused, all[0].lost, all[0].duplicated), (3, 1, 2, 1));
        // the client got an error, but the server runs it: nobody waits for it
        let taken = Verdict { unfinished: [status(3, "RUNNING")].into(), ..Verdict::default() };
        assert_eq!(figures(&[refused], &taken, &[phase("all", 0.0)])[0].lost, 1);
    }

    #[test]
    fn the_table_has_a_row_for_each_phase() {
        let all = figures(&[record(0, 1.0, Some(1.5))], &Verdict::default(), &[phase("a", 0.0), phase("b", 2.0)]);
        let text = Table(&all).to_string();
        let rows: Vec<&str> = text.lines().skip(2).collect();
        let expected = [
            "| a | 1 | 1 | 0 | 0 | 0 | 1.500 s | 1.500 s | 1.500 s | 1.500 s | 1 |",
            "| b | 0 | 0 | 0 | 0 | 0 | – | – | – | – | 0 |",
        ];
        assert_eq!(rows, expected);
    }
}
