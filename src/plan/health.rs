//! From everything seen to one verdict and one sentence: an ordered list of rules, the first that holds speaks.

use crate::api::TemporalClusterStatus;
use crate::api::conditions::{self, MEMBERSHIP_HEALTHY, Truth};
use crate::api::redact::without_credentials;
use crate::api::services::Role;
use crate::api::status::Phase;
use crate::build::ObjectKey;
use crate::plan::rollout::{Progress, RoleState, Rollout};
use crate::plan::schema::SchemaPlan;
use crate::plan::{Membership, Observed, TemporalView};
use crate::validate::ValidCluster;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

/// How long a cluster that was ready may be without Temporal's proof before it counts as not ready.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// A truth with its reason and sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// True, False or Unknown.
    pub truth: Truth,
    /// A CamelCase word.
    pub reason: &'static str,
    /// One sentence.
    pub message: String,
}

impl Verdict {
    fn new(truth: Truth, reason: &'static str, message: impl Into<String>) -> Self {
        Self { truth, reason, message: message.into() }
    }
}

/// What stands before everything else.
#[derive(Clone, Copy, Debug)]
pub struct Blockers<'a> {
    /// Secrets that the pods read and that do not exist.
    pub missing_secrets: &'a [&'a str],
    /// The first object that has not been sent as it is wanted now.
    pub unsent: Option<&'a ObjectKey>,
}

/// The verdicts on a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Every role's Deployment is complete.
    pub services: Verdict,
    /// Temporal's rings and shards are as they should be.
    pub membership: Verdict,
    /// The cluster as a whole; its message is the status sentence.
    pub overall: Verdict,
    /// The cluster serves, proven.
    pub ready: bool,
    /// A change is on its way.
    pub reconciling: bool,
    /// The word for it.
    pub phase: Phase,
}

/// Judges a cluster.
#[allow(clippy::too_many_arguments)] // all that a verdict may depend on
#[must_use]
pub fn assess(
    cluster: &ValidCluster,
    generation: Option<i64>,
    old: &TemporalClusterStatus,
    seen: &Observed,
    blockers: &Blockers<'_>,
    schema: &SchemaPlan,
    rollout: &Rollout,
    now: Timestamp,
) -> Health {
    let membership = membership(cluster, rollout, seen);
    let services = services(cluster, rollout, seen, &membership);
    let was_ready = conditions::is_true(&old.conditions, conditions::READY);
    let proven = membership.truth == Truth::True || (was_ready && within_patience(old, now));
    // a change under way does not make a serving cluster unready: every role still answers
    let complete = services.truth == Truth::True && schema.is_ready();
    let ready = proven && rollout.every_role_available() && (was_ready || complete);
    let (reason, message) = sentence(cluster, blockers, schema, &services, &membership);
    let settled = ready && reason == SERVING;
    Health {
        overall: Verdict::new(ready.into(), reason, message),
        phase: phase(
            old,
            settled,
            ready,
            changing(old, generation, rollout, schema),
            !blockers.missing_secrets.is_empty(),
        ),
        reconciling: !settled,
        services,
        membership,
        ready,
    }
}

/// Reason of a cluster with nothing left to do.
const SERVING: &str = "ClusterReady";

/// What is to be said: the first thing that is not as it should be.
fn sentence(
    cluster: &ValidCluster,
    blockers: &Blockers<'_>,
    schema: &SchemaPlan,
    services: &Verdict,
    membership: &Verdict,
) -> (&'static str, String) {
    if let Some(name) = blockers.missing_secrets.first() {
        ("SecretMissing", missing_secret(cluster, name))
    } else if let Some(pending) = &schema.pending {
        (pending.reason(), pending.message.clone())
    } else if services.truth != Truth::True {
        (services.reason, services.message.clone())
    } else if let Some(key) = blockers.unsent {
        ("Applying", format!("The change is being applied, {key} first."))
    } else if membership.truth != Truth::True {
        (membership.reason, membership.message.clone())
    } else {
        (SERVING, serving(cluster))
    }
}

fn missing_secret(cluster: &ValidCluster, name: &str) -> String {
    let key = cluster.stores().into_iter().filter_map(|s| s.password.as_ref()).find(|p| p.secret == name);
    let key = key.map_or("password", |k| k.key.as_str());
    format!("Waits for the Secret {name:?} in namespace {:?}; create it with the key {key:?}.", cluster.namespace)
}

fn serving(cluster: &ValidCluster) -> String {
    let notes = cluster.warnings.iter().fold(String::new(), |all, w| format!("{all} Note: {w}."));
    format!("Temporal {} serves with {} history shards.{notes}", cluster.version, cluster.history_shards)
}

/// The first role that is not complete speaks for all.
fn services(cluster: &ValidCluster, rollout: &Rollout, seen: &Observed, membership: &Verdict) -> Verdict {
    let rolling = rollout.roles.iter().find(|r| r.progress == Progress::Rolling);
    let Some(state) = rolling.or_else(|| rollout.roles.iter().find(|r| r.progress != Progress::Complete)) else {
        return Verdict::new(Truth::True, "RolesReady", "Every role runs the wanted pods.");
    };
    let RoleState { role, wanted, available, .. } = state;
    match state.progress {
        Progress::Absent => Verdict::new(Truth::False, "RoleAbsent", format!("The {role} role is not made yet.")),
        Progress::Outdated => {
            // no role is on its way, so Kubernetes has proven the last one: Temporal has not
            let why = if membership.truth == Truth::True { String::new() } else { format!(" {}", membership.message) };
            Verdict::new(
                Truth::False,
                "RolePending",
                format!("The {role} role waits for its turn in the rollout.{why}"),
            )
        }
        _ => match seen.pods_of(role.name()).find_map(waiting_reason) {
            Some(reason) => Verdict::new(
                Truth::False,
                "RoleNotReady",
                format!("The {role} role has {available} of {wanted} pods available: {reason}."),
            ),
            None => Verdict::new(
                Truth::False,
                "RoleProgressing",
                format!("The {role} role of server {} has {available} of {wanted} pods available.", cluster.version),
            ),
        },
    }
}

/// Why a pod does not get on, as Kubernetes says it; `None` when it just needs time.
pub(super) fn waiting_reason(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let name = pod.name_any();
    let unscheduled = status.conditions.iter().flatten().find(|c| c.type_ == "PodScheduled" && c.status == "False");
    if let Some(condition) = unscheduled {
        return Some(format!(
            "pod {name} cannot be scheduled: {}",
            condition.message.as_deref().unwrap_or("no reason given")
        ));
    }
    let containers = status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten());
    for container in containers {
        let waiting = container.state.as_ref().and_then(|s| s.waiting.as_ref());
        let Some(reason) = waiting.and_then(|w| w.reason.as_deref()) else { continue };
        if ["PodInitializing", "ContainerCreating"].contains(&reason) {
            continue;
        }
        let last = container.last_state.as_ref().and_then(|s| s.terminated.as_ref());
        let said = last.and_then(|t| t.message.as_deref()).or_else(|| waiting.and_then(|w| w.message.as_deref()));
        let said = said.map(|m| conditions::shorten(without_credentials(m).trim(), 300)).unwrap_or_default();
        return Some(format!("container {} of pod {name} is in {reason}: {said}", container.name));
    }
    None
}

/// Whether Temporal's own view agrees with Kubernetes'.
fn membership(cluster: &ValidCluster, rollout: &Rollout, seen: &Observed) -> Verdict {
    match &seen.temporal {
        TemporalView::NotAsked => Verdict::new(Truth::Unknown, "NotAsked", "No frontend is up to be asked."),
        TemporalView::Silent { why, .. } => {
            Verdict::new(Truth::Unknown, "TemporalUnreachable", silence(&without_credentials(why)))
        }
        TemporalView::Seen(m) => disagreement(cluster, rollout, m).unwrap_or_else(|| {
            Verdict::new(Truth::True, "MembersAgree", "Every pod is in its ring and every shard is owned.")
        }),
    }
}

/// What is away: the part that the failed call was to prove, which its name has in brackets, else the frontend.
fn silence(why: &str) -> String {
    let parts =
        [("(database)", "the database"), ("(history)", "the history role"), ("(matching)", "the matching role")];
    match parts.iter().find(|(mark, _)| why.contains(mark)) {
        Some((_, part)) => format!("A check of {part} through the frontend fails: {why}."),
        None => format!("The frontend does not answer the operator: {why}."),
    }
}

fn disagreement(cluster: &ValidCluster, rollout: &Rollout, seen: &Membership) -> Option<Verdict> {
    let wanted_shards = u32::try_from(cluster.history_shards).unwrap_or_default();
    if seen.shards != wanted_shards {
        let text = format!(
            "The database was made with {} history shards, spec.numHistoryShards says {wanted_shards}; the database wins. Make a new cluster with that number or an empty database.",
            seen.shards
        );
        return Some(Verdict::new(Truth::False, "ShardCountDiffers", text));
    }
    for RoleState { role, wanted, .. } in &rollout.roles {
        let members = seen.members(*role);
        if members != *wanted {
            let text =
                format!("Temporal's ring of the {role} role has {members} members, {wanted} pods should be in it.");
            return Some(Verdict::new(Truth::False, "RingDiffers", text));
        }
    }
    (seen.owned_shards < seen.shards).then(|| {
        let text = format!(
            "{} of {} history shards are owned; {} pods move them now.",
            seen.owned_shards,
            seen.shards,
            Role::History
        );
        Verdict::new(Truth::False, "ShardsUnowned", text)
    })
}

/// The proof was there until a moment ago.
fn within_patience(old: &TemporalClusterStatus, now: Timestamp) -> bool {
    conditions::get(&old.conditions, MEMBERSHIP_HEALTHY)
        .is_none_or(|c| c.status == "True" || now.duration_since(c.last_transition_time.0) < PATIENCE)
}

/// A change is on its way: the spec has just changed, a schema is due, or a role waits for its turn.
fn changing(old: &TemporalClusterStatus, generation: Option<i64>, rollout: &Rollout, schema: &SchemaPlan) -> bool {
    old.observed_generation != generation
        || !schema.is_ready()
        || rollout.roles.iter().any(|r| r.progress == Progress::Outdated)
}

fn phase(old: &TemporalClusterStatus, settled: bool, ready: bool, changing: bool, blocked: bool) -> Phase {
    let first_time = matches!(old.phase, None | Some(Phase::Pending | Phase::Creating));
    match () {
        () if settled => Phase::Ready,
        () if blocked && !ready => Phase::Pending,
        () if blocked => Phase::Degraded,
        () if first_time && !ready => Phase::Creating,
        () if changing || (ready && old.phase == Some(Phase::Updating)) => Phase::Updating,
        () => Phase::Degraded,
    }
}
