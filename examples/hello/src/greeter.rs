//! Who finds the words. The activities know this trait alone, so a test gives them somebody else.

use std::str::FromStr;

/// Finds the words of a greeting.
pub trait Greeter: Send + Sync + 'static {
    /// The words for somebody who comes.
    fn welcome(&self, name: &str) -> Result<String, Speechless>;

    /// The words for somebody who goes.
    fn farewell(&self, name: &str) -> Result<String, Speechless>;
}

/// There are no words for this name, and there never will be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name to greet")]
pub struct Speechless(pub String);

/// The languages that [`Phrasebook`] knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Language {
    #[default]
    English,
    German,
    French,
}

impl FromStr for Language {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "en" => Ok(Self::English),
            "de" => Ok(Self::German),
            "fr" => Ok(Self::French),
            _ => Err("one of en, de, fr".into()),
        }
    }
}

/// A greeter with a fixed set of phrases.
#[derive(Clone, Copy, Debug)]
pub struct Phrasebook(pub Language);

impl Greeter for Phrasebook {
    fn welcome(&self, name: &str) -> Result<String, Speechless> {
        let word = match self.0 {
            Language::English => "Hello",
            Language::German => "Hallo",
            Language::French => "Bonjour",
        };
        said(word, name)
    }

    fn farewell(&self, name: &str) -> Result<String, Speechless> {
        let word = match self.0 {
            Language::English => "Goodbye",
            Language::German => "Tschüss",
            Language::French => "Au revoir",
        };
        said(word, name)
    }
}

fn said(word: &str, name: &str) -> Result<String, Speechless> {
    match name.trim() {
        "" => Err(Speechless(name.to_owned())),
        name => Ok(format!("{word}, {name}!")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_has_its_words() {
        assert_eq!(Phrasebook(Language::English).welcome("Ada"), Ok("Hello, Ada!".into()));
        assert_eq!(Phrasebook(Language::German).farewell(" Ada "), Ok("Tschüss, Ada!".into()));
        assert_eq!("fr".parse(), Ok(Language::French));
        assert!("xx".parse::<Language>().is_err());
    }

    #[test]
    fn nobody_cannot_be_greeted() {
        assert_eq!(Phrasebook(Language::English).welcome(" "), Err(Speechless(" ".into())));
    }
}
