//! A worker that greets: its workflows, the activities that they call, and what both need.
//!
//! Two programs are made of it: `hello-worker` polls Temporal and does the work, `hello` starts workflows and shows what
//! became of them.

pub mod activities;
pub mod connection;
pub mod greeter;
pub mod health;
pub mod settings;
pub mod starter;
pub mod worker;
pub mod workflows;
