//! Rules and defaults of images.

use super::Problems;
use crate::api::TemporalClusterSpec;

/// Image, with tag or digest, from what the manifest names and the tag that goes with it.
#[must_use]
pub fn reference(image: &str, tag: &str) -> String {
    if is_digest(image) { image.to_owned() } else { format!("{image}:{tag}") }
}

/// Whether the image is named by its digest, so that no tag applies.
fn is_digest(image: &str) -> bool {
    image.contains('@')
}

/// The image that the manifest names, else the default one, taken from `spec.imageRegistry` if that is set.
pub(super) fn or_default(named: Option<&String>, default: &str, registry: Option<&str>) -> String {
    match (named, registry) {
        (Some(image), _) => image.clone(),
        (None, Some(registry)) => format!("{registry}/{default}"),
        (None, None) => default.to_owned(),
    }
}

/// Checks every image; what to know about digests goes to `warnings`.
pub(super) fn check(spec: &TemporalClusterSpec, problems: &mut Problems, warnings: &mut Vec<String>) {
    let images = [
        ("spec.image", "spec.version", spec.image.as_ref()),
        ("spec.ui.image", "ui.version", spec.ui.as_ref().and_then(|ui| ui.image.as_ref())),
        ("spec.admintools.image", "admintools.version", spec.admintools.as_ref().and_then(|a| a.image.as_ref())),
    ];
    for (field, version, image) in images.into_iter().filter_map(|(f, v, i)| i.map(|i| (f, v, i))) {
        let named = is_digest(image);
        problems.require(
            if named { has_digest(image) } else { !has_tag(image) },
            field,
            &format!(
                "write the repository without a tag, the tag is {version}; or a whole digest, repository@sha256:…"
            ),
        );
        if named {
            warnings.push(match field {
                "spec.admintools.image" => format!("{field} is a digest, which must be of the tools of spec.version"),
                _ => format!("{field} is a digest, which must be of the version that the manifest names"),
            });
        }
    }
    if let Some(registry) = &spec.image_registry {
        problems.require(
            is_registry(registry),
            "spec.imageRegistry",
            "must be a registry with or without a path, such as registry.corp:5000/mirror; without scheme and without a slash at the end",
        );
    }
}

fn has_digest(image: &str) -> bool {
    let digest = image.split_once("@sha256:").map(|(_, digest)| digest);
    digest.is_some_and(|d| d.len() == 64 && d.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)))
}

/// A colon before the last slash belongs to the port of a registry.
fn has_tag(image: &str) -> bool {
    image.rsplit('/').next().is_some_and(|name| name.contains(':'))
}

fn is_registry(text: &str) -> bool {
    let mut parts = text.split('/');
    let (host, port) = match parts.next().unwrap_or_default().split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text.split('/').next().unwrap_or_default(), None),
    };
    let within = |part: &str, more: &str| {
        let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        ends(part.chars().next())
            && ends(part.chars().last())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    within(host, "-.")
        && port.is_none_or(|p| !p.is_empty() && p.chars().all(|c| c.is_ascii_digit()))
        && parts.all(|part| within(part, "-._") && !part.chars().any(|c| c.is_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("registry.corp:5000/mirror", true)]
    #[case("localhost", true)]
    #[case("a.b/c/d_e", true)]
    #[case("https://a.b", false)]
    #[case("a.b/", false)]
    #[case("a.b:/c", false)]
    #[case("a.b:x", false)]
    #[case("a.b/C", false)]
    #[case("", false)]
    fn registries(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(is_registry(text), expected);
    }

    #[rstest]
    #[case("a", "1", "a:1")]
    #[case("r:5000/a", "1", "r:5000/a:1")]
    #[case("a@sha256:00", "1", "a@sha256:00")]
    fn references(#[case] image: &str, #[case] tag: &str, #[case] expected: &str) {
        assert_eq!(reference(image, tag), expected);
    }

    #[test]
    fn a_port_is_not_a_tag() {
        assert!(!has_tag("r:5000/a"));
        assert!(has_tag("r:5000/a:1"));
    }
}
