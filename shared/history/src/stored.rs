//! A record as a journal keeps it (`StoredRecord` of `storage.proto`), and back.
//!
//! Without the sealed part: whether it had one is all that is kept.

use domain::ids::{Home, RecordId};
use event_log::{Class, Key, Kind, Position, Recorded, Seal};
use wire::{spoken::id_bytes, v1::StoredRecord};

/// A field of it is no value of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its {0} cannot be read")]
pub struct NotARecord(pub &'static str);

/// The record as it is kept.
#[must_use]
pub fn stored(recorded: &Recorded) -> StoredRecord {
    StoredRecord {
        id: id_bytes(recorded.id.0),
        class: Class::said(recorded.key.class).into(),
        province: recorded.key.home.province.to_string(),
        commune: recorded.key.home.commune.to_string(),
        entity: recorded.key.entity.to_string(),
        version: match recorded.kind {
            Kind::Command => 0,
            Kind::Commit { version } => version,
        },
        open: recorded.open.clone(),
        has_sealed: recorded.seal != Seal::None,
    }
}

/// The record as it was; its sealed part, where it had one, is missing.
///
/// # Errors
/// [`NotARecord`]: another program wrote it.
pub fn recorded(stored: StoredRecord, position: Position) -> Result<Recorded, NotARecord> {
    let class = Class::recalled(stored.class()).ok_or(NotARecord("class"))?;
    let home = Home {
        province: stored.province.parse().map_err(|_| NotARecord("province"))?,
        commune: stored.commune.parse().map_err(|_| NotARecord("commune"))?,
    };
    let kind = match (class, stored.version) {
        (Class::Command, 0) => Kind::Command,
        (Class::Command, _) | (_, 0) => return Err(NotARecord("version")),
        (_, version) => Kind::Commit { version },
    };
    Ok(Recorded {
        position,
        id: RecordId::from_slice(&stored.id).ok_or(NotARecord("id"))?,
        key: Key { class, home, entity: stored.entity.parse().map_err(|_| NotARecord("entity"))? },
        kind,
        open: stored.open,
        seal: if stored.has_sealed { Seal::Missing } else { Seal::None },
    })
}
