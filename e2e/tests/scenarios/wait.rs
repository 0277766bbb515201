//! Waiting for a condition, never for a time.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

/// How long anything may take. Generous: several scenarios share two cores.
pub const PATIENCE: Duration = Duration::from_secs(300);
const PACE: Duration = Duration::from_millis(300);

/// Looks again and again until `look` finds what it looks for; its error is what it saw instead. Fails after
/// `patience`, with what was seen last.
pub async fn until<T>(what: &str, patience: Duration, look: impl AsyncFnMut() -> Result<T, String>) -> T {
    match try_until(patience, look).await {
        Ok(found) => found,
        Err(seen) => panic!("{what}: not within {} s; last seen: {seen}", patience.as_secs()),
    }
}

/// The same without a failure: what was seen last is the error.
pub async fn try_until<T>(patience: Duration, mut look: impl AsyncFnMut() -> Result<T, String>) -> Result<T, String> {
    let began = Instant::now();
    let mut seen = "nothing".to_owned();
    while began.elapsed() < patience {
        match timeout(patience, look()).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(now)) => seen = now,
            Err(_) => seen.push_str(" (and then no answer)"),
        }
        sleep(PACE).await;
    }
    Err(seen)
}

/// Seconds since then, for people.
pub fn since(began: Instant) -> String {
    format!("{:.1} s", began.elapsed().as_secs_f64())
}
