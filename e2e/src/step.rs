//! Shows what is being done, for how long, and how long it took last time.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use owo_colors::{OwoColorize, Stream};

use crate::command::put;
use crate::layout::Layout;

/// The screen, and the memory of how long steps take.
#[derive(Debug)]
pub struct Screen {
    times: PathBuf,
    live: bool,
}

/// One step under way.
#[derive(Debug)]
pub struct Step {
    bar: ProgressBar,
    live: bool,
}

impl Screen {
    /// A screen that remembers in the cache directory.
    pub fn new(layout: &Layout) -> Self {
        Self { times: layout.cache.join("times.json"), live: std::io::stderr().is_terminal() }
    }

    /// Does `work` under a title. Standard error shows it; standard output stays free for results.
    pub fn step<T>(&self, title: &str, work: impl FnOnce(&Step) -> Result<T>) -> Result<T> {
        let mut times = self.times();
        let last = times.get(title).copied();
        let hint = last.map(|s| format!("last time {}", pretty(s))).unwrap_or_default();
        let step = Step { bar: self.bar(title, &hint), live: self.live };
        if !self.live && last.is_none_or(|s| s >= 20) {
            let hint = if hint.is_empty() { String::new() } else { format!(" ({hint})") };
            eprintln!("  {title}{hint} ...");
        }
        let began = Instant::now();
        let done = work(&step);
        step.bar.finish_and_clear();
        let took = began.elapsed();
        match &done {
            Ok(_) => {
                let tick = "✓".if_supports_color(Stream::Stderr, |t| t.green()).to_string();
                eprintln!("{tick} {title} {}", dim(&pretty(took.as_secs())));
                times.insert(title.to_owned(), took.as_secs());
                // The memory is a convenience: a failure to write it is no failure of the step.
                let _ = serde_json::to_vec_pretty(&times).map(|text| put(&self.times, text));
            }
            Err(_) => {
                let cross = "✗".if_supports_color(Stream::Stderr, |t| t.red()).to_string();
                eprintln!("{cross} {title} {}", dim(&pretty(took.as_secs())));
            }
        }
        done
    }

    /// Says something between steps.
    pub fn say(&self, text: &str) {
        eprintln!("{text}");
    }

    fn times(&self) -> BTreeMap<String, u64> {
        std::fs::read(&self.times).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    fn bar(&self, title: &str, hint: &str) -> ProgressBar {
        if !self.live {
            return ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        }
        let bar = ProgressBar::new_spinner();
        let template = "{spinner:.cyan} {prefix} {elapsed:.dim} {wide_msg:.dim}";
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.set_prefix(title.to_owned());
        bar.set_message(hint.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    }
}

impl Step {
    /// What is going on now; on a plain output a line of its own.
    pub fn now(&self, text: &str) {
        let text = &plain(text, 200);
        if self.live {
            self.bar.set_message(text.clone());
        } else {
            eprintln!("    {text}");
        }
    }

    /// Names the log of the program under way.
    pub fn log(&self, log: &Path) {
        if self.live {
            self.bar.set_message(format!("{} (log: {})", self.bar.message(), log.display()));
        }
    }
}

/// One line of at most so many characters, without a terminal's control sequences.
fn plain(text: &str, most: usize) -> String {
    let mut line = String::new();
    let mut characters = text.trim().chars();
    while let Some(c) = characters.next() {
        if c == '\u{1b}' {
            // `ESC [ parameters letter`
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            line.push(if c.is_control() { ' ' } else { c });
        }
    }
    if line.chars().count() <= most { line } else { line.chars().take(most - 3).chain("...".chars()).collect() }
}

fn dim(text: &str) -> String {
    text.if_supports_color(Stream::Stderr, |t| t.dimmed()).to_string()
}

/// Seconds for people.
pub fn pretty(seconds: u64) -> String {
    if seconds < 100 { format!("{seconds} s") } else { format!("{} min {} s", seconds / 60, seconds % 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_one_plain_line() {
        assert_eq!(plain("a \u{1b}[31mERROR\u{1b}[0m\tb\n", 20), "a ERROR b");
        assert_eq!(plain("0123456789", 8), "01234...");
    }

    #[test]
    fn long_times_are_told_in_minutes() {
        assert_eq!(pretty(7), "7 s");
        assert_eq!(pretty(289), "4 min 49 s");
    }
}
