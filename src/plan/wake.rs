//! When a cluster is looked at again although nothing was heard.

use super::TemporalView;
use super::health::Health;
use super::jobs::{failed_at, succeeded};
use super::observed::Observed;
use super::rollout::{Progress, RoleState, Rollout, is_complete};
use super::schema::SchemaPlan;
use crate::api::TemporalClusterStatus;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use std::time::Duration;

/// Time between two looks at a cluster that is settled.
const SETTLED: Duration = Duration::from_secs(10);
/// Time between two looks at a cluster that is at work.
const AT_WORK: Duration = Duration::from_secs(2);
/// Time between two looks while a rollout waits for nothing but Temporal's word, of which nothing is heard.
const TEMPORAL_AWAITED: Duration = Duration::from_secs(1);
/// Longest time between two looks where something may be corrected that is not heard of, such as a Secret.
const CORRECTED: Duration = Duration::from_secs(5);
/// Longest time between two looks at a cluster whose pods are waited for: many that wait for each other's machine cost little.
const PODS_COME: Duration = Duration::from_secs(15);

/// Settled, or stalled: look at Temporal every 10 s. At work: every 2 s, where a rollout hangs on Temporal's word every
/// second; the longer Temporal is silent, its rings are apart, or pods are waited for, the less often. Between tries of a
/// Job: when the next is due. Before the first pod of a rollout: when it is to be made.
pub(super) fn after(
    health: &Health,
    schema: &SchemaPlan,
    rollout: &Rollout,
    old: &TemporalClusterStatus,
    seen: &Observed,
    now: Timestamp,
) -> Duration {
    match schema.retry_at.or(rollout.begins_at) {
        _ if health.stalled => SETTLED,
        Some(at) => {
            Duration::try_from(at.duration_since(now)).unwrap_or_default().clamp(Duration::from_millis(200), CORRECTED)
        }
        None if health.ready && !health.reconciling => SETTLED,
        None if is_temporal_awaited(rollout, seen) => TEMPORAL_AWAITED,
        None => match (seen.apart.began(), pods_waited_for(rollout, old, seen)) {
            (Some(since), _) => (time(since, now) / 4).clamp(AT_WORK, CORRECTED),
            (None, Some(since)) => (time(since, now) / 4).clamp(AT_WORK, PODS_COME),
            (None, None) => (silence(rollout, seen, now) / 4).clamp(AT_WORK, SETTLED),
        },
    }
}

/// Since when nothing but pods is waited for. When they come is heard; only what holds them back is not. The steps of a
/// rollout hang on what Temporal says as well.
fn pods_waited_for(rollout: &Rollout, old: &TemporalClusterStatus, seen: &Observed) -> Option<Timestamp> {
    if rollout.record.step.is_some() {
        return None;
    }
    let jobs = seen.jobs.iter().filter(|j| !succeeded(j) && failed_at(j).is_none()).map(|j| j.creation_timestamp());
    let deployments = seen.deployments.iter().filter(|d| !is_complete(d)).map(|d| d.creation_timestamp());
    let made = jobs.chain(deployments).flatten().map(|at| at.0).max()?;
    let turned = old.conditions.iter().map(|c| c.last_transition_time.0).max();
    Some(turned.map_or(made, |turned| turned.max(made)))
}

/// The next pod or the next role begins as soon as Temporal, which answers, has a pod in its ring or all shards owned.
fn is_temporal_awaited(rollout: &Rollout, seen: &Observed) -> bool {
    let under_way = rollout.record.step.is_some() || !(rollout.paused || rollout.waiting().is_empty());
    let at_rest = rollout.roles.iter().all(|r| r.progress != Progress::Rolling);
    let awaited = |r: &RoleState| r.outside.is_some() || (at_rest && !r.proven);
    under_way && matches!(seen.temporal, TemporalView::Seen(_)) && rollout.roles.iter().any(awaited)
}

/// How long Temporal has been silent although every role runs: nothing but its answer is waited for.
fn silence(rollout: &Rollout, seen: &Observed, now: Timestamp) -> Duration {
    match &seen.temporal {
        TemporalView::Silent { since, .. } if rollout.is_complete() => time(*since, now),
        _ => Duration::ZERO,
    }
}

fn time(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}
