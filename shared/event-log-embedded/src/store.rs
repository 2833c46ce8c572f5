//! Both journals, the index and the tail: reading, and what is durable. See `ordering` for appends.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    time::Duration,
};

use domain::ids::RecordId;
use event_log::{
    Class, Durable, Key, Position, Recorded, erasing::Parts, follower::hash_of, local::Places,
};
use journal::{Journal, ReadError};
use keyring::Keyring;
use tokio::time::timeout;

use crate::{
    entry::{self, NotAnEntry},
    index::Index,
    places::{self, Keeps, Kept},
    run::Run,
    tail::Tail,
};

/// Why a record that is in the log cannot be had. The operator must act: its checksum, or its
/// meaning, held when the log was opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error(transparent)]
    Journal(#[from] ReadError),
    #[error(transparent)]
    Entry(#[from] NotAnEntry),
    #[error("there is no record at {0}")]
    None(Position),
}

/// An open log.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) dir: PathBuf,
    pub(crate) log: Journal,
    pub(crate) sealed: Journal,
    pub(crate) keyring: Keyring,
    /// Held while a batch is compared and ordered, so that both journals have one order.
    state: Mutex<State>,
    pub(crate) places: Places,
    /// Told when a reactor's place has moved; taken away when the log is closed.
    pub(crate) moved: Mutex<Option<mpsc::SyncSender<()>>>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) index: Index,
    pub(crate) tail: Tail,
    /// Where whose sealed parts lie, in the sealed journal.
    pub(crate) parts: Parts,
    /// For each batch that may not be durable yet: the position of its last record, and the end
    /// of the sealed journal when it was ordered. Both rise.
    pub(crate) undurable: VecDeque<(Position, u64)>,
}

impl Store {
    pub(crate) fn new(
        dir: PathBuf,
        (log, sealed): (Journal, Journal),
        keyring: Keyring,
        (index, parts): (Index, Parts),
        given_back: Duration,
        moved: mpsc::SyncSender<()>,
    ) -> Self {
        let places = Places::new(index.head(), given_back);
        let (tail, undurable) = (Tail::default(), VecDeque::new());
        let state = State { index, tail, parts, undurable };
        let moved = Mutex::new(Some(moved));
        Self { dir, log, sealed, keyring, state: Mutex::new(state), places, moved }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn forget_durable(&self, state: &mut State) {
        let (log, sealed) = (self.log.durable_end(), self.sealed.durable_end());
        let durable = |(position, part): &mut (Position, u64)| *position <= log && *part <= sealed;
        while state.undurable.pop_front_if(durable).is_some() {}
    }

    /// Waits until the batch that a position is in is on disk, with all sealed parts up to it.
    pub(crate) async fn durable(&self, position: Position, patience: Duration) -> Durable {
        let (last, parts) = {
            let mut state = self.lock();
            if position > state.index.head() {
                return Durable::Unknown;
            }
            self.forget_durable(&mut state);
            let batch = state.undurable.partition_point(|(last, _)| *last < position);
            match state.undurable.get(batch) {
                Some(batch) => *batch,
                None => return Durable::Stored,
            }
        };
        let log = async {
            match last.checked_sub(1) {
                Some(entry) => self.log.durable(entry).await,
                None => Ok(()),
            }
        };
        let sealed = async {
            match parts.checked_sub(1) {
                Some(entry) => self.sealed.durable(entry).await,
                None => Ok(()),
            }
        };
        match timeout(patience, async { tokio::try_join!(log, sealed) }).await {
            Ok(Ok(_)) => Durable::Stored,
            _ => Durable::Unknown,
        }
    }

    /// The committers need not wait for more.
    pub(crate) fn release(&self) {
        self.log.release();
        self.sealed.release();
    }

    /// Where the commits of a key, or the command under an id, stand.
    pub(crate) fn positions(&self, key: &Key, id: Option<RecordId>) -> Vec<Position> {
        let state = self.lock();
        match (key.class, id) {
            (Class::Command, Some(id)) => state.index.command(id).into_iter().collect(),
            _ => state.index.history(key).to_vec(),
        }
    }

    pub(crate) fn next_of(&self, class: Class, after: Position) -> Option<Position> {
        self.lock().index.next_of(class, after)
    }

    /// The record at a position.
    pub(crate) fn read(&self, position: Position) -> Result<Arc<Recorded>, Unreadable> {
        self.run(position, 1).map(|(recorded, _)| recorded)
    }

    /// The record at a position; where it comes from the journals, also those of its class close
    /// behind it: at most so many.
    pub(crate) fn run(
        &self,
        position: Position,
        records_max: usize,
    ) -> Result<(Arc<Recorded>, Run), Unreadable> {
        let places = {
            let state = self.lock();
            if let Some(recorded) = state.tail.get(position) {
                return Ok((Arc::clone(recorded), Run::default()));
            }
            state.index.run(position, records_max)
        };
        let mut run = Run::read(places, (&self.log, &self.sealed), &self.keyring)?;
        let first = run.record().ok_or(Unreadable::None(position))??;
        Ok((first, run))
    }

    /// The open part at a position, with the state locked.
    pub(crate) fn stored(
        &self,
        state: &State,
        position: Position,
    ) -> Result<Arc<Recorded>, Unreadable> {
        if let Some(recorded) = state.tail.get(position) {
            return Ok(Arc::clone(recorded));
        }
        let entry = position.checked_sub(1).ok_or(Unreadable::None(position))?;
        Ok(entry::decode(&self.log.read(entry)?, position)?)
    }

    /// SHA-256 of the open part at a position, where there is a record.
    pub(crate) fn hash_at(&self, position: Position) -> Result<Option<[u8; 32]>, Unreadable> {
        let state = self.lock();
        if position == 0 || position > state.index.head() {
            return Ok(None);
        }
        Ok(Some(hash_of(&self.stored(&state, position)?.open)))
    }

    /// Takes up the places that were kept, where they fit.
    pub(crate) fn restore_places(&self) {
        for Kept { name, class, position, hash } in places::read(&self.dir) {
            if matches!(self.hash_at(position), Ok(Some(there)) if there == hash) {
                self.places.restore(name, class, position);
            } else {
                tracing::warn!(name, ?class, position, "log: a place does not fit, it is rebuilt");
            }
        }
    }
}

impl Keeps for Store {
    /// Keeps no place beyond what is durable: what is lost in a power cut does not fit later.
    fn keep(&self) {
        let durable = self.log.durable_end();
        let kept: Vec<Kept> = self
            .places
            .done()
            .into_iter()
            .filter_map(|(name, class, position)| {
                let position = position.min(durable);
                let hash = self.hash_at(position).ok()??;
                Some(Kept { name, class, position, hash })
            })
            .collect();
        if let Err(error) = places::write(&self.dir, &kept) {
            tracing::warn!(%error, "log: the places of reactors were not kept");
        }
    }
}

impl Unreadable {
    /// Traces the error once, for the operator.
    pub(crate) fn said(self) -> Self {
        tracing::error!(error = %self, "log: a record cannot be read");
        self
    }
}
