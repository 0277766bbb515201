//! The pod with Temporal's tools.

use super::companion::{self, Companion};
use super::config::frontend_address;
use super::metadata::names;
use super::server::{empty_volume, literal, writable_mount};
use super::{Object, security};
use crate::validate::{Invalid, ValidAdminTools, ValidCluster};
use k8s_openapi::api::core::v1::Container;

/// The image's user (server 1.31 `docker/targets/admin-tools.Dockerfile`), and its home.
const USER: i64 = 1000;
const HOME: &str = "/home/temporal";
/// Ends at once when it is told to.
const WAIT: &str = "trap 'exit 0' TERM INT; sleep infinity & wait";

/// `<cluster>-admintools`.
pub(super) fn deployment(cluster: &ValidCluster, tools: &ValidAdminTools) -> Result<Object, Invalid> {
    let companion = Companion {
        component: names::ADMIN_TOOLS,
        version: &tools.version,
        replicas: Some(1),
        user: USER,
        container: container(cluster, tools),
        volumes: Some(["home", "tmp"].map(empty_volume).to_vec()),
        overrides: &tools.overrides,
    };
    companion::deployment(cluster, companion)
}

fn container(cluster: &ValidCluster, tools: &ValidAdminTools) -> Container {
    let frontend = frontend_address(cluster);
    Container {
        name: names::ADMIN_TOOLS.to_owned(),
        image: Some(tools.image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: Some(["sh", "-c", WAIT].map(str::to_owned).to_vec()),
        env: Some(vec![
            // of temporal, and of tdbg (server 1.31 `tools/tdbg/app.go`)
            literal("TEMPORAL_ADDRESS", &frontend),
            literal("TEMPORAL_CLI_ADDRESS", &frontend),
            literal("HOME", HOME),
        ]),
        resources: tools.resources.clone(),
        security_context: Some(security::container()),
        volume_mounts: Some(vec![writable_mount("home", HOME), writable_mount("tmp", "/tmp")]),
        ..Container::default()
    }
}
