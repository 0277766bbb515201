//! Programs that go on after the command has ended.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::command::append;
use crate::failure::{LoggedFailure, WithRemedy};
use crate::layout::{Layout, Node};

/// Writes its own process number, then becomes the program: whenever the starter is interrupted, a daemon that runs
/// has a pid file. What a caller's shell has open is closed: a daemon must not hold a lock of its for ever.
const BEGIN: &str = r#"exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; echo $$ > "$0.new"; mv "$0.new" "$0"; exec "$@""#;

/// A daemon by its name, such as `kubelet2`.
#[derive(Debug, Clone)]
pub struct Daemon {
    name: String,
    pid_file: PathBuf,
    log: PathBuf,
    /// Every daemon has a path below this directory among its arguments.
    mark: String,
}

impl Daemon {
    /// The daemon of that name.
    pub fn new(layout: &Layout, name: &str) -> Self {
        let mark = layout.testbed().display().to_string();
        Self {
            name: name.to_owned(),
            pid_file: layout.run().join(format!("{name}.pid")),
            log: layout.log().join(format!("{name}.log")),
            mark,
        }
    }

    /// Starts it in a node's network namespace unless it runs already.
    pub fn start(&self, node: Node, program: &str, args: &[String]) -> Result<()> {
        if self.pid().is_some() {
            return Ok(());
        }
        let _ = fs::remove_file(&self.pid_file);
        let log = append(&self.log)?;
        let errors = log.try_clone().context("cannot share a log file")?;
        // setsid: a session of its own, so that an interrupt of the command does not reach it.
        let child = Command::new("setsid")
            .args(["sh", "-c", BEGIN])
            .arg(&self.pid_file)
            .arg("nsenter")
            .arg(format!("--net=/run/netns/{}", node.netns()))
            .arg(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn();
        child.with_context(|| format!("cannot start {}", self.name))?;
        let late = Instant::now() + Duration::from_secs(5);
        while !self.pid_file.exists() {
            if Instant::now() > late {
                return self.broken("did not start");
            }
            sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Waits until `ready`; an error when the daemon ends before, or time does.
    pub fn wait(&self, seconds: u64, ready: impl Fn() -> bool) -> Result<()> {
        let late = Instant::now() + Duration::from_secs(seconds);
        loop {
            if ready() {
                return Ok(());
            }
            if self.pid().is_none() {
                return self.broken("has ended");
            }
            if Instant::now() > late {
                return self.broken(&format!("is not ready after {seconds} s"));
            }
            sleep(Duration::from_millis(150));
        }
    }

    /// Its process, if it runs.
    pub fn pid(&self) -> Option<Pid> {
        let pid: i32 = fs::read_to_string(&self.pid_file).ok()?.trim().parse().ok()?;
        // The number may have been given to another process since.
        command_line(pid).iter().any(|arg| arg.contains(&self.mark)).then(|| Pid::from_raw(pid))
    }

    /// Asks it to end; [`Daemon::stop`] waits for that.
    pub fn ask_to_end(&self) {
        if let Some(pid) = self.pid() {
            let _ = kill(pid, Signal::SIGTERM);
        }
    }

    /// Ends it: politely, and after five seconds in any case.
    pub fn stop(&self) -> Result<()> {
        self.ask_to_end();
        let began = Instant::now();
        let mut killed = false;
        while let Some(pid) = self.pid() {
            if !killed && began.elapsed() > Duration::from_secs(5) {
                let _ = kill(pid, Signal::SIGKILL);
                killed = true;
            }
            if began.elapsed() > Duration::from_secs(15) {
                bail!("{} (process {pid}) does not end", self.name);
            }
            sleep(Duration::from_millis(30));
        }
        let _ = fs::remove_file(&self.pid_file);
        Ok(())
    }

    fn broken(&self, what: &str) -> Result<()> {
        let failure: Result<()> = Err(LoggedFailure { command: self.name.clone(), log: self.log.clone() }.into());
        failure
            .context(format!("{} {what}", self.name))
            .remedy("`make down` and then the same command begin anew; `testbed doctor` looks at the host")
    }
}

/// Kills the containerd shims whose containerd has its socket below this path, or there: they outlive it.
pub fn kill_shims(sockets: &Path) -> usize {
    let mark = sockets.display().to_string();
    let mut count = 0;
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let line = command_line(pid);
        let shim = line.first().is_some_and(|program| program.contains("containerd-shim"));
        if shim && line.iter().any(|arg| arg.starts_with(&mark)) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            count += 1;
        }
    }
    count
}

/// A process's arguments; none when it has ended.
fn command_line(pid: i32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    bytes.split(|b| *b == 0).map(|arg| String::from_utf8_lossy(arg).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_holds_nothing_that_its_caller_has_open() {
        let file = std::env::temp_dir().join(format!("daemon-{}.pid", std::process::id()));
        let lock = file.with_extension("lock");
        let caller = format!(r#"exec 9>{}; exec sh -c "$@""#, lock.display());
        let list = ["sh", "-c", "ls -l /proc/$$/fd"];
        let out = Command::new("sh").args(["-c", &caller, "sh", BEGIN]).arg(&file).args(list).output().unwrap();
        let open = String::from_utf8(out.stdout).unwrap();
        assert!(open.contains(" 1 -> ") && !open.contains(&lock.display().to_string()), "{open}");
        assert!(fs::read_to_string(&file).unwrap().trim().parse::<i32>().is_ok());
        fs::remove_file(file).and_then(|()| fs::remove_file(lock)).unwrap();
    }
}
