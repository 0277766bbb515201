//! Two clusters on one database: who has it, and who must wait.

use crate::api::TemporalCluster;
use crate::api::elasticsearch::Endpoint;
use crate::api::persistence::DatastoreSpec;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// What one cluster claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// `namespace/name` of the cluster.
    pub cluster: String,
    /// Its databases, by an address that is the same from every namespace.
    pub databases: BTreeSet<String>,
    /// Those of them that it has set up, by its status.
    pub held: BTreeSet<String>,
    /// When it was made.
    pub created: Option<Timestamp>,
}

/// A database that another cluster has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Taken {
    /// Its address.
    pub database: String,
    /// `namespace/name` of the cluster that has it.
    pub by: String,
}

/// What a cluster claims, read from its manifest as it is, valid or not.
#[must_use]
pub fn claim(cluster: &TemporalCluster) -> Claim {
    let namespace = cluster.namespace().unwrap_or_default();
    let spec = &cluster.spec.persistence;
    let recorded = cluster.status.as_ref().and_then(|s| s.persistence.as_ref());
    let stores = [Some(&spec.default_store), Some(&spec.visibility_store), spec.secondary_visibility_store.as_deref()];
    let recorded: Vec<_> = recorded.map(|r| r.stores().collect()).unwrap_or_default();
    let mut claim = Claim {
        cluster: format!("{namespace}/{}", cluster.name_any()),
        databases: BTreeSet::new(),
        held: BTreeSet::new(),
        created: cluster.metadata.creation_timestamp.as_ref().map(|t| t.0),
    };
    for store in stores.into_iter().flatten() {
        let Some((database, written)) = database(&namespace, store) else { continue };
        if recorded.iter().any(|r| r.setup && r.database.as_ref() == Some(&written)) {
            claim.held.insert(database.clone());
        }
        claim.databases.insert(database);
    }
    claim
}

/// The first database that another cluster has, in the order of addresses. A cluster that has set a database up has it;
/// else the older one, then the one whose `namespace/name` comes first.
#[must_use]
pub fn taken(own: &Claim, others: &[Claim]) -> Option<Taken> {
    own.databases.iter().find_map(|database| {
        let rank = |claim: &Claim| (Reverse(claim.held.contains(database)), claim.created, claim.cluster.clone());
        let mine = rank(own);
        let first =
            others.iter().filter(|o| o.databases.contains(database) && rank(o) < mine).min_by_key(|o| rank(o))?;
        Some(Taken { database: database.clone(), by: first.cluster.clone() })
    })
}

/// `host:port/database` or `host:port/index`, and the same as the manifest has it, which is what the status records. A
/// host that names a Service is written with its namespace, so that `postgres`, `postgres.db` and
/// `postgres.db.svc.cluster.local` in the namespace `db` are one. A PostgreSQL schema of its own makes another.
fn database(namespace: &str, store: &DatastoreSpec) -> Option<(String, String)> {
    if let Some(search) = &store.elasticsearch {
        let endpoint = Endpoint::parse(&search.url)?;
        let index = search.index();
        let database = format!("{}:{}/{index}", full_name(&endpoint.host, namespace), endpoint.port);
        return Some((database, format!("{}/{index}", endpoint.address())));
    }
    let sql = store.sql.as_ref()?;
    let (host, port) = sql.connect_addr.rsplit_once(':')?;
    let path = sql.connect_attributes.as_ref().and_then(|a| a.get("search_path"));
    let schema = path.map(|p| format!("?search_path={p}")).unwrap_or_default();
    let database = &sql.database_name;
    let written = format!("{}/{database}", sql.connect_addr);
    Some((format!("{}:{port}/{database}{schema}", full_name(host, namespace)), written))
}

/// A host by a name that is the same from every namespace.
fn full_name(host: &str, namespace: &str) -> String {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let service = host.strip_suffix(".cluster.local").unwrap_or(&host);
    let service = service.strip_suffix(".svc").unwrap_or(service);
    let is_local = !service.contains(['.', ':']);
    if is_local { format!("{service}.{namespace}") } else { service.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    fn cluster(namespace: &str, name: &str, created: &str, address: &str, status: &Value) -> Claim {
        let sql = |database: &str| json!({"sql": {"pluginName": "postgres12", "user": "t", "databaseName": database, "connectAddr": address}});
        let cluster: TemporalCluster = serde_json::from_value(json!({
            "apiVersion": "temporal.io/v1beta1", "kind": "TemporalCluster",
            "metadata": {"name": name, "namespace": namespace, "creationTimestamp": created},
            "spec": {"numHistoryShards": 4,
                "persistence": {"defaultStore": sql("a"), "visibilityStore": sql(&format!("{name}-v"))}},
            "status": status,
        }))
        .unwrap();
        claim(&cluster)
    }

    fn plain(namespace: &str, name: &str, created: &str, address: &str) -> Claim {
        cluster(namespace, name, created, address, &json!({}))
    }

    const EARLY: &str = "2026-01-01T00:00:00Z";
    const LATE: &str = "2026-01-02T00:00:00Z";

    #[rstest]
    #[case("db:5432", "ns", "db:5432", "ns", true)]
    #[case("db:5432", "ns", "db:5432", "other", false)]
    #[case("db:5432", "ns", "db.ns:5432", "other", true)]
    #[case("DB.ns.svc:5432", "other", "db:5432", "ns", true)]
    #[case("db.ns.svc.cluster.local.:5432", "other", "db:5432", "ns", true)]
    #[case("db:5432", "ns", "db:5433", "ns", false)]
    #[case("db.example.com:5432", "ns", "db.example.com:5432", "other", true)]
    #[case("[fd00::1]:5432", "ns", "[fd00::1]:5432", "other", true)]
    fn addresses_of_one_database(
        #[case] one: &str,
        #[case] in_one: &str,
        #[case] two: &str,
        #[case] in_two: &str,
        #[case] same: bool,
    ) {
        let younger = taken(&plain(in_two, "two", LATE, two), &[plain(in_one, "one", EARLY, one)]);
        assert_eq!(younger.is_some(), same, "{younger:?}");
    }

    #[test]
    fn the_older_one_has_it_then_the_first_by_name() {
        let (old, young) = (plain("ns", "z", EARLY, "db:1"), plain("ns", "a", LATE, "db:1"));
        assert_eq!(taken(&old, std::slice::from_ref(&young)), None);
        assert_eq!(taken(&young, &[old]).map(|t| (t.by, t.database)), Some(("ns/z".into(), "db.ns:1/a".into())));
        let (first, second) = (plain("ns", "a", EARLY, "db:1"), plain("ns", "b", EARLY, "db:1"));
        assert_eq!(taken(&first, std::slice::from_ref(&second)), None);
        assert_eq!(taken(&second, &[first]).map(|t| t.by), Some("ns/a".to_owned()));
    }

    #[test]
    fn whoever_set_it_up_keeps_it_although_younger() {
        let status = json!({"persistence": {"defaultStore": {"setup": true, "database": "db:1/a"}}});
        let young = cluster("ns", "young", LATE, "db:1", &status);
        let old = plain("ns", "old", EARLY, "db:1");
        assert_eq!(taken(&young, std::slice::from_ref(&old)), None);
        assert_eq!(taken(&old, &[young]).map(|t| t.by), Some("ns/young".to_owned()));
    }

    #[rstest]
    #[case("http://search:9200", "http://search.ns.svc:9200/", "v1", true)]
    #[case("http://search:9200", "https://search.ns:9200", "v1", true)]
    #[case("http://search:9200", "http://search.ns:9200", "v1_b", false)]
    #[case("http://search:9200", "http://search:9200", "v1", false)]
    #[case("http://search.example.com", "http://search.example.com:80", "v1", true)]
    fn indices_are_claimed_too(#[case] one: &str, #[case] two: &str, #[case] index: &str, #[case] same: bool) {
        let of = |namespace: &str, name: &str, url: &str, index: &str, created: &str, status: Value| {
            let search = json!({"url": url, "indices": {"visibility": format!("temporal_visibility_{index}")}});
            let sql = json!({"pluginName": "postgres12", "user": "t", "databaseName": name, "connectAddr": "db:1"});
            let cluster: TemporalCluster = serde_json::from_value(json!({
                "apiVersion": "temporal.io/v1beta1", "kind": "TemporalCluster",
                "metadata": {"name": name, "namespace": namespace, "creationTimestamp": created},
                "spec": {"numHistoryShards": 4,
                    "persistence": {"defaultStore": {"sql": sql}, "visibilityStore": {"elasticsearch": search}}},
                "status": status,
            }))
            .unwrap();
            claim(&cluster)
        };
        let old = of("ns", "old", one, "v1", EARLY, json!({}));
        let young = of("other", "young", two, index, LATE, json!({}));
        assert_eq!(taken(&young, std::slice::from_ref(&old)).is_some(), same);
        let written = format!("{}/temporal_visibility_{index}", Endpoint::parse(two).unwrap().address());
        let status = json!({"persistence": {"visibilityStore": {"setup": true, "database": written}}});
        let holder = of("other", "young", two, index, LATE, status);
        assert_eq!(taken(&old, &[holder]).is_some(), same, "whoever set it up keeps it");
    }
}
