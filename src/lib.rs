//! temporal-operator runs self-hosted Temporal on Kubernetes.
//!
//! Each reconcile is *validate → observe → plan → apply → report*. Dependencies point one way:
//! `(api, scaling, schedule) ← validate ← build ← plan ← (lease, prometheus, temporal, watches) ← (observe, apply, report) ← controller ← main`.
//! `plan` and everything below it is pure: no client, clock, randomness or environment.

pub mod api;
pub mod apply;
pub mod build;
pub mod controller;
pub mod error;
pub mod lease;
pub mod observe;
pub mod plan;
pub mod prometheus;
pub mod report;
pub mod scaling;
pub mod schedule;
pub mod telemetry;
pub mod temporal;
pub mod validate;
pub mod watches;
