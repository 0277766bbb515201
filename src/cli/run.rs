//! `temporal-operator run`: the operator itself.

use super::Failure;
use super::namespaces::Namespaces;
use clap::{Args, ValueEnum};
use kube::Client;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use temporal_operator::controller::{self, Settings};
use temporal_operator::lease::{Elector, Leadership};
use temporal_operator::telemetry::server::Endpoints;
use temporal_operator::telemetry::{Metrics, log};
use temporal_operator::temporal::{ClusterRef, GrpcTemporal, Reach, Stopwatch};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Flags of `run`; each may be given as the environment variable named beside it.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Look only at these namespaces, separated by commas. Unset or empty: at all.
    #[arg(long, env = "WATCH_NAMESPACES", value_name = "NAMESPACES", default_value = "")]
    watch_namespaces: Namespaces,
    /// Of several operators, let only the holder of a Lease work. Losing the lease ends the process.
    #[arg(long, env = "LEADER_ELECT")]
    leader_elect: bool,
    /// Namespace of the Lease. Unset: the operator's own.
    #[arg(long, env = "LEASE_NAMESPACE", value_name = "NAMESPACE")]
    lease_namespace: Option<String>,
    /// Name of the Lease.
    #[arg(long, env = "LEASE_NAME", value_name = "NAME", default_value = "temporal-operator")]
    lease_name: String,
    /// Name of this process in the Lease and in events. Unset: the host name.
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    instance: Option<String>,
    /// Address of /healthz, /readyz and /metrics.
    #[arg(long, env = "LISTEN_ADDRESS", value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    listen_address: SocketAddr,
    /// How the operator reaches Temporal frontends. auto: by Service inside a cluster, by port-forward outside.
    #[arg(long, env = "TEMPORAL_REACH", value_enum, default_value_t = ReachBy::Auto)]
    temporal_reach: ReachBy,
    /// Resources of a kind reconciled at the same time; with --watch-namespaces, in each of them.
    #[arg(long, env = "CONCURRENCY", value_name = "NUMBER", default_value_t = 8)]
    concurrency: u16,
    /// Let resources of every namespace use a TemporalCluster that has no allowedNamespaces. Unset: only those of its own.
    #[arg(long, env = "ALLOW_CROSS_NAMESPACE")]
    allow_cross_namespace: bool,
    /// How log lines are written.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = log::Format::Text)]
    log_format: log::Format,
    /// Least level logged (error, warn, info, debug, trace), or a list such as info,kube=debug.
    #[arg(long, env = "LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    log_level: String,
}

/// How the operator reaches Temporal frontends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ReachBy {
    /// By Service inside a cluster, by port-forward outside.
    Auto,
    /// By the DNS name of the frontend Service.
    Service,
    /// By port-forward through the API server.
    PortForward,
}

/// How long reconciles that have begun may go on after the signal; the pod's grace period is 30 s.
const STOP_GRACE: Duration = Duration::from_secs(20);

/// How long an answer of the API server may take at the start.
const API_SERVER_DEADLINE: Duration = Duration::from_secs(5);
/// Longest delay between two tries to reach it.
const API_SERVER_PATIENCE: Duration = Duration::from_secs(10);

/// Runs until a signal comes or the lease is lost.
pub fn run(args: RunArgs) -> Result<ExitCode, Failure> {
    log::install(args.log_format, &args.log_level)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(operate(args))
}

async fn operate(args: RunArgs) -> Result<ExitCode, Failure> {
    let client = Client::try_default().await.map_err(|e| format!("no Kubernetes cluster to work on: {e}"))?;
    let metrics = Metrics::new();
    let endpoints = Endpoints::new(metrics.clone());
    let listener = TcpListener::bind(args.listen_address)
        .await
        .map_err(|e| format!("cannot listen on {}: {e}; choose another --listen-address", args.listen_address))?;
    tokio::spawn(endpoints.clone().serve(listener));
    let stop = stop_signal()?;
    tokio::select! {
        () = api_server_answers(&client) => endpoints.set_ready(),
        () = stopped(stop.clone()) => return Ok(ExitCode::SUCCESS),
    }
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        namespaces = %args.watch_namespaces,
        "started"
    );

    let instance = args.instance.clone().unwrap_or_else(host_name);
    if !args.leader_elect {
        metrics.leader(true);
        work(&args, client, Leadership::always(), metrics, instance, stop).await;
        return Ok(ExitCode::SUCCESS);
    }
    lead(&args, client, metrics, instance, stop).await
}

/// Waits for the API server here: a process that ends instead is started again after delays of up to five minutes.
async fn api_server_answers(client: &Client) {
    let mut delay = Duration::from_secs(1);
    loop {
        let why = match tokio::time::timeout(API_SERVER_DEADLINE, client.apiserver_version()).await {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("nothing within {API_SERVER_DEADLINE:?}"),
        };
        tracing::warn!(error = why, again_in = ?delay, "the API server does not answer");
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(API_SERVER_PATIENCE);
    }
}

/// Stands by for the lease, works while it is held, gives it back at the end.
async fn lead(
    args: &RunArgs,
    client: Client,
    metrics: Metrics,
    instance: String,
    stop: watch::Receiver<bool>,
) -> Result<ExitCode, Failure> {
    let namespace = args.lease_namespace.clone().unwrap_or_else(|| client.default_namespace().to_owned());
    // two processes of one name must not take each other for themselves
    let identity = format!("{instance}_{}", std::process::id());
    let mut elector = Elector::new(client.clone(), &namespace, &args.lease_name, &identity);
    tracing::info!(%namespace, lease = args.lease_name, "standing by for the lease");
    tokio::select! {
        () = elector.acquire() => {}
        () = stopped(stop.clone()) => return Ok(ExitCode::SUCCESS),
    }
    tracing::info!("leading");
    metrics.leader(true);
    let leadership = elector.leadership();
    let working = work(args, client, leadership, metrics, instance, stop);
    tokio::select! {
        () = working => {
            elector.release().await;
            Ok(ExitCode::SUCCESS)
        }
        () = elector.keep() => {
            tracing::error!("the lease is lost; ending, so that no two operators work at once");
            Ok(ExitCode::FAILURE)
        }
    }
}

async fn work(
    args: &RunArgs,
    client: Client,
    leadership: Leadership,
    metrics: Metrics,
    instance: String,
    stop: watch::Receiver<bool>,
) {
    let temporal = GrpcTemporal::new(reach(args.temporal_reach, &client));
    let temporal = Arc::new(temporal.with_stopwatch(Arc::new(Canary(metrics.clone()))));
    let namespaces = args.watch_namespaces.names().to_vec();
    let settings = Settings {
        namespaces,
        concurrency: args.concurrency,
        instance,
        allow_cross_namespace: args.allow_cross_namespace,
    };
    let deadline = async {
        stopped(stop.clone()).await;
        tokio::time::sleep(STOP_GRACE).await;
    };
    tokio::select! {
        () = controller::run(client, temporal, leadership, metrics, settings, stopped(stop.clone())) => tracing::info!("stopped"),
        () = deadline => tracing::warn!("stopped in the middle of a reconcile; the next start goes on from what it left"),
    }
}

fn reach(by: ReachBy, client: &Client) -> Reach {
    let inside = std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
    match by {
        ReachBy::Service => Reach::Service,
        ReachBy::Auto if inside => Reach::Service,
        ReachBy::Auto | ReachBy::PortForward => Reach::PortForward(client.clone()),
    }
}

/// Turns true at SIGTERM or SIGINT.
fn stop_signal() -> std::io::Result<watch::Receiver<bool>> {
    let (sender, receiver) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: reconciles that have begun are ended first");
        sender.send_replace(true);
        // without a sender the receivers would take the end for a signal
        std::future::pending::<()>().await;
    });
    Ok(receiver)
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "temporal-operator".to_owned() } else { name.to_owned() }
}

/// What the canary's calls took, as metrics.
struct Canary(Metrics);

impl Stopwatch for Canary {
    fn call_ended(&self, cluster: &ClusterRef, call: &'static str, took: Duration, answered: bool) {
        self.0.canary(&cluster.namespace, &cluster.name, call, took, answered);
    }
}
