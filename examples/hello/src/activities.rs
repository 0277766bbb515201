//! What the workflows have done: everything that touches the world outside.
#![allow(missing_docs, reason = "the macros of the SDK write constants without")]

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use temporalio_macros::activities;
use temporalio_sdk::ApplicationFailure;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tokio::time::sleep;

use crate::greeter::{Greeter, Speechless};

/// How often a long activity says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// The activities, with what they need to do their work.
pub struct Activities {
    /// Who finds the words.
    pub greeter: Arc<dyn Greeter>,
    /// The build that this process is; empty when it is not versioned.
    pub build: String,
    /// Whether [`Activities::inspect`] finds something wrong.
    pub broken: bool,
}

/// Whom to greet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Guest {
    /// The name.
    pub name: String,
    /// Seconds that finding the words takes.
    #[serde(default)]
    pub seconds: f64,
}

/// What was said, and which build said it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Words {
    /// The words.
    pub text: String,
    /// The build of the worker that found them; empty when it is not versioned.
    pub build: String,
}

#[activities]
impl Activities {
    /// Greets somebody who comes.
    #[activity(name = "welcome")]
    pub async fn welcome(self: Arc<Self>, ctx: ActivityContext, guest: Guest) -> Result<Words, ActivityError> {
        think(&ctx, guest.seconds).await?;
        self.words(self.greeter.welcome(&guest.name))
    }

    /// Greets somebody who goes.
    #[activity(name = "farewell")]
    pub async fn farewell(self: Arc<Self>, ctx: ActivityContext, guest: Guest) -> Result<Words, ActivityError> {
        think(&ctx, guest.seconds).await?;
        self.words(self.greeter.farewell(&guest.name))
    }

    /// Looks whether this build is fit for work.
    #[activity(name = "inspect")]
    pub async fn inspect(self: Arc<Self>, _ctx: ActivityContext) -> Result<String, ActivityError> {
        if self.broken {
            let fault = ApplicationFailure::non_retryable(format!("build {:?} is broken", self.build));
            return Err(ActivityError::application(fault));
        }
        Ok(self.build.clone())
    }
}

impl Activities {
    /// Who cannot find words now will not find them later: Temporal need not try again.
    fn words(&self, said: Result<String, Speechless>) -> Result<Words, ActivityError> {
        let text = said.map_err(|error| ActivityError::application(ApplicationFailure::non_retryable(error)))?;
        Ok(Words { text, build: self.build.clone() })
    }
}

/// Takes its time and tells Temporal meanwhile, which so learns soon when this process is lost. A worker that is shut
/// down gives up what it cannot finish: Temporal has it done by another one.
async fn think(ctx: &ActivityContext, seconds: f64) -> Result<(), ActivityError> {
    let mut left = Duration::try_from_secs_f64(seconds)?;
    while !left.is_zero() {
        let step = left.min(HEARTBEAT);
        tokio::select! {
            () = ctx.cancelled() => return Err(ActivityError::cancelled()),
            () = sleep(step) => left -= step,
        }
        ctx.record_heartbeat(left.as_secs_f64()).await?;
    }
    Ok(())
}
