//! What clients notice: a load on a cluster of three pods a role while these are replaced, killed and lost with their node.

use std::cell::Cell;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::page::LOAD;
use super::{Bed, PATIENCE, operator};
use crate::cluster::{self, Lent, TAINT};
use crate::demo::register_namespace;
use crate::host;
use crate::image::ctr;
use crate::layout::Node;
use crate::load::{Load, Report, Table, Target};
use crate::step::Screen;
use crate::versions;

/// Workflows a second: with 15 two cores are fully taken as soon as a server starts, and every figure is one of the machine.
const RATE: f64 = 8.0;
const NAME: &str = "load";
/// Pods of each role, one on each node.
const PODS: usize = 3;
const ROLES: [&str; 4] = ["frontend", "history", "matching", "worker"];
/// The load after a kill that is counted as its consequence.
const AFTERMATH: Duration = Duration::from_secs(15);
/// What is done in a phase.
type Work<'a> = Box<dyn Fn() -> Result<()> + 'a>;
/// Two ages of a connection.
const RECONNECTED: Duration = Duration::from_mins(12);
/// How long a node is away.
const AWAY: Duration = Duration::from_secs(60);

const BASELINE: &str = "all Deployments at once";
const BY_HAND: &str = "by hand, one role at a time";
/// Order of the roles by hand.
const HAND_ORDER: [&str; 4] = ["matching", "history", "frontend", "worker"];
/// How long a changed dynamic config takes to reach every server at most: twice the server's period.
const SPREAD: Duration = Duration::from_secs(20);

/// Keys of the dynamic config and their values, for everybody.
type Settings = [(&'static str, &'static str)];

/// The server's own values (1.31, `common/dynamicconfig/constants.go`) of what the operator sets otherwise for the sake of
/// pods that leave and those that take over.
const SERVERS_OWN: &Settings = &[
    ("frontend.shutdownFailHealthCheckDuration", "0s"),
    ("frontend.shutdownDrainDuration", "0s"),
    ("history.longPollExpirationInterval", "20s"),
    ("history.alignMembershipChange", "0s"),
    ("history.shutdownDrainDuration", "0s"),
    ("history.timerProcessorUpdateAckInterval", "30s"),
    ("history.transferProcessorUpdateAckInterval", "30s"),
    ("history.visibilityProcessorUpdateAckInterval", "30s"),
    ("matching.alignMembershipChange", "0s"),
    ("matching.shutdownDrainDuration", "0s"),
    ("matching.longPollExpirationInterval", "1m"),
];

/// What somebody sets beyond these who restarts one role after the other by hand, and the server's own value of what the
/// operator sets otherwise only while it does so.
const SET_BY_HAND: &Settings = &[
    ("frontend.shutdownFailHealthCheckDuration", "5s"),
    ("frontend.shutdownDrainDuration", "10s"),
    ("history.shutdownDrainDuration", "15s"),
    ("history.alignMembershipChange", "10s"),
    ("history.startupMembershipJoinDelay", "5s"),
    ("matching.shutdownDrainDuration", "15s"),
    ("matching.alignMembershipChange", "10s"),
    ("matching.membershipUnloadDelay", "500ms"),
];

/// What is seen of a phase at best, by its name.
const LIMITS: [(&str, &str); 7] = [
    (BASELINE, "the baseline: what a restart without the operator, and without its dynamic config, costs"),
    (
        BY_HAND,
        "the operator is away; its probes and Deployments, with 5 s for a pod to be counted and the dynamic config of a careful \
         user; `kubectl rollout restart` and `kubectl rollout status` for one role after the other",
    ),
    (
        "history killed",
        "the connection breaks at once; the shards wait until the container runs again or the ring drops it (8 s)",
    ),
    (
        "matching killed",
        "the same for task queues; a task given to a poll that broke comes again after its own time-out",
    ),
    ("until a node is free", "undisturbed, until no connection of the load leads to the node that is cut off"),
    (
        "node cut off",
        "ring: 3 to 9 s to suspect a member, 5 s to drop it; connections: 12 to 25 s; then its shards are taken over",
    ),
    ("node back", "its shards and task queues move back"),
];

/// Runs it all; each undisturbed part takes `calm`.
pub(super) fn run(screen: &Screen, bed: &Bed<'_>, python: &Path, calm: Duration) -> Result<Report> {
    let lent =
        Lent::some(screen, bed.layout, PODS - 1, versions::TEMPORAL)?.context("a testbed with one node is needed")?;
    bed.prepare()?;
    screen.step("a cluster of three pods a role", |_| {
        bed.kubectl(["apply", "-f", "-"]).input(manifest(&[]).to_string()).run()?;
        bed.settled()
    })?;
    let service = bed.kube.service_ip(bed.namespace, &format!("{NAME}-frontend"))?;
    let address = format!("{service}:7233");
    register_namespace(screen, python, &address, NAME)?;
    let target = Target { address, namespace: NAME.to_owned(), queue: "bench".to_owned(), queues: 1 };
    let files = bed.layout.log().join("load");
    let mut load = Load::start(python, &bed.layout.repo, &files, &target, RATE)?;
    let lost = Cell::new(*lent.nodes().last().context("no node was lent")?);
    let rest = |time: Duration| -> Work<'_> {
        Box::new(move || {
            sleep(time);
            Ok(())
        })
    };
    let mut phases: Vec<(String, Work<'_>)> = vec![
        ("steady".to_owned(), rest(calm)),
        ("one role at a time".to_owned(), Box::new(|| bed.roll())),
        ("after that".to_owned(), rest(calm)),
    ];
    phases.extend(ROLES.map(|role| (format!("{role} killed"), Box::new(|| bed.kill(role)) as Work<'_>)));
    phases.push((
        "until a node is free".to_owned(),
        Box::new(|| {
            lost.set(node_without_the_load(&service, lent.nodes())?);
            Ok(())
        }),
    ));
    phases.push(("node cut off".to_owned(), Box::new(|| cluster::cut(lost.get()).map(|()| sleep(AWAY)))));
    phases.push(("node back".to_owned(), Box::new(|| cluster::join(lost.get()).and_then(|()| bed.settled()))));
    let configured = |settings: &'static [&'static Settings]| -> Work<'_> {
        Box::new(move || {
            bed.kubectl(["apply", "-f", "-"]).input(manifest(settings).to_string()).run()?;
            sleep(calm.max(SPREAD));
            Ok(())
        })
    };
    phases.push(("with the settings by hand".to_owned(), configured(&[SERVERS_OWN, SET_BY_HAND])));
    phases.push((BY_HAND.to_owned(), Box::new(|| bed.roll_by_hand())));
    phases
        .push(("the operator is back".to_owned(), Box::new(|| operator::start(bed.kube).and_then(|()| bed.settled()))));
    phases.push(("with Temporal's defaults".to_owned(), configured(&[SERVERS_OWN])));
    // the baseline comes last: what it piles up would be seen in whatever follows
    phases.push((BASELINE.to_owned(), Box::new(|| bed.restart_all())));
    phases.push(("at the end".to_owned(), rest(calm)));
    for (name, work) in phases {
        load.phase(&name);
        screen.step(&name, |_| work())?;
    }
    let report = screen.step("what became of every workflow", |_| load.stop())?;
    bed.remove()?;
    Ok(report)
}

/// Waits until the load is connected to one of the nodes no more: a client of a lost node waits for its own time-out, which
/// is not measured here. Frontends end each connection after some 5 min (`frontend.keepAliveMaxConnectionAge`).
fn node_without_the_load(service_ip: &str, nodes: &[Node]) -> Result<Node> {
    let deadline = Instant::now() + RECONNECTED;
    loop {
        let met = cluster::nodes_behind(service_ip)?;
        if let Some(free) = nodes.iter().find(|node| !met.contains(node)) {
            return Ok(*free);
        }
        anyhow::ensure!(Instant::now() < deadline, "the load stays connected to every node that could be lost");
        sleep(Duration::from_secs(1));
    }
}

fn manifest(settings: &[&Settings]) -> Value {
    let dynamic_config: Map<String, Value> =
        settings.iter().copied().flatten().map(|(key, value)| ((*key).to_owned(), json!([{"value": value}]))).collect();
    let store = |database: &str| {
        json!({
            "sql": {"pluginName": "postgres12", "user": "temporal", "databaseName": database, "connectAddr": "postgres:5432"},
            "passwordSecretRef": {"name": "postgres"},
        })
    };
    let tolerations = json!([{"key": TAINT, "operator": "Exists"}]);
    let role = json!({"replicas": PODS, "tolerations": tolerations});
    json!({
        "apiVersion": "temporal.io/v1beta1", "kind": "TemporalCluster", "metadata": {"name": NAME},
        "spec": {
            "version": versions::TEMPORAL,
            "numHistoryShards": 64,
            "dynamicConfig": {"values": dynamic_config},
            "persistence": {"defaultStore": store("temporal"), "visibilityStore": store("temporal_visibility")},
            "services": ROLES.map(|name| (name.to_owned(), role.clone())).into_iter().collect::<Map<_, _>>(),
        },
    })
}

impl Bed<'_> {
    /// Waits until the operator has nothing left to do.
    fn settled(&self) -> Result<()> {
        let cluster = format!("temporalcluster/{NAME}");
        for condition in ["Ready", "Reconciling=False"] {
            self.kubectl(["wait", &format!("--for=condition={condition}"), &cluster, PATIENCE]).run()?;
        }
        Ok(())
    }

    /// As a user asks for it.
    fn roll(&self) -> Result<()> {
        let cluster = format!("temporalcluster/{NAME}");
        let at = format!("temporal.io/restartedAt={:?}", std::time::SystemTime::now());
        self.kubectl(["annotate", "--overwrite", &cluster, &at]).run()?;
        // an annotation is no new generation: what is waited for is the rollout's end, once it has begun
        self.kubectl(["wait", "--for=jsonpath={.status.rollout.step.role}", &cluster, PATIENCE]).run()?;
        self.settled()
    }

    /// As a careful user does it who has no operator.
    fn roll_by_hand(&self) -> Result<()> {
        operator::stop(self.kube)?;
        for role in HAND_ORDER {
            let name = format!("deployment/{NAME}-{role}");
            self.kubectl(["patch", &name, "-p", r#"{"spec": {"minReadySeconds": 5}}"#]).run()?;
            self.kubectl(["rollout", "restart", &name]).run()?;
            self.kubectl(["rollout", "status", &name, PATIENCE]).run()?;
        }
        Ok(())
    }

    /// As a chart or a user in a hurry does it.
    fn restart_all(&self) -> Result<()> {
        let names = ROLES.map(|role| format!("deployment/{NAME}-{role}"));
        self.kubectl(["rollout", "restart"]).args(&names).run()?;
        names.iter().try_for_each(|name| self.kubectl(["rollout", "status", name, PATIENCE]).run())?;
        self.settled()
    }

    /// Kills the process of a pod and waits until it is back.
    fn kill(&self, role: &str) -> Result<()> {
        let selector = format!("app.kubernetes.io/name={NAME},app.kubernetes.io/component={role}");
        let text = self.kubectl(["get", "pods", "-o", "json", "-l", &selector]).output()?;
        let pods: Value = serde_json::from_str(&text).context("kubectl's answer on pods is no JSON")?;
        let pod = &pods["items"][0];
        let node =
            pod["spec"]["nodeName"].as_str().and_then(|name| Node::new(name.strip_prefix("node")?.parse().ok()?));
        let id = pod["status"]["containerStatuses"][0]["containerID"].as_str();
        let (node, id) = node.zip(id).with_context(|| format!("the {role} pod does not run"))?;
        let kill = ctr(self.layout, node).args(["tasks", "kill", "--all", "--signal", "SIGKILL"]);
        kill.arg(id.trim_start_matches("containerd://")).run()?;
        sleep(AFTERMATH);
        self.settled()
    }
}

/// The part, in Markdown.
pub(super) fn text(report: &Report, took: Duration) -> String {
    let cores = host::cores();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split(' ').take(3).collect();
    let mut text = format!(
        "{LOAD}\n\n{RATE} workflows a second, each with one activity, begun when they are due, by the Python SDK with its \
         defaults; latency from the moment a workflow was due. Server {}, {PODS} pods a role, 64 shards, PostgreSQL, \
         three nodes that share the {cores} cores of the machine with the load itself ({:.0} % of a core). {:.0} min in all; \
         load average at the end {}.\n\n{}\n",
        versions::TEMPORAL,
        report.cpu * 100.0,
        took.as_secs_f64() / 60.0,
        load.join(" "),
        Table(&report.figures)
    );
    for (error, count) in &report.errors {
        text.push_str(&format!("- error, {count} times: {error}\n"));
    }
    text.push_str("\n| phase | what limits it |\n|---|---|\n");
    for (phase, limit) in LIMITS {
        text.push_str(&format!("| {phase} | {limit} |\n"));
    }
    text
}

/// Measures it, with the time it took.
pub(super) fn measured(screen: &Screen, bed: &Bed<'_>, python: &Path, calm: Duration) -> Result<String> {
    let began = Instant::now();
    let report = run(screen, bed, python, calm)?;
    Ok(text(&report, began.elapsed()))
}
