//! Whether the database grants as many connections as the pods may ask for.
//!
//! Every server process opens one pool to each store: `persistence/client` has one factory for the default store, whose
//! connections are counted by reference (`persistence/sql/factory.go`), and each of the four services builds a
//! visibility manager (`VisibilityManagerProvider` in `service/{frontend,history,matching,worker}/fx.go`, server
//! 1.30–1.32). A pool opens at most `maxConns` connections; 0 is no limit (`postgresql/session/session.go`).

use super::cluster::{StoreKind, ValidSql, ValidStore};
use super::roles::ValidRole;
use crate::api::services::Role;
use std::collections::BTreeMap;

/// PostgreSQL's `max_connections` when nobody sets it.
const POSTGRES_DEFAULT: i64 = 100;

/// One warning for each database server that may be asked for more than it grants.
pub(super) fn warnings(roles: &BTreeMap<Role, ValidRole>, stores: [&ValidStore; 2]) -> Vec<String> {
    let replicas: i64 = roles.values().map(|r| i64::from(r.most_pods())).sum();
    // one role is rolled at a time, with one pod more than it has
    let pods = replicas + 1;
    let stores: Vec<_> = stores.into_iter().filter_map(|s| Some((s.kind, s.sql()?))).collect();
    let on_one_server = |a: &Pool<'_>, b: &Pool<'_>| a.1.address() == b.1.address();
    stores.chunk_by(on_one_server).filter_map(|on_server| warning(pods, on_server)).collect()
}

/// A store and its database.
type Pool<'a> = (StoreKind, &'a ValidSql);

fn warning(pods: i64, stores: &[Pool<'_>]) -> Option<String> {
    let address = stores.first()?.1.address();
    if let Some((kind, _)) = stores.iter().find(|(_, sql)| sql.max_conns == 0) {
        return Some(format!(
            "sql.maxConns of the {} store is 0, so each pod may open any number of connections to {address}; set it",
            kind.name()
        ));
    }
    let pool: i64 = stores.iter().map(|(_, sql)| i64::from(sql.max_conns)).sum();
    let asked = pods * pool;
    let told = stores.iter().filter_map(|(_, sql)| sql.max_server_connections).min();
    let granted = told.map_or(POSTGRES_DEFAULT, i64::from);
    if asked <= granted {
        return None;
    }
    let may = format!(
        "{pods} pods (one of them during a rollout) may open {pool} connections each to {address}, {asked} in all"
    );
    Some(match told {
        Some(_) => format!(
            "{may}, but sql.maxServerConnections says that it grants {granted}; lower sql.maxConns or raise both max_connections and that field"
        ),
        None => format!(
            "{may}, more than PostgreSQL's default of {granted}; write what yours grants into sql.maxServerConnections, or lower sql.maxConns"
        ),
    })
}
