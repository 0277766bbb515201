//! Rules of `resources`.

use super::Problems;
use crate::api::TemporalClusterSpec;
use crate::api::services::Role;
use k8s_openapi::api::core::v1::ResourceRequirements;

/// Notes quantities that are none, wherever the manifest has them.
pub(super) fn check(spec: &TemporalClusterSpec, problems: &mut Problems) {
    for role in Role::ALL {
        let service = spec.services.as_ref().and_then(|s| s.of(role));
        if let Some(resources) = service.and_then(|s| s.resources.as_ref()) {
            read(&format!("spec.services.{}.resources", role.field()), resources, problems);
        }
    }
    let others = [
        ("spec.ui.resources", spec.ui.as_ref().and_then(|u| u.resources.as_ref())),
        ("spec.admintools.resources", spec.admintools.as_ref().and_then(|a| a.resources.as_ref())),
        ("spec.jobResources", spec.job_resources.as_ref()),
    ];
    for (path, resources) in others.into_iter().filter_map(|(path, r)| Some((path, r?))) {
        read(path, resources, problems);
    }
}

fn read(path: &str, resources: &ResourceRequirements, problems: &mut Problems) {
    let lists = [("limits", &resources.limits), ("requests", &resources.requests)];
    for (list, (name, quantity)) in lists.into_iter().flat_map(|(l, all)| all.iter().flatten().map(move |q| (l, q))) {
        problems.require(
            is_quantity(&quantity.0),
            &format!("{path}.{list}.{name}"),
            "a quantity is a number with or without a unit, such as 2, 500m or 1Gi; correct it",
        );
    }
}

/// `[+-]digits[.digits][suffix]`.
fn is_quantity(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let is_number = number.matches('.').count() <= 1 && number.contains(|c: char| c.is_ascii_digit());
    let exponent = |s: &str| {
        let digits = s.strip_prefix(['e', 'E']).map(|rest| rest.strip_prefix(['+', '-']).unwrap_or(rest));
        digits.is_some_and(|d| !d.is_empty() && d.chars().all(|c| c.is_ascii_digit()))
    };
    const SUFFIXES: [&str; 15] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "n", "u", "m", "k", "M", "G", "T", "P"];
    is_number && (SUFFIXES.contains(&suffix) || suffix == "E" || exponent(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("2", true)]
    #[case("500m", true)]
    #[case("1.5Gi", true)]
    #[case(".5", true)]
    #[case("1e3", true)]
    #[case("4E", true)]
    #[case("", false)]
    #[case("m", false)]
    #[case("1.2.3", false)]
    #[case("1GB", false)]
    #[case("2 Gi", false)]
    #[case("lots", false)]
    fn quantities(#[case] text: &str, #[case] is_one: bool) {
        assert_eq!(is_quantity(text), is_one);
    }
}
