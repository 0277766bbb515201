//! The starter: starts workflows and shows what became of them.

use std::time::{Duration, Instant};

use crate::activities::Guest;
use crate::connection::Way;
use crate::settings::moving;
use crate::workflows::{Check, Greeting, Stay, Visit};
use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use futures::StreamExt;
use futures::future::join_all;
use serde::Serialize;
use serde_json::{Value, json};
use temporalio_client::{
    Client, UntypedWorkflow, WorkflowFetchHistoryOptions, WorkflowGetResultOptions, WorkflowListOptions,
    WorkflowSignalOptions, WorkflowStartOptions,
};
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

/// Starts workflows of the hello worker and shows what became of them. Where Temporal is, `TEMPORAL_ADDRESS` and
/// `TEMPORAL_NAMESPACE` say. Every line of output is JSON.
#[derive(Debug, Parser)]
#[command(name = "hello", version)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Greet somebody and show the result; many times, if asked to.
    Greet {
        /// Whom.
        #[arg(default_value = "Temporal")]
        name: String,
        #[command(flatten)]
        route: Route,
        /// Seconds that the activity takes.
        #[arg(long, default_value_t = 0.0)]
        seconds: f64,
        /// How many workflows.
        #[arg(long, default_value_t = 1)]
        count: u32,
        /// How many of them are started each second.
        #[arg(long, default_value_t = 10.0)]
        rate: f64,
        /// Do not fail when some of them do.
        #[arg(long)]
        tolerant: bool,
    },
    /// Begin a visit, which lasts until `hello leave`.
    Visit {
        /// Who comes.
        #[arg(default_value = "Temporal")]
        name: String,
        #[command(flatten)]
        route: Route,
        /// Its id, for `hello leave`.
        #[arg(long)]
        id: Option<String>,
        /// Seconds after which it ends by itself.
        #[arg(long, default_value_t = 86400)]
        at_most: u64,
    },
    /// End a visit and show its result.
    Leave {
        /// The id that `hello visit` printed.
        id: String,
    },
    /// Look whether a worker is fit for work.
    Check {
        #[command(flatten)]
        route: Route,
    },
    /// Print the history of a workflow, as replay tests read it.
    History {
        /// Its id.
        id: String,
    },
    /// List workflows and their results, the newest first.
    List {
        /// How many.
        #[arg(long, default_value_t = 10)]
        limit: usize,
        /// Which, in Temporal's query language.
        #[arg(long, default_value = "")]
        query: String,
    },
}

/// Where a workflow is sent.
#[derive(Debug, Args)]
struct Route {
    /// Task queue of the worker.
    #[arg(long, env = "TASK_QUEUE", default_value = "hello")]
    task_queue: String,
    /// Let the workflow move to new versions of the worker, instead of staying on the one that it began on.
    #[arg(long)]
    moving: bool,
}

impl Route {
    fn options(&self, id: &str) -> WorkflowStartOptions {
        let queue = if self.moving { moving(&self.task_queue) } else { self.task_queue.clone() };
        WorkflowStartOptions::new(queue, id).build()
    }
}

/// Does what the command line says.
pub fn run(cli: Cli) -> Result<()> {
    tokio::runtime::Runtime::new().context("no runtime")?.block_on(carry_out(cli.verb))
}

async fn carry_out(verb: Verb) -> Result<()> {
    let client = Way::from_environment()?.connect().await?;
    match verb {
        Verb::Greet { name, route, seconds, count, rate, tolerant } => {
            let failed = greet(&client, &Guest { name, seconds }, &route, count, rate).await?;
            anyhow::ensure!(tolerant || failed == 0, "{failed} of {count} workflows failed");
            Ok(())
        }
        Verb::Visit { name, route, id, at_most } => {
            let id = id.unwrap_or_else(|| fresh("visit"));
            let stay = Stay { guest: Guest { name, seconds: 0.0 }, at_most };
            client.start_workflow(Visit::run, stay, route.options(&id)).await?;
            print(&json!({"id": id}))
        }
        Verb::Leave { id } => {
            let visit = client.get_workflow_handle::<Visit>(id.as_str());
            visit.signal(Visit::leave, (), WorkflowSignalOptions::default()).await?;
            print(&json!({"id": id, "result": visit.get_result(WorkflowGetResultOptions::default()).await?}))
        }
        Verb::Check { route } => {
            let id = fresh("check");
            let check = client.start_workflow(Check::run, (), route.options(&id)).await?;
            print(&json!({"id": id, "result": check.get_result(WorkflowGetResultOptions::default()).await?}))
        }
        Verb::History { id } => {
            let workflow = client.get_workflow_handle::<UntypedWorkflow>(id);
            let text = workflow.fetch_history(WorkflowFetchHistoryOptions::default()).to_json().await?;
            print(&serde_json::from_slice::<Value>(&text)?)
        }
        Verb::List { limit, query } => list(&client, &query, limit).await,
    }
}

/// Starts so many a second, whether or not those before have ended, and prints each result as it comes. How many failed.
async fn greet(client: &Client, guest: &Guest, route: &Route, count: u32, rate: f64) -> Result<u32> {
    let first = fresh("greeting");
    let mut beat = interval(Duration::try_from_secs_f64(1.0 / rate)?);
    beat.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut all = Vec::new();
    for n in 0..count {
        beat.tick().await;
        let (client, guest) = (client.clone(), guest.clone());
        let id = format!("{first}-{n}");
        let options = route.options(&id);
        all.push(tokio::spawn(async move {
            let began = Instant::now();
            let result = async {
                let greeting = client.start_workflow(Greeting::run, guest, options).await?;
                anyhow::Ok(greeting.get_result(WorkflowGetResultOptions::default()).await?)
            };
            let told = match result.await {
                Ok(result) => json!({"id": id, "result": result, "seconds": seconds(began)}),
                Err(error) => json!({"id": id, "error": format!("{error:#}"), "seconds": seconds(began)}),
            };
            print(&told).map(|()| told["error"].is_null())
        }));
    }
    let mut failed = 0;
    for ended in join_all(all).await {
        failed += u32::from(!ended??);
    }
    Ok(failed)
}

async fn list(client: &Client, query: &str, limit: usize) -> Result<()> {
    let mut found = client.list_workflows(query, WorkflowListOptions::builder().limit(limit).build());
    while let Some(execution) = found.next().await {
        let execution = execution?;
        let mut line = json!({"id": execution.id(), "type": execution.workflow_type(), "status": format!("{:?}", execution.status())});
        if execution.close_time().is_some() {
            match result(client, execution.id()).await {
                Ok(result) => line["result"] = result,
                Err(error) => line["error"] = json!(format!("{error:#}")),
            }
        }
        print(&line)?;
    }
    Ok(())
}

/// The result of a workflow, whatever its type.
async fn result(client: &Client, id: &str) -> Result<Value> {
    let workflow = client.get_workflow_handle::<UntypedWorkflow>(id);
    let raw = workflow.get_result(WorkflowGetResultOptions::default()).await?;
    let payload = raw.payloads.first();
    Ok(payload.and_then(|payload| serde_json::from_slice(&payload.data).ok()).unwrap_or_default())
}

/// An id that no other workflow has.
fn fresh(what: &str) -> String {
    format!("{what}-{}", Uuid::new_v4().simple())
}

fn seconds(began: Instant) -> f64 {
    (began.elapsed().as_secs_f64() * 1000.0).round() / 1000.0
}

fn print(line: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(line)?);
    Ok(())
}
