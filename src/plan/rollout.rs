//! The rollout as a state machine: which role Deployments are applied now. One role is in motion at a time; the next
//! begins when Kubernetes and Temporal prove the last. What is absent is made at once. The state is what is seen, and the
//! few facts of `status.rollout` that cannot be seen.

mod failure;
mod ring;
mod role;

pub use failure::is_late;
pub(super) use ring::{address, is_ending, is_member, is_ready};
pub use ring::{difference as ring_difference, left_behind};
pub use role::{Progress, RoleState, has_stalled, is_complete};

use crate::api::conditions::{self, MEMBERSHIP_HEALTHY, whole_seconds};
use crate::api::rollout::{FailedStep, RolloutStatus, RolloutStep};
use crate::api::services::Role;
use crate::api::{TemporalClusterStatus, annotations};
use crate::build::{Object, SecretVersions, ServerConfig, drain};
use crate::plan::{Observed, ROLL_ORDER, TemporalView};
use crate::validate::{Invalid, ValidCluster};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use role::RoleView;

/// The roles, each in its state, and what is done now.
#[derive(Clone, Debug)]
pub struct Rollout {
    /// Deployments to apply now.
    pub objects: Vec<Object>,
    /// Roles whose live Deployment is left as it is until its turn comes.
    pub held: Vec<Role>,
    /// Every role's state, in the order of [`Role::ALL`].
    pub roles: Vec<RoleState>,
    /// What is to be remembered.
    pub record: RolloutStatus,
    /// Nothing new is begun, since the manifest says so.
    pub paused: bool,
    /// When the matching role, whose turn it is, gets its new pods: polls of workers have not ended yet.
    pub begins_at: Option<Timestamp>,
    /// Server pods that are ending, as far as pods are known.
    pub draining: bool,
}

impl Rollout {
    /// Every role that is in use has at least one ready pod. An internal frontend comes into use when the other roles
    /// get their new config; the worker, the last to be rolled, is its main client.
    #[must_use]
    pub fn every_role_serves(&self) -> bool {
        let unused = self.state(Role::Worker).is_some_and(|w| w.progress == Progress::Outdated);
        self.roles.iter().all(|r| r.ready > 0 || (r.role == Role::InternalFrontend && unused))
    }

    /// Every pod of every role is new and ready.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.roles.iter().all(|r| r.progress == Progress::Complete)
    }

    /// Complete, and Temporal has said so too.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.is_complete() && self.roles.iter().all(|r| self.record.proven.contains_key(r.role.name()) && r.proven)
    }

    /// The state of a role.
    #[must_use]
    pub fn state(&self, role: Role) -> Option<&RoleState> {
        self.roles.iter().find(|r| r.role == role)
    }

    /// Names of the roles that wait for their turn, in the order they have it.
    #[must_use]
    pub fn waiting(&self) -> Vec<&'static str> {
        let waits = |role: &Role| self.state(*role).is_some_and(|s| s.progress == Progress::Outdated);
        ROLL_ORDER.into_iter().filter(waits).map(Role::name).collect()
    }
}

/// Plans the roles. With `allowed` false (schema not ready, a Secret missing) nothing is touched.
///
/// # Errors
/// When overrides do not fit the generated Deployment.
pub fn plan(
    cluster: &ValidCluster,
    config: &ServerConfig,
    secrets: &SecretVersions,
    allowed: bool,
    seen: &Observed,
    old: &TemporalClusterStatus,
    now: Timestamp,
) -> Result<Rollout, Invalid> {
    let before = old.rollout.clone().unwrap_or_default();
    let views = ROLL_ORDER
        .into_iter()
        .filter(|r| cluster.roles.contains_key(r))
        .map(|role| RoleView::of(cluster, role, config, secrets, seen))
        .collect::<Result<Vec<_>, _>>()?;
    let failed = failure::still(&before, &views).or_else(|| failure::overdue(cluster, &before, &views, seen, old, now));
    let paused = cluster.is_paused();
    let stopped = paused || failed.is_some() || !allowed;
    let turn = (!stopped).then(|| turn(&views, seen, hopeless(cluster, old, now))).flatten();
    let begins_at = begins_at(cluster, &before, &views, turn, now);
    let begins = turn.filter(|_| begins_at.is_none());

    let mut rollout = Rollout {
        objects: Vec::new(),
        held: Vec::new(),
        roles: views.iter().map(RoleView::state).collect(),
        record: record(cluster, &before, &views, begins, turn, failed, now),
        paused,
        begins_at,
        draining: seen.server_pods().any(is_ending),
    };
    rollout.roles.sort_by_key(|s| s.role);
    for view in views {
        let given_up = rollout.record.failed.as_ref().filter(|f| f.rolled_back && f.role == view.role.name());
        match given_up.and_then(|_| failure::way_back(&view, &before, seen)) {
            Some(object) if allowed => rollout.objects.push(object),
            _ if allowed && (view.progress != Progress::Outdated || begins == Some(view.role)) => {
                let outside = newcomer_outside(cluster, &view, &rollout.record, seen);
                rollout.objects.push(match &outside {
                    Some(newcomer) => held_back(view.wanted, newcomer),
                    None => view.wanted,
                });
                if let Some(state) = rollout.roles.iter_mut().find(|s| s.role == view.role) {
                    state.outside = outside;
                }
            }
            _ if view.live.is_some() => rollout.held.push(view.role),
            _ => {}
        }
    }
    Ok(rollout)
}

/// A new pod of a role in motion that is ready and not in its ring. Kubernetes would go on to the next one.
fn newcomer_outside(
    cluster: &ValidCluster,
    view: &RoleView<'_>,
    record: &RolloutStatus,
    seen: &Observed,
) -> Option<String> {
    let name = view.role.name();
    let step = record.step.as_ref().filter(|s| s.role == name).map(|s| s.started_at.0);
    // a failed step began its time-out before
    let failed =
        record.failed.as_ref().filter(|f| f.role == name).and_then(|f| f.at.0.checked_sub(timeout(cluster)).ok());
    let mixed = view.live.is_some_and(role::is_mixed);
    step.or(failed).filter(|_| mixed).and_then(|since| ring::newcomer_outside(view.role, since, seen))
}

/// The Deployment, which replaces no further pod before this one is in its ring. A paused one still takes the old pods away
/// when all new ones are available (Kubernetes 1.34 `pkg/controller/deployment/sync.go`, `scale`), so none becomes that:
/// `minReadySeconds` is as long as it can be, for which the deadline must be longer; this one means none.
fn held_back(mut object: Object, newcomer: &str) -> Object {
    if let Object::Deployment(deployment) = &mut object {
        let spec = deployment.spec.get_or_insert_default();
        spec.paused = Some(true);
        spec.min_ready_seconds = Some(i32::MAX - 1);
        spec.progress_deadline_seconds = Some(i32::MAX);
        let notes = deployment.metadata.annotations.get_or_insert_default();
        notes.insert(annotations::HELD.to_owned(), newcomer.to_owned());
    }
    object
}

/// The outdated role that may be given its new pods. A role that is on its way to something that is not wanted any more is
/// turned at once, and one that has lost pods or does not get there may be changed; else all must be at rest, by
/// Kubernetes' and by Temporal's word.
fn turn(views: &[RoleView<'_>], seen: &Observed, hopeless: bool) -> Option<Role> {
    let outdated = |v: &RoleView<'_>| v.progress == Progress::Outdated;
    let restless: Vec<_> = views.iter().filter(|v| v.live.is_some_and(|d| !is_complete(d))).collect();
    if !restless.is_empty() {
        let mixed = restless.iter().find(|v| v.live.is_some_and(role::is_mixed));
        let first = mixed.or_else(|| restless.first())?;
        let all_outdated = restless.iter().all(|v| outdated(v));
        return (outdated(first) && (mixed.is_some() || all_outdated)).then_some(first.role);
    }
    let proven = views.iter().filter(|v| v.live.is_some()).all(|v| v.proven);
    // without any frontend there is nobody to ask, and a rollout may be what brings one back
    let may_go = proven || hopeless || seen.temporal == TemporalView::NotAsked;
    let next = views.iter().find(|v| v.progress != Progress::Complete)?;
    (may_go && outdated(next)).then_some(next.role)
}

/// How long the first new matching pod waits after workers' polls were made short. One that was begun before waits for
/// up to 20 s where no task may come once task queues move; a pod has heard of it within 6 s, and a new one joins its ring
/// after 5 s at the earliest.
const POLLS_END: SignedDuration = SignedDuration::from_secs(12);

/// When the matching role gets its new pods; `None` is now. One that is not complete has no time to lose.
fn begins_at(
    cluster: &ValidCluster,
    before: &RolloutStatus,
    views: &[RoleView<'_>],
    turn: Option<Role>,
    now: Timestamp,
) -> Option<Timestamp> {
    let view = views.iter().find(|v| v.role == Role::Matching && turn == Some(v.role))?;
    let waits = drain::shortens_polls(cluster) && view.live.is_some_and(is_complete);
    let step = before.step.as_ref().filter(|s| s.role == view.role.name() && s.template == view.wanted_hash);
    let at = step.map_or_else(|| whole_seconds(now), |s| s.started_at.0).checked_add(POLLS_END).ok()?;
    (waits && now < at).then_some(at)
}

/// Temporal has not been as it should be for longer than a step may take, without anything in motion: a change may be what
/// heals it.
fn hopeless(cluster: &ValidCluster, old: &TemporalClusterStatus, now: Timestamp) -> bool {
    conditions::untrue_for(&old.conditions, MEMBERSHIP_HEALTHY, now).is_some_and(|time| time >= timeout(cluster))
}

fn timeout(cluster: &ValidCluster) -> SignedDuration {
    SignedDuration::try_from(cluster.rollout.step_timeout).unwrap_or(SignedDuration::MAX)
}

/// What is to be remembered. A step begins anew with the first new pod.
fn record(
    cluster: &ValidCluster,
    before: &RolloutStatus,
    views: &[RoleView<'_>],
    begins: Option<Role>,
    turn: Option<Role>,
    failed: Option<FailedStep>,
    now: Timestamp,
) -> RolloutStatus {
    let mut record = RolloutStatus {
        target_version: (cluster.target != cluster.version).then(|| cluster.target.to_string()),
        ..RolloutStatus::default()
    };
    for view in views {
        let name = view.role.name();
        let last = if view.is_proven_new() { Some(&view.wanted_hash) } else { before.proven.get(name) };
        record.proven.extend(last.map(|hash| (name.to_owned(), hash.clone())));
    }
    let in_motion = |v: &&RoleView<'_>| {
        let reached = record.proven.get(v.role.name());
        (turn == Some(v.role) || v.is_on_its_way()) && reached.is_some_and(|hash| *hash != v.wanted_hash)
    };
    record.step = views.iter().find(in_motion).filter(|_| failed.is_none()).map(|view| {
        let same = |s: &&RolloutStep| s.role == view.role.name() && s.template == view.wanted_hash;
        let known = before.step.as_ref().filter(same).filter(|_| begins != Some(view.role));
        RolloutStep {
            role: view.role.name().to_owned(),
            template: view.wanted_hash.clone(),
            started_at: known.map_or_else(|| Time(whole_seconds(now)), |s| s.started_at.clone()),
        }
    });
    record.failed = failed;
    record
}
