//! Load for a Temporal cluster: an open loop of workflows by the official Python SDK with its defaults, from processes
//! of their own (`e2e/workflow/load.py`).

mod figures;

pub use figures::{Figures, Phase, Record, Table, Verdict, figures};

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::command::Cmd;

/// Until the first workflow has ended: a namespace that was just registered is not known everywhere at once.
const START: Duration = Duration::from_secs(90);
/// Until the results that are out have arrived or are given up (`DRAIN` in load.py), and some.
const END: Duration = Duration::from_secs(190);

/// Where load goes.
#[derive(Debug, Clone)]
pub struct Target {
    /// `address:port` of the frontend.
    pub address: String,
    /// The Temporal namespace.
    pub namespace: String,
    /// The task queue; ids of workflows begin with it, so no two loads of a cluster may share it.
    pub queue: String,
    /// Over how many task queues the workflows are spread, each with a worker; more than one is named after `queue`.
    pub queues: u16,
}

impl Target {
    /// With what every part of `load.py` begins.
    fn arguments(&self, verb: &str) -> [String; 5] {
        let Self { address, namespace, queue, queues } = self.clone();
        [verb.to_owned(), address, namespace, queue, queues.to_string()]
    }
}

/// A worker and a starter that run until this value goes.
#[derive(Debug)]
pub struct Load {
    python: PathBuf,
    script: PathBuf,
    target: Target,
    worker: Part,
    starter: Part,
    phases: Vec<Phase>,
}

/// What a run came to.
#[derive(Debug)]
pub struct Report {
    /// By phase.
    pub figures: Vec<Figures>,
    /// What the server says.
    pub verdict: Verdict,
    /// Different errors that callers got, each with how often it came.
    pub errors: Vec<(String, usize)>,
    /// Workflows whose activity was carried out more than once, which Temporal allows.
    pub repeated: u64,
    /// What the generator itself used, in parts of a processor.
    pub cpu: f64,
    /// 99 % of the starts were asked for within this time after they were due.
    pub late: Duration,
}

impl Load {
    /// Begins `rate` workflows a second; returns when the first ones have ended. Its files go to the directory `files`.
    pub fn start(python: &Path, repo: &Path, files: &Path, target: &Target, rate: f64) -> Result<Self> {
        fs::create_dir_all(files).with_context(|| format!("cannot make {}", files.display()))?;
        let script = repo.join("e2e/workflow/load.py");
        let part = |verb: &str, rest: &[&str]| Part::start(python, &script, files, target, verb, rest);
        let worker = part("work", &[])?;
        let starter = part("start", &[&rate.to_string()])?;
        let mut load = Self {
            python: python.to_owned(),
            script: script.clone(),
            target: target.clone(),
            worker,
            starter,
            phases: Vec::new(),
        };
        let late = Instant::now() + START;
        load.worker.ready(late)?;
        load.starter.ready(late)?;
        Ok(load)
    }

    /// A new phase begins now.
    pub fn phase(&mut self, name: &str) {
        self.phases.push(Phase { name: name.to_owned(), from: now() });
    }

    /// Starts no more, waits for what is out, and asks the server what has become of each workflow.
    pub fn stop(mut self) -> Result<Report> {
        let late = Instant::now() + END;
        // the worker last: it works on what is out
        let starter = self.starter.end(late)?;
        let worker = self.worker.end(late + Duration::from_secs(20))?;
        if let Some(error) = worker.error {
            bail!("the worker ended by itself: {error}");
        }
        let records: Vec<Record> = self.starter.lines("workflow")?;
        let ids: Vec<&str> = records.iter().map(|r| r.id.as_str()).collect();
        let check = Cmd::new("timeout").args(["--kill-after=5", "150"]).arg(&self.python).arg(&self.script);
        let said = check.args(self.target.arguments("check")).input(ids.join("\n")).output()?;
        // the SDK may log to standard output too
        let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        let verdict = serde_json::from_str(last).with_context(|| format!("the check printed {said:?}"))?;
        let figures = figures(&records, &verdict, &self.phases);
        let cpu = starter.cpu / starter.seconds + worker.cpu / worker.seconds;
        Ok(Report {
            figures,
            verdict,
            errors: errors(&records),
            repeated: worker.repeated,
            cpu,
            late: lateness(&records),
        })
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

fn errors(records: &[Record]) -> Vec<(String, usize)> {
    let mut all: BTreeMap<String, usize> = BTreeMap::new();
    for (record, error) in records.iter().filter_map(|r| Some((r, r.error.as_ref()?))) {
        let when = if record.started.is_some() { "awaiting the result" } else { "starting" };
        *all.entry(format!("{when}: {error}")).or_default() += 1;
    }
    all.into_iter().collect()
}

fn lateness(records: &[Record]) -> Duration {
    let sent = records.iter().map(|r| Record { completed: Some(r.sent), ..r.clone() }).collect::<Vec<_>>();
    let all = [Phase { name: String::new(), from: 0.0 }];
    figures(&sent, &Verdict::default(), &all).first().and_then(|f| f.percentile(99.0)).unwrap_or_default()
}

/// What a process used.
#[derive(Debug, Deserialize)]
struct Cost {
    cpu: f64,
    seconds: f64,
    #[serde(default)]
    repeated: u64,
    error: Option<String>,
}

/// One process of the load. It ends when its input does: with this value, or with this process, however that ends.
#[derive(Debug)]
struct Part {
    child: Child,
    file: PathBuf,
    errors: PathBuf,
}

impl Part {
    fn start(python: &Path, script: &Path, files: &Path, target: &Target, verb: &str, rest: &[&str]) -> Result<Self> {
        let file = files.join(format!("{}-{verb}.jsonl", target.queue));
        let errors = file.with_extension("err");
        let _ = fs::remove_file(&file);
        let err = File::create(&errors).with_context(|| format!("cannot write {}", errors.display()))?;
        let out = err.try_clone().context("cannot share a file")?;
        let mut command = Command::new(python);
        command.arg(script).args(target.arguments(verb)).arg(&file).args(rest);
        let child = command.stdin(Stdio::piped()).stdout(out).stderr(err).process_group(0).spawn();
        let child = child.with_context(|| format!("cannot run {}", python.display()))?;
        Ok(Self { child, file, errors })
    }

    /// Waits for its first line.
    fn ready(&mut self, late: Instant) -> Result<()> {
        while self.lines::<Value>("ready")?.is_empty() {
            if self.child.try_wait()?.is_some() || Instant::now() > late {
                bail!("the load does not begin: {}", self.said());
            }
            sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Ends its input and waits for its end.
    fn end(&mut self, late: Instant) -> Result<Cost> {
        drop(self.child.stdin.take());
        while self.child.try_wait()?.is_none() {
            if Instant::now() > late {
                bail!("the load does not end: {}", self.said());
            }
            sleep(Duration::from_millis(50));
        }
        self.lines("cost")?.pop().with_context(|| format!("the load broke off: {}", self.said()))
    }

    /// The complete lines of a kind.
    fn lines<T: DeserializeOwned>(&self, kind: &str) -> Result<Vec<T>> {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let values = whole.lines().map(serde_json::from_str::<Value>).collect::<Result<Vec<_>, _>>();
        let values = values.with_context(|| format!("{} is not as it should be", self.file.display()))?;
        let ours = values.into_iter().filter(|v| v["kind"] == kind);
        Ok(ours.map(serde_json::from_value).collect::<Result<_, _>>()?)
    }

    fn said(&self) -> String {
        let text = fs::read_to_string(&self.errors).unwrap_or_default();
        text.lines().rev().take(5).collect::<Vec<_>>().join(" / ")
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
