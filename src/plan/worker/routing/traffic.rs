//! Who gets new workflows next.

use super::gates::{self, Standing};
use super::hands;
use super::readiness::{self, Readiness};
use super::words::{consequence, number, steps, where_they_go};
use super::{Act, Decided, Question, Scene, sunset};
use crate::api::conditions::whole_seconds;
use crate::api::resident::Phase;
use crate::api::worker::{OnFailure, RampStatus, Strategy};
use crate::plan::resident::{News, Verdict};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::SignedDuration;
use std::time::Duration;

/// How long a version that has a share may be without pods that are ready or that poll. Its tasks wait meanwhile.
const TROUBLE: SignedDuration = SignedDuration::from_secs(60);
/// How soon what is waited for is looked at again.
const SOON: Duration = Duration::from_secs(5);

/// What happens to the routes; fates are not decided here.
pub(super) fn decide(scene: &Scene<'_>) -> Decided {
    let routes = hands::routes(scene);
    let by = routes.by.clone();
    let mut decided = match by {
        _ if !scene.routing.manager.is_empty() => managed(scene),
        Some(by) => by_hand(scene, &by),
        None => ours(scene),
    };
    decided.routes = Some(routes);
    decided
}

/// Somebody has said in Temporal that nobody else may change the routes.
fn managed(scene: &Scene<'_>) -> Decided {
    if is_settled(scene) {
        return Decided::default();
    }
    let manager = &scene.routing.manager;
    let message = format!(
        "{} Only {manager} may change that in Temporal; to give it back, run: temporal worker deployment manager-identity unset.",
        where_they_go(scene),
    );
    Decided { ramp: Some(ramp(scene)), ..said(scene, "ManagedElsewhere", message) }
}

/// Somebody has set the routes, and the manifest has not changed since.
fn by_hand(scene: &Scene<'_>, by: &str) -> Decided {
    let message = format!(
        "{} {by} has set that in Temporal, and it stays until the manifest changes; to go on, set spec.rollout.promote to {}.",
        where_they_go(scene),
        scene.target.build_id,
    );
    let known = scene.old.routes.as_ref().is_some_and(|routes| routes.by.as_deref() == Some(by));
    let note = News { reason: "RoutesSetByHand", note: message.clone(), warns: true };
    let news = if known { Vec::new() } else { vec![note] };
    Decided { ramp: Some(ramp(scene)), news, ..said(scene, "RoutesSetByHand", message) }
}

fn ours(scene: &Scene<'_>) -> Decided {
    let (policy, target) = (scene.policy, scene.target.build_id);
    let promoted = scene.promoted() == Some(target);
    if let Some(other) = scene.promoted().filter(|_| !promoted) {
        return promote_other(scene, other);
    }
    let held = policy.paused || policy.strategy == Strategy::Manual && !promoted;
    if scene.is_target(scene.routing.current.as_ref()) {
        let stray = stray(scene, target).filter(|_| !held);
        return Decided { acts: stray.into_iter().collect(), ..Decided::default() };
    }
    if sunset::is_full(scene) {
        let message = format!(
            "Version {target} has no pods: Temporal keeps at most {} versions of a Worker Deployment, and all of them are in use.",
            sunset::MOST_VERSIONS,
        );
        return fault(scene, "TooManyVersions", message);
    }
    if held {
        let (reason, word) = match policy.paused {
            true => ("RolloutPaused", "is paused".to_owned()),
            false => (
                "WaitsForPromotion",
                format!("waits until spec.rollout.promote is {target}, or somebody moves traffic in Temporal"),
            ),
        };
        return Decided {
            ramp: Some(ramp(scene)),
            ..said(scene, reason, format!("{} The rollout of version {target} {word}.", where_they_go(scene)))
        };
    }
    match failed(scene) {
        Some(why) if !promoted => failing(scene, &why),
        _ => go_on(scene, promoted),
    }
}

/// A version that is not the manifest's is to be current.
fn promote_other(scene: &Scene<'_>, build_id: &str) -> Decided {
    let target = scene.target.build_id;
    let then = format!("version {target} waits until spec.rollout.promote is gone or names it");
    let ramp = Some(ramp(scene));
    if scene.routing.current.as_deref() == Some(build_id) {
        let stray = stray(scene, build_id).filter(|_| !scene.policy.paused);
        let message = format!("Version {build_id} is current, as spec.rollout.promote says; {then}.");
        return Decided { ramp, acts: stray.into_iter().collect(), ..said(scene, "PromotedOther", message) };
    }
    if !scene.seen.deployments.contains_key(build_id) && !scene.seen.revisions.contains_key(build_id) {
        let message =
            format!("spec.rollout.promote names version {build_id}, which is not there; correct or remove it.");
        return Decided { ramp, ..fault(scene, "PromotedUnknown", message) };
    }
    match readiness::of(scene, build_id) {
        Readiness::Ready if scene.policy.paused => {
            let message = format!("Version {build_id} is to be current, but the rollout is paused; {then}.");
            Decided { ramp, ..said(scene, "RolloutPaused", message) }
        }
        Readiness::Ready => Decided { ramp, ..make_current(scene, build_id) },
        Readiness::Asks(question) => Decided { ramp, ..asks(scene, question) },
        Readiness::Waits(why) | Readiness::Stuck(why) => {
            let message = format!("Version {build_id} is to be current, but {why}; {then}.");
            Decided { ramp, ..said(scene, "VersionPending", message) }
        }
    }
}

/// The target is on its way.
fn go_on(scene: &Scene<'_>, promoted: bool) -> Decided {
    match readiness::of(scene, scene.target.build_id) {
        Readiness::Ready => {}
        Readiness::Asks(question) => {
            // the trouble is over only when the answer says so
            let troubled_since = troubled_since(scene);
            return Decided { ramp: Some(RampStatus { troubled_since, ..ramp(scene) }), ..asks(scene, question) };
        }
        Readiness::Waits(why) => return not_ready(scene, &why, false),
        Readiness::Stuck(why) => return not_ready(scene, &why, true),
    }
    if promoted || was_current_lately(scene) {
        return Decided { ramp: Some(ramp(scene)), ..make_current(scene, scene.target.build_id) };
    }
    if !scene.is_target(scene.routing.ramping.as_ref()) {
        return first_step(scene);
    }
    match gates::failing(scene) {
        Standing::Passed => next_step(scene),
        other => held_by(scene, other),
    }
}

fn not_ready(scene: &Scene<'_>, why: &str, stuck: bool) -> Decided {
    let target = scene.target.build_id;
    if !scene.is_target(scene.routing.ramping.as_ref()) {
        // a candidate that was given up gets no new workflows meanwhile
        let message = format!("{} Version {target} waits: {why}.", where_they_go(scene));
        let told =
            if stuck { fault(scene, "VersionNotReady", message) } else { said(scene, "VersionPending", message) };
        return Decided { acts: stray(scene, target).into_iter().collect(), ramp: Some(ramp(scene)), ..told };
    }
    let since = troubled_since(scene).map_or(scene.now, |time| time.0);
    if stuck || scene.now.duration_since(since) >= TROUBLE {
        return fails(scene, why);
    }
    let message = format!("{} It is looked after: {why}.", where_they_go(scene));
    let troubled_since = Some(Time(whole_seconds(since)));
    Decided { ramp: Some(RampStatus { troubled_since, ..ramp(scene) }), ..said(scene, "VersionTroubled", message) }
}

fn troubled_since(scene: &Scene<'_>) -> Option<Time> {
    old_ramp(scene).and_then(|ramp| ramp.troubled_since.clone())
}

/// No new workflow goes to the target yet.
fn first_step(scene: &Scene<'_>) -> Decided {
    let target = scene.target.build_id;
    match gates::of(scene, 0, scene.policy.gate.as_ref()) {
        Standing::Passed => {}
        other => return held_by(scene, other),
    }
    let Some(first) = scene.policy.steps.first().filter(|_| scene.policy.strategy == Strategy::Progressive) else {
        return Decided { ramp: Some(ramp(scene)), ..make_current(scene, target) };
    };
    if scene.routing.current.is_none() {
        // nothing is lost if there is nobody who does the work now
        match scene.routing.asked.unversioned {
            None => {
                let question = Question::Unversioned(target.to_owned());
                return Decided { ramp: Some(ramp(scene)), ..asks(scene, question) };
            }
            Some(false) => return Decided { ramp: Some(ramp(scene)), ..make_current(scene, target) },
            Some(true) => {}
        }
    }
    share(scene, first.percent)
}

/// The target has a share.
fn next_step(scene: &Scene<'_>) -> Decided {
    let (policy, routing) = (scene.policy, scene.routing);
    if policy.strategy != Strategy::Progressive {
        return Decided { ramp: Some(ramp(scene)), ..make_current(scene, scene.target.build_id) };
    }
    let done = scene.reached();
    let Some(step) = done.checked_sub(1).and_then(|at| policy.steps.get(at)) else {
        // less than the first step, as another manifest had it
        return policy.steps.first().map_or_else(Decided::default, |first| share(scene, first.percent));
    };
    let since = routing.percent_since.unwrap_or(scene.now);
    let passed = Duration::try_from(scene.now.duration_since(since)).unwrap_or_default();
    if let Some(left) = step.pause.checked_sub(passed).filter(|left| !left.is_zero()) {
        let next = scene.now.checked_add(left).ok().map(|at| Time(whole_seconds(at)));
        let ramp = RampStatus { next, ..ramp(scene) };
        let message = format!("{} {}", where_they_go(scene), steps(scene, &ramp));
        let wake = Some(left.max(Duration::from_secs(1)));
        return Decided { ramp: Some(ramp), wake, ..said(scene, "Ramping", message) };
    }
    match gates::of(scene, done, step.gate.as_ref()) {
        Standing::Passed => {}
        other => return held_by(scene, other),
    }
    match policy.steps.get(done) {
        Some(next) => share(scene, next.percent),
        None => Decided { ramp: Some(ramp(scene)), ..make_current(scene, scene.target.build_id) },
    }
}

fn held_by(scene: &Scene<'_>, standing: Standing) -> Decided {
    let target = scene.target.build_id;
    let act = standing.act();
    match standing {
        Standing::Passed => Decided::default(),
        Standing::Failed(why) => fails(scene, &why),
        Standing::Asks(question) => Decided { ramp: Some(ramp(scene)), ..asks(scene, question) },
        Standing::Unclear(why) => {
            let message = format!("The gate of version {target} cannot be carried out: {why}.");
            Decided { ramp: Some(ramp(scene)), ..fault(scene, "GateUnclear", message) }
        }
        Standing::Waits(why) => {
            let message = format!("{} Version {target} waits: {why}.", where_they_go(scene));
            Decided { ramp: Some(ramp(scene)), ..said(scene, "GateRunning", message) }
        }
        Standing::Runs(run) => {
            let message = format!("The gate of version {target} starts workflow {}.", run.type_);
            let note = News { reason: "GateStarted", note: message.clone(), warns: false };
            let acts = act.into_iter().collect();
            Decided { acts, news: vec![note], ramp: Some(ramp(scene)), ..said(scene, "GateRunning", message) }
        }
    }
}

/// The target is not good.
fn fails(scene: &Scene<'_>, why: &str) -> Decided {
    let note = format!("Version {} is not good: {why}. {}", scene.target.build_id, consequence(scene));
    let news = vec![News { reason: "RolloutFailed", note, warns: true }];
    Decided { news, ..failing(scene, why) }
}

fn failing(scene: &Scene<'_>, why: &str) -> Decided {
    let target = scene.target.build_id;
    let returns = scene.policy.on_failure == OnFailure::Rollback && scene.is_target(scene.routing.ramping.as_ref());
    let back = returns.then_some(Act::SetRamping(None, 0.0));
    let message = format!(
        "Version {target} is not good: {why}. {} It is tried again when the template or spec.rollout changes.",
        consequence(scene),
    );
    let ramp = RampStatus { failed: Some(why.to_owned()), ..ramp(scene) };
    let acts = back.or_else(|| stray(scene, target)).into_iter().collect();
    Decided { acts, ramp: Some(ramp), ..fault(scene, "RolloutFailed", message) }
}

/// Gives the target a share.
fn share(scene: &Scene<'_>, percent: f32) -> Decided {
    let target = scene.target.build_id;
    let message = format!("Version {target} gets {} % of new workflows.", number(percent));
    Decided {
        acts: vec![Act::SetRamping(Some(target.to_owned()), percent)],
        news: vec![News { reason: "RampChanged", note: message.clone(), warns: false }],
        ramp: Some(ramp(scene)),
        wake: Some(SOON),
        ..said(scene, "Ramping", message)
    }
}

fn make_current(scene: &Scene<'_>, build_id: &str) -> Decided {
    let message = format!("Version {build_id} becomes current.");
    // Temporal ends the ramp of a version that becomes current, and not that of another
    let mut acts: Vec<Act> = stray(scene, build_id).into_iter().collect();
    acts.push(Act::SetCurrent(build_id.to_owned()));
    let news = vec![News { reason: "VersionCurrent", note: message.clone(), warns: false }];
    Decided { acts, news, wake: Some(SOON), ..said(scene, "VersionPending", message) }
}

/// Ends the ramp of a version other than this one.
fn stray(scene: &Scene<'_>, build_id: &str) -> Option<Act> {
    let ramping = scene.routing.ramping.as_deref()?;
    (ramping != build_id).then_some(Act::SetRamping(None, 0.0))
}

fn asks(scene: &Scene<'_>, question: Question) -> Decided {
    let message = format!("{} Version {} is looked at.", where_they_go(scene), scene.target.build_id);
    Decided { questions: vec![question], ..said(scene, "VersionPending", message) }
}

/// Something is under way, or held; what is current goes on serving.
fn said(scene: &Scene<'_>, reason: &'static str, message: String) -> Decided {
    let verdict = Verdict::new(Phase::Pending, reason, message);
    let verdict = if scene.routing.current.is_some() { verdict.serving() } else { verdict };
    Decided { verdict: Some(verdict), ..Decided::default() }
}

/// Nothing goes on without somebody's doing.
fn fault(_: &Scene<'_>, reason: &'static str, message: String) -> Decided {
    Decided { verdict: Some(Verdict::new(Phase::Failed, reason, message)), ..Decided::default() }
}

fn is_settled(scene: &Scene<'_>) -> bool {
    scene.is_target(scene.routing.current.as_ref()) && scene.routing.ramping.is_none()
}

fn was_current_lately(scene: &Scene<'_>) -> bool {
    let known = scene.routing.versions.get(scene.target.build_id);
    let Some(last) = known.and_then(|version| version.last_current) else { return false };
    let left = Duration::try_from(scene.now.duration_since(last)).unwrap_or_default();
    !scene.policy.rollback_window.is_zero() && left <= scene.policy.rollback_window
}

/// Why the target failed, while the manifest is the same.
fn failed(scene: &Scene<'_>) -> Option<String> {
    let same = scene.old.routes.as_ref().is_some_and(|routes| routes.manifest == scene.manifest);
    old_ramp(scene).filter(|_| same)?.failed.clone()
}

fn old_ramp<'a>(scene: &Scene<'a>) -> Option<&'a RampStatus> {
    scene.old.ramp.as_ref().filter(|ramp| ramp.build_id == scene.target.build_id)
}

fn ramp(scene: &Scene<'_>) -> RampStatus {
    let has_share = scene.is_target(scene.routing.ramping.as_ref());
    let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    #[allow(clippy::cast_possible_truncation, reason = "a percentage")]
    let percent = if has_share { scene.routing.percent.round() as i32 } else { 0 };
    RampStatus {
        build_id: scene.target.build_id.to_owned(),
        percent,
        step: count(scene.reached()),
        steps: count(scene.policy.steps.len()),
        ..RampStatus::default()
    }
}
