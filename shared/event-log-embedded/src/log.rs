//! What users of an embedded log hold: opening, closing, and the port.

use std::{
    fs,
    path::Path,
    sync::{Arc, PoisonError, mpsc},
    time::Duration,
};

use domain::ids::{AlertId, EntityName, RecordId};
use event_log::{
    AppendError, Appended, Class, Durable, EraseError, EventLog, FollowError, Follower, Following,
    Key, LoadError, Position, Record, Recorded,
    local::{self, Places, Shelf},
    log::At,
};
use futures::future::{BoxFuture, ready};
use journal::{Journal, Options};

use crate::{
    errors::OpenError,
    options::EmbeddedOptions,
    places::{Keeps, keeper},
    recovery::recover,
    run::{RUN_RECORDS_MAX, Run},
    store::{Store, Unreadable},
};

/// The event log on one machine. One process at a time holds its directory.
///
/// **Durability.** `append` returns before the disk; [`EventLog::durable`] waits for both
/// journals. A failed sync ends the process.
/// **Ordering.** All classes share one order: a position is the ordinal of the whole log.
/// **Concurrency.** Batches are compared and ordered under one short lock.
/// **Retries.** Nothing is retried here.
#[derive(Debug)]
pub struct EmbeddedLog(Arc<Store>);

/// How many syncs there were since the log was opened, for benchmarks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Syncs {
    /// Of the records.
    pub log: u64,
    /// Of the sealed parts.
    pub sealed: u64,
}

impl EmbeddedLog {
    /// Opens or creates a log: checks both journals, rebuilds the index, cuts what nobody was
    /// promised. Blocks; call it before serving.
    pub fn open(dir: &Path, options: EmbeddedOptions) -> Result<Arc<Self>, OpenError> {
        let io = |source| OpenError::Io { path: dir.to_owned(), source };
        fs::create_dir_all(dir).map_err(io)?;
        let (log_dir, sealed_dir) = (dir.join("log"), dir.join("sealed"));
        let sealed_was_there = sealed_dir.exists();
        let log = open_journal(&log_dir, options.of_journal())?;
        if !sealed_was_there && log.end() > 0 {
            return Err(OpenError::SealedGone { dir: sealed_dir, records: log.end() });
        }
        let sealed = open_journal(&sealed_dir, options.of_sealed_journal())?;
        let found = recover(&log, &sealed, dir, &options.keyring)?;
        let (sender, moved) = mpsc::sync_channel(1);
        let journals = (log, sealed);
        let EmbeddedOptions { given_back, keyring, .. } = options;
        let store = Store::new(dir.to_owned(), journals, keyring, found, given_back, sender);
        let store = Arc::new(store);
        store.restore_places();
        keeper(Arc::downgrade(&store), moved).map_err(io)?;
        Ok(Arc::new(Self(store)))
    }

    /// How many syncs there were since the log was opened.
    #[must_use]
    pub fn syncs(&self) -> Syncs {
        Syncs { log: self.0.log.syncs(), sealed: self.0.sealed.syncs() }
    }

    /// The position of the last record.
    #[must_use]
    pub fn head(&self) -> Position {
        self.0.places.head()
    }

    /// Ends the followers, brings what is ordered to disk, keeps the places of reactors. The
    /// directory may then be opened again; nothing can be appended here any more.
    pub async fn close(&self) {
        self.0.places.close();
        self.0.moved.lock().unwrap_or_else(PoisonError::into_inner).take();
        tokio::join!(self.0.log.clone().close(), self.0.sealed.clone().close());
        self.0.keep();
    }
}

fn open_journal(dir: &Path, options: Options) -> Result<Journal, OpenError> {
    match Journal::open(dir, options) {
        Ok((journal, recovery)) => {
            if recovery.torn_bytes > 0 {
                let (torn_bytes, entries) = (recovery.torn_bytes, recovery.entries);
                tracing::warn!(dir = %dir.display(), torn_bytes, entries, "log: a torn tail was cut");
            }
            Ok(journal)
        }
        Err(source) => Err(OpenError::Journal { dir: dir.to_owned(), source }),
    }
}

fn follow_error(error: Unreadable) -> FollowError {
    FollowError::Unavailable(error.said().to_string())
}

impl Shelf for Store {
    type Run = Run;

    fn places(&self) -> &Places {
        &self.places
    }

    fn next_of(&self, class: Class, after: Position) -> Option<Position> {
        self.next_of(class, after)
    }

    fn read(&self, position: Position) -> Result<(Arc<Recorded>, Run), FollowError> {
        self.run(position, RUN_RECORDS_MAX).map_err(follow_error)
    }

    fn hash_at(&self, position: Position) -> Result<Option<[u8; 32]>, FollowError> {
        self.hash_at(position).map_err(follow_error)
    }

    fn rest(&self) {
        self.release();
    }

    fn moved(&self) {
        if let Some(moved) = &*self.moved.lock().unwrap_or_else(PoisonError::into_inner) {
            // A full channel says the same already.
            let _ = moved.try_send(());
        }
    }
}

impl EventLog for EmbeddedLog {
    fn append(&self, records: Vec<Record>) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async move { self.0.append(records) })
    }

    fn load<'a>(
        &'a self,
        key: &'a Key,
        id: Option<RecordId>,
    ) -> BoxFuture<'a, Result<Vec<Arc<Recorded>>, LoadError>> {
        Box::pin(async move {
            let positions = self.0.positions(key, id).into_iter();
            let records = positions.map(|position| self.0.read(position));
            records
                .collect::<Result<_, _>>()
                .map_err(|error: Unreadable| LoadError::Unavailable(error.said().to_string()))
        })
    }

    fn follow(&self, following: Following) -> BoxFuture<'_, Result<Follower, FollowError>> {
        Box::pin(ready(local::follow(Arc::clone(&self.0), &following)))
    }

    fn durable(&self, at: At, patience: Duration) -> BoxFuture<'_, Durable> {
        Box::pin(self.0.durable(at.position, patience))
    }

    fn erase<'a>(
        &'a self,
        alert: AlertId,
        _: &'a [EntityName],
    ) -> BoxFuture<'a, Result<u64, EraseError>> {
        Box::pin(Arc::clone(&self.0).erase(alert))
    }
}
