//! Rules of the Web UI's Ingress.

use super::Problems;
use crate::api::ingress::{IngressSpec, IngressTls};
use std::collections::BTreeMap;

/// The Ingress of the Web UI.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidIngress {
    /// Hosts, each with the path below which the UI is: `/` or `/temporal`.
    pub hosts: Vec<(String, String)>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its class.
    pub class: Option<String>,
    /// Certificates.
    pub tls: Vec<IngressTls>,
}

impl ValidIngress {
    /// The path below which the UI is to answer, if it is not the root.
    #[must_use]
    pub fn public_path(&self) -> Option<&str> {
        self.hosts.iter().map(|(_, path)| path.as_str()).find(|path| *path != "/")
    }
}

/// Reads an Ingress.
pub(super) fn read(spec: &IngressSpec, problems: &mut Problems) -> ValidIngress {
    let field = "spec.ui.ingress.hosts";
    problems.require(!spec.hosts.is_empty(), field, "name at least one host, such as temporal.example.com");
    problems.require(
        spec.hosts.iter().all(|h| is_host(h)),
        field,
        "each must be a host name in lower case, with a path if wanted, such as temporal.example.com or example.com/temporal; without scheme, port or address",
    );
    let mut paths: Vec<_> = spec.hosts.iter().filter_map(|h| h.split_once('/').map(|(_, path)| path)).collect();
    paths.dedup();
    problems.require(
        paths.len() <= 1,
        field,
        "the Web UI can be under one path only; give all hosts with a path the same",
    );
    ValidIngress {
        hosts: spec.hosts.iter().map(|h| split(h)).collect(),
        annotations: spec.annotations.clone().unwrap_or_default(),
        class: spec.ingress_class_name.clone(),
        tls: spec.tls.clone().unwrap_or_default(),
    }
}

/// Host and path, the path without a slash at the end.
fn split(host: &str) -> (String, String) {
    let (host, path) = host.split_once('/').unwrap_or((host, ""));
    (host.to_owned(), format!("/{}", path.trim_matches('/')))
}

fn is_host(text: &str) -> bool {
    let (host, path) = text.split_once('/').unwrap_or((text, ""));
    let label = |l: &str| {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !l.is_empty() && l.chars().all(inner) && !l.starts_with('-') && !l.ends_with('-')
    };
    host.strip_prefix("*.").unwrap_or(host).split('.').all(label)
        && !host.chars().all(|c| c.is_ascii_digit() || c == '.')
        && path.chars().all(|c| c.is_ascii_alphanumeric() || "-._~/".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("temporal.example.com", true)]
    #[case("*.example.com", true)]
    #[case("example.com/temporal/ui", true)]
    #[case("localhost", true)]
    #[case("", false)]
    #[case("https://example.com", false)]
    #[case("example.com:80", false)]
    #[case("Example.com", false)]
    #[case("10.0.0.1", false)]
    #[case("-a.b", false)]
    #[case("a..b", false)]
    #[case("a.b/c?d", false)]
    fn hosts(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(is_host(text), expected);
    }

    #[test]
    fn a_path_is_kept_without_the_slash_at_its_end() {
        assert_eq!(split("a.b"), ("a.b".into(), "/".into()));
        assert_eq!(split("a.b/c/"), ("a.b".into(), "/c".into()));
    }
}
