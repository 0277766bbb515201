//! What the operator asks and tells Temporal about Worker Deployments.

use super::{Answer, GrpcTemporal, Target, TemporalError};
use crate::plan::worker::{Act, Routing};
use futures::future::{FutureExt, ready};

/// A Worker Deployment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerRef {
    /// The namespace in Temporal.
    pub namespace: String,
    /// Its name.
    pub deployment: String,
}

/// Reads and writes Worker Deployments.
pub trait Workers: Send + Sync {
    /// The Worker Deployment, if a version of it has ever polled.
    fn describe_worker<'a>(&'a self, target: &'a Target, which: &'a WorkerRef) -> Answer<'a, Option<Routing>>;

    /// One write.
    fn change_worker<'a>(&'a self, target: &'a Target, which: &'a WorkerRef, act: &'a Act) -> Answer<'a, ()>;
}

impl Workers for GrpcTemporal {
    fn describe_worker<'a>(&'a self, _: &'a Target, _: &'a WorkerRef) -> Answer<'a, Option<Routing>> {
        ready(Err(not_yet("DescribeWorkerDeployment"))).boxed()
    }

    fn change_worker<'a>(&'a self, _: &'a Target, _: &'a WorkerRef, _: &'a Act) -> Answer<'a, ()> {
        ready(Err(not_yet("SetWorkerDeploymentCurrentVersion"))).boxed()
    }
}

fn not_yet(call: &'static str) -> TemporalError {
    TemporalError::Unreachable { call, reason: "this operator does not ask it yet".to_owned() }
}
