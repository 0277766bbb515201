//! One turn.

use super::{Ctx, Kind, finalizer, target};
use crate::api::conditions::{self, Conditioned};
use crate::api::resident::Told;
use crate::controller::Error;
use crate::controller::guard::guarded;
use crate::controller::pauses;
use crate::error::Class;
use crate::observe::{ObserveError, spread};
use crate::plan::resident::{self, Finalizer, Hurdle, ResidentPlan, Wake};
use crate::plan::seat::Home;
use crate::report::{publish, report};
use futures::FutureExt;
use k8s_openapi::jiff::Timestamp;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Looks at Temporal in one turn, each after the writes that the last one was the reason for.
const LOOKS: u32 = 5;
/// Failures in a row after which one that may pass by itself is told: of a resource that waits for something, and of one
/// that is ready, after half a minute.
const TOLD_AFTER: (u32, u32) = (2, 5);

/// One turn, within its deadline and isolated from panics.
pub(super) async fn reconcile<K: Kind>(object: Arc<K::Object>, ctx: Arc<Ctx<K>>) -> Result<Action, Error> {
    let (started, object) = (Instant::now(), &*object);
    let result = match guarded(step(object, &ctx).boxed()).await {
        Err(error) if is_given_up(&error, object, &ctx).await => guarded(let_go(object, &ctx).boxed()).await,
        result => result,
    };
    ctx.shared.metrics.reconciled(started.elapsed(), result.as_ref().err().map(Error::class));
    match &result {
        Ok(_) => ctx.backoff.reset(&ObjectRef::from_obj(object)),
        Err(Error::Report(_)) => {}
        Err(error) if is_told(error, object, &ctx) => {
            let old = ctx.statuses.latest(object);
            let about = (object.meta().generation, object.meta().deletion_timestamp.is_some());
            let status = resident::hindered(hurdle(error), &error.sentence(), about, &old, Timestamp::now());
            if let Err(error) = tell(object, &ctx, &old, status).await {
                tracing::warn!(%error, "cannot tell it in the status");
            }
        }
        Err(_) => {}
    }
    result
}

/// What somebody must change is told at once; what may pass by itself when it does not.
fn is_told<K: Kind>(error: &Error, object: &K::Object, ctx: &Ctx<K>) -> bool {
    let ready = conditions::is_true(ctx.statuses.latest(object).conditions(), conditions::READY);
    let deleting = object.meta().deletion_timestamp.is_some();
    let told_after = if ready && !deleting { TOLD_AFTER.1 } else { TOLD_AFTER.0 };
    error.class() != Class::Transient || ctx.backoff.failures(&ObjectRef::from_obj(object)) >= told_after
}

/// The end of a whole namespace does not wait for a Temporal that for half a minute has not done what it is asked to.
async fn is_given_up<K: Kind>(error: &Error, object: &K::Object, ctx: &Ctx<K>) -> bool {
    object.meta().deletion_timestamp.is_some()
        && matches!(error, Error::Temporal(_))
        && ctx.backoff.failures(&ObjectRef::from_obj(object)) >= TOLD_AFTER.1
        && ends_with_namespace(object, ctx).await.unwrap_or(false)
}

async fn ends_with_namespace<K: Kind>(object: &K::Object, ctx: &Ctx<K>) -> Result<bool, ObserveError> {
    ctx.shared.seats.is_terminating(&object.namespace().unwrap_or_default()).await
}

fn hurdle(error: &Error) -> Hurdle {
    match error {
        Error::Temporal(_) if error.class() == Class::Transient => Hurdle::Silent,
        Error::Temporal(_) => Hurdle::Refused,
        Error::Credentials(_) => Hurdle::Credentials,
        Error::Apply(_) if error.class() == Class::User => Hurdle::Object,
        Error::Observe(ObserveError::GateInput(_)) => Hurdle::Input,
        _ => Hurdle::Operator,
    }
}

/// When to try again after a failure.
#[allow(clippy::needless_pass_by_value)] // the signature is kube's
pub(super) fn on_error<K: Kind>(object: Arc<K::Object>, error: &Error, ctx: Arc<Ctx<K>>) -> Action {
    let delay = match error.class() {
        Class::Bug => Duration::from_secs(300),
        Class::User | Class::Transient => ctx.backoff.failed(ObjectRef::from_obj(&*object)),
    };
    let (kind, name) = (K::Object::kind(&()), name_of::<K>(&object));
    tracing::warn!(%error, %kind, name, class = error.class().name(), again_in = ?delay, "a turn failed");
    Action::requeue(delay + spread(&name, delay / 4))
}

async fn step<K: Kind>(object: &K::Object, ctx: &Ctx<K>) -> Result<Action, Error> {
    let deleting = object.meta().deletion_timestamp.is_some();
    if deleting && !finalizer::is_held::<K>(object) {
        return Ok(Action::await_change());
    }
    let old = ctx.statuses.latest(object);
    let valid = match K::validate(object) {
        Ok(valid) => valid,
        // what is not understood is not carried out, least of all a deletion
        Err(_) if deleting => return let_go(object, ctx).await,
        Err(invalid) => {
            let status = resident::refused(&invalid, object.meta().generation, &old, Timestamp::now());
            tell(object, ctx, &old, status).await?;
            return Ok(Action::await_change());
        }
    };
    let seat = ctx.kind.seat(&valid).await?;
    // the end of a whole namespace must not wait for what is elsewhere
    if deleting && seat.waits() && ends_with_namespace(object, ctx).await? {
        return let_go(object, ctx).await;
    }
    // to let go, Temporal need not answer
    let blind = || K::plan(object, &valid, &seat, None, &old, Timestamp::now());
    if deleting && blind().finalizer == Finalizer::LetGo {
        return let_go(object, ctx).await;
    }
    // what is about to be changed is first looked at itself, not in a list of a while ago
    let mut fresh = deleting;
    let mut looks = 0;
    loop {
        let seen = match seat.home() {
            Some(home) => Some(ctx.kind.observe(object, &valid, home, fresh).await?),
            None => ctx.kind.observe_away(object, &valid, &seat).await?,
        };
        looks += 1;
        let latest = ctx.statuses.latest(object);
        let plan = K::plan(object, &valid, &seat, seen.as_ref(), &latest, Timestamp::now());
        match seat.home() {
            Some(home) if !plan.acts.is_empty() && looks < LOOKS => {
                if fresh {
                    if plan.finalizer == Finalizer::Hold && !deleting && !finalizer::has_own::<K>(object) {
                        finalizer::hold::<K>(&ctx.shared.client, object).await?;
                        return Ok(Action::await_change()); // the watch tells of it
                    }
                    if plan.tell_first {
                        tell(object, ctx, &latest, plan.status.clone()).await?;
                    }
                    apply(object, ctx, &plan).await?;
                    act(object, ctx, &valid, home, &plan).await?;
                }
                fresh = true;
            }
            home => return finish(object, ctx, home, plan).await,
        }
    }
}

/// Makes what the resource has in Kubernetes what the plan wants.
async fn apply<K: Kind>(object: &K::Object, ctx: &Ctx<K>, plan: &ResidentPlan<K::Act, K::Status>) -> Result<(), Error> {
    let done = ctx.kind.apply(object, &plan.changes).await?;
    ctx.shared.metrics.applied(done.sent, done.skipped, done.deleted);
    Ok(())
}

async fn act<K: Kind>(
    object: &K::Object,
    ctx: &Ctx<K>,
    valid: &K::Valid,
    home: &Home,
    plan: &ResidentPlan<K::Act, K::Status>,
) -> Result<(), Error> {
    for act in &plan.acts {
        if !ctx.shared.leadership.held() {
            return Err(Error::NotLeader);
        }
        tracing::info!(kind = %K::Object::kind(&()), name = name_of::<K>(object), frontend = target(home).authority(), ?act, "writes to Temporal");
        ctx.kind.act(valid, home, act).await?;
    }
    for news in &plan.news {
        publish(&ctx.shared.recorder, object, news).await;
    }
    Ok(())
}

/// The end of a turn with nothing left to write to Temporal.
async fn finish<K: Kind>(
    object: &K::Object,
    ctx: &Ctx<K>,
    home: Option<&Home>,
    plan: ResidentPlan<K::Act, K::Status>,
) -> Result<Action, Error> {
    let deleting = object.meta().deletion_timestamp.is_some();
    match plan.finalizer {
        Finalizer::LetGo if deleting => return let_go(object, ctx).await,
        Finalizer::LetGo if finalizer::is_held::<K>(object) => {
            finalizer::let_go::<K>(&ctx.shared.client, object).await?;
            return Ok(Action::await_change());
        }
        Finalizer::Hold if !deleting && !finalizer::has_own::<K>(object) => {
            finalizer::hold::<K>(&ctx.shared.client, object).await?;
            return Ok(Action::await_change());
        }
        _ => {}
    }
    match apply(object, ctx, &plan).await {
        // nothing can be made there any more
        Err(Error::Apply(error)) if error.is_terminating() => return Ok(Action::requeue(pauses::TERMINATING)),
        applied => applied?,
    }
    let old = ctx.statuses.latest(object);
    tell(object, ctx, &old, plan.status).await?;
    Ok(match plan.wake {
        Wake::OnChange => Action::await_change(),
        Wake::After(time) => Action::requeue(time + spread(&name_of::<K>(object), time / 8)),
        Wake::AtNextLook => {
            let time = home.map_or(Duration::from_secs(60), |home| ctx.kind.next_look(home));
            Action::requeue(time + spread(&name_of::<K>(object), Duration::from_secs(5)))
        }
    })
}

async fn let_go<K: Kind>(object: &K::Object, ctx: &Ctx<K>) -> Result<Action, Error> {
    tracing::info!(kind = %K::Object::kind(&()), name = name_of::<K>(object), "let go");
    finalizer::let_go::<K>(&ctx.shared.client, object).await?;
    Ok(Action::await_change())
}

async fn tell<K: Kind>(object: &K::Object, ctx: &Ctx<K>, old: &K::Status, new: K::Status) -> Result<(), Error> {
    let (kind, namespace) = (K::Object::kind(&()), object.namespace().unwrap_or_default());
    let ready = conditions::is_true(new.conditions(), conditions::READY);
    ctx.shared.metrics.resident_ready(&kind, &namespace, &object.name_any(), ready);
    if !ctx.shared.leadership.held() {
        return Ok(());
    }
    if report(&ctx.shared.client, &ctx.shared.recorder, object, old, &new).await? {
        ctx.shared.metrics.status_written();
        let message = new.message().unwrap_or_default();
        tracing::info!(%kind, name = name_of::<K>(object), message, "status");
        ctx.statuses.wrote(object, new);
    }
    Ok(())
}

fn name_of<K: Kind>(object: &K::Object) -> String {
    format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any())
}
