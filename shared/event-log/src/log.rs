//! The port. Its implementations: [`crate::memory::MemoryLog`], `event-log-embedded`,
//! `event-log-nats`.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use domain::ids::{AlertId, EntityName, RecordId};
use futures::future::BoxFuture;
use tokio::sync::watch;

use crate::{
    follower::{Follower, Following},
    record::{Class, Key, Position, Record, Recorded},
};

/// An append-only log of records, each class with an order of its own.
///
/// **Durability.** `append` returns when the records are ordered, which may be before they are
/// on disk; `durable` tells when they are. Nothing may be shown, sent or copied before that.
/// **Ordering.** Records of one append keep their order; a follower of a class sees the records
/// of that class in the order of their positions. Between classes there is no order.
/// **Concurrency.** All methods may be called from anywhere at once; a commit whose version is
/// taken is refused whole with its batch.
/// **Retries.** The caller repeats what ended as [`AppendError::Unavailable`], with the same ids:
/// a repeat has the effect of one.
pub trait EventLog: Send + Sync + 'static {
    /// Appends `records`, all of one class, whole or not at all.
    ///
    /// A command whose id is in the log already is no error: it is answered by the first record
    /// under that id, in [`Appended::repeats`], and the batch's other records are appended.
    /// A batch of commits that is in the log already, under the same ids, counts as appended.
    fn append(&self, records: Vec<Record>) -> BoxFuture<'_, Result<Appended, AppendError>>;

    /// Everything under one key, in order: the commits of an entity. For a key of class
    /// `Command` with `id`: that one command, or nothing.
    fn load<'a>(
        &'a self,
        key: &'a Key,
        id: Option<RecordId>,
    ) -> BoxFuture<'a, Result<Vec<Arc<Recorded>>, LoadError>>;

    /// Follows a class, from the start or from a cursor.
    fn follow(&self, following: Following) -> BoxFuture<'_, Result<Follower, FollowError>>;

    /// Waits until what `at` stands for is durable, and everything before it in its class, but
    /// no longer than `patience`.
    fn durable(&self, at: At, patience: Duration) -> BoxFuture<'_, Durable>;

    /// Destroys the sealed parts of everything that belongs to the alert, salt and words, in the
    /// stores of this process, its outbox included, and takes none of it any more; and those of
    /// these entities in the stores that it shares with others. Answers how many were found; they
    /// are gone from disk then. Open parts stay as they are. After trouble, and at every start,
    /// it is asked again: what is gone is gone.
    fn erase<'a>(
        &'a self,
        alert: AlertId,
        entities: &'a [EntityName],
    ) -> BoxFuture<'a, Result<u64, EraseError>>;
}

/// A place that somebody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// The class.
    pub class: Class,
    /// The position; [`At::UNPLACED`] for a command that is still only in the outbox.
    pub position: Position,
    /// The record.
    pub id: RecordId,
}

impl At {
    /// The position of a record that the broker has not ordered yet.
    pub const UNPLACED: Position = Position::MAX;
}

/// What `append` did.
#[derive(Debug, Clone)]
pub struct Appended {
    /// The place of the last record, to wait for.
    pub at: At,
    /// For each command of the batch that was in the log already: the first record under its id.
    pub repeats: Vec<Arc<Recorded>>,
}

/// How durable something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durable {
    /// On disk, and ordered: everybody will see it.
    Stored,
    /// On this machine's disk, not yet sent to the broker.
    HeldHere,
    /// Neither is known yet.
    Unknown,
}

/// Why records were not appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Another commit has the version: load, decide again. Nothing was appended.
    #[error("the entity has changed: {0}")]
    Conflict(String),
    /// Not known to be appended: repeat with the same ids.
    #[error("the log cannot be reached: {0}")]
    Unavailable(String),
    /// The records cannot be appended as they are, ever. A mistake of the program.
    #[error("the log refuses the records: {0}")]
    Refused(String),
}

/// Why an entity was not loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Try again.
    #[error("the log cannot be reached: {0}")]
    Unavailable(String),
}

/// Why not all sealed parts are known to be gone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EraseError {
    /// Try again.
    #[error("the stores of sealed parts cannot be reached: {0}")]
    Unavailable(String),
}

/// Why a follower did not start, or stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FollowError {
    /// The cursor is of another log, or the log has lost what it names: rebuild from the start.
    #[error("the cursor does not fit the log")]
    CursorDoesNotFit,
    /// Try again.
    #[error("the log cannot be reached: {0}")]
    Unavailable(String),
}

/// Commands that lie in this machine's outbox and that the broker has not confirmed: what intake
/// shows as held. A log without an outbox has an empty one.
#[derive(Debug, Clone, Default)]
pub struct Outgoing(Arc<watch::Sender<BTreeMap<RecordId, Arc<Recorded>>>>);

impl Outgoing {
    /// What is held now.
    #[must_use]
    pub fn now(&self) -> BTreeMap<RecordId, Arc<Recorded>> {
        self.0.borrow().clone()
    }

    /// Whether this command is held.
    #[must_use]
    pub fn contains(&self, id: RecordId) -> bool {
        self.0.borrow().contains_key(&id)
    }

    /// Follows changes of what is held.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<BTreeMap<RecordId, Arc<Recorded>>> {
        self.0.subscribe()
    }

    /// Says that a command is held. For adapters.
    pub fn hold(&self, command: Arc<Recorded>) {
        self.0.send_modify(|held| {
            held.insert(command.id, command);
        });
    }

    /// Says that a command is held no longer. For adapters.
    pub fn sent(&self, id: RecordId) {
        self.0.send_if_modified(|held| held.remove(&id).is_some());
    }
}
