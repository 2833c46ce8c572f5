//! Why an embedded log does not open. A broken assumption: the operator must act.

use std::{io, path::PathBuf};

use event_log::Position;
use keyring::KeyId;

use crate::entry::NotAnEntry;

/// Why an embedded log was not opened. Nothing was changed on disk.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A journal does not open.
    #[error("the journal {dir}: {source}")]
    Journal {
        /// Its directory.
        dir: PathBuf,
        /// Why.
        source: journal::OpenError,
    },
    /// A journal cannot be read, although its checksums held when it was opened.
    #[error("the journal cannot be read: {0}")]
    Read(#[from] journal::ReadError),
    /// The records that nobody was promised cannot be cut.
    #[error("the journal cannot be cut: {0}")]
    Cut(#[from] journal::CutError),
    /// A sound entry that this program does not understand: it was written by a newer one, or
    /// this is no journal of a log.
    #[error("entry {position} of the {journal} journal is none of ours: {source}")]
    NotAnEntry {
        /// `log` or `sealed`.
        journal: &'static str,
        /// The entry, counted from 1.
        position: Position,
        /// Why.
        source: NotAnEntry,
    },
    /// Its sealed parts are encrypted, and the key is not here.
    #[error("{dir} is encrypted under key {key}, which the key file does not hold")]
    NoKey {
        /// The directory.
        dir: PathBuf,
        /// The key.
        key: KeyId,
    },
    /// There are records and no sealed parts: restore the directory of the sealed parts.
    #[error("the sealed parts of {records} records are gone, {dir}; restore that directory")]
    SealedGone {
        /// The directory.
        dir: PathBuf,
        /// How many records would have to be cut.
        records: u64,
    },
    /// The system refused.
    #[error("{path}: {source}")]
    Io {
        /// What was worked on.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
}
