//! The journal of the audit, and what is known of it in memory: the order so far, and which
//! entries are of which alert.
//!
//! Memory: about 35 bytes a record, and the same for each entity. Rebuilt from the journal at
//! each start; a known cost, until the checkpoints of a later issue bound it.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::ids::{AlertId, RecordId};
use event_log::{Class, Kind, Recorded, erasing::alerts_of};
use history::Sequencer;
use journal::{Journal, Options};
use prost::Message;
use wire::v1::{Commit, Events, commit::Outcome, event::Event};

use crate::entry::{self, FIRST, Link, NotAnEntry};

/// A sync of the audit waits so long for more to share it: nobody's alert waits for it, and the
/// log's own syncs should have the disk for themselves.
const HOLD: Duration = Duration::from_millis(20);
const SCAN_ENTRIES: usize = 512;
const SCAN_BYTES: usize = 256 << 10;

/// Why the audit did not start. The operator must act: restore the directory from a copy, or move
/// it aside, and the audit begins anew from the log.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The journal cannot be opened.
    #[error("the audit's journal: {0}")]
    Journal(#[from] journal::OpenError),
    /// The journal cannot be read.
    #[error("the audit's journal: {0}")]
    Read(#[from] journal::ReadError),
    /// Another program wrote there.
    #[error("entry {position} of the audit: {source}")]
    NotAnEntry {
        /// The entry; 1 for the first.
        position: u64,
        /// What is wrong with it.
        source: NotAnEntry,
    },
    /// What was signed cannot be read, or is not of this journal.
    #[error("the signed log: {0}")]
    Unsigned(String),
    /// Somebody changed the history: the entry does not name the hash of the one before.
    #[error("the chain of the audit is broken at entry {position}")]
    ChainBroken {
        /// The entry that does not follow; 1 for the first.
        position: u64,
    },
}

/// What the writer and the readers share.
pub(crate) struct Shared {
    pub(crate) journal: Journal,
    book: Mutex<Book>,
}

/// What is known of the journal in memory.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) sequencer: Sequencer,
    /// The positions of each alert's records, in order.
    of_alert: HashMap<AlertId, Vec<u64>>,
    /// The position of the last record that closed an alert, 0 before the first.
    closed: u64,
}

impl Shared {
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    pub(crate) fn place_of(&self, id: RecordId) -> Option<u64> {
        self.sequencer.place_of(id)
    }

    pub(crate) fn of_alert(&self, alert: AlertId) -> Vec<u64> {
        self.of_alert.get(&alert).cloned().unwrap_or_default()
    }

    /// The position of the last record that closed an alert, 0 before the first.
    pub(crate) fn closed(&self) -> u64 {
        self.closed
    }

    pub(crate) fn index(&mut self, position: u64, recorded: &Recorded) {
        let entity = &recorded.key.entity;
        // A match is of both its alerts.
        for alert in alerts_of(entity) {
            self.of_alert.entry(alert).or_default().push(position);
        }
        if closes(recorded) {
            self.closed = position;
        }
    }
}

/// Whether this record says that an alert has come to its end.
fn closes(recorded: &Recorded) -> bool {
    let is_commit = matches!(recorded.kind, Kind::Commit { .. });
    if !is_commit || recorded.key.class != Class::Alert || recorded.key.entity.alert_id().is_none()
    {
        return false;
    }
    let outcome = Commit::decode(recorded.open.as_ref()).ok().and_then(|commit| commit.outcome);
    let Some(Outcome::Events(Events { events })) = outcome else { return false };
    events.iter().filter_map(|event| event.event.as_ref()).any(|event| {
        matches!(event, Event::AlertResolved(_) | Event::AlertCancelled(_) | Event::AlertExpired(_))
    })
}

/// Opens the journal and checks it. Answers with the link to its last entry, too.
pub(crate) fn open(dir: &Path) -> Result<(Shared, Link), OpenError> {
    let (journal, _) = Journal::open(dir, Options { hold: HOLD, ..Options::default() })?;
    let mut book = Book::default();
    let mut tip = FIRST;
    loop {
        let entries = journal.read_from(book.sequencer.placed(), SCAN_ENTRIES, SCAN_BYTES)?;
        if entries.is_empty() {
            break;
        }
        for bytes in entries {
            let position = book.sequencer.placed() + 1;
            let link = entry::link_to(&bytes);
            let entry = entry::decode(bytes)
                .map_err(|source| OpenError::NotAnEntry { position, source })?;
            if entry.previous.as_ref() != tip.as_slice() {
                return Err(OpenError::ChainBroken { position });
            }
            tip = link;
            let Recorded { id, key, kind, .. } = &entry.recorded;
            book.sequencer.restore(*id, key, *kind, entry.resume);
            book.index(position, &entry.recorded);
        }
    }
    Ok((Shared { journal, book: Mutex::new(book) }, tip))
}
