//! The generated messages and clients, in Temporal's own packages.
#![allow(missing_docs, unused_qualifications, clippy::all)]

pub mod temporal {
    pub mod api {
        pub mod common {
            pub mod v1 {
                tonic::include_proto!("temporal.api.common.v1");
            }
        }
        pub mod deployment {
            pub mod v1 {
                tonic::include_proto!("temporal.api.deployment.v1");
            }
        }
        pub mod history {
            pub mod v1 {
                tonic::include_proto!("temporal.api.history.v1");
            }
        }
        pub mod namespace {
            pub mod v1 {
                tonic::include_proto!("temporal.api.namespace.v1");
            }
        }
        pub mod operatorservice {
            pub mod v1 {
                tonic::include_proto!("temporal.api.operatorservice.v1");
            }
        }
        pub mod schedule {
            pub mod v1 {
                tonic::include_proto!("temporal.api.schedule.v1");
            }
        }
        pub mod taskqueue {
            pub mod v1 {
                tonic::include_proto!("temporal.api.taskqueue.v1");
            }
        }
        pub mod worker {
            pub mod v1 {
                tonic::include_proto!("temporal.api.worker.v1");
            }
        }
        pub mod workflow {
            pub mod v1 {
                tonic::include_proto!("temporal.api.workflow.v1");
            }
        }
        pub mod workflowservice {
            pub mod v1 {
                tonic::include_proto!("temporal.api.workflowservice.v1");
            }
        }
    }
    pub mod server {
        pub mod api {
            pub mod adminservice {
                pub mod v1 {
                    tonic::include_proto!("temporal.server.api.adminservice.v1");
                }
            }
            pub mod cluster {
                pub mod v1 {
                    tonic::include_proto!("temporal.server.api.cluster.v1");
                }
            }
        }
    }
}

pub use temporal::api::{
    common::v1 as common, deployment::v1 as deployment, history::v1 as history, namespace::v1 as namespace,
    operatorservice::v1 as operator, schedule::v1 as schedule, taskqueue::v1 as taskqueue, worker::v1 as worker,
    workflow::v1 as started, workflowservice::v1 as workflow,
};
pub use temporal::server::api::adminservice::v1 as admin;
#[cfg(test)]
pub use temporal::server::api::cluster::v1 as cluster;
