//! Features the API reserves and this version does not carry out: refused when used, never ignored.

use super::Problems;
use crate::api::cluster::{MtlsSpec, TemporalClusterSpec};
use crate::api::persistence::{DatastoreSpec, SqlPlugin};
use crate::api::unsupported::Disabled;

const REMOVE: &str = "not supported yet; remove it";
const DISABLE: &str = "not supported yet; remove it or set enabled: false";

/// Notes every use of a feature that is not carried out.
pub(super) fn check(spec: &TemporalClusterSpec, problems: &mut Problems) {
    let used = |block: &Option<Disabled>| block.as_ref().is_some_and(Disabled::is_used);
    problems.require(
        !mtls_used(spec.mtls.as_deref()),
        "spec.mTLS",
        "not supported yet; remove it or set internode.enabled and frontend.enabled to false",
    );
    problems.require(!used(&spec.archival), "spec.archival", DISABLE);
    problems.require(spec.authorization.is_none(), "spec.authorization", REMOVE);
    let persistence = &spec.persistence;
    problems.require(
        persistence.advanced_visibility_store.is_none(),
        "spec.persistence.advancedVisibilityStore",
        "servers from 1.24 on have none; remove it and use visibilityStore",
    );
    check_store("spec.persistence.defaultStore", &persistence.default_store, problems);
    check_store("spec.persistence.visibilityStore", &persistence.visibility_store, problems);
    if let Some(secondary) = &persistence.secondary_visibility_store {
        check_store("spec.persistence.secondaryVisibilityStore", secondary, problems);
    }
}

fn mtls_used(mtls: Option<&MtlsSpec>) -> bool {
    mtls.is_some_and(|m| {
        let on = |side: &Option<Disabled>| side.as_ref().is_some_and(Disabled::is_used);
        on(&m.internode) || on(&m.frontend) || m.provider.as_deref().is_some_and(|p| p != "cert-manager")
    })
}

fn check_store(path: &str, store: &DatastoreSpec, problems: &mut Problems) {
    let kind = "not supported yet; use sql with pluginName postgres12";
    problems.require(store.cassandra.is_none(), &format!("{path}.cassandra"), kind);
    if let Some(sql) = &store.sql {
        let mysql = matches!(sql.plugin_name, SqlPlugin::mysql | SqlPlugin::mysql8);
        problems.require(
            !mysql,
            &format!("{path}.sql.pluginName"),
            "MySQL is not supported yet; use postgres12 or postgres12_pgx",
        );
    }
}
