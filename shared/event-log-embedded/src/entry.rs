//! A record as an entry of a journal (`StoredRecord`, `StoredSealed` of `storage.proto`), and back.

use bytes::Bytes;
use domain::ids::{Home, RecordId};
use event_log::{Class, Key, Kind, Position, Record, Recorded, Seal};
use prost::Message;
use wire::v1::{StoredRecord, StoredSealed};

/// Why an entry is not one of ours.
#[derive(Debug, thiserror::Error)]
pub enum NotAnEntry {
    /// Its bytes are no message.
    #[error(transparent)]
    Bytes(#[from] prost::DecodeError),
    /// A field of it is no value of ours.
    #[error("its {0}")]
    Field(&'static str),
}

/// A record on its way into both journals.
pub(crate) struct Entries {
    /// For the journal of records.
    pub(crate) record: Bytes,
    /// For the journal of sealed parts.
    pub(crate) sealed: Option<Bytes>,
}

/// A batch as entries.
pub(crate) fn encode(records: &[Record]) -> Vec<Entries> {
    records.iter().map(encode_one).collect()
}

fn encode_one(record: &Record) -> Entries {
    let id = Bytes::copy_from_slice(record.id.0.as_bytes());
    let entity = record.key.entity.as_str();
    let stored = StoredRecord {
        id: id.clone(),
        class: Class::said(record.key.class).into(),
        province: record.key.home.province.to_string(),
        commune: record.key.home.commune.to_string(),
        entity: entity.to_owned(),
        version: match record.kind {
            Kind::Command => 0,
            Kind::Commit { version } => version,
        },
        open: record.open.clone(),
        has_sealed: record.sealed.is_some(),
    };
    let sealed = record.sealed.as_ref().map(|sealed| StoredSealed {
        record: id,
        entity: entity.to_owned(),
        sealed: sealed.clone(),
    });
    Entries {
        record: stored.encode_to_vec().into(),
        sealed: sealed.map(|sealed| sealed.encode_to_vec().into()),
    }
}

/// An entry of the journal of records, decoded.
pub(crate) struct Stored {
    pub(crate) id: RecordId,
    pub(crate) key: Key,
    pub(crate) kind: Kind,
    pub(crate) open: Bytes,
    pub(crate) has_sealed: bool,
}

impl Stored {
    /// Decodes an entry; what it holds points into `bytes`.
    pub(crate) fn decode(bytes: Bytes) -> Result<Self, NotAnEntry> {
        let stored = StoredRecord::decode(bytes)?;
        let class = Class::recalled(stored.class()).ok_or(NotAnEntry::Field("class"))?;
        let home = Home {
            province: stored.province.parse().map_err(|_| NotAnEntry::Field("province"))?,
            commune: stored.commune.parse().map_err(|_| NotAnEntry::Field("commune"))?,
        };
        let kind = match (class, stored.version) {
            (Class::Command, 0) => Kind::Command,
            (Class::Command, _) | (_, 0) => return Err(NotAnEntry::Field("version")),
            (_, version) => Kind::Commit { version },
        };
        Ok(Self {
            id: RecordId::from_slice(&stored.id).ok_or(NotAnEntry::Field("id"))?,
            key: Key {
                class,
                home,
                entity: stored.entity.parse().map_err(|_| NotAnEntry::Field("entity"))?,
            },
            kind,
            open: stored.open,
            has_sealed: stored.has_sealed,
        })
    }

    /// The record at its place, with its sealed part as far as that is known.
    pub(crate) fn recorded(self, position: Position, seal: Seal) -> Recorded {
        let Self { id, key, kind, open, .. } = self;
        Recorded { position, id, key, kind, open, seal }
    }
}

/// An entry of the journal of sealed parts: whose it is, and the part.
pub(crate) fn decode_sealed(bytes: Bytes) -> Result<(RecordId, Bytes), NotAnEntry> {
    let stored = StoredSealed::decode(bytes)?;
    let id = RecordId::from_slice(&stored.record).ok_or(NotAnEntry::Field("record"))?;
    Ok((id, stored.sealed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_as_it_was() {
        for (class, kind) in [
            (Class::Command, Kind::Command),
            (Class::Alert, Kind::Commit { version: 1 }),
            (Class::Delivery, Kind::Commit { version: 2 }),
            (Class::Receipt, Kind::Commit { version: u64::MAX }),
            (Class::News, Kind::Commit { version: 3 }),
        ] {
            let home = Home { province: "68".parse().unwrap(), commune: "25126".parse().unwrap() };
            let record = Record {
                id: RecordId::of_purpose("x"),
                key: Key { class, home, entity: "alert-x".parse().unwrap() },
                kind,
                open: Bytes::from_static(&[0, 255, 1]),
                sealed: Some(Bytes::from_static(b"sealed")),
            };
            let batch = encode(&[record.clone(), record.clone()]);
            for entries in batch {
                let stored = Stored::decode(entries.record).unwrap();
                assert!(stored.has_sealed);
                let (id, sealed) = decode_sealed(entries.sealed.unwrap()).unwrap();
                let recorded = stored.recorded(7, Seal::Here(sealed));
                assert_eq!(id, record.id);
                assert_eq!(recorded.key, record.key);
                assert_eq!(recorded.kind, record.kind);
                assert_eq!(recorded.open, record.open);
                assert_eq!(recorded.seal.bytes(), record.sealed.as_ref());
            }
        }
    }

    #[test]
    fn what_is_none_of_ours_is_said_so() {
        assert!(matches!(Stored::decode(Bytes::new()), Err(NotAnEntry::Field("class"))));
        let garbage = Bytes::from_static(&[0xff; 9]);
        assert!(matches!(Stored::decode(garbage), Err(NotAnEntry::Bytes(_))));
    }
}
