//! Running other programs: their output, their failure, and their end when the user interrupts.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::failure::LoggedFailure;

/// The process groups that end with this process.
static RUNNING: Mutex<Vec<i32>> = Mutex::new(Vec::new());

fn running() -> MutexGuard<'static, Vec<i32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the programs under way and then this one, when the user interrupts.
pub fn end_with_the_user() -> Result<()> {
    ctrlc::set_handler(|| {
        // The lock stays held: nothing new starts.
        let groups = running();
        for group in groups.iter() {
            let _ = killpg(Pid::from_raw(*group), Signal::SIGTERM);
        }
        if std::io::stderr().is_terminal() {
            // The spinner has hidden the cursor.
            eprintln!("\x1b[?25h");
        }
        eprintln!("interrupted; the same command goes on from here, `make down` cleans up");
        std::process::exit(130);
    })
    .context("cannot handle interrupts")
}

/// A program to run.
#[derive(Debug)]
pub struct Cmd {
    command: Command,
    input: Option<Vec<u8>>,
}

impl Cmd {
    /// A program by name or path.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self { command: Command::new(program), input: None }
    }

    /// A program in the network namespace `netns`. Not by `ip netns exec`: that remounts /sys, and the cgroups below
    /// are lost.
    pub fn inside(netns: &str, program: impl AsRef<OsStr>) -> Self {
        Self::new("nsenter").arg(format!("--net=/run/netns/{netns}")).arg(program)
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, args: I) -> Self {
        self.command.args(args);
        self
    }

    /// An environment variable.
    #[must_use]
    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Without an environment variable.
    #[must_use]
    pub fn without_env(mut self, key: &str) -> Self {
        self.command.env_remove(key);
        self
    }

    /// The working directory.
    #[must_use]
    pub fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Standard input.
    #[must_use]
    pub fn input(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.input = Some(text.into());
        self
    }

    /// The command line, for people.
    pub fn line(&self) -> String {
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
    }

    /// Runs it and returns its standard output; a failure carries its standard error.
    pub fn output(mut self) -> Result<String> {
        let line = self.line();
        let out = self.finish(Stdio::piped(), Stdio::piped())?;
        if !out.status.success() {
            let err = String::from_utf8_lossy(&out.stderr);
            let err: String = err.trim().chars().take(2000).collect();
            bail!("`{}`: {}", shorten(&line), if err.is_empty() { out.status.to_string() } else { err });
        }
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    }

    /// Runs it for its effect.
    pub fn run(self) -> Result<()> {
        self.output().map(drop)
    }

    /// Whether it succeeds.
    pub fn succeeds(mut self) -> bool {
        self.finish(Stdio::null(), Stdio::null()).is_ok_and(|out| out.status.success())
    }

    /// Runs it with its output added to a log file.
    pub fn logged(mut self, log: &Path) -> Result<()> {
        let line = self.line();
        let mut file = append(log)?;
        writeln!(file, "$ {line}").with_context(|| format!("cannot write {}", log.display()))?;
        let err = file.try_clone().context("cannot share a log file")?;
        let out = self.finish(file.into(), err.into())?;
        if out.status.success() {
            return Ok(());
        }
        Err(LoggedFailure { command: shorten(&line), log: log.to_owned() }.into())
    }

    /// Starts it beside this process, to be ended with it.
    pub fn spawn(mut self) -> Result<Background> {
        let child = start(&mut self.command, Stdio::null(), Stdio::null(), Stdio::null())?;
        Ok(Background(child))
    }

    /// The same; what it says of errors is kept.
    pub fn spawn_logged(mut self, log: &Path) -> Result<Background> {
        let child = start(&mut self.command, Stdio::null(), Stdio::null(), append(log)?.into())?;
        Ok(Background(child))
    }

    /// Becomes that program.
    pub fn exec(mut self) -> anyhow::Error {
        let line = self.line();
        let error = self.command.exec();
        anyhow::Error::new(error).context(format!("cannot run `{line}`"))
    }

    fn finish(&mut self, out: Stdio, err: Stdio) -> Result<Output> {
        let input = self.input.take();
        let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
        let mut child = start(&mut self.command, stdin, out, err)?;
        let group = child.id() as i32;
        let feeder = input.zip(child.stdin.take()).map(|(text, mut pipe)| {
            std::thread::spawn(move || {
                // A program that does not read all of its input says so by its own status.
                let _ = pipe.write_all(&text);
            })
        });
        let out = child.wait_with_output();
        if let Some(feeder) = feeder {
            let _ = feeder.join();
        }
        running().retain(|g| *g != group);
        out.with_context(|| format!("cannot wait for `{}`", self.line()))
    }
}

/// A program that runs beside this one until this value goes.
#[derive(Debug)]
pub struct Background(Child);

impl Background {
    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let group = self.0.id() as i32;
        let _ = killpg(Pid::from_raw(group), Signal::SIGTERM);
        let _ = self.0.wait();
        running().retain(|g| *g != group);
    }
}

/// In a process group of its own, which is registered before an interrupt can be handled.
fn start(command: &mut Command, stdin: Stdio, out: Stdio, err: Stdio) -> Result<Child> {
    let program: OsString = command.get_program().to_owned();
    let mut groups = running();
    let child = command.stdin(stdin).stdout(out).stderr(err).process_group(0).spawn();
    let child = child.with_context(|| format!("cannot run {}", program.display()))?;
    groups.push(child.id() as i32);
    Ok(child)
}

/// A file opened for appending, its directory made.
pub fn append(file: &Path) -> Result<File> {
    if let Some(dir) = file.parent() {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    OpenOptions::new().create(true).append(true).open(file).with_context(|| format!("cannot write {}", file.display()))
}

/// Writes a file so that a reader sees the old text or the new, and touches nothing when they are equal. Says whether
/// it wrote.
pub fn put(file: &Path, text: impl AsRef<[u8]>) -> Result<bool> {
    let text = text.as_ref();
    if std::fs::read(file).is_ok_and(|old| old == text) {
        return Ok(false);
    }
    let dir = file.parent().context("a file has a directory")?;
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let fresh = file.with_added_extension("new");
    std::fs::write(&fresh, text)
        .and_then(|()| std::fs::rename(&fresh, file))
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(true)
}

fn shorten(line: &str) -> String {
    if line.chars().count() <= 160 { line.to_owned() } else { line.chars().take(157).chain("...".chars()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_reaches_the_program_and_failures_carry_its_words() {
        assert_eq!(Cmd::new("cat").input("hello").output().unwrap(), "hello");
        let error = Cmd::new("sh").args(["-c", "echo why >&2; exit 3"]).output().unwrap_err();
        assert!(error.to_string().ends_with("why"), "{error}");
    }
}
