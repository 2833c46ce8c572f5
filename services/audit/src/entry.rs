//! An entry of the audit's journal: a record in its place, chained to the entry before.

use bytes::Bytes;
use event_log::{Recorded, follower::Cursor};
use history::{Placed, stored};
use prost::Message;
use sha2::{Digest, Sha256};
use wire::v1::{AuditEntry, LogPlace};

/// SHA-256 of an entry's bytes; zeros stand before the first.
pub(crate) type Link = [u8; 32];

/// What stands before the first entry.
pub(crate) const FIRST: Link = [0; 32];

/// The link to this entry.
pub(crate) fn link_to(entry: &[u8]) -> Link {
    Sha256::digest(entry).into()
}

/// Why an entry is none of ours.
#[derive(Debug, thiserror::Error)]
pub enum NotAnEntry {
    /// Its bytes are no message.
    #[error(transparent)]
    Bytes(#[from] prost::DecodeError),
    /// It holds no record.
    #[error(transparent)]
    Record(#[from] stored::NotARecord),
    /// A field of it is no value of ours.
    #[error("its {0}")]
    Field(&'static str),
}

/// An entry, decoded.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) previous: Bytes,
    pub(crate) recorded: Recorded,
    /// Where following its class goes on; `None` from the start.
    pub(crate) resume: Option<Cursor>,
}

/// The entry's bytes.
pub(crate) fn encode(placed: &Placed, previous: &Link) -> Bytes {
    let recorded = &*placed.recorded;
    let resume = match placed.resume {
        // The usual case is left out.
        Some(cursor) if cursor.position == recorded.position => None,
        Some(Cursor { position, hash }) => {
            Some(LogPlace { position, open_sha256: Bytes::copy_from_slice(&hash) })
        }
        None => Some(LogPlace::default()),
    };
    let entry = AuditEntry {
        previous: Bytes::copy_from_slice(previous),
        log_position: recorded.position,
        record: Some(stored::stored(recorded)),
        resume,
    };
    entry.encode_to_vec().into()
}

/// What these bytes say; the record points into them.
pub(crate) fn decode(bytes: Bytes) -> Result<Entry, NotAnEntry> {
    let entry = AuditEntry::decode(bytes)?;
    let record = entry.record.ok_or(NotAnEntry::Field("record"))?;
    let recorded = stored::recorded(record, entry.log_position)?;
    let resume = match entry.resume {
        None => Some(Cursor::on(&recorded)),
        Some(LogPlace { position: 0, .. }) => None,
        Some(LogPlace { position, open_sha256 }) => {
            let hash = open_sha256.as_ref().try_into();
            Some(Cursor { position, hash: hash.map_err(|_| NotAnEntry::Field("resume"))? })
        }
    };
    Ok(Entry { previous: entry.previous, recorded, resume })
}
