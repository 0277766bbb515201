//! Rules and defaults of the server's log.

use super::Problems;
use crate::api::observability::{LogFormat, LogLevel, LogSpec};

/// The server's log.
#[derive(Clone, Debug)]
pub struct ValidLog {
    /// To standard output.
    pub stdout: bool,
    /// To this file, an absolute path; only when not to standard output.
    pub file: Option<String>,
    /// Least level.
    pub level: LogLevel,
    /// Format.
    pub format: LogFormat,
    /// zap's development mode.
    pub development: bool,
}

impl ValidLog {
    /// The directory of the file.
    #[must_use]
    pub fn directory(&self) -> Option<&str> {
        Some(self.file.as_deref()?.rsplit_once('/')?.0)
    }
}

/// Directories that a server needs as they are.
const OCCUPIED: [&str; 9] = ["proc", "sys", "dev", "etc", "bin", "sbin", "lib", "lib64", "usr"];

/// Reads the log settings. The server writes either to standard output or to the file, and standard output wins
/// (server 1.30–1.32 `common/log/zap_logger.go`, `buildZapLogger`).
pub(super) fn read(spec: Option<&LogSpec>, problems: &mut Problems, warnings: &mut Vec<String>) -> ValidLog {
    let spec = spec.cloned().unwrap_or_default();
    let stdout = spec.stdout.unwrap_or(spec.output_file.is_none());
    if let Some(file) = &spec.output_file {
        problems.require(
            is_own_file(file),
            "spec.log.outputFile",
            "must be the absolute path of a file in a directory that becomes the log's own, outside of /proc, /sys, /dev, /etc, /bin, /sbin, /lib, /lib64 and /usr; for example /var/log/temporal/server.log",
        );
        if stdout {
            warnings.push(
                "spec.log.outputFile is not written, since log.stdout is true and the server writes to one of the two"
                    .to_owned(),
            );
        }
    }
    ValidLog {
        stdout,
        file: spec.output_file.filter(|_| !stdout),
        level: spec.level.unwrap_or(LogLevel::Info),
        format: spec.format.unwrap_or(LogFormat::Json),
        development: spec.development.unwrap_or(false),
    }
}

fn is_own_file(path: &str) -> bool {
    let Some(path) = path.strip_prefix('/') else { return false };
    let parts: Vec<_> = path.split('/').collect();
    let name =
        |p: &&str| !["", ".", ".."].contains(p) && p.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    parts.len() >= 2 && parts.iter().all(name) && !OCCUPIED.contains(&parts[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("/var/log/temporal/server.log", true)]
    #[case("/logs/a", true)]
    #[case("/server.log", false)]
    #[case("server.log", false)]
    #[case("/", false)]
    #[case("", false)]
    #[case("/var/log/", false)]
    #[case("/var/../etc/a", false)]
    #[case("/var/./a", false)]
    #[case("/etc/temporal/a", false)]
    #[case("/dev/stderr", false)]
    #[case("/proc/self/fd/1", false)]
    #[case("/var/lo g/a", false)]
    fn files(#[case] path: &str, #[case] expected: bool) {
        assert_eq!(is_own_file(path), expected);
    }

    #[rstest]
    #[case(None, None, true, false)]
    #[case(None, Some("/a/b"), false, true)]
    #[case(Some(false), Some("/a/b"), false, true)]
    #[case(Some(true), Some("/a/b"), true, false)]
    fn the_server_writes_to_one_place(
        #[case] stdout: Option<bool>,
        #[case] file: Option<&str>,
        #[case] to_stdout: bool,
        #[case] to_file: bool,
    ) {
        let spec = LogSpec { stdout, output_file: file.map(str::to_owned), ..LogSpec::default() };
        let mut warnings = Vec::new();
        let log = read(Some(&spec), &mut Problems::default(), &mut warnings);
        assert_eq!((log.stdout, log.file.is_some()), (to_stdout, to_file));
        assert_eq!(warnings.len(), usize::from(to_stdout && file.is_some()));
    }
}
