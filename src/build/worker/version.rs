//! What tells the versions of a worker apart.

use crate::build::hash_of;
use crate::validate::ValidWorker;
use serde_json::Value;

/// Longest part of an image's tag in a build id.
const TAG_LIMIT: usize = 40;

/// The build id of the manifest's template: the given one, else made of it, so that each change of the template is a version
/// of its own and the same template is the same version again. Empty for unversioned workers.
#[must_use]
pub fn build_id(worker: &ValidWorker) -> String {
    if !worker.versioned {
        return String::new();
    }
    let made = || {
        let template = Value::Object(worker.template.clone());
        let image = template.pointer("/spec/containers/0/image").and_then(Value::as_str).unwrap_or_default();
        // a serde_json map is sorted: the order of fields in the manifest does not matter
        format!("{}-{}", tag(image), hash_of(&template.to_string()))
    };
    worker.build_id.clone().unwrap_or_else(made)
}

/// Name of a version's Deployment and budget.
#[must_use]
pub fn object_name(worker: &ValidWorker, build_id: &str) -> String {
    if build_id.is_empty() { worker.name.clone() } else { format!("{}-{}", worker.name, hash_of(build_id)) }
}

/// The tag of an image, else the beginning of its digest.
fn tag(image: &str) -> String {
    let (image, digest) = image.split_once('@').unwrap_or((image, ""));
    let last = image.rsplit('/').next().unwrap_or(image);
    let digest = digest.rsplit(':').next().unwrap_or_default();
    let tag = match last.split_once(':') {
        Some((_, tag)) => tag,
        None if digest.is_empty() => "latest",
        None => digest.get(..12).unwrap_or(digest),
    };
    let inner = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let clean: String = tag.chars().map(inner).take(TAG_LIMIT).collect();
    let clean = clean.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    if clean.is_empty() { "build".to_owned() } else { clean.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("repo/orders:v1.4.2", "v1.4.2")]
    #[case("localhost:5000/orders", "latest")]
    #[case("localhost:5000/orders:main", "main")]
    #[case("orders@sha256:0123456789abcdef0123", "0123456789ab")]
    #[case("orders:1.0@sha256:0123456789abcdef0123", "1.0")]
    #[case("orders:_odd_", "odd")]
    #[case("orders:___", "build")]
    #[case("orders:0123456789012345678901234567890123456789-and-more", "0123456789012345678901234567890123456789")]
    fn tags(#[case] image: &str, #[case] expected: &str) {
        assert_eq!(tag(image), expected);
    }
}
