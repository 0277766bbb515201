//! The testbed: a real Kubernetes of one to three nodes and a real Temporal, on one machine.
//!
//! The `testbed` command is a thin front for this library; scenarios use it to reach the cluster.

pub mod bench;
pub mod build;
pub mod cluster;
pub mod command;
pub mod demo;
pub mod failure;
pub mod host;
pub mod image;
pub mod layout;
pub mod load;
pub mod step;
pub mod versions;
