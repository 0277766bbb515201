//! Certificates, keys and kubeconfigs of a new cluster.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType, date_time_ymd,
};
use serde_json::json;

use crate::build::clear;
use crate::command::put;
use crate::layout::{API_PORT, API_SERVICE_IP, Layout, Node};

const ADMINS: &str = "system:masters";
const NODES: &str = "system:nodes";

/// Makes all certificates unless they are there, and the kubeconfigs that go with them.
pub fn make(layout: &Layout) -> Result<()> {
    let pki = layout.pki();
    if !pki.exists() {
        let part = pki.with_extension("part");
        clear(&part)?;
        fs::create_dir_all(&part).with_context(|| format!("cannot make {}", part.display()))?;
        Pki { dir: part.clone() }.fill()?;
        fs::rename(&part, &pki).context("cannot name the directory of certificates")?;
    }
    for name in ["admin", "kube-controller-manager", "kube-scheduler", "kube-proxy"] {
        kubeconfig(layout, name)?;
    }
    for node in Node::all() {
        kubeconfig(layout, &node.own("kubelet"))?;
    }
    Ok(())
}

struct Pki {
    dir: PathBuf,
}

type Authority = Issuer<'static, KeyPair>;

impl Pki {
    fn fill(&self) -> Result<()> {
        let ca = self.authority("ca")?;
        let front_proxy = self.authority("front-proxy-ca")?;
        let accounts = KeyPair::generate().context("cannot make a key")?;
        self.write("sa.key", &accounts.serialize_pem(), 0o600)?;
        self.write("sa.pub", &accounts.public_key_pem(), 0o644)?;

        let service = "kubernetes.default.svc";
        let names = ["kubernetes", "kubernetes.default", service, "kubernetes.default.svc.cluster.local", "localhost"]
            .map(String::from);
        let ips = [API_SERVICE_IP.to_owned(), Node::control_plane().ip(), "127.0.0.1".to_owned()];
        self.certificate("apiserver", &ca, "kube-apiserver", None, &names, &ips)?;
        self.certificate("apiserver-kubelet-client", &ca, "kube-apiserver-kubelet-client", Some(ADMINS), &[], &[])?;
        self.certificate("front-proxy-client", &front_proxy, "front-proxy-client", None, &[], &[])?;
        self.certificate("admin", &ca, "admin", Some(ADMINS), &[], &[])?;
        for name in ["kube-controller-manager", "kube-scheduler", "kube-proxy"] {
            self.certificate(name, &ca, &format!("system:{name}"), None, &[], &[])?;
        }
        for node in Node::all() {
            let user = format!("system:node:{}", node.name());
            self.certificate(&node.own("kubelet"), &ca, &user, Some(NODES), &[], &[])?;
            let serving = node.own("kubelet") + "-serving";
            self.certificate(&serving, &ca, &user, Some(NODES), &[node.name()], &[node.ip()])?;
        }
        Ok(())
    }

    fn authority(&self, name: &str) -> Result<Authority> {
        let mut params = params(&format!("testbed-{name}"), None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().context("cannot make a key")?;
        let certificate = params.self_signed(&key).with_context(|| format!("cannot sign {name}"))?;
        self.write(&format!("{name}.crt"), &certificate.pem(), 0o644)?;
        self.write(&format!("{name}.key"), &key.serialize_pem(), 0o600)?;
        Ok(Issuer::new(params, key))
    }

    fn certificate(
        &self,
        name: &str,
        by: &Authority,
        user: &str,
        group: Option<&str>,
        names: &[String],
        ips: &[String],
    ) -> Result<()> {
        let mut params = params(user, group);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        for name in names {
            params.subject_alt_names.push(SanType::DnsName(name.clone().try_into().context("not a host name")?));
        }
        for ip in ips {
            params.subject_alt_names.push(SanType::IpAddress(ip.parse::<IpAddr>().context("not an address")?));
        }
        let key = KeyPair::generate().context("cannot make a key")?;
        let certificate = params.signed_by(&key, by).with_context(|| format!("cannot sign {name}"))?;
        self.write(&format!("{name}.crt"), &certificate.pem(), 0o644)?;
        self.write(&format!("{name}.key"), &key.serialize_pem(), 0o600)
    }

    fn write(&self, file: &str, text: &str, mode: u32) -> Result<()> {
        let path = self.dir.join(file);
        let done = fs::write(&path, text).and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)));
        done.with_context(|| format!("cannot write {}", path.display()))
    }
}

fn params(user: &str, group: Option<&str>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, user);
    if let Some(group) = group {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2099, 1, 1);
    params.use_authority_key_identifier_extension = true;
    params
}

fn kubeconfig(layout: &Layout, name: &str) -> Result<()> {
    let encoded = |file: &Path| -> Result<String> {
        let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(STANDARD.encode(text))
    };
    let pki = layout.pki();
    let text = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "testbed", "cluster": {
            "server": format!("https://{}:{API_PORT}", Node::control_plane().ip()),
            "certificate-authority-data": encoded(&pki.join("ca.crt"))?,
        }}],
        "users": [{"name": name, "user": {
            "client-certificate-data": encoded(&pki.join(format!("{name}.crt")))?,
            "client-key-data": encoded(&pki.join(format!("{name}.key")))?,
        }}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": name}}],
        "current-context": "testbed",
    });
    let file = layout.conf().join(format!("{name}.kubeconfig"));
    put(&file, serde_json::to_vec_pretty(&text).context("cannot write a kubeconfig")?)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))
        .with_context(|| format!("cannot protect {}", file.display()))
}
