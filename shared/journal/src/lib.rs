//! An append-only list of entries on disk: segment files with lengths and checksums, one sync
//! for all who wait, a torn tail cut only beyond what was promised.
//!
//! It knows nothing of records, and is the only crate that syncs a log. An entry is *ordered*
//! once [`Journal::append`] returned, and *durable* once [`Journal::durable`] did: only then may
//! anybody outside be told of it. A write or sync that failed ends the process.

mod committer;
mod entry;
mod errors;
mod fatal;
mod forget;
mod frame;
mod journal;
mod lock;
mod options;
mod promise;
mod queue;
mod reader;
mod recovery;
mod replace;
mod reserve;
mod segment;
mod store;
mod zeros;

pub use crate::{
    errors::{AppendError, CutError, OpenError, ReadError, ReplaceError, Stopped},
    forget::Forgotten,
    frame::PAYLOAD_BYTES_MAX,
    journal::Journal,
    options::Options,
    queue::{GROUP_BYTES_MAX, UNSYNCED_BYTES_MAX},
    recovery::Recovery,
    reserve::Reserve,
};
