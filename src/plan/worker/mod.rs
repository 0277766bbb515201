//! What is to be done for a worker: its Deployments, the routes of its versions, its numbers of pods.

mod observed;
mod routing;

pub use observed::{Asked, InTemporal, KnownQueue, KnownVersion, Query, Question, Revision, Routing, RunState, Seen};
pub use routing::{Act, Decided, Fate, GateRun, Target, decide};
