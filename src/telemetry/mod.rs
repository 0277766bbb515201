//! How the operator itself is watched: logs, metrics, health.

pub mod log;
pub mod metrics;
pub mod server;

pub use metrics::Metrics;
