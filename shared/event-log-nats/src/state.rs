//! Whether there is a connection, and whether records may leave over it.
//!
//! Each connection has a number. What was asked over one is believed only while it lasts: after
//! a reconnect another server, or one that lost its tail, may be at the other end.

use std::time::Duration;

use tokio::{sync::watch, time::Instant};

/// How things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    /// The number of the connection; 0 before the first.
    connection: u64,
    up: bool,
    /// The connection that was found fit to publish over.
    open: Option<u64>,
}

impl Standing {
    fn passage(self) -> Option<u64> {
        (self.up && self.open == Some(self.connection)).then_some(self.connection)
    }
}

/// Shared by the client's callback, the keeper and everybody who publishes.
#[derive(Debug, Clone)]
pub(crate) struct State(watch::Sender<Standing>);

impl State {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Standing { connection: 0, up: false, open: None }))
    }

    pub(crate) fn connected(&self) {
        self.0.send_modify(|standing| {
            standing.connection += 1;
            standing.up = true;
        });
    }

    pub(crate) fn disconnected(&self) {
        self.0.send_modify(|standing| standing.up = false);
    }

    /// Lets records leave over this connection.
    pub(crate) fn open(&self, connection: u64) {
        self.0.send_modify(|standing| standing.open = Some(connection));
    }

    /// Lets no record leave until the keeper opens again.
    pub(crate) fn shut(&self) {
        self.0.send_modify(|standing| standing.open = None);
    }

    /// The connection, if there is one.
    pub(crate) fn connection(&self) -> Option<u64> {
        let standing = *self.0.borrow();
        standing.up.then_some(standing.connection)
    }

    /// The connection over which records may leave now.
    pub(crate) fn passage(&self) -> Option<u64> {
        self.0.borrow().passage()
    }

    /// The connection over which records may leave, waiting for one.
    pub(crate) async fn passage_until(&self, deadline: Instant) -> Option<u64> {
        let waits = async {
            self.0.subscribe().wait_for(|now| now.passage().is_some()).await.ok()?.passage()
        };
        tokio::time::timeout_at(deadline, waits).await.ok().flatten()
    }

    /// Waits until records may leave.
    pub(crate) async fn passage_opens(&self) {
        // The sender lives in self: this cannot fail.
        let _ = self.0.subscribe().wait_for(|now| now.passage().is_some()).await;
    }

    /// Waits until there is a connection other than this one, or none.
    pub(crate) async fn left(&self, connection: u64) {
        let _ = self.0.subscribe().wait_for(|now| !now.up || now.connection != connection).await;
    }

    /// Waits for a connection, but no longer than `patience`.
    pub(crate) async fn connection_within(&self, patience: Duration) -> Option<u64> {
        let waits = async {
            let mut standings = self.0.subscribe();
            let standing = *standings.wait_for(|now| now.up).await.ok()?;
            Some(standing.connection)
        };
        tokio::time::timeout(patience, waits).await.ok().flatten()
    }
}
