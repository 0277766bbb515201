//! Container images, made here because the cluster has no registry: named and laid out as the official ones, so that
//! public manifests run unchanged.

mod buildah;
mod context;
mod load;
mod make;
mod own;

pub use load::{ctr, load, loaded};
pub use make::make;
pub use own::{for_docker, source};

use own::{HELLO, OPERATOR};

use std::path::PathBuf;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::versions;

/// An image that can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Image {
    /// Holds a pod's namespaces.
    Pause,
    /// A shell for tests.
    Busybox,
    /// The cluster's DNS server.
    CoreDns,
    /// A Temporal server.
    Server(String),
    /// Temporal's schema tools and command line tool.
    AdminTools(String),
    /// The Web UI.
    Ui,
    /// PostgreSQL.
    Postgres,
    /// OpenSearch.
    OpenSearch,
    /// Prometheus.
    Prometheus,
    /// The operator.
    Operator,
    /// The operator as it is shipped: the same image, of a program that takes minutes to link.
    Shipped,
    /// The example worker and its starter.
    Hello,
}

impl Image {
    /// What the cluster itself needs.
    pub fn cluster() -> Vec<Self> {
        vec![Self::Pause, Self::Busybox, Self::CoreDns]
    }

    /// What the demo needs beyond that.
    pub fn demo() -> Vec<Self> {
        let version = || versions::TEMPORAL.to_owned();
        let temporal = [Self::Server(version()), Self::AdminTools(version()), Self::Ui];
        [&[Self::Postgres], &temporal[..], &[Self::Operator, Self::Hello]].concat()
    }

    /// How manifests name an image of the project's own; empty for the others.
    pub fn own(&self) -> &'static str {
        match self {
            Self::Operator | Self::Shipped => OPERATOR,
            Self::Hello => HELLO,
            _ => "",
        }
    }

    /// The directory of its Dockerfile below `e2e/images`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Busybox => "busybox",
            Self::CoreDns => "coredns",
            Self::Server(_) => "server",
            Self::AdminTools(_) => "admin-tools",
            Self::Ui => "ui",
            Self::Postgres => "postgres",
            Self::OpenSearch => "opensearch",
            Self::Prometheus => "prometheus",
            Self::Operator | Self::Shipped => "temporal-operator",
            Self::Hello => "hello",
        }
    }

    /// Its full name in a container runtime.
    pub fn reference(&self) -> String {
        match self {
            Self::Pause | Self::Busybox => format!("localhost/testbed/{}:1", self.name()),
            Self::CoreDns => format!("localhost/testbed/coredns:{}", versions::COREDNS),
            Self::OpenSearch => format!("localhost/testbed/opensearch:{}", versions::OPENSEARCH),
            Self::Prometheus => format!("localhost/testbed/prometheus:{}", versions::PROMETHEUS),
            Self::Server(version) | Self::AdminTools(version) => {
                format!("docker.io/temporalio/{}:{version}", self.name())
            }
            Self::Ui => format!("docker.io/temporalio/ui:{}", versions::TEMPORAL_UI),
            Self::Postgres => format!("docker.io/library/postgres:{}", versions::POSTGRES),
            Self::Operator | Self::Shipped | Self::Hello => format!("docker.io/library/{}", self.own()),
        }
    }

    /// Images by the names that a person gives: `temporal:1.30.8` is two.
    pub fn named(text: &str) -> Result<Vec<Self>, String> {
        Ok(match text.split_once(':') {
            Some(("temporal", version)) => {
                let version = version.trim_start_matches('v').to_owned();
                vec![Self::Server(version.clone()), Self::AdminTools(version)]
            }
            Some(_) => return Err("only temporal has versions: temporal:1.30.8".into()),
            None => match text {
                "cluster" => Self::cluster(),
                "demo" => Self::demo(),
                "temporal" => Self::named(&format!("temporal:{}", versions::TEMPORAL))?,
                "ui" => vec![Self::Ui],
                "postgres" => vec![Self::Postgres],
                "opensearch" => vec![Self::OpenSearch],
                "prometheus" => vec![Self::Prometheus],
                "busybox" => vec![Self::Busybox],
                "operator" => vec![Self::Operator],
                "hello" => vec![Self::Hello],
                _ => {
                    return Err(
                        "one of demo, cluster, temporal[:VERSION], ui, postgres, opensearch, prometheus, busybox, operator, hello"
                            .into(),
                    );
                }
            },
        })
    }
}

/// Several images by one name.
#[derive(Debug, Clone)]
pub struct Named(pub Vec<Image>);

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Image::named(text).map(Self)
    }
}

/// An archive of an image.
#[derive(Debug, Clone)]
pub struct Archive {
    /// The image's full name.
    pub reference: String,
    /// The docker-archive.
    pub file: PathBuf,
    /// What it was made from, as a short text.
    pub key: String,
}

/// A short name for some bytes.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_version_is_two_images_with_official_names() {
        let images = Image::named("temporal:v1.30.8").unwrap();
        let names: Vec<_> = images.iter().map(Image::reference).collect();
        assert_eq!(names, ["docker.io/temporalio/server:1.30.8", "docker.io/temporalio/admin-tools:1.30.8"]);
        assert!(Image::named("ui:2").is_err());
    }
}
