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
    /// Schema versions of the main and of the visibility store on PostgreSQL (`schema/postgresql/v12/*/versioned`).
    pub schema: [&'static str; 2],
}

/// Supported minor versions, oldest first.
pub const RELEASES: [Release; 3] = [
    Release { minor: 30, tested_patch: 8, ui: "2.54.1", schema: ["1.18", "1.13"] },
    Release { minor: 31, tested_patch: 2, ui: "2.54.1", schema: ["1.19", "1.14"] },
    Release { minor: 32, tested_patch: 0, ui: "2.54.1", schema: ["1.19", "1.14"] },
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

/// The versions a cluster goes through from the one to the other, that one last; none when it is there already. Temporal
/// wants the newest patch of a minor version before the next, and no minor version left out. One minor back is possible
/// where the schema is the same.
///
/// # Errors
/// Why there is no way.
pub fn path(from: &Version, to: &Version) -> Result<Vec<Version>, String> {
    if from == to {
        return Ok(Vec::new());
    }
    if to.minor < from.minor {
        return back(from, to).map(|()| vec![to.clone()]);
    }
    let between = |r: &&Release| (from.minor..to.minor).contains(&r.minor) && r.tested() > *from;
    let mut path: Vec<Version> = RELEASES.iter().filter(between).map(Release::tested).collect();
    path.push(to.clone());
    Ok(path)
}

fn back(from: &Version, to: &Version) -> Result<(), String> {
    let schema = |v: &Version| Release::of(v).map(|r| r.schema);
    if to.minor + 1 == from.minor && schema(from).is_some() && schema(from) == schema(to) {
        return Ok(());
    }
    Err(format!(
        "a downgrade from {from} to {to} is not supported, since server {from} has another schema and {to} was never tried on it; set spec.version to {from} or newer"
    ))
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
    #[case("1.31.2", "1.31.2", "")]
    #[case("1.30.8", "1.31.2", "1.31.2")]
    #[case("1.30.8", "1.32.0", "1.31.2 1.32.0")]
    #[case("1.30.3", "1.32.0", "1.30.8 1.31.2 1.32.0")]
    #[case("1.30.9", "1.31.0", "1.31.0")]
    #[case("1.31.2", "1.31.0", "1.31.0")]
    #[case("1.32.0", "1.31.2", "1.31.2")]
    #[case("1.31.2", "1.30.8", "a downgrade from 1.31.2 to 1.30.8 is not supported")]
    #[case("1.32.0", "1.30.8", "a downgrade from 1.32.0 to 1.30.8 is not supported")]
    fn ways(#[case] from: &str, #[case] to: &str, #[case] expected: &str) {
        let said = match path(&from.parse().unwrap(), &to.parse().unwrap()) {
            Ok(path) => path.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            Err(refusal) => refusal,
        };
        assert!(said == expected || (said.starts_with(expected) && !expected.is_empty()), "{said}");
    }

    #[test]
    fn tools_are_the_newest_patch_of_the_minor() {
        assert_eq!(tools_for(&Version::new(1, 31, 0)).to_string(), "1.31.2");
        assert_eq!(tools_for(&Version::new(1, 31, 9)).to_string(), "1.31.9");
    }
}
