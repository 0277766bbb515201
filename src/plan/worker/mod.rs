//! What is to be done for a worker: its Deployments, the routes of its versions, its numbers of pods.

mod observed;
mod routing;

pub use observed::{InTemporal, KnownQueue, KnownVersion, Revision, Routing, Seen};
pub use routing::{Act, Decided, Fate};
