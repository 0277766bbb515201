//! Go durations.

use std::time::Duration;

/// Longest in seconds, about that of Go.
const LONGEST: f64 = 292.0 * 365.0 * 86400.0;

/// A Go duration such as `1h30m`; `None` when it is none, is negative or too long.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    read(text, false)
}

/// The same with `d` for 24 hours.
#[must_use]
pub fn with_days(text: &str) -> Option<Duration> {
    read(text, true)
}

fn read(text: &str, days: bool) -> Option<Duration> {
    let is_number = |c: char| c == '.' || c.is_ascii_digit();
    // the one that needs no unit
    let (mut seconds, mut rest) = (0.0, if text == "0" { "0s" } else { text });
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c| !is_number(c))?);
        let (unit, next) = after.split_at(after.find(is_number).unwrap_or(after.len()));
        let factor = match unit {
            "d" if days => 86400.0,
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "μs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * factor;
        rest = next;
    }
    (!text.is_empty() && seconds <= LONGEST).then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("1h30m", Some(5_400_000))]
    #[case("0s", Some(0))]
    #[case("0", Some(0))]
    #[case("1h30m1000µs", Some(5_400_001))]
    #[case("1.5s", Some(1500))]
    #[case("250ms", Some(250))]
    #[case("", None)]
    #[case("1d", None)]
    #[case("-1s", None)]
    #[case("10", None)]
    #[case("ten", None)]
    #[case("1.2.3s", None)]
    #[case("999999999999999999999h", None)]
    fn durations(#[case] text: &str, #[case] millis: Option<u64>) {
        assert_eq!(parse(text), millis.map(Duration::from_millis));
    }

    #[test]
    fn a_day_is_24_hours() {
        assert_eq!(with_days("1d12h"), Some(Duration::from_secs(36 * 3600)));
    }
}
