//! The workflows. Their code decides and nothing else: it runs again from the recorded history whenever a worker picks a
//! workflow up, and must decide the same each time.
#![allow(missing_docs, reason = "the macros of the SDK write constants without")]

use std::time::Duration;

use serde::{Deserialize, Serialize};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::workflows::select;
use temporalio_sdk::{ActivityOptions, SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult};

use crate::activities::{Activities, Guest, Words};

/// Greets somebody: one activity.
#[workflow]
#[derive(Default)]
pub struct Greeting;

/// What became of a [`Greeting`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Greeted {
    /// The words.
    pub text: String,
    /// The build of the worker that ran the workflow; empty when it is not versioned.
    pub workflow_build: String,
    /// The build of the worker that ran the activity.
    pub activity_build: String,
}

#[workflow_methods]
impl Greeting {
    /// The workflow.
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, guest: Guest) -> WorkflowResult<Greeted> {
        let options = patience(&guest);
        let Words { text, build } = ctx.execute_activity(Activities::welcome, guest, options).await?;
        Ok(Greeted { text, workflow_build: build_of(ctx), activity_build: build })
    }
}

/// Greets somebody, waits until they leave, and says goodbye. It may take long, so versions of the worker come and go
/// meanwhile: its result tells which of them it saw.
#[workflow]
#[derive(Default)]
pub struct Visit {
    left: bool,
    here: bool,
}

/// A [`Visit`] to come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stay {
    /// Who comes.
    pub guest: Guest,
    /// Seconds until they leave, when they are not told to.
    pub at_most: u64,
}

/// What became of a [`Visit`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Visited {
    /// The words at the beginning.
    pub welcome: String,
    /// The build of the worker that ran the workflow at the beginning; empty when it is not versioned.
    pub arrived_on: String,
    /// The words at the end.
    pub farewell: String,
    /// The build of the worker that ran the workflow at the end.
    pub left_on: String,
}

#[workflow_methods]
impl Visit {
    /// The workflow.
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, stay: Stay) -> WorkflowResult<Visited> {
        let arrived_on = build_of(ctx);
        let options = patience(&stay.guest);
        let welcome = ctx.execute_activity(Activities::welcome, stay.guest.clone(), options).await?.text;
        ctx.state_mut(|visit| visit.here = true);
        select! {
            _ = ctx.timer(Duration::from_secs(stay.at_most)) => {},
            left = ctx.wait_condition(|visit: &Self| visit.left) => left?,
        }
        let left_on = build_of(ctx);
        let options = patience(&stay.guest);
        let farewell = ctx.execute_activity(Activities::farewell, stay.guest, options).await?.text;
        Ok(Visited { welcome, arrived_on, farewell, left_on })
    }

    /// Tells the guest to leave.
    #[signal]
    pub fn leave(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.left = true;
    }

    /// Whether the guest has been greeted.
    #[query]
    pub fn is_here(&self, _ctx: &WorkflowContextView) -> bool {
        self.here
    }
}

/// Completes when the build that runs it is fit for work: the gate of a rollout.
#[workflow]
#[derive(Default)]
pub struct Check;

#[workflow_methods]
impl Check {
    /// The workflow.
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        let options = ActivityOptions::start_to_close_timeout(Duration::from_secs(10));
        Ok(ctx.execute_activity(Activities::inspect, (), options).await?)
    }
}

/// Time for an activity, and how long it may be silent.
fn patience(guest: &Guest) -> ActivityOptions {
    let thinking = Duration::try_from_secs_f64(guest.seconds).unwrap_or_default();
    ActivityOptions::with_start_to_close_timeout(Duration::from_secs(30) + thinking)
        .heartbeat_timeout(Duration::from_secs(10))
        .build()
}

/// The build that runs this very task of the workflow; in a replay, the one that ran it then.
fn build_of<W>(ctx: &WorkflowContext<W>) -> String {
    let version = ctx.current_deployment_version().filter(|version| !version.deployment_name.is_empty());
    version.map(|version| version.build_id).unwrap_or_default()
}
