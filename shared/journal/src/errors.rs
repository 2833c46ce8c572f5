//! What can go wrong, one type an operation. A failed write or sync is not here: see `fatal`.

use std::{io, path::PathBuf};

/// Why a journal was not opened. The operator must act.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another part of this one, has the journal open.
    #[error("the journal {0} is open elsewhere")]
    Locked(PathBuf),
    /// Something that was promised, or that a later sync stands on, cannot be read any more.
    /// Nothing was changed on disk: restore the directory from a copy.
    #[error("the journal is damaged: {segment} at byte {offset}, entry {index}")]
    Corrupt {
        /// The file.
        segment: PathBuf,
        /// Where in the file, in bytes.
        offset: u64,
        /// The first entry that cannot be read.
        index: u64,
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

/// Why entries were not ordered. Nothing of the call was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// No entry, or one without bytes. A mistake of the program.
    #[error("an entry has at least one byte")]
    Empty,
    /// Over a limit. A mistake of the program.
    #[error("{bytes} bytes are more than {bytes_max}")]
    TooLarge {
        /// The size of the entry, or of the group with its frames.
        bytes: usize,
        /// The limit it passed.
        bytes_max: usize,
    },
    /// The disk is far behind: try again later.
    #[error("too much waits for the disk")]
    Full,
    /// The journal was closed.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// The journal was closed before the entry was ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the journal is closed")]
pub struct Stopped;

/// Why an entry was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such entry yet.
    #[error("entry {index} is beyond the end {end}")]
    Beyond {
        /// What was asked for.
        index: u64,
        /// The number of entries.
        end: u64,
    },
    /// The entry was there, and was forgotten.
    #[error("entry {index} was forgotten, the first is {begin}")]
    Forgotten {
        /// What was asked for.
        index: u64,
        /// The first entry there is.
        begin: u64,
    },
    /// The disk returned something else than what was written. The operator must act.
    #[error("entry {index} is damaged, in {segment}")]
    Corrupt {
        /// The entry.
        index: u64,
        /// The file.
        segment: PathBuf,
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

/// Why nothing was cut.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// Something was appended since the journal was opened, or it is closed. A mistake of the
    /// program.
    #[error("a journal is cut only right after it was opened")]
    InUse,
    /// There are not so many entries. A mistake of the program.
    #[error("{index} is beyond the end {end}")]
    Beyond {
        /// What was asked for.
        index: u64,
        /// The number of entries.
        end: u64,
    },
    /// The entries before the cut cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Why nothing was replaced, or not all of it: try again.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// It is not on disk yet: wait for it. A mistake of the program.
    #[error("entry {index} is not on disk, which has {end}")]
    NotOnDisk {
        /// What was asked for.
        index: u64,
        /// The number of entries on disk.
        end: u64,
    },
    /// The new form has another length. A mistake of the program.
    #[error("entry {index} has {bytes_were} bytes, not {bytes}")]
    OtherLength {
        /// The entry.
        index: u64,
        /// Of the new form.
        bytes: usize,
        /// Of the old one.
        bytes_were: usize,
    },
    /// The segment cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The system refused; the segment is as it was.
    #[error("{path}: {source}")]
    Io {
        /// What was worked on.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
}

/// Names the file that an error came from.
pub(crate) fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.into();
    move |source| OpenError::Io { path, source }
}
