//! The only speaker of gRPC: what the operator asks Temporal, and nothing else.
//!
//! The rest of the operator sees the trait [`Temporal`] and plain data. [`GrpcTemporal`] asks a real server through
//! its frontend; [`FakeTemporal`] answers from memory, for tests. All its calls only read, so any of them may
//! be repeated. What the resources on a cluster ask and write is in traits of their own: [`Namespaces`], [`Schedules`],
//! [`Queues`].

use std::collections::BTreeSet;
use std::net::SocketAddr;

use futures::future::BoxFuture;

mod budgets;
mod canary;
mod clients;
mod dial;
mod entry;
mod error;
mod fake;
mod forward;
mod grpc;
mod grpc_namespaces;
mod namespaces;
mod proto;
mod queues;
mod schedule;
mod status;
#[cfg(test)]
mod stub;
mod target;
mod tokens;
mod turns;
mod view;
mod visibility;
mod workers;

pub use crate::api::reference::ClusterRef;
pub use crate::api::services::Role;
pub use dial::Reach;
pub use entry::{Credentials, Entry, Flaw};
pub use error::TemporalError;
pub use fake::{Call, FakeTemporal};
pub use grpc::{GrpcTemporal, Stopwatch};
pub use namespaces::{Answer, Namespaces};
pub use queues::{FakeQueues, QueueLoad, Queues, Stats, WorkerSlots};
pub use schedule::{FakeSchedules, NewSchedule, ScheduleRef, Schedules};
pub use target::{PodRef, Target, WorkerRef};
pub use view::{ClusterView, ShardView};
pub use workers::Workers;

/// What the operator asks a Temporal cluster.
///
/// Every answer comes within a deadline; there is no retry behind it beyond one on a fresh connection.
pub trait Temporal: Send + Sync {
    /// One frontend's view of its cluster: version, identity, stores, and who is in which ring.
    fn describe_cluster<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<ClusterView, TemporalError>>;

    /// Which shards each of these history hosts (members of the history ring) holds.
    ///
    /// A host that does not answer is listed in the view and is not an error. It is an error when the operator may not
    /// ask at all.
    fn shards<'a>(
        &'a self,
        target: &'a Target,
        hosts: &'a BTreeSet<SocketAddr>,
    ) -> BoxFuture<'a, Result<ShardView, TemporalError>>;

    /// Proves with reads alone that requests pass: the frontend by itself, frontend to database, frontend to history to
    /// database, frontend to matching. The error names the first leg that is broken.
    fn canary<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<(), TemporalError>>;

    /// Proves with one read of Temporal's own namespace that workflows can be listed, which they can live without.
    fn visibility<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<(), TemporalError>>;

    /// The same in a namespace of users, which may be listed from another store.
    fn users_visibility<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<(), TemporalError>>;

    /// Closes all connections to a cluster that is gone.
    fn forget(&self, cluster: &ClusterRef);
}
