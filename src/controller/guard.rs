//! What keeps one turn from harming the others.

use super::Error;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// No turn takes longer: every call in it has a shorter deadline of its own.
const DEADLINE: Duration = Duration::from_secs(60);

/// A turn within its deadline and isolated from panics of its own.
pub(super) async fn guarded<T>(turn: BoxFuture<'_, Result<T, Error>>) -> Result<T, Error> {
    let work = AssertUnwindSafe(turn).catch_unwind();
    match tokio::time::timeout(DEADLINE, work).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(Error::Panic(panic_text(panic.as_ref()))),
        Err(_) => Err(Error::Deadline(DEADLINE.as_secs())),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
