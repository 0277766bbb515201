//! The loop of `TemporalCluster`: validate → observe → plan → apply → report.

use super::error::Error;
use super::guard::guarded;
use super::settled::Look;
use super::{Ctx, pauses};
use crate::api::{TemporalCluster, TemporalClusterStatus, conditions};
use crate::apply::{ApplyError, Owner};
use crate::error::Class;
use crate::observe::spread;
use crate::plan::{self, Obstacle, Plan};
use crate::report::{publish_of_pod, report};
use crate::temporal::ClusterRef;
use crate::validate::{self, Invalid, ValidCluster};
use crate::watches::Live;
use futures::FutureExt;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One reconcile, within its deadline and isolated from panics.
pub(super) async fn reconcile(cluster: Arc<TemporalCluster>, ctx: Arc<Ctx>) -> Result<Action, Error> {
    let started = Instant::now();
    let result = guarded(step(&cluster, &ctx).boxed()).await;
    ctx.metrics.reconciled(started.elapsed(), result.as_ref().err().map(Error::class));
    match &result {
        Ok(_) => ctx.backoff.reset(&ClusterRef::of(&*cluster)),
        // what was planned is told along with it where it happens
        Err(Error::Apply(_) | Error::Report(_)) => {}
        Err(error) if is_told(error, &cluster, &ctx) => {
            let old = ctx.statuses.latest(&cluster);
            let sentence = error.sentence();
            let status = plan::obstructed(Obstacle::Work, &sentence, old.clone(), &old, Timestamp::now());
            tell_if_possible(&cluster, &ctx, &old, status).await;
        }
        Err(_) => {}
    }
    result
}

/// Failures in a row after which one that may pass by itself is told.
const TOLD_AFTER: u32 = 3;

/// What somebody must change is told at once; what may pass by itself when it does not.
fn is_told(error: &Error, cluster: &TemporalCluster, ctx: &Ctx) -> bool {
    error.class() != Class::Transient || ctx.backoff.failures(&ClusterRef::of(cluster)) >= TOLD_AFTER
}

/// When to try again after a failure: the longer the more often it failed in a row; a bug of ours last.
#[allow(clippy::needless_pass_by_value)] // the signature is kube's
pub(super) fn on_error(cluster: Arc<TemporalCluster>, error: &Error, ctx: Arc<Ctx>) -> Action {
    let key = ClusterRef::of(&*cluster);
    let delay = match error.class() {
        Class::Bug => Duration::from_secs(300),
        Class::User | Class::Transient => ctx.backoff.failed(key.clone()),
    };
    tracing::warn!(%error, cluster = %key, class = error.class().name(), again_in = ?delay, "reconcile failed");
    Action::requeue(delay + spread(&key, delay / 4))
}

async fn step(cluster: &TemporalCluster, ctx: &Ctx) -> Result<Action, Error> {
    if cluster.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change()); // the garbage collector follows the owner references; databases stay
    }
    if let Some(left) = ctx.pauses.left(&ClusterRef::of(cluster)) {
        return Ok(Action::requeue(left));
    }
    ctx.stores.ready().await;
    let now = Timestamp::now();
    let old = ctx.statuses.latest(cluster);
    let live = ctx.observer.live(&cluster.namespace().unwrap_or_default(), &cluster.uid().unwrap_or_default());
    let valid = match validate::cluster(cluster) {
        Ok(valid) => valid,
        Err(invalid) => return refuse(cluster, ctx, &old, &invalid, &live, now).await,
    };
    let seen = ctx.observer.observe(&valid, cluster.metadata.generation, &live, &old, now).await?;
    let look = Look::at(cluster, &live, &seen);
    if let Some(wake) = ctx.settled.still(cluster, look) {
        return Ok(Action::requeue(wake));
    }
    let plan = match plan::cluster(&valid, cluster.metadata.generation, &old, &seen, now) {
        Ok(plan) => plan,
        Err(invalid) => return refuse(cluster, ctx, &old, &invalid, &live, now).await,
    };
    let applied = ctx.applier.apply(&Owner::of(cluster), &plan.changes, &live).await;
    let done = match applied {
        Ok(done) => done,
        Err(error) => return held_up(cluster, ctx, &old, plan.status, error, now).await,
    };
    ctx.metrics.applied(done.sent, done.skipped, done.deleted);
    if let Some(split) = &plan.changes.replacement {
        ctx.observer.replaced(&ClusterRef::of(cluster), now);
        publish_of_pod(&ctx.recorder, cluster, &split.news(), &split.pod).await;
    }
    let wake = wake(&valid, &plan);
    let idle = plan.lasts && done.nothing() && plan.status == old;
    tell(cluster, ctx, &old, plan.status).await?;
    if let Some(look) = look.filter(|_| idle) {
        ctx.settled.note(cluster, look, wake);
    }
    Ok(Action::requeue(wake))
}

/// Reports a manifest that cannot be carried out. Nothing is done until it changes.
async fn refuse(
    cluster: &TemporalCluster,
    ctx: &Ctx,
    old: &TemporalClusterStatus,
    invalid: &Invalid,
    live: &Live,
    now: Timestamp,
) -> Result<Action, Error> {
    let status = plan::refused(invalid, cluster.metadata.generation, old, &live.role_deployments(), now);
    tell(cluster, ctx, old, status).await?;
    Ok(Action::await_change()) // a change of its Deployments too
}

/// Tells why an object cannot be made so. In a namespace that is being deleted nothing is tried any more.
async fn held_up(
    cluster: &TemporalCluster,
    ctx: &Ctx,
    old: &TemporalClusterStatus,
    planned: TemporalClusterStatus,
    error: ApplyError,
    now: Timestamp,
) -> Result<Action, Error> {
    let terminating = error.is_terminating();
    let obstacle = if terminating { Obstacle::Terminating } else { Obstacle::Apply };
    let words = error.to_string();
    let error = Error::from(error);
    if terminating || is_told(&error, cluster, ctx) {
        tell_if_possible(cluster, ctx, old, plan::obstructed(obstacle, &words, planned, old, now)).await;
    }
    if terminating {
        ctx.pauses.set(ClusterRef::of(cluster), pauses::TERMINATING);
        return Ok(Action::requeue(pauses::TERMINATING));
    }
    Err(error)
}

/// Beside another failure, that of telling it is only logged.
async fn tell_if_possible(
    cluster: &TemporalCluster,
    ctx: &Ctx,
    old: &TemporalClusterStatus,
    new: TemporalClusterStatus,
) {
    if let Err(error) = tell(cluster, ctx, old, new).await {
        tracing::warn!(%error, cluster = %ClusterRef::of(cluster), "cannot tell it in the status");
    }
}

/// The plan's wake, spread so that clusters do not ask in step.
fn wake(valid: &ValidCluster, plan: &Plan) -> Duration {
    let cluster = ClusterRef { namespace: valid.namespace.clone(), name: valid.name.clone() };
    plan.wake + spread(&cluster, plan.wake / 5)
}

async fn tell(
    cluster: &TemporalCluster,
    ctx: &Ctx,
    old: &TemporalClusterStatus,
    new: TemporalClusterStatus,
) -> Result<(), Error> {
    let ready = conditions::is_true(&new.conditions, conditions::READY);
    ctx.metrics.cluster_ready(&cluster.namespace().unwrap_or_default(), &cluster.name_any(), ready);
    if !ctx.leadership.held() {
        return Ok(());
    }
    if report(&ctx.client, &ctx.recorder, cluster, old, &new).await? {
        ctx.metrics.status_written();
        tracing::info!(cluster = %ClusterRef::of(cluster), message = new.message.as_deref().unwrap_or_default(), "status");
        ctx.statuses.wrote(cluster, new);
    }
    Ok(())
}
