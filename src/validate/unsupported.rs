//! Features the API reserves and this version does not carry out: refused when used, never ignored.

use super::Problems;
use crate::api::cluster::{MtlsSpec, TemporalClusterSpec};
use crate::api::persistence::{DatastoreSpec, SqlPlugin};
use crate::api::services::{ServiceSpec, ServicesSpec};
use crate::api::unsupported::Disabled;

const REMOVE: &str = "not supported yet; remove it";
const DISABLE: &str = "not supported yet; remove it or set enabled: false";

/// Notes every use of a feature that is not carried out.
pub(super) fn check(spec: &TemporalClusterSpec, problems: &mut Problems) {
    let used = |block: &Option<Disabled>| block.as_ref().is_some_and(Disabled::is_used);
    problems.require(
        !mtls_used(spec.mtls.as_ref()),
        "spec.mTLS",
        "not supported yet; remove it or set internode.enabled and frontend.enabled to false",
    );
    problems.require(!used(&spec.archival), "spec.archival", DISABLE);
    let tools = spec.admintools.as_ref().is_some_and(|a| a.overrides.is_some());
    problems.require(!tools, "spec.admintools.overrides", REMOVE);
    problems.require(spec.authorization.is_none(), "spec.authorization", REMOVE);
    problems.require(spec.job_init_containers.is_none(), "spec.jobInitContainers", REMOVE);
    problems.require(spec.rollout.is_none(), "spec.rollout", REMOVE);
    problems.require(spec.allowed_namespaces.is_none(), "spec.allowedNamespaces", REMOVE);
    if let Some(services) = &spec.services {
        check_services(services, problems);
    }
    let persistence = &spec.persistence;
    problems.require(
        persistence.secondary_visibility_store.is_none(),
        "spec.persistence.secondaryVisibilityStore",
        REMOVE,
    );
    problems.require(
        persistence.advanced_visibility_store.is_none(),
        "spec.persistence.advancedVisibilityStore",
        "servers from 1.24 on have none; remove it and use visibilityStore",
    );
    check_store("spec.persistence.defaultStore", &persistence.default_store, problems);
    check_store("spec.persistence.visibilityStore", &persistence.visibility_store, problems);
    if let Some(ui) = &spec.ui {
        problems.require(ui.overrides.is_none(), "spec.ui.overrides", REMOVE);
    }
}

fn mtls_used(mtls: Option<&MtlsSpec>) -> bool {
    mtls.is_some_and(|m| {
        let on = |side: &Option<Disabled>| side.as_ref().is_some_and(Disabled::is_used);
        on(&m.internode) || on(&m.frontend) || m.provider.as_deref().is_some_and(|p| p != "cert-manager")
    })
}

fn check_services(services: &ServicesSpec, problems: &mut Problems) {
    let internal = services.internal_frontend.as_ref().is_some_and(Disabled::is_used);
    problems.require(!internal, "spec.services.internalFrontend", DISABLE);
    problems.require(services.overrides.is_none(), "spec.services.overrides", REMOVE);
    let roles = [
        ("frontend", &services.frontend),
        ("history", &services.history),
        ("matching", &services.matching),
        ("worker", &services.worker),
    ];
    for (name, service) in roles.into_iter().filter_map(|(n, s)| s.as_ref().map(|s| (n, s))) {
        check_service(name, service, problems);
    }
}

fn check_service(role: &str, service: &ServiceSpec, problems: &mut Problems) {
    let uses = [
        ("initContainers", service.init_containers.is_some()),
        ("overrides", service.overrides.is_some()),
        ("autoscaling", service.autoscaling.is_some()),
        ("service", service.service.is_some()),
        ("affinity", service.affinity.is_some()),
        ("tolerations", service.tolerations.is_some()),
        ("topologySpreadConstraints", service.topology_spread_constraints.is_some()),
        ("priorityClassName", service.priority_class_name.is_some()),
    ];
    for (field, _) in uses.into_iter().filter(|(_, used)| *used) {
        problems.add(format!("spec.services.{role}.{field}"), REMOVE);
    }
}

fn check_store(path: &str, store: &DatastoreSpec, problems: &mut Problems) {
    let kind = "not supported yet; use sql with pluginName postgres12";
    problems.require(store.cassandra.is_none(), &format!("{path}.cassandra"), kind);
    problems.require(store.elasticsearch.is_none(), &format!("{path}.elasticsearch"), kind);
    let tls = store.tls.as_ref().is_some_and(Disabled::is_used);
    problems.require(!tls, &format!("{path}.tls"), DISABLE);
    if let Some(sql) = &store.sql {
        let mysql = matches!(sql.plugin_name, SqlPlugin::mysql | SqlPlugin::mysql8);
        problems.require(
            !mysql,
            &format!("{path}.sql.pluginName"),
            "MySQL is not supported yet; use postgres12 or postgres12_pgx",
        );
        problems.require(sql.gcp_service_account.is_none(), &format!("{path}.sql.gcpServiceAccount"), REMOVE);
    }
}
