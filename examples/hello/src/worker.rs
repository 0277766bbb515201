//! The worker: polls Temporal, does the work, and lets go of it in good order when it is told to end.
//!
//! It is part of the library and not of the program, so that the SDK's asynchronous code is compiled once and not again
//! for each program.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use crate::activities::Activities;
use crate::connection::Way;
use crate::greeter::Phrasebook;
use crate::health::{self, Readiness};
use crate::settings::{Queue, Settings};
use crate::workflows::{Check, Greeting, Visit};
use anyhow::{Context, Result};
use futures::future::try_join_all;
use temporalio_client::{Client, NamespacedClient};
use temporalio_sdk::runtime::RuntimeOptions;
use temporalio_sdk::runtime::worker_tuner::{FixedSizeSlotSupplier, TunerHolder};
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;
use tracing_subscriber::EnvFilter;

/// How often Temporal is told which slots are in use: the operator scales by that.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Runs until the process is asked to end and has finished what it has.
pub fn run(settings: &Settings) -> Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,temporalio_sdk_core=warn"));
    tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).init();
    tokio::runtime::Runtime::new().context("no runtime")?.block_on(async {
        let mut end = Ends::new()?;
        let readiness = Readiness::default();
        let probes = health::serve(settings.health, readiness.clone());
        tokio::select! {
            done = work(settings, &readiness, &mut end) => done,
            failed = probes => failed,
        }
    })
}

async fn work(settings: &Settings, readiness: &Readiness, end: &mut Ends) -> Result<()> {
    let way = Way::from_environment()?;
    let client = tokio::select! {
        client = way.connect_patiently() => client,
        () = end.asked_for() => return Ok(()),
    };
    let options = RuntimeOptions::builder().heartbeat_interval(Some(HEARTBEAT)).build().map_err(anyhow::Error::msg)?;
    let runtime = Runtime::from_current_tokio(options)?;
    let queues = settings.queues();
    let made = queues.iter().map(|queue| worker(&runtime, &client, settings, queue));
    let mut workers = made.collect::<Result<Vec<_>>>()?;
    let shutdown: Vec<_> = workers.iter().map(Worker::shutdown_handle).collect();

    let build = settings.version().map(|version| version.build_id);
    info!(namespace = client.namespace(), queue = settings.task_queue, build, "polls");
    readiness.set(true);
    let mut all = pin!(try_join_all(workers.iter_mut().map(Worker::run)));
    let ran = tokio::select! {
        ran = &mut all => ran,
        () = end.asked_for() => {
            info!("takes no more work and finishes what it has");
            readiness.set(false);
            shutdown.iter().for_each(|stop| stop());
            all.await
        }
    };
    ran.context("the worker has ended")?;
    info!("has finished");
    Ok(())
}

fn worker(runtime: &Runtime, client: &Client, settings: &Settings, queue: &Queue) -> Result<Worker> {
    let activities = Activities {
        greeter: Arc::new(Phrasebook(settings.language)),
        build: settings.version().map(|version| version.build_id).unwrap_or_default(),
        broken: settings.is_broken(),
    };
    let tuner = TunerHolder::builder()
        .workflow_task_slot_supplier(FixedSizeSlotSupplier::new(100))
        .activity_task_slot_supplier(FixedSizeSlotSupplier::new(settings.slots))
        .local_activity_task_slot_supplier(FixedSizeSlotSupplier::new(settings.slots))
        .nexus_task_slot_supplier(FixedSizeSlotSupplier::new(1))
        .build();
    let options = WorkerOptions::new(queue.name.as_str())
        .deployment_options(settings.deployment_options(queue.behavior))
        .graceful_shutdown_period(Duration::from_secs(settings.drain_seconds))
        .tuner(tuner)
        .register_activities(activities)
        .register_workflow::<Visit>()?
        .register_workflow::<Check>()?;
    let options = if settings.is_forgetful() { options } else { options.register_workflow::<Greeting>()? };
    Ok(Worker::new(runtime, client.clone(), options.build())?)
}

/// The signals by which a process is asked to end.
struct Ends {
    terminate: Signal,
    interrupt: Signal,
}

impl Ends {
    fn new() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen to signals");
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    async fn asked_for(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
