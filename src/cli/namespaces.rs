//! The list of namespaces that `run` looks at.

use std::fmt;
use std::str::FromStr;
use temporal_operator::validate::is_dns_label;

/// Names of namespaces, separated by commas; none stands for all namespaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces(Vec<String>);

impl Namespaces {
    /// The names; none stands for all namespaces.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

impl FromStr for Namespaces {
    type Err = String;

    /// A list with a name missing is refused: read as no list, it would stand for all namespaces.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let names = text.split(',').map(|name| {
            let name = name.trim();
            if is_dns_label(name) { Ok(name.to_owned()) } else { Err(format!("{name:?} is no name of a namespace")) }
        });
        names.collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Namespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("all") } else { f.write_str(&self.0.join(",")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_whole_or_refused() {
        let names = |text: &str| text.parse::<Namespaces>().map(|n| n.names().join("|"));
        assert_eq!(names("a, b-2"), Ok("a|b-2".to_owned()));
        assert_eq!("a,b".parse::<Namespaces>().unwrap().to_string(), "a,b");
        assert_eq!("".parse::<Namespaces>().unwrap().to_string(), "all");
        for wrong in [" ", ",", "a,", "a,,b", "A", "a_b", "-a", &"a".repeat(64)] {
            assert!(names(wrong).is_err(), "{wrong:?} is taken");
        }
    }
}
