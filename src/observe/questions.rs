//! What the next step of a rollout hangs on is asked, and nothing else.

use crate::api::TemporalWorkerStatus;
use crate::plan::worker::{InTemporal, Question, Routing, Seen, Target as Goal, decide};
use crate::prometheus;
use crate::temporal::{Target, TemporalError, WorkerRef, Workers};
use crate::validate::RolloutPolicy;
use k8s_openapi::jiff::Timestamp;

/// An answer may lead to another question: who polls, then what fails, then how a gate stands, then who works without a version.
const ROUNDS: usize = 6;

/// Asks until the plan knows what it wants to know, and adds the answers to what is seen.
///
/// # Errors
/// When Temporal does not answer. A Prometheus that does not is no failure: the plan tells it.
pub async fn ask(
    temporal: &dyn Workers,
    (target, which): (&Target, &WorkerRef),
    (policy, build_id): (&RolloutPolicy, &str),
    seen: &mut Seen,
    old: &TemporalWorkerStatus,
    now: Timestamp,
) -> Result<(), TemporalError> {
    for _ in 0..ROUNDS {
        let goal = Goal { build_id, deployment: seen.deployments.get(build_id) };
        let questions = decide(policy, &goal, seen, old, now).questions;
        let InTemporal::Known(routing) = &mut seen.temporal else { return Ok(()) };
        if questions.is_empty() {
            return Ok(());
        }
        for question in questions {
            answer(temporal, (target, which), question, routing).await?;
        }
    }
    Ok(())
}

async fn answer(
    temporal: &dyn Workers,
    (target, which): (&Target, &WorkerRef),
    question: Question,
    routing: &mut Routing,
) -> Result<(), TemporalError> {
    match question {
        Question::Pollers(build_id) => {
            let queues = temporal.pollers(target, which, &build_id).await?;
            if let Some(version) = routing.versions.get_mut(&build_id) {
                version.queues = queues;
            }
        }
        Question::Unversioned(build_id) => {
            let mut any = false;
            for queue in routing.versions.get(&build_id).iter().flat_map(|version| &version.queues) {
                any |= temporal.has_unversioned(target, which, &queue.name, queue.type_).await?;
            }
            routing.asked.unversioned = Some(any);
        }
        Question::Runs(gate, most) => {
            let runs = temporal.runs(target, which, &gate, most).await?;
            routing.asked.runs.insert(gate, runs);
        }
        Question::Query(query) => {
            let text = query
                .query
                .replace("$deployment", &which.deployment)
                .replace("$build_id", &query.build_id)
                .replace("$namespace", &which.namespace);
            let values = prometheus::ask(&query.url, &text).await;
            routing.asked.queries.insert(query, values);
        }
        // what cannot be told of these holds up a step or a removal, and nothing else
        Question::Pinned(build_id) => {
            let pinned = temporal.has_pinned(target, which, &build_id).await.ok();
            routing.asked.pinned.insert(build_id, pinned);
        }
        Question::Failing(failing) => {
            let queues = routing.versions.get(&failing.build_id).map(|version| version.queues.clone());
            let answer = temporal.failing(target, which, &failing, &queues.unwrap_or_default()).await;
            routing.asked.failing.insert(failing.build_id, answer.map_err(|error| error.to_string()));
        }
    }
    Ok(())
}
