//! A PostgreSQL with TLS, its own rules of who may log in, and a log of who did.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType, date_time_ymd,
};
use serde_json::json;

use super::bed::Bed;
use super::cluster::Scene;

/// A certificate and its key, PEM.
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

/// An authority of a scenario's own.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate, PEM.
    pub pem: String,
}

impl Authority {
    /// A new one.
    pub fn new(name: &str) -> Self {
        let mut params = params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate of a server with these host names, or of a client.
    pub fn certificate(&self, name: &str, hosts: &[&str]) -> Pair {
        let mut params = params(name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.subject_alt_names = hosts.iter().map(|h| SanType::DnsName((*h).try_into().unwrap())).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Pair { certificate, key: key.serialize_pem() }
    }
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2099, 1, 1);
    params
}

impl Scene {
    /// Puts the sample's PostgreSQL here with a server certificate and these rules (`pg_hba.conf`); waits until it answers.
    pub async fn postgres_with_tls(&self, authority: &Authority, rules: &str) {
        let bed = Bed::get();
        let server = authority.certificate("postgres", &["postgres"]);
        let local = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
        let files = [
            ("tls.crt", server.certificate.as_str()),
            ("tls.key", &server.key),
            ("ca.crt", &authority.pem),
            ("pg_hba.conf", &format!("{local}{rules}\n")),
        ];
        self.secret("postgres-tls", &files);
        bed.kubectl(&self.namespace, &["apply", "-k", &bed.config("samples/postgres")]).unwrap();
        let settings = [
            "max_connections=300",
            "log_connections=on",
            "ssl=on",
            "ssl_cert_file=/tls/tls.crt",
            "ssl_key_file=/tls/tls.key",
            "ssl_ca_file=/tls/ca.crt",
            "hba_file=/tls/pg_hba.conf",
        ];
        let args: Vec<_> = settings.iter().flat_map(|s| ["-c", s]).collect();
        let mount = json!({"name": "tls", "mountPath": "/tls", "readOnly": true});
        // PostgreSQL takes a key of root's that its group may read
        let volume = json!({"name": "tls", "secret": {"secretName": "postgres-tls", "defaultMode": 0o440}});
        let container = json!({"name": "postgres", "args": args, "volumeMounts": [mount]});
        let patch = json!({"spec": {"template": {"spec": {"volumes": [volume], "containers": [container]}}}});
        bed.kubectl(&self.namespace, &["patch", "statefulset", "postgres", "-p", &patch.to_string()]).unwrap();
        bed.kubectl(&self.namespace, &["rollout", "status", "statefulset/postgres", "--timeout=55s"]).unwrap();
        self.postgres_ready().await;
    }

    /// Makes or changes a Secret.
    pub fn secret(&self, name: &str, values: &[(&str, &str)]) {
        let literals: Vec<String> = values.iter().map(|(k, v)| format!("--from-literal={k}={v}")).collect();
        let mut args = vec!["create", "secret", "generic", name, "--dry-run=client", "-o", "json"];
        args.extend(literals.iter().map(String::as_str));
        let manifest = Bed::get().kubectl(&self.namespace, &args).unwrap();
        let file = std::env::temp_dir().join(format!("{}-{name}.json", self.namespace));
        std::fs::write(&file, manifest).unwrap();
        let done = Bed::get().kubectl(&self.namespace, &["apply", "-f", &file.display().to_string()]);
        std::fs::remove_file(&file).unwrap();
        done.unwrap();
    }

    /// Statements in a database, as the superuser.
    pub fn sql(&self, database: &str, statements: &str) -> String {
        let shell = r#"psql -h /var/run/postgresql -U "$POSTGRES_USER" -v ON_ERROR_STOP=1 -Atq -d "$0" -c "$1""#;
        let args = ["exec", "postgres-0", "--", "sh", "-c", shell, database, statements];
        Bed::get().kubectl(&self.namespace, &args).unwrap()
    }

    /// What PostgreSQL has logged.
    pub fn postgres_log(&self) -> String {
        Bed::get().kubectl(&self.namespace, &["logs", "postgres-0"]).unwrap()
    }
}
