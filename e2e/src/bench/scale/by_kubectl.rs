//! The same objects without the operator: what API server, controllers and kubectl need for them by themselves. No order
//! is kept and nothing is waited for between them, since nothing runs behind the fake pods.

use std::path::Path;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use serde_json::{Value, json};

use super::{Bench, NAMESPACE, manifest};
use crate::bench::{by_hand, operator};
use crate::demo::Kube;

/// As many at a time as the operator works on.
const AT_A_TIME: usize = 8;
const PATIENCE: &str = "--timeout=900s";

/// What it takes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ByKubectl {
    /// From the first apply until all is available and complete, seconds.
    pub seconds: f64,
    /// Processor time of API server and etcd, seconds.
    pub api_cpu: f64,
    /// The same of controllers, scheduler and kwok.
    pub controllers_cpu: f64,
}

/// Applies the objects of so many clusters while no operator runs.
pub(super) fn run(bench: &Bench<'_>, operator: &Path, count: usize) -> Result<ByKubectl> {
    let lists = lists(bench, operator, count)?;
    operator::stop(bench.kube)?;
    let (before, started) = (bench.cpu()?, Instant::now());
    thread::scope(|scope| {
        let all: Vec<_> = lists.iter().map(|list| scope.spawn(|| apply(bench.kube, list))).collect();
        all.into_iter().try_for_each(|one| one.join().map_err(|_| anyhow!("a thread has panicked"))?)
    })?;
    wait(bench.kube, "Complete", "job")?;
    wait(bench.kube, "Available", "deployment")?;
    let (seconds, after) = (started.elapsed().as_secs_f64(), bench.cpu()?);
    Ok(ByKubectl { seconds, api_cpu: after.0 - before.0, controllers_cpu: after.1 - before.1 })
}

/// What `temporal-operator plan` prints for each cluster, in as many lists as are applied at a time.
fn lists(bench: &Bench<'_>, operator: &Path, count: usize) -> Result<Vec<String>> {
    let first = manifest::first(bench.kube, bench.layout)?.to_string();
    let objects = by_hand::objects(bench.kube, operator, NAMESPACE, first)?;
    let text = serde_json::to_string(&objects).context("no JSON")?;
    let mut lists = vec![Vec::new(); AT_A_TIME];
    for number in 1..=count {
        let other =
            text.replace("scale-001", &manifest::name(number)).replace("scale_001", &manifest::database(number));
        let objects: Vec<Value> = serde_json::from_str(&other).context("no JSON")?;
        lists[number % AT_A_TIME].extend(objects);
    }
    let list = |items: Vec<Value>| json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
    Ok(lists.into_iter().filter(|l| !l.is_empty()).map(list).collect())
}

fn apply(kube: &Kube, list: &str) -> Result<()> {
    kube.kubectl().args(["-n", NAMESPACE, "apply", "--server-side", "-f", "-"]).input(list).run()
}

fn wait(kube: &Kube, condition: &str, kind: &str) -> Result<()> {
    kube.kubectl()
        .args(["-n", NAMESPACE, "wait", &format!("--for=condition={condition}"), kind, "--all", PATIENCE])
        .run()
}
