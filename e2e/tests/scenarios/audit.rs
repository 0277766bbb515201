//! The API server's audit log: who called what.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::bed::{Bed, OPERATOR, OPERATOR_NAMESPACE};

/// A moment, as a place in the log.
#[derive(Debug, Clone, Copy)]
pub struct Moment(u64);

impl Moment {
    /// Now.
    pub fn now() -> Self {
        Self(std::fs::metadata(Bed::get().layout.audit_log()).expect("the API server writes an audit log").len())
    }
}

/// A call of the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `get`, `patch`, ...
    pub verb: String,
    /// `pods`, `temporalclusters/status`, ...
    pub resource: String,
    /// Its namespace, if it has one.
    pub namespace: Option<String>,
    /// Its name, if there is one.
    pub name: String,
    /// The operator's pod that called; empty outside of Kubernetes.
    pub pod: String,
    /// When the API server got it.
    pub received: Timestamp,
    /// When it was answered.
    pub answered: Timestamp,
}

impl Call {
    /// Whether it changes something.
    pub fn writes(&self) -> bool {
        !["get", "list", "watch"].contains(&self.verb.as_str())
    }

    /// Whether it is about the operator's own Lease.
    pub fn is_lease(&self) -> bool {
        self.resource == "leases" && self.namespace.as_deref() == Some(OPERATOR_NAMESPACE) && self.name == OPERATOR
    }
}

/// The operator's calls that were answered since then.
pub fn calls(since: Moment) -> Vec<Call> {
    let mut log = File::open(Bed::get().layout.audit_log()).unwrap();
    log.seek(SeekFrom::Start(since.0)).unwrap();
    let mut bytes = Vec::new();
    log.read_to_end(&mut bytes).unwrap();
    let user = format!("system:serviceaccount:{OPERATOR_NAMESPACE}:{OPERATOR}");
    let text = String::from_utf8_lossy(&bytes);
    // the last line may be under way
    let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n') && line.contains(&user));
    lines.filter_map(|line| call(&serde_json::from_str(line).ok()?, &user)).collect()
}

fn call(line: &Value, user: &str) -> Option<Call> {
    if line["user"]["username"] != user || line["stage"] != "ResponseComplete" {
        return None;
    }
    let object = &line["objectRef"];
    let text = |key: &str| object[key].as_str().map(str::to_owned);
    let resource = text("resource").unwrap_or_else(|| line["requestURI"].to_string());
    let resource = text("subresource").map_or(resource.clone(), |sub| format!("{resource}/{sub}"));
    let verb = line["verb"].as_str()?.to_owned();
    let time = |key: &str| line[key].as_str()?.parse().ok();
    Some(Call {
        verb,
        resource,
        namespace: text("namespace"),
        name: text("name").unwrap_or_default(),
        pod: line["user"]["extra"]["authentication.kubernetes.io/pod-name"][0].as_str().unwrap_or_default().to_owned(),
        received: time("requestReceivedTimestamp")?,
        answered: time("stageTimestamp")?,
    })
}

/// Calls per minute by verb and resource, for people.
pub fn rates<'a>(calls: impl IntoIterator<Item = &'a Call>, seconds: f64) -> String {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for call in calls {
        *counts.entry(format!("{} {}", call.verb, call.resource)).or_default() += 1;
    }
    let rates: Vec<_> =
        counts.iter().map(|(what, n)| format!("{what} {:.1}", f64::from(*n) * 60.0 / seconds)).collect();
    if rates.is_empty() { "none".to_owned() } else { rates.join(", ") }
}
