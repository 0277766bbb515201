//! The API server's audit log: who called what.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::PathBuf;

use e2e::layout::Layout;
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::bed::{OPERATOR, OPERATOR_NAMESPACE};

/// A moment, as a place in the log.
#[derive(Debug, Clone, Copy)]
pub struct Moment(u64);

impl Moment {
    /// Now.
    pub fn now() -> Self {
        Self(std::fs::metadata(layout().audit_log()).expect("the API server writes an audit log").len())
    }

    /// Notes it as the moment when this run of the scenarios began.
    pub fn keep(self) {
        std::fs::write(began(), self.0.to_string()).expect("the testbed's log directory can be written");
    }

    /// When the last run of the scenarios began.
    pub fn kept() -> Self {
        let text = std::fs::read_to_string(began()).expect("scenarios ran on this testbed");
        let place = text.parse().expect("a place in the log");
        // a log that is shorter was begun anew meanwhile
        Self(if place > Self::now().0 { 0 } else { place })
    }
}

fn layout() -> Layout {
    Layout::from_environment().unwrap()
}

fn began() -> PathBuf {
    layout().log().join("scenarios-began")
}

/// A call of an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `get`, `patch`, ...
    pub verb: String,
    /// `apps`, `temporal.io`, ...; empty for the core.
    pub group: String,
    /// `pods`, `temporalclusters/status`, ...
    pub resource: String,
    /// Its namespace, if it has one.
    pub namespace: Option<String>,
    /// Its name, if there is one.
    pub name: String,
    /// Whether it made an object; so may a `patch`, which then needs the right to create as well.
    pub created: bool,
    /// Whether the caller had no right to it.
    pub refused: bool,
    /// The operator's pod that called; empty outside of Kubernetes.
    pub pod: String,
    /// When the API server got it.
    pub received: Timestamp,
    /// When it was answered.
    pub answered: Timestamp,
}

impl Call {
    /// Whether it asked what there is (`/version`, `/apis/…`), which is open to everybody who has logged in.
    pub fn is_discovery(&self) -> bool {
        self.resource.starts_with("\"/")
    }

    /// Whether it changes something.
    pub fn writes(&self) -> bool {
        !["get", "list", "watch"].contains(&self.verb.as_str())
    }

    /// Whether it is about the operator's own Lease.
    pub fn is_lease(&self) -> bool {
        self.resource == "leases" && self.namespace.as_deref() == Some(OPERATOR_NAMESPACE) && self.name == OPERATOR
    }
}

/// The user name of a ServiceAccount.
pub fn user(namespace: &str, account: &str) -> String {
    format!("system:serviceaccount:{namespace}:{account}")
}

/// The operator's calls that were answered since then.
pub fn calls(since: Moment) -> Vec<Call> {
    calls_of(&user(OPERATOR_NAMESPACE, OPERATOR), since)
}

/// A user's calls whose answer ended since then; of watches, began.
pub fn calls_of(user: &str, since: Moment) -> Vec<Call> {
    let mut log = File::open(layout().audit_log()).unwrap();
    log.seek(SeekFrom::Start(since.0)).unwrap();
    let mut log = BufReader::new(log);
    let (mut all, mut line) = (Vec::new(), Vec::new());
    // the last line may be under way
    while log.read_until(b'\n', &mut line).unwrap() > 0 && line.ends_with(b"\n") {
        let text = String::from_utf8_lossy(&line);
        if text.contains(user) {
            all.extend(serde_json::from_str(&text).ok().and_then(|value| call(&value, user)));
        }
        line.clear();
    }
    all
}

fn call(line: &Value, user: &str) -> Option<Call> {
    let verb = line["verb"].as_str()?.to_owned();
    let stage = if verb == "watch" { "ResponseStarted" } else { "ResponseComplete" };
    let refused = line["annotations"]["authorization.k8s.io/decision"] == "forbid";
    if line["user"]["username"] != user || (line["stage"] != stage && !refused) {
        return None;
    }
    let object = &line["objectRef"];
    let text = |key: &str| object[key].as_str().map(str::to_owned);
    let resource = text("resource").unwrap_or_else(|| line["requestURI"].to_string());
    let resource = text("subresource").map_or(resource.clone(), |sub| format!("{resource}/{sub}"));
    let time = |key: &str| line[key].as_str()?.parse().ok();
    Some(Call {
        verb,
        group: text("apiGroup").unwrap_or_default(),
        resource,
        namespace: text("namespace"),
        name: text("name").unwrap_or_default(),
        created: line["responseStatus"]["code"] == 201,
        refused,
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
