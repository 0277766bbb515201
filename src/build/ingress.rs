//! The Ingress of the Web UI.

use super::Object;
use super::metadata::{child_name, metadata, names};
use crate::api::ingress::IngressTls;
use crate::validate::{ValidCluster, ValidIngress};
use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule, IngressServiceBackend, IngressSpec,
    IngressTLS, ServiceBackendPort,
};

/// `<cluster>-ui`: each host and path leads to the Service of the same name.
pub(super) fn ui(cluster: &ValidCluster, ingress: &ValidIngress) -> Object {
    let mut metadata = metadata(cluster, names::UI, names::UI);
    metadata.annotations = (!ingress.annotations.is_empty()).then(|| ingress.annotations.clone());
    Object::Ingress(Box::new(Ingress {
        metadata,
        spec: Some(IngressSpec {
            ingress_class_name: ingress.class.clone(),
            rules: Some(ingress.hosts.iter().map(|(host, path)| rule(cluster, host, path)).collect()),
            tls: (!ingress.tls.is_empty()).then(|| ingress.tls.iter().map(certificate).collect()),
            ..IngressSpec::default()
        }),
        ..Ingress::default()
    }))
}

fn rule(cluster: &ValidCluster, host: &str, path: &str) -> IngressRule {
    let backend = IngressBackend {
        service: Some(IngressServiceBackend {
            name: child_name(cluster, names::UI),
            port: Some(ServiceBackendPort { name: Some("http".to_owned()), ..ServiceBackendPort::default() }),
        }),
        ..IngressBackend::default()
    };
    IngressRule {
        host: Some(host.to_owned()),
        http: Some(HTTPIngressRuleValue {
            paths: vec![HTTPIngressPath { path: Some(path.to_owned()), path_type: "Prefix".into(), backend }],
        }),
    }
}

fn certificate(tls: &IngressTls) -> IngressTLS {
    IngressTLS { hosts: tls.hosts.clone(), secret_name: tls.secret_name.clone() }
}
