//! What a failed command tells its user: what went wrong, why, and what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Error;

/// Adds advice to an error; [`explain`] prints it last.
#[derive(Debug, Clone)]
pub struct Remedy(pub String);

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A long command that failed, with the place of its output.
#[derive(Debug)]
pub struct LoggedFailure {
    /// The command line.
    pub command: String,
    /// Where its output is.
    pub log: PathBuf,
}

impl fmt::Display for LoggedFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` failed; its output: {}", self.command, self.log.display())
    }
}

impl std::error::Error for LoggedFailure {}

/// Attaches a remedy to the error of a result.
pub trait WithRemedy<T> {
    /// Says what the user can do about the error.
    fn remedy(self, advice: impl Into<String>) -> anyhow::Result<T>;
}

impl<T, E: Into<Error>> WithRemedy<T> for Result<T, E> {
    fn remedy(self, advice: impl Into<String>) -> anyhow::Result<T> {
        self.map_err(|e| e.into().context(Remedy(advice.into())))
    }
}

/// The error as lines of text: causes, the end of the log if there is one, the remedy.
pub fn explain(error: &Error) -> String {
    let remedy = error.downcast_ref::<Remedy>().map(|r| r.0.clone());
    let mut text = String::new();
    for (n, cause) in error.chain().filter(|c| Some(c.to_string()) != remedy).enumerate() {
        let lead = if n == 0 { "" } else { "\n  because: " };
        text.push_str(lead);
        text.push_str(&cause.to_string());
    }
    if let Some(failure) = error.chain().find_map(|c| c.downcast_ref::<LoggedFailure>()) {
        let tail = tail(&failure.log, 20);
        if !tail.is_empty() {
            text.push_str("\n  the end of its output:\n");
            for line in tail {
                text.push_str(&format!("    {line}\n"));
            }
        }
    }
    if let Some(remedy) = remedy {
        text.push_str(&format!("\n  what to do: {remedy}"));
    }
    text
}

/// The last lines of a text file; nothing when it cannot be read.
pub fn tail(file: &Path, lines: usize) -> Vec<String> {
    let text = std::fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    all[all.len().saturating_sub(lines)..].iter().map(|l| l.chars().take(300).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn the_remedy_comes_last_and_only_once() {
        let failed: Result<(), _> = Err(anyhow::anyhow!("no such file"));
        let error = failed.context("etcd did not start").remedy("run `make down`").unwrap_err();
        let text = explain(&error);
        assert_eq!(text, "etcd did not start\n  because: no such file\n  what to do: run `make down`");
    }
}
