//! Following a class: reactors share a place, projections each have their own.

use std::sync::Arc;

use futures::future::BoxFuture;
use sha2::{Digest, Sha256};

use crate::{
    log::FollowError,
    record::{Class, Position, Recorded},
};

/// Who follows, and from where.
#[derive(Debug, Clone)]
pub struct Following {
    /// The class.
    pub class: Class,
    /// How.
    pub role: Role,
    /// Where to go on; `None` from the start. A broker that keeps a reactor's place itself goes
    /// on from its own.
    pub from: Option<Cursor>,
}

/// How a follower follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Instances under one name share a place: each record goes to one of them, and to another
    /// if it was not acknowledged. The committer waits for reactors before it begins a sync.
    Reactor(&'static str),
    /// Sees every record; acknowledging does nothing.
    Projection,
}

/// A follower's place: a position, and the hash of the record there, so that a cursor of another
/// log, or of one that lost its tail, is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The position of the last record seen.
    pub position: Position,
    /// SHA-256 of that record's open part.
    pub hash: [u8; 32],
}

impl Cursor {
    /// The cursor that stands on this record.
    #[must_use]
    pub fn on(recorded: &Recorded) -> Self {
        Self { position: recorded.position, hash: hash_of(&recorded.open) }
    }
}

/// SHA-256 of the open part's bytes.
#[must_use]
pub fn hash_of(open: &[u8]) -> [u8; 32] {
    Sha256::digest(open).into()
}

/// What a follower meets.
#[derive(Debug, Clone)]
pub enum Step {
    /// A record. A reactor acknowledges it when its answer is durable.
    Record(Arc<Recorded>),
    /// The end of the log as it was when following began has been passed. Comes once.
    CaughtUp,
}

/// One follower of one class.
pub struct Follower {
    follow: Box<dyn Follow>,
    watch: Option<Arc<dyn Watch>>,
}

/// Sees how a follower gets on. Called for each record: an atomic, no more.
pub trait Watch: Send + Sync {
    /// The next step is asked for.
    fn asked(&self);
    /// A step is handed out.
    fn met(&self, step: &Step);
    /// A record was acknowledged, or given back.
    fn settled(&self);
}

/// What an adapter implements behind [`Follower`].
pub trait Follow: Send {
    /// The next step; waits for it. Dropping the future loses nothing.
    fn next(&mut self) -> BoxFuture<'_, Result<Step, FollowError>>;
    /// The next step, where it is at hand and nothing has to be waited for or looked up.
    fn at_hand(&mut self) -> Option<Step> {
        None
    }
    /// The record at this position, and its answer, are durable: a reactor will not see it again.
    fn acknowledge(&mut self, position: Position);
    /// The record could not be handled now: a reactor sees it again, after a while.
    fn give_back(&mut self, position: Position);
}

impl Follower {
    /// Wraps an adapter's follower.
    #[must_use]
    pub fn new(follow: impl Follow + 'static) -> Self {
        Self { follow: Box::new(follow), watch: None }
    }

    /// The same follower, watched for as long as it lives.
    #[must_use]
    pub fn watched(self, watch: Arc<dyn Watch>) -> Self {
        Self { watch: Some(watch), ..self }
    }

    /// The next step; waits for it. Dropping the future loses nothing. After an error the
    /// follower is of no further use: follow again.
    pub async fn next(&mut self) -> Result<Step, FollowError> {
        if let Some(watch) = &self.watch {
            watch.asked();
        }
        let step = match self.follow.at_hand() {
            Some(step) => Ok(step),
            None => self.follow.next().await,
        };
        if let (Some(watch), Ok(step)) = (&self.watch, &step) {
            watch.met(step);
        }
        step
    }

    /// The record at this position, and its answer, are durable: a reactor will not see it again.
    pub fn acknowledge(&mut self, position: Position) {
        self.follow.acknowledge(position);
        self.settled();
    }

    /// The record could not be handled now: a reactor sees it again, after a while (1 s).
    pub fn give_back(&mut self, position: Position) {
        self.follow.give_back(position);
        self.settled();
    }

    fn settled(&self) {
        if let Some(watch) = &self.watch {
            watch.settled();
        }
    }
}
