//! The loop of `TemporalCluster`: validate → observe → plan → apply → report.

use super::Ctx;
use super::error::Error;
use crate::api::{TemporalCluster, TemporalClusterStatus, conditions};
use crate::error::Class;
use crate::observe::spread;
use crate::plan::{self, Plan};
use crate::report::report;
use crate::temporal::ClusterRef;
use crate::validate::{self, Invalid, ValidCluster};
use futures::FutureExt;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// No reconcile takes longer: every call in it has a shorter deadline of its own.
const DEADLINE: Duration = Duration::from_secs(60);

/// One reconcile, within its deadline and isolated from panics.
pub(super) async fn reconcile(cluster: Arc<TemporalCluster>, ctx: Arc<Ctx>) -> Result<Action, Error> {
    let started = Instant::now();
    let work = AssertUnwindSafe(step(&cluster, &ctx)).catch_unwind();
    let result = match tokio::time::timeout(DEADLINE, work).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(Error::Panic(panic_text(panic.as_ref()))),
        Err(_) => Err(Error::Deadline(DEADLINE.as_secs())),
    };
    ctx.metrics.reconciled(started.elapsed(), result.as_ref().err().map(Error::class));
    if result.is_ok() {
        ctx.backoff.reset(&key(&cluster));
    }
    result
}

/// When to try again after a failure: the longer the more often it failed in a row; a bug of ours last.
#[allow(clippy::needless_pass_by_value)] // the signature is kube's
pub(super) fn on_error(cluster: Arc<TemporalCluster>, error: &Error, ctx: Arc<Ctx>) -> Action {
    let key = key(&cluster);
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
    ctx.stores_ready().await;
    let now = Timestamp::now();
    let old = ctx.statuses.latest(cluster);
    let valid = match validate::cluster(cluster) {
        Ok(valid) => valid,
        Err(invalid) => return refuse(cluster, ctx, &old, &invalid, now).await,
    };
    let live = ctx.observer.live(&valid.namespace, &cluster.uid().unwrap_or_default());
    let seen = ctx.observer.observe(&valid, &live, now).await?;
    let plan = match plan::cluster(&valid, cluster.metadata.generation, &old, &seen, now) {
        Ok(plan) => plan,
        Err(invalid) => return refuse(cluster, ctx, &old, &invalid, now).await,
    };
    let applied = ctx.applier.apply(&cluster.uid().unwrap_or_default(), &valid.namespace, &plan, &live).await;
    match applied {
        Ok(done) => ctx.metrics.applied(done.sent, done.skipped, done.deleted),
        Err(error) => {
            if error.class() == Class::User {
                let status = plan::obstructed(&error.to_string(), plan.status, &old, now);
                tell(cluster, ctx, &old, status).await?;
            }
            return Err(error.into());
        }
    }
    let wake = wake(&valid, &plan);
    tell(cluster, ctx, &old, plan.status).await?;
    Ok(Action::requeue(wake))
}

/// Reports a manifest that cannot be carried out. Nothing is done until it changes.
async fn refuse(
    cluster: &TemporalCluster,
    ctx: &Ctx,
    old: &TemporalClusterStatus,
    invalid: &Invalid,
    now: Timestamp,
) -> Result<Action, Error> {
    let status = plan::refused(invalid, cluster.metadata.generation, old, now);
    tell(cluster, ctx, old, status).await?;
    Ok(Action::await_change())
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
        tracing::info!(cluster = %key(cluster), message = new.message.as_deref().unwrap_or_default(), "status");
        ctx.statuses.wrote(cluster, new);
    }
    Ok(())
}

fn key(cluster: &TemporalCluster) -> ClusterRef {
    ClusterRef { namespace: cluster.namespace().unwrap_or_default(), name: cluster.name_any() }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
