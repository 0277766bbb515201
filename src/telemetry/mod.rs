//! How the operator itself is watched: logs, metrics, health.

pub mod log;
pub mod metrics;
pub mod server;
mod workers;

pub use metrics::Metrics;
pub use workers::VersionFigures;
