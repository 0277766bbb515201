//! Durations as Go writes them: `1h30m`, `168h`, `1.5s`.

pub use crate::schedule::duration::parse;
use std::time::Duration;

/// Writes one for people, without the units that are zero: `168h`, `1h30m`.
#[must_use]
pub fn write(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts = [(seconds / 3600, "h"), (seconds % 3600 / 60, "m"), (seconds % 60, "s")];
    let text: String = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("168h", 604_800.0)]
    #[case("1h30m", 5400.0)]
    #[case("1h0m0s", 3600.0)]
    #[case("1.5h", 5400.0)]
    #[case("90m", 5400.0)]
    #[case("250ms", 0.25)]
    #[case("3µs", 0.000_003)]
    fn reads(#[case] text: &str, #[case] seconds: f64) {
        assert_eq!(parse(text), Some(Duration::from_secs_f64(seconds)));
    }

    #[rstest]
    #[case("")]
    #[case("7d")]
    #[case("24")]
    #[case("h")]
    #[case("-1h")]
    #[case("1 h")]
    #[case("1h30")]
    #[case("ten")]
    #[case("999999999999999999999h")]
    #[case("1.2.3h")]
    #[case("9999999h")]
    fn refuses(#[case] text: &str) {
        assert_eq!(parse(text), None);
    }

    #[test]
    fn writes_what_it_reads() {
        for text in ["168h", "1h30m", "1h1s", "5s", "0s"] {
            assert_eq!(write(parse(text).unwrap()), text);
        }
    }
}
