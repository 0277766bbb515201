//! From the last lines of a log to the reason in them.

use crate::api::conditions::shorten;
use crate::api::redact::without_credentials;
use serde_json::Value;

/// What schema tool and server say when a connection failed before, for a reason they have given then.
const CONSEQUENCES: [&str; 2] = ["no usable database connection found", "All services are stopped"];
/// What the server repeats while it has no database connection, until nothing else is left in what Kubernetes keeps.
const NO_REFRESH: &str = "sql handle: did not refresh database connection pool";
/// A reason is part of a sentence.
const LIMIT: usize = 300;

/// The reason in a log: the last error that is not the consequence of an earlier one, else the line of a panic, else the
/// last line. Empty when there is nothing to read.
///
/// The schema tool logs console lines (`time LEVEL text {"error": …}`, coloured), the server JSON lines and, at its end,
/// a plain one: `Unable to start server. Error: …`.
#[must_use]
pub fn reason_in(log: &str) -> String {
    let plain = without_colours(log);
    let errors: Vec<String> = plain.lines().filter_map(error_in).collect();
    let is_cause = |e: &&String| !CONSEQUENCES.iter().any(|c| e.ends_with(c));
    let cause = errors.iter().rev().find(is_cause).or(errors.last()).map(String::as_str);
    shorten(&without_credentials(cause.unwrap_or_else(|| last_line(&plain))), LIMIT)
}

/// The error of a line, if it tells one.
fn error_in(line: &str) -> Option<String> {
    let line = line.trim();
    if let Some((_, error)) = line.split_once("Unable to ").and_then(|(_, rest)| rest.split_once("rror: ")) {
        return Some(innermost(error).to_owned());
    }
    if let Some(panic) = line.strip_prefix("panic: ") {
        return Some(panic.trim_end_matches(" [recovered]").to_owned());
    }
    let fields: Value = serde_json::from_str(line.get(line.find('{')?..)?).ok()?;
    let text = |key: &str| fields.get(key).and_then(Value::as_str);
    if text("msg").is_some_and(|msg| msg.starts_with(NO_REFRESH)) {
        return Some(CONSEQUENCES[0].to_owned());
    }
    let error = text("error").or_else(|| text("msg").filter(|_| matches!(text("level"), Some("error" | "fatal"))))?;
    Some(innermost(error).to_owned())
}

/// The server wraps the error of a constructor into the names of all constructors that needed it; of use is what the
/// last one of them said.
fn innermost(error: &str) -> &str {
    const WRAPPED: &str = "received non-nil error from function ";
    let inner = error.rfind(WRAPPED).and_then(|at| error[at + WRAPPED.len()..].split_once(": "));
    inner.map_or(error, |(_, said)| said).trim().trim_end_matches('.')
}

/// The last line that says something; of a Go stack only its head does.
fn last_line(text: &str) -> &str {
    let says = |line: &&str| !line.is_empty() && !is_stack(line);
    text.lines().filter(|l| !l.starts_with('\t')).map(str::trim).rfind(says).unwrap_or_default()
}

fn is_stack(line: &str) -> bool {
    line.starts_with("goroutine ") || line.starts_with("main.main()") || (line.contains(".(") && line.ends_with(')'))
}

/// Text without the escape sequences that colour it.
fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c == '\u{1b}' {
            rest.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("", "")]
    #[case("first\n\n last \n", "last")]
    #[case("a\n{\"level\":\"error\",\"msg\":\"m\",\"error\":\"no such host\"}\n", "no such host")]
    #[case("{\"level\":\"fatal\",\"msg\":\"cannot go on\"}\n{\"level\":\"info\",\"msg\":\"bye\"}", "cannot go on")]
    #[case(
        "panic: Version increment is 0 [recovered]\n\ngoroutine 1 [running]:\nmain.main()\n\tmain.go:30 +0x3b",
        "Version increment is 0"
    )]
    #[case("goroutine 1 [running]:\nmain.main()\n\tgo.temporal.io/server/main.go:30 +0x3b\n", "")]
    #[case(
        "Unable to start server. Error: could not build arguments for function \"a\".b (x.go:1): failed to build c: received non-nil error from function \"d\".e (y.go:2): sql schema version compatibility check failed: pq: password authentication failed for user \"t\"\n",
        "sql schema version compatibility check failed: pq: password authentication failed for user \"t\""
    )]
    #[case("Unable to create server. Error: no such host.\n", "no such host")]
    #[case(
        r#"{"level":"warn","msg":"sql handle: did not refresh database connection pool because the last refresh was too close"}"#,
        "no usable database connection found"
    )]
    #[case(
        r#"{"error": "parse \"postgres://t:s3cret@db:5432/t\": bad"}"#,
        r#"parse "postgres://xxxxx@db:5432/t": bad"#
    )]
    fn reasons(#[case] log: &str, #[case] reason: &str) {
        assert_eq!(reason_in(log), reason);
    }

    #[test]
    fn a_consequence_gives_way_to_its_cause() {
        let coloured = "2026-11-24T21:31:16.959Z\t\u{1b}[31mERROR\u{1b}[0m\tUnable to create SQL database.\t{\"error\": \"no usable database connection found\", \"logging-call-at\": \"x\"}\n";
        assert_eq!(reason_in(coloured), "no usable database connection found");
        let cause = "t\tERROR\tsql handle: x\t{\"error\": \"pq: password authentication failed\"}\n";
        assert_eq!(reason_in(&format!("{cause}{coloured}")), "pq: password authentication failed");
        let server = "Unable to create server. Error: check failed: no usable database connection found.\n";
        assert_eq!(reason_in(server), "check failed: no usable database connection found");
        assert_eq!(reason_in(&format!("{cause}{server}")), "pq: password authentication failed");
    }
}
