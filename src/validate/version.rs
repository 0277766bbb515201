//! Which server versions this operator runs, and what goes with each.

use semver::Version;

/// What is known of one minor version of the server.
#[derive(Debug)]
pub struct Release {
    /// Minor version, of major 1.
    pub minor: u64,
    /// The patch that is tested here; the waypoint of upgrades.
    pub tested_patch: u64,
    /// The Web UI that goes with it.
    pub ui: &'static str,
}

/// Supported minor versions, oldest first.
pub const RELEASES: [Release; 3] = [
    Release { minor: 30, tested_patch: 8, ui: "2.54.1" },
    Release { minor: 31, tested_patch: 2, ui: "2.54.1" },
    Release { minor: 32, tested_patch: 0, ui: "2.54.1" },
];

impl Release {
    /// The tested version of this minor.
    #[must_use]
    pub fn tested(&self) -> Version {
        Version::new(1, self.minor, self.tested_patch)
    }

    /// The release of that minor version.
    #[must_use]
    pub fn of(version: &Version) -> Option<&'static Self> {
        RELEASES.iter().find(|r| version.major == 1 && r.minor == version.minor)
    }
}

/// The newest tested version, chosen when the manifest names none.
#[must_use]
pub fn newest() -> Version {
    RELEASES.iter().map(Release::tested).max().unwrap_or(Version::new(1, 32, 0))
}

/// Reads `1.31.2`, `v1.31.2` or `1.31` (the tested patch). The error says what would be taken.
pub fn parse(text: &str) -> Result<Version, String> {
    let bare = text.strip_prefix('v').unwrap_or(text);
    let version = match bare.split('.').count() {
        2 => Version::parse(&format!("{bare}.0")).ok().map(|v| Release::of(&v).map_or(v, Release::tested)),
        _ => Version::parse(bare).ok(),
    };
    let supported = || RELEASES.iter().map(|r| format!("1.{}", r.minor)).collect::<Vec<_>>().join(", ");
    match version {
        None => Err(format!("{text:?} is not a version; write for example {}", newest())),
        Some(v) if Release::of(&v).is_some() && v.pre.is_empty() => Ok(v),
        Some(v) if v < RELEASES[0].tested() => Err(format!(
            "server {v} is older than this operator runs ({}); bring the cluster to {} with the tool that made it, then hand it over",
            supported(),
            RELEASES[0].tested()
        )),
        Some(v) => Err(format!("server {v} is not known to this operator; it runs {}", supported())),
    }
}

/// Why a cluster may not go from one version to another in one step; `None` when it may.
#[must_use]
pub fn refuse_step(from: &Version, to: &Version) -> Option<String> {
    if to.minor > from.minor + 1 {
        let next = RELEASES.iter().find(|r| r.minor == from.minor + 1).map(Release::tested);
        let next = next.map_or_else(|| format!("1.{}", from.minor + 1), |v| v.to_string());
        return Some(format!(
            "an upgrade from {from} to {to} would skip a minor version, which Temporal does not allow; set spec.version to {next} first"
        ));
    }
    if to.minor < from.minor {
        return Some(format!("a downgrade from {from} to {to} is not supported; set spec.version to {from} or newer"));
    }
    None
}

/// The admin-tools version whose schema Jobs bring a store to `version`: the newest known patch of its minor, since
/// patches differ in how gently they migrate.
#[must_use]
pub fn tools_for(version: &Version) -> Version {
    Release::of(version).map_or_else(|| version.clone(), |r| r.tested().max(version.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("1.31.2", "1.31.2")]
    #[case("v1.31.0", "1.31.0")]
    #[case("1.30", "1.30.8")]
    #[case("1.32", "1.32.0")]
    fn accepts(#[case] text: &str, #[case] version: &str) {
        assert_eq!(parse(text).unwrap().to_string(), version);
    }

    #[rstest]
    #[case("1.29.4", "older than this operator runs")]
    #[case("1.33.0", "not known to this operator")]
    #[case("2.0.0", "not known to this operator")]
    #[case("1.32.0-162.1", "not known")]
    #[case("latest", "not a version")]
    #[case("1", "not a version")]
    fn refuses(#[case] text: &str, #[case] part: &str) {
        let message = parse(text).unwrap_err();
        assert!(message.contains(part), "{message}");
    }

    #[rstest]
    #[case("1.30.8", "1.31.2", None)]
    #[case("1.31.2", "1.31.0", None)]
    #[case("1.30.8", "1.32.0", Some("set spec.version to 1.31.2 first"))]
    #[case("1.32.0", "1.31.2", Some("downgrade"))]
    fn steps(#[case] from: &str, #[case] to: &str, #[case] refused: Option<&str>) {
        let said = refuse_step(&from.parse().unwrap(), &to.parse().unwrap());
        assert_eq!(said.is_some(), refused.is_some(), "{said:?}");
        assert!(said.unwrap_or_default().contains(refused.unwrap_or_default()));
    }

    #[test]
    fn tools_are_the_newest_patch_of_the_minor() {
        assert_eq!(tools_for(&Version::new(1, 31, 0)).to_string(), "1.31.2");
        assert_eq!(tools_for(&Version::new(1, 31, 9)).to_string(), "1.31.9");
    }
}
