//! From Temporal's messages to a [`Routing`].

use super::super::proto::deployment::worker_deployment_info::WorkerDeploymentVersionSummary;
use super::super::proto::deployment::{WorkerDeploymentInfo, WorkerDeploymentVersion};
use crate::api::worker::VersionState;
use crate::plan::worker::{KnownVersion, Routing};
use k8s_openapi::jiff::Timestamp;
use std::collections::BTreeMap;

/// Who removes versions when there are too many: the server.
const SERVER: &str = "try-delete-for-add-version";
/// `VersionDrainageStatus`
const DRAINED: i32 = 2;

pub(super) fn routing(info: WorkerDeploymentInfo, identity: &str) -> Routing {
    let versions = versions(&info);
    let routes = info.routing_config.unwrap_or_default();
    let foreign = |who: String| if who == identity || who == SERVER { String::new() } else { who };
    Routing {
        current: build_id(routes.current_deployment_version),
        current_since: time(routes.current_version_changed_time),
        ramping: build_id(routes.ramping_deployment_version),
        percent: routes.ramping_version_percentage,
        ramping_since: time(routes.ramping_version_changed_time),
        percent_since: time(routes.ramping_version_percentage_changed_time),
        manager: foreign(info.manager_identity),
        last_modifier: foreign(info.last_modifier_identity),
        versions,
        ..Routing::default()
    }
}

fn versions(info: &WorkerDeploymentInfo) -> BTreeMap<String, KnownVersion> {
    let routes = info.routing_config.clone().unwrap_or_default();
    let since = |summary: &WorkerDeploymentVersionSummary| time(summary.last_current_time);
    let began: Vec<Timestamp> =
        info.version_summaries.iter().filter_map(since).chain(time(routes.current_version_changed_time)).collect();
    let known = info.version_summaries.iter().filter_map(|summary| {
        let id = build_id(summary.deployment_version.clone())?;
        let state = state(summary);
        let drained = summary.drainage_info.filter(|drainage| drainage.status == DRAINED);
        let began_itself = since(summary).filter(|_| state != VersionState::Current);
        // Temporal tells when a version was made current; that ended when the next one was
        let last_current = began_itself.and_then(|own| began.iter().filter(|other| **other > own).min().copied());
        let version = KnownVersion {
            state,
            drained_since: drained.and_then(|drainage| time(drainage.last_changed_time)),
            last_current,
            ..KnownVersion::default()
        };
        Some((id, version))
    });
    known.collect()
}

/// A version that was used and has no other state yet is about to drain.
fn state(summary: &WorkerDeploymentVersionSummary) -> VersionState {
    let used = summary.first_activation_time.is_some();
    match (summary.status, summary.drainage_info.map(|drainage| drainage.status)) {
        (2, _) => VersionState::Current,
        (3, _) => VersionState::Ramping,
        (4, _) => VersionState::Draining,
        (5, _) | (0, Some(DRAINED)) => VersionState::Drained,
        (1 | 6, _) if !used => VersionState::Inactive,
        _ => VersionState::Draining,
    }
}

fn build_id(version: Option<WorkerDeploymentVersion>) -> Option<String> {
    version.map(|version| version.build_id).filter(|id| !id.is_empty())
}

pub(super) fn time(time: Option<prost_types::Timestamp>) -> Option<Timestamp> {
    time.and_then(|time| Timestamp::new(time.seconds, time.nanos).ok())
}
