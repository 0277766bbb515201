//! From everything seen to one verdict and one sentence: an ordered list of rules, the first that holds speaks.

use crate::api::TemporalClusterStatus;
use crate::api::conditions::{self, MEMBERSHIP_HEALTHY, Truth};
use crate::api::redact::without_credentials;
use crate::api::services::Role;
use crate::api::status::Phase;
use crate::build::ObjectKey;
use crate::plan::gate::{self, Closed};
use crate::plan::neighbours::Taken;
use crate::plan::pods;
use crate::plan::remedies::with_remedy;
use crate::plan::rollout::{Progress, RoleState, Rollout, is_complete, left_behind, ring_difference};
use crate::plan::schema::SchemaPlan;
use crate::plan::split::Split;
use crate::plan::verdict::Verdict;
use crate::plan::{Membership, Observed, TemporalView, visibility};
use crate::validate::ValidCluster;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// How long a cluster that was ready may be without Temporal's proof before it counts as not ready.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// What stands before everything else.
#[derive(Clone, Copy, Debug)]
pub struct Blockers<'a> {
    /// A database that another cluster has.
    pub taken: Option<&'a Taken>,
    /// Secrets that the pods read and that do not exist.
    pub missing_secrets: &'a [&'a str],
    /// The Job before an upgrade has not succeeded.
    pub closed: Option<&'a Closed>,
    /// The first object that has not been sent as it is wanted now.
    pub unsent: Option<&'a ObjectKey>,
    /// What stands in nobody's way and is to be said all the same.
    pub notes: &'a [String],
}

/// The verdicts on a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Every role's Deployment is complete.
    pub services: Verdict,
    /// Temporal's rings and shards are as they should be.
    pub membership: Verdict,
    /// Workflows can be listed.
    pub visibility: Verdict,
    /// The cluster as a whole; its message is the status sentence.
    pub overall: Verdict,
    /// The cluster serves, proven.
    pub ready: bool,
    /// It serves and nothing is left to do.
    pub settled: bool,
    /// A change is on its way.
    pub reconciling: bool,
    /// Nothing will change until somebody acts.
    pub stalled: bool,
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
    split: Option<&Split>,
    now: Timestamp,
) -> Health {
    let membership = membership(cluster, rollout, split, seen);
    let services = services(cluster, rollout, seen, &membership, now);
    let was_ready = conditions::is_true(&old.conditions, conditions::READY);
    let proven = membership.truth == Truth::True || (was_ready && within_patience(old, now));
    // a change under way does not make a serving cluster unready: every role still answers
    let complete = services.truth == Truth::True && schema.is_ready();
    let ready = proven && rollout.every_role_serves() && (was_ready || complete);
    let ui = ui(cluster, seen, now);
    let (reason, message) = sentence(cluster, blockers, schema, rollout, &services, &membership, ui);
    let settled = ready && reason == SERVING && cluster.version == cluster.target;
    let stalled = [DATABASE_TAKEN, SHARD_COUNT, ROLLOUT_STOPPED, gate::FAILED].contains(&reason);
    Health {
        overall: Verdict::new(ready.into(), reason, message),
        phase: phase(
            old,
            settled,
            ready,
            changing(old, generation, rollout, schema),
            (!blockers.missing_secrets.is_empty(), stalled),
        ),
        reconciling: !settled && !stalled,
        stalled,
        visibility: visibility::assess(cluster, schema, rollout, &membership, seen),
        services,
        membership,
        ready,
        settled,
    }
}

/// Reason of a cluster with nothing left to do.
const SERVING: &str = "ClusterReady";
/// Reason of a cluster one of whose databases is another's.
const DATABASE_TAKEN: &str = "DatabaseTaken";
/// Reason of a cluster one of whose pods is in a ring of its own.
const RING_SPLIT: &str = "RingSplit";
/// Reason of a cluster whose database has another number of shards.
const SHARD_COUNT: &str = "ShardCountDiffers";
/// Reason of a cluster one of whose roles was not proven in time.
pub(super) const ROLLOUT_STOPPED: &str = "RolloutStopped";

/// What is to be said: the first thing that is not as it should be.
fn sentence(
    cluster: &ValidCluster,
    blockers: &Blockers<'_>,
    schema: &SchemaPlan,
    rollout: &Rollout,
    services: &Verdict,
    membership: &Verdict,
    ui: Option<(&'static str, String)>,
) -> (&'static str, String) {
    if let Some(taken) = blockers.taken {
        (DATABASE_TAKEN, database_taken(taken))
    } else if let Some(name) = blockers.missing_secrets.first() {
        ("SecretMissing", missing_secret(cluster, name))
    } else if rollout.paused && (schema.pending.is_some() || !rollout.waiting().is_empty()) {
        ("RolloutPaused", paused(rollout))
    } else if let Some(closed) = blockers.closed {
        (closed.reason, closed.message.clone())
    } else if let Some(pending) = &schema.pending {
        (pending.reason(), pending.message.clone())
    } else if let Some(failed) = &rollout.record.failed {
        (ROLLOUT_STOPPED, failed.message.clone())
    } else if membership.reason == RING_SPLIT {
        (RING_SPLIT, membership.message.clone())
    } else if services.truth != Truth::True {
        (services.reason, services.message.clone())
    } else if let Some(key) = blockers.unsent {
        ("Applying", format!("The change is being applied, {key} first."))
    } else if membership.truth != Truth::True {
        (membership.reason, membership.message.clone())
    } else if cluster.version != cluster.target {
        (
            "Upgrading",
            format!(
                "Server {} is reached; {} is the target, and the next step begins.",
                cluster.version, cluster.target
            ),
        )
    } else {
        ui.unwrap_or_else(|| (SERVING, serving(cluster, blockers.notes)))
    }
}

fn paused(rollout: &Rollout) -> String {
    let waiting = rollout.waiting();
    let who = if waiting.is_empty() { "the next step".to_owned() } else { waiting.join(", ") };
    format!("The rollout is paused by spec.rollout.paused; {who} waits. Set it to false to go on.")
}

fn missing_secret(cluster: &ValidCluster, name: &str) -> String {
    let mut keys: Vec<String> =
        cluster.secret_keys().into_iter().filter(|k| k.secret == name).map(|k| format!("{:?}", k.key)).collect();
    keys.sort_unstable();
    keys.dedup();
    let (word, keys) = (if keys.len() == 1 { "key" } else { "keys" }, keys.join(", "));
    format!("Waits for the Secret {name:?} in namespace {:?}; create it with the {word} {keys}.", cluster.namespace)
}

fn database_taken(taken: &Taken) -> String {
    format!(
        "The database {} belongs to the TemporalCluster {}; name another database, or delete or change that cluster. Until then nothing is changed here.",
        taken.database, taken.by
    )
}

/// What is still to be said of the Web UI; it has no part in whether the cluster serves.
fn ui(cluster: &ValidCluster, seen: &Observed, now: Timestamp) -> Option<(&'static str, String)> {
    cluster.ui.as_ref()?;
    let name = format!("{}-ui", cluster.name);
    let live = seen.deployments.iter().find(|d| d.metadata.name.as_ref() == Some(&name))?;
    if is_complete(live) {
        return None;
    }
    let wanted = live.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1);
    let ready = live.status.as_ref().and_then(|s| s.ready_replicas).unwrap_or(0);
    Some(match trouble("ui", Some(live), seen, now) {
        Some(why) => ("UiNotReady", format!("The Web UI has {ready} of {wanted} pods ready: {why}.")),
        None => ("UiProgressing", format!("The Web UI has {ready} of {wanted} pods ready.")),
    })
}

fn serving(cluster: &ValidCluster, notes: &[String]) -> String {
    let notes = cluster.warnings.iter().chain(notes).fold(String::new(), |all, w| format!("{all} Note: {w}."));
    format!("Temporal {} serves with {} history shards.{notes}", cluster.version, cluster.history_shards)
}

/// One role speaks for all: the first that is held up, else the first on its way, else the first that is not complete.
fn services(
    cluster: &ValidCluster,
    rollout: &Rollout,
    seen: &Observed,
    membership: &Verdict,
    now: Timestamp,
) -> Verdict {
    let rolling = || rollout.roles.iter().filter(|r| r.progress == Progress::Rolling);
    let held_up = rolling().find_map(|state| {
        let role = state.role.name();
        let unsharded = || shardless(cluster, state, seen).map(|why| ("TooFewShards", why));
        let why = trouble(role, seen.role_deployment(state.role), seen, now).map(|why| ("RoleNotReady", why));
        why.or_else(unsharded).map(|(reason, why)| (state, reason, why))
    });
    if let Some((RoleState { role, wanted, ready, .. }, reason, why)) = held_up {
        let text = format!("The {role} role has {ready} of {wanted} pods ready: {why}.");
        return Verdict::new(Truth::False, reason, text);
    }
    let late = rolling().next().or_else(|| rollout.roles.iter().find(|r| r.progress != Progress::Complete));
    let Some(RoleState { role, wanted, ready, progress, outside, .. }) = late else {
        return Verdict::new(Truth::True, "RolesReady", "Every role runs the wanted pods.");
    };
    match progress {
        Progress::Absent => Verdict::new(Truth::False, "RoleAbsent", format!("The {role} role is not made yet.")),
        Progress::Outdated => {
            // no role is on its way, so Kubernetes has proven the last one: Temporal has not
            let why = if membership.truth == Truth::True { String::new() } else { format!(" {}", membership.message) };
            let text = match rollout.begins_at {
                Some(_) => {
                    "The rollout begins in some seconds, when polls that workers began before have ended.".to_owned()
                }
                None => format!("The {role} role waits for its turn in the rollout.{why}"),
            };
            Verdict::new(Truth::False, "RolePending", text)
        }
        _ => {
            let version = &cluster.version;
            // during a rollout old and new pods are there side by side
            let more = if ready > wanted { ", old ones among them" } else { "" };
            let held = outside.as_ref().map(|ip| {
                format!("; a new one ({ip}) is not in Temporal's ring, and no other is replaced before it is")
            });
            let held = held.unwrap_or_default();
            let text = format!("The {role} role of server {version} has {ready} of {wanted} pods ready{more}{held}.");
            Verdict::new(Truth::False, "RoleProgressing", text)
        }
    }
}

/// What holds a Deployment's pods up, a living pod before one that was ended.
fn trouble(component: &str, live: Option<&Deployment>, seen: &Observed, now: Timestamp) -> Option<String> {
    let is_over = |pod: &&Pod| pod.status.as_ref().is_some_and(|s| s.phase.as_deref() == Some("Failed"));
    let living = || seen.pods_of(component).filter(|p| !is_over(p)).find_map(|p| pods::held_back(p, now));
    let over = || seen.pods_of(component).filter(is_over).find_map(|p| pods::held_back(p, now));
    living().or_else(|| live.and_then(pods::not_made)).or_else(over)
}

/// Every history pod is in the ring and every shard is owned, and yet a pod is not ready: it has got no shard. With many
/// shards for each pod that passes by itself.
fn shardless(cluster: &ValidCluster, state: &RoleState, seen: &Observed) -> Option<String> {
    let TemporalView::Seen(m) = &seen.temporal else { return None };
    let few = i64::from(m.shards) < i64::from(state.wanted) * 4;
    let all_there = m.members(Role::History) >= state.wanted && m.owned_shards == m.shards;
    (state.role == Role::History && few && all_there && state.ready < state.wanted).then(|| {
        format!(
            "{} history shards are too few for {} pods, and a pod without a shard does not turn ready; scale {}-history to at most {}",
            m.shards,
            state.wanted,
            cluster.name,
            (m.shards / 4).max(1)
        )
    })
}

/// Whether Temporal's own view agrees with Kubernetes'.
fn membership(cluster: &ValidCluster, rollout: &Rollout, split: Option<&Split>, seen: &Observed) -> Verdict {
    if let Some(split) = split {
        return Verdict::new(Truth::False, RING_SPLIT, split.message());
    }
    match &seen.temporal {
        TemporalView::NotAsked => Verdict::new(Truth::Unknown, "NotAsked", "No frontend is up to be asked."),
        TemporalView::Silent { why, .. } => {
            Verdict::new(Truth::Unknown, "TemporalUnreachable", silence(&without_credentials(why)))
        }
        TemporalView::Seen(m) => disagreement(cluster, rollout, m, seen).unwrap_or_else(|| {
            let text = format!("Every pod is in its ring and every shard is owned.{}", leftovers(rollout, m, seen));
            Verdict::new(Truth::True, "MembersAgree", text)
        }),
    }
}

/// What nobody waits for and is to be known all the same, should it stay.
fn leftovers(rollout: &Rollout, membership: &Membership, seen: &Observed) -> String {
    let left = |state: &RoleState| Some((state.role, left_behind(state.role, membership, seen)?));
    let text = |(role, ip)| format!(" The ring of the {role} role still has {ip}, which is no pod any more.");
    rollout.roles.iter().find_map(left).map(text).unwrap_or_default()
}

/// What is away: the part that the failed call was to prove, which its name has in brackets, else the frontend, or the
/// DNS that leads to it.
fn silence(why: &str) -> String {
    let parts =
        [("(database)", "the database"), ("(history)", "the history role"), ("(matching)", "the matching role")];
    let part = parts.iter().find(|(mark, _)| why.contains(mark)).map(|(_, part)| part);
    let away = match part {
        Some(part) if why.starts_with("Temporal does not answer") => {
            format!("The frontend answers the operator, but {part} does not answer the frontend")
        }
        Some(part) => format!("A check of {part} through the frontend fails"),
        None if why.contains("cannot be looked up") => "DNS does not lead the operator to the frontend".to_owned(),
        None => "The frontend does not answer the operator".to_owned(),
    };
    format!("{away}: {}.", with_remedy(why))
}

fn disagreement(cluster: &ValidCluster, rollout: &Rollout, temporal: &Membership, seen: &Observed) -> Option<Verdict> {
    let wanted_shards = u32::try_from(cluster.history_shards).unwrap_or_default();
    if temporal.shards != wanted_shards {
        let text = format!(
            "The database was made with {} history shards, spec.numHistoryShards says {wanted_shards}; the database wins. Delete this TemporalCluster and make it with that number, or give it empty databases.",
            temporal.shards
        );
        return Some(Verdict::new(Truth::False, SHARD_COUNT, text));
    }
    // a frontend that is not rolled yet does not know the ring of an internal frontend that is new
    let old_frontend = rollout.state(Role::Frontend).is_some_and(|f| f.progress != Progress::Complete);
    for RoleState { role, wanted, .. } in rollout.roles.iter().filter(|r| !old_frontend || temporal.knows(r.role)) {
        if let Some(text) = ring_difference(*role, *wanted, temporal, seen) {
            return Some(Verdict::new(Truth::False, "RingDiffers", text));
        }
    }
    (temporal.owned_shards < temporal.shards).then(|| {
        let text = format!(
            "{} of {} history shards are owned; {} pods move them now.",
            temporal.owned_shards,
            temporal.shards,
            Role::History
        );
        Verdict::new(Truth::False, "ShardsUnowned", text)
    })
}

/// The proof was there until a moment ago.
fn within_patience(old: &TemporalClusterStatus, now: Timestamp) -> bool {
    conditions::untrue_for(&old.conditions, MEMBERSHIP_HEALTHY, now).is_none_or(|time| time < PATIENCE)
}

/// A change is on its way: the spec has just changed, a schema is due, or a role waits for its turn.
fn changing(old: &TemporalClusterStatus, generation: Option<i64>, rollout: &Rollout, schema: &SchemaPlan) -> bool {
    old.observed_generation != generation
        || !schema.is_ready()
        || rollout.roles.iter().any(|r| r.progress == Progress::Outdated)
}

fn phase(
    old: &TemporalClusterStatus,
    settled: bool,
    ready: bool,
    changing: bool,
    (blocked, stalled): (bool, bool),
) -> Phase {
    let first_time = matches!(old.phase, None | Some(Phase::Pending | Phase::Creating));
    match () {
        () if settled => Phase::Ready,
        () if stalled && !ready => Phase::Failed,
        () if blocked && !ready => Phase::Pending,
        () if blocked || stalled => Phase::Degraded,
        () if first_time && !ready => Phase::Creating,
        () if changing || (ready && old.phase == Some(Phase::Updating)) => Phase::Updating,
        () => Phase::Degraded,
    }
}
