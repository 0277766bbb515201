//! When a server pod counts as started, ready and alive. The one place that knows how a role is asked.

use crate::api::services::Role;
use crate::validate::{ValidCluster, ValidRole};
use k8s_openapi::api::core::v1::{GRPCAction, Probe, TCPSocketAction};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// The three probes of a container.
pub(super) struct Probes {
    /// Holds the other two back until the server answers.
    pub startup: Probe,
    /// Takes the pod out of its Services.
    pub readiness: Probe,
    /// Restarts the container.
    pub liveness: Probe,
}

/// Longest start, in seconds: a history pod serves only once it has acquired all its shards, which waits for the
/// database and for the ring.
const START_SECONDS: i32 = 600;

/// The probes of a role. Readiness fails within 2–3 s; liveness only looks whether the process still listens, for
/// 2 minutes, since a slow database must not cause a restart storm.
pub(super) fn of(cluster: &ValidCluster, role: Role, settings: &ValidRole) -> Probes {
    let serving = serving(cluster, role, settings);
    Probes {
        startup: Probe {
            period_seconds: Some(1),
            timeout_seconds: Some(2),
            failure_threshold: Some(START_SECONDS),
            ..serving.clone()
        },
        readiness: Probe { period_seconds: Some(1), timeout_seconds: Some(2), failure_threshold: Some(2), ..serving },
        liveness: Probe {
            tcp_socket: Some(listening(settings.membership_port)),
            period_seconds: Some(20),
            timeout_seconds: Some(5),
            failure_threshold: Some(6),
            ..Probe::default()
        },
    }
}

/// The gRPC health service that a role answers for (server 1.30–1.32: `common/rpc`, `service/*/service.go`; all live
/// in the package of the workflow service). The worker role of 1.30 has no gRPC port: its membership port is asked.
fn serving(cluster: &ValidCluster, role: Role, settings: &ValidRole) -> Probe {
    let service = match role {
        Role::Frontend | Role::InternalFrontend => "WorkflowService",
        Role::History => "HistoryService",
        Role::Matching => "MatchingService",
        Role::Worker if cluster.version.minor < 31 => {
            return Probe { tcp_socket: Some(listening(settings.membership_port)), ..Probe::default() };
        }
        Role::Worker => "WorkerService",
    };
    Probe {
        grpc: Some(GRPCAction {
            port: settings.grpc_port,
            service: Some(format!("temporal.api.workflowservice.v1.{service}")),
        }),
        ..Probe::default()
    }
}

fn listening(port: i32) -> TCPSocketAction {
    TCPSocketAction { port: IntOrString::Int(port), ..TCPSocketAction::default() }
}
