//! Crashes: cutting a user's connections right after its n-th write.
//!
//! A client of the fake is a session. A kill marks all sessions the user has at that moment as
//! dead: their requests fail with a reset connection, their watches end. Sessions opened later live.

use std::{
    io,
    sync::{Arc, Weak},
};

use tokio::sync::watch;

use super::audit::Call;

/// Whether the client still hears of the write it dies of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    AfterAnswer,
    BeforeAnswer,
}

/// The connection of one client.
pub struct Session {
    pub user: String,
    dead: watch::Sender<bool>,
}

impl Session {
    pub fn new(user: &str) -> Self {
        Self { user: user.to_owned(), dead: watch::Sender::new(false) }
    }

    pub fn is_dead(&self) -> bool {
        *self.dead.borrow()
    }

    pub fn watch_death(&self) -> watch::Receiver<bool> {
        self.dead.subscribe()
    }
}

/// What a dead session's requests end with.
pub fn connection_reset() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "connection reset by peer")
}

/// A kill that was ordered; it stays in force when this is dropped.
pub struct Kill(watch::Receiver<bool>);

impl Kill {
    pub fn has_fired(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves once the write has happened and the connections are cut.
    pub async fn fired(&self) {
        let mut fired = self.0.clone();
        if fired.wait_for(|fired| *fired).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

type Counts = Box<dyn Fn(&Call) -> bool + Send>;

struct Order {
    user: String,
    writes_left: usize,
    counts: Counts,
    cut: Cut,
    fired: watch::Sender<bool>,
}

/// Who is connected and who is to be killed.
#[derive(Default)]
pub struct Sessions {
    open: Vec<Weak<Session>>,
    orders: Vec<Order>,
}

impl Sessions {
    pub fn open(&mut self, user: &str) -> Arc<Session> {
        let session = Arc::new(Session::new(user));
        self.open.retain(|session| session.strong_count() > 0);
        self.open.push(Arc::downgrade(&session));
        session
    }

    pub fn order(&mut self, user: &str, writes: usize, cut: Cut, counts: Counts) -> Kill {
        let fired = watch::Sender::new(false);
        let kill = Kill(fired.subscribe());
        self.orders.push(Order { user: user.to_owned(), writes_left: writes, counts, cut, fired });
        kill
    }

    pub fn kill(&mut self, user: &str) {
        let sessions = self.open.iter().filter_map(Weak::upgrade);
        for session in sessions.filter(|session| session.user == user) {
            session.dead.send_replace(true);
        }
    }

    /// Counts a request towards the kills ordered for its user; how it ends if it is the last.
    pub fn count(&mut self, call: &Call) -> Option<Cut> {
        let mut cut = None;
        for order in &mut self.orders {
            if order.user == call.user && call.changed && (order.counts)(call) {
                order.writes_left = order.writes_left.saturating_sub(1);
                if order.writes_left == 0 {
                    cut = Some(order.cut);
                }
            }
        }
        if cut.is_some() {
            self.kill(&call.user);
        }
        let due = |order: &mut Order| order.writes_left == 0;
        for order in self.orders.extract_if(.., due) {
            order.fired.send_replace(true);
        }
        cut
    }
}
