//! Whether the database grants as many connections as the pods may ask for.
//!
//! Every server process opens one pool to each store: `persistence/client` has one factory for the default store, whose
//! connections are counted by reference (`persistence/sql/factory.go`), and each of the four services builds a
//! visibility manager (`VisibilityManagerProvider` in `service/{frontend,history,matching,worker}/fx.go`, server
//! 1.30–1.32). A pool opens at most `maxConns` connections; 0 is no limit (`postgresql/session/session.go`).

use super::datastore::{StoreKind, ValidSql, ValidStore};
use super::roles::ValidRole;
use crate::api::services::Role;
use std::collections::BTreeMap;

/// PostgreSQL's `max_connections` when nobody sets it.
const POSTGRES_DEFAULT: i64 = 100;

/// One warning for each database server that may be asked for more than it grants.
pub(super) fn warnings(roles: &BTreeMap<Role, ValidRole>, stores: &[&ValidStore]) -> Vec<String> {
    let replicas: i64 = roles.values().map(|r| i64::from(r.most_pods())).sum();
    // one role is rolled at a time, with one pod more than it has
    let pods = replicas + 1;
    let mut servers: Vec<Vec<Pool<'_>>> = Vec::new();
    for pool in stores.iter().filter_map(|s| Some((s.kind, s.sql()?))) {
        match servers.iter_mut().find(|pools| pools.iter().any(|p| p.1.address() == pool.1.address())) {
            Some(pools) => pools.push(pool),
            None => servers.push(vec![pool]),
        }
    }
    servers.iter().filter_map(|pools| warning(pods, pools)).collect()
}

/// A store and its database.
type Pool<'a> = (StoreKind, &'a ValidSql);

fn warning(pods: i64, stores: &[Pool<'_>]) -> Option<String> {
    let address = stores.first()?.1.address();
    if let Some((kind, _)) = stores.iter().find(|(_, sql)| sql.max_conns == 0) {
        return Some(format!(
            "sql.maxConns of the {} store is 0, so each pod may open any number of connections to {address}; set it",
            kind.title()
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

#[cfg(test)]
mod tests {
    use crate::api::TemporalCluster;
    use serde_json::{Value, json};

    fn notes(addresses: [&str; 3]) -> Vec<String> {
        let [main, list, other] = addresses;
        let store = |database: &str, address: &str| -> Value {
            let sql =
                json!({"pluginName": "postgres12", "user": "t", "databaseName": database, "connectAddr": address});
            json!({"sql": sql})
        };
        let cluster: TemporalCluster = serde_json::from_value(json!({
            "apiVersion": "temporal.io/v1beta1", "kind": "TemporalCluster", "metadata": {"name": "c"},
            "spec": {"version": "1.31.2", "numHistoryShards": 64, "persistence": {
                "defaultStore": store("a", main), "visibilityStore": store("b", list), "secondaryVisibilityStore": store("c", other),
            }},
        }))
        .unwrap();
        crate::validate::cluster(&cluster).unwrap().warnings
    }

    #[test]
    fn pools_to_one_server_are_added_up_whichever_stores_they_are_of() {
        let all = notes(["db:1", "other:1", "db:1"]);
        assert_eq!(all.len(), 1, "{all:?}");
        assert!(
            all[0].contains("5 pods (one of them during a rollout) may open 30 connections each to db:1, 150"),
            "{all:?}"
        );
        let all = notes(["db:1", "db:1", "db:1"]);
        assert!(all[0].contains("may open 40 connections each to db:1, 200 in all"), "{all:?}");
        assert!(notes(["a:1", "b:1", "c:1"]).is_empty());
    }
}
