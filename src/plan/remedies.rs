//! What would help, by the words that tell what is wrong.

/// Words, all of which must be there in this order, and the remedy. The first row that fits speaks, so the special stands
/// before the general. Words are PostgreSQL's (`src/backend`, English messages), Go's network and TLS libraries' and
/// Kubernetes' own.
const TABLE: [(&[&str], &str); 47] = [
    (&["pull"], "correct the image in the manifest, or give imagePullSecrets that may pull it"),
    (
        &["belongs to the Temporal cluster"],
        "use the name in spec.clusterName of a cluster made anew, or other databases",
    ),
    (&["initial versions have duplicates"], DUPLICATE_CLUSTERS),
    (&["duplicate InitialFailoverVersion"], DUPLICATE_CLUSTERS),
    (&["password authentication failed"], "correct the password in the Secret, or the user in the manifest"),
    (&["Error 401"], "correct the password in the Secret, or elasticsearch.username in the manifest"),
    (&["Error 403"], "let the user manage index templates and read, write and change the index"),
    (&["Error 429"], "Elasticsearch is overloaded or its disk is full: give it room; it is tried again by itself"),
    (&["Error 502"], NO_SEARCH),
    (&["Error 503"], NO_SEARCH),
    (&["cannot be changed from type"], OTHER_TYPE),
    (&["merge a non object mapping"], OTHER_TYPE),
    (&["merge an object mapping"], OTHER_TYPE),
    (&["index", "does not exist"], "create the index, or let the operator do it: skipCreate: false"),
    (&["unsupported startup parameter"], STARTUP_PARAMETER),
    (&["no pg_hba.conf entry"], "let the database's pg_hba.conf admit this user from the pods' addresses"),
    (&["role", "does not exist"], "create that user in the database, or correct the user in the manifest"),
    (&["database", "does not exist"], "create the database, or let the operator do it: skipCreate: false"),
    (&["no such host"], "correct the host in connectAddr or url, or make the Service it names"),
    (&["connection refused"], "see that the database runs and that connectAddr or url has its port"),
    (&["no Elasticsearch node available"], NO_SEARCH),
    (&["i/o timeout"], UNREACHABLE),
    (&["no route to host"], UNREACHABLE),
    (&["network is unreachable"], UNREACHABLE),
    (&["too many clients"], CONNECTIONS),
    (&["remaining connection slots"], CONNECTIONS),
    (&["too many connections"], CONNECTIONS),
    (&["no usable database connection found"], NO_CONNECTION),
    (&["(database)", "nothing within"], NO_ANSWER),
    (
        &["cannot be looked up"],
        "see that the DNS of the Kubernetes cluster runs and that the operator's pod reaches it",
    ),
    (&["the database system is"], "wait until the database is up; it is tried again by itself"),
    (
        &["permission denied to create database"],
        "grant the user CREATEDB, or create the database and set skipCreate: true",
    ),
    (
        &["permission denied to create extension"],
        "let a superuser run CREATE EXTENSION btree_gin in the visibility database",
    ),
    (
        &["extension", "is not available"],
        "install PostgreSQL's contrib modules, which have btree_gin, on the database server",
    ),
    (&["permission denied for schema"], "make the user the owner of the database, or grant it CREATE on schema public"),
    (&["permission denied"], "make the user the owner of the database"),
    (&["must be owner"], "make the user the owner of the database and its tables"),
    (&["No space left on device"], FULL),
    (&["could not extend file"], FULL),
    (&["could not write"], FULL),
    (&["read-only transaction"], "give the address of the database's primary in connectAddr"),
    (
        &["certificate signed by unknown authority"],
        "name the authority that signed the database's certificate in the store's tls",
    ),
    (
        &["certificate is valid for"],
        "use the host that the certificate names; with Elasticsearch tls.serverName may name it",
    ),
    (&["HTTP response to HTTPS client"], "write http:// in elasticsearch.url, or turn TLS on in Elasticsearch"),
    (&["couldn't find key"], "put that key into the Secret, or correct passwordSecretRef.key"),
    (&["exceeded quota"], "raise the namespace's ResourceQuota, or ask for less in resources"),
    (&["violates PodSecurity"], "allow such pods in the namespace, or change what the manifest adds to them"),
];

/// The server says why at the top of its log, of which Kubernetes keeps only the end.
const NO_CONNECTION: &str = "the database does not answer or refuses this user: see that it runs, and correct address, user \
     and password; the top of the container's log says which";
const STARTUP_PARAMETER: &str = "name the parameter in PgBouncer's ignore_startup_parameters, or take it out of sql.connectAttributes; \
     there idle_in_transaction_session_timeout: \"0\" leaves the default away";
const NO_ANSWER: &str = "see that the database runs, and that pods of this namespace reach it";
const NO_SEARCH: &str = "see that Elasticsearch runs, behind its proxy too, and correct elasticsearch.url";
const OTHER_TYPE: &str =
    "the index has a field of that name and another type: name another index in indices.visibility";
const CONNECTIONS: &str = "raise the database's max_connections, or lower maxConns";
const FULL: &str = "make room on the database's disk";
const UNREACHABLE: &str =
    "see that pods of this namespace reach the database (NetworkPolicies, firewalls, its address in the manifest)";
const DUPLICATE_CLUSTERS: &str = "the database has records of two Temporal clusters: delete the wrong one's row from its table \
     cluster_metadata_info";

/// What would help against what these words tell, if it is known.
#[must_use]
pub fn remedy(words: &str) -> Option<&'static str> {
    let fits = |parts: &[&str]| {
        let mut rest = words;
        parts.iter().all(|part| rest.split_once(part).map(|(_, after)| rest = after).is_some())
    };
    TABLE.iter().find(|(parts, _)| fits(parts)).map(|(_, help)| *help)
}

/// The words and, in brackets, what would help.
#[must_use]
pub fn with_remedy(words: &str) -> String {
    match remedy(words) {
        Some(help) => format!("{words} ({help})"),
        None => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("pq: password authentication failed for user \"temporal\"", "correct the password")]
    #[case("pq: unsupported startup parameter: idle_in_transaction_session_timeout", "ignore_startup_parameters")]
    #[case("dial tcp: lookup nowhere on 10.96.0.10:53: no such host", "correct the host")]
    #[case("dial tcp 10.0.0.1:5432: connect: connection refused", "see that the database runs")]
    #[case("elastic: Error 401 (Unauthorized)", "elasticsearch.username")]
    #[case("elastic: Error 403 (Forbidden): no permissions [type=security_exception]", "manage index templates")]
    #[case(
        "elastic: Error 400 (Bad Request): mapper [ExecutionTime] cannot be changed from type [keyword] to [date_nanos] [type=illegal_argument_exception]",
        "name another index"
    )]
    #[case(
        "elastic: Error 400 (Bad Request): can't merge a non object mapping [WorkflowId] with an object mapping [type=illegal_argument_exception]",
        "name another index"
    )]
    #[case("index temporal_visibility_v1 does not exist", "create the index")]
    #[case("no available connection: no Elasticsearch node available", "correct elasticsearch.url")]
    #[case("http: server gave HTTP response to HTTPS client", "write http://")]
    #[case("pq: sorry, too many clients already", "raise the database's max_connections")]
    #[case(
        "pq: remaining connection slots are reserved for roles with privileges",
        "raise the database's max_connections"
    )]
    #[case("pq: permission denied to create database", "grant the user CREATEDB")]
    #[case("pq: permission denied for schema public", "grant it CREATE on schema public")]
    #[case("pq: permission denied to create extension \"btree_gin\"", "CREATE EXTENSION btree_gin")]
    #[case("pq: permission denied for table schema_version", "make the user the owner")]
    #[case("ERROR: could not extend file \"base/5/1259\": No space left on device (SQLSTATE 53100)", "make room")]
    #[case("pq: could not write init file", "make room")]
    #[case("tls: failed to verify certificate: x509: certificate signed by unknown authority", "name the authority")]
    #[case("pq: database \"temporal\" does not exist", "create the database")]
    #[case("pq: role \"temporal\" does not exist", "create that user")]
    #[case("couldn't find key password in Secret ns/store", "put that key into the Secret")]
    #[case("Back-off pulling image \"a/b:1\"", "correct the image")]
    #[case(
        "failed to pull and unpack image \"a/b:1\": dial tcp 127.0.0.1:80: connect: connection refused",
        "correct the image"
    )]
    #[case(
        "pods \"a\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2",
        "ResourceQuota"
    )]
    #[case("Cluster info initial versions have duplicates", "cluster_metadata_info")]
    #[case("Temporal does not answer DescribeNamespace (database): nothing within 3s", "see that the database runs")]
    #[case("the name c-frontend.ns.svc:7233 cannot be looked up: x", "see that the DNS of the Kubernetes cluster runs")]
    fn known_words_have_a_remedy(#[case] words: &str, #[case] help: &str) {
        let said = remedy(words).unwrap_or_default();
        assert!(said.contains(help), "{words}: {said}");
    }

    #[test]
    fn unknown_words_stay_as_they_are() {
        assert_eq!(with_remedy("it broke"), "it broke");
        assert_eq!(
            with_remedy("no such host"),
            "no such host (correct the host in connectAddr or url, or make the Service it names)"
        );
    }

    #[test]
    fn every_row_can_be_reached() {
        for (parts, help) in &TABLE {
            assert_eq!(remedy(&parts.join(" x ")), Some(*help), "{parts:?}");
        }
    }
}
