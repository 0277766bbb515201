//! A write to Temporal at which the operator is to end.

use futures::FutureExt;
use futures::future::pending;
use std::sync::Mutex;
use temporal_operator::temporal::Answer;
use tokio::sync::Notify;

/// Counts the writes, and lets one of them go without an answer.
#[derive(Default)]
pub struct Ends {
    state: Mutex<State>,
    reached: Notify,
}

#[derive(Default)]
struct State {
    writes: usize,
    /// The number of the write, and whether it is carried out.
    order: Option<(usize, bool)>,
}

impl Ends {
    /// The writes so far.
    pub fn writes(&self) -> usize {
        self.state.lock().unwrap().writes
    }

    /// The nth write from now on is carried out, or not, and never answered.
    pub fn order(&self, nth: usize, carried_out: bool) {
        let mut state = self.state.lock().unwrap();
        state.order = Some((state.writes + nth, carried_out));
    }

    /// Waits for it.
    pub async fn reached(&self) {
        self.reached.notified().await;
    }

    /// A write, which the simulated Temporal carries out when it is called.
    pub fn write<'a, T: Send + 'a>(&'a self, write: impl FnOnce() -> Answer<'a, T>) -> Answer<'a, T> {
        let ordered = {
            let mut state = self.state.lock().unwrap();
            state.writes += 1;
            let now = state.writes;
            state.order.take_if(|(nth, _)| *nth == now)
        };
        let Some((_, carried_out)) = ordered else { return write() };
        if carried_out {
            drop(write());
        }
        self.reached.notify_one();
        pending().boxed()
    }
}
