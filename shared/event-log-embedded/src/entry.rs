//! A record as an entry of a journal (`StoredRecord`, `StoredSealed` of `storage.proto`), and back.

use std::sync::Arc;

use bytes::Bytes;
use domain::ids::{EntityName, RecordId};
use event_log::{
    Position, Record, Recorded,
    erasing::{destroyed, is_destroyed},
    stored::{self, Lent, NotARecord},
};
use keyring::{Keyring, NotLocked, NotOpened};
use prost::Message;
use wire::{
    fields::{Fields, NotAMessage},
    v1::StoredSealed,
};

/// Why an entry is not one of ours.
#[derive(Debug, thiserror::Error)]
pub enum NotAnEntry {
    /// Its bytes are no message.
    #[error(transparent)]
    Bytes(#[from] NotAMessage),
    /// A field of it is no value of ours.
    #[error(transparent)]
    Record(#[from] NotARecord),
    /// It cannot be decrypted.
    #[error(transparent)]
    Locked(#[from] NotOpened),
}

/// A record on its way into both journals.
pub(crate) struct Entries {
    /// For the journal of records.
    pub(crate) record: Bytes,
    /// For the journal of sealed parts.
    pub(crate) sealed: Option<Bytes>,
}

/// A batch as entries; the sealed parts are encrypted.
pub(crate) fn encode(records: &[Record], keyring: &Keyring) -> Result<Vec<Entries>, NotLocked> {
    records.iter().map(|record| encode_one(record, keyring)).collect()
}

fn encode_one(record: &Record, keyring: &Keyring) -> Result<Entries, NotLocked> {
    let stored = stored::said(record);
    let lock = |sealed| keyring.lock(record.id.0.as_bytes(), sealed);
    let locked = record.sealed.as_ref().map(lock).transpose()?;
    let sealed = locked.map(|sealed| StoredSealed {
        record: stored.id.clone(),
        entity: stored.entity.clone(),
        sealed,
    });
    Ok(Entries {
        record: stored.encode_to_vec().into(),
        sealed: sealed.map(|sealed| sealed.encode_to_vec().into()),
    })
}

/// An entry of the journal of records. Its sealed part, where it has one, is missing: it lies in
/// the other journal.
pub(crate) fn decode(bytes: &[u8], position: Position) -> Result<Arc<Recorded>, NotAnEntry> {
    Ok(Lent::decode(bytes)?.copied(position)?)
}

/// An entry of the journal of sealed parts.
pub(crate) struct Part {
    /// Whose it is.
    pub(crate) id: RecordId,
    /// What that belongs to.
    pub(crate) entity: EntityName,
    /// The part, as it lies there; `None` where it was destroyed.
    pub(crate) locked: Option<Bytes>,
}

impl Part {
    /// The part, decrypted.
    pub(crate) fn open(self, keyring: &Keyring) -> Result<Option<Bytes>, NotOpened> {
        let id = self.id.0;
        self.locked.map(|locked| keyring.open(id.as_bytes(), locked)).transpose()
    }
}

/// An entry of the journal of sealed parts.
pub(crate) fn decode_sealed(bytes: &[u8]) -> Result<Part, NotAnEntry> {
    let (mut record, mut entity, mut sealed) = ([].as_slice(), "", [].as_slice());
    for field in Fields::of(bytes) {
        let (number, value) = field?;
        match number {
            1 => record = value.bytes()?,
            2 => entity = value.text()?,
            3 => sealed = value.bytes()?,
            _ => {}
        }
    }
    let id = RecordId::from_slice(record).ok_or(NotARecord("record"))?;
    let entity = entity.parse().map_err(|_| NotARecord("entity"))?;
    let locked = (!is_destroyed(sealed)).then(|| Bytes::copy_from_slice(sealed));
    Ok(Part { id, entity, locked })
}

/// The same entry, as long as it was, without its part.
pub(crate) fn without_part(bytes: Bytes) -> Result<Bytes, NotAnEntry> {
    let stored = StoredSealed::decode(bytes).map_err(|_| NotAMessage)?;
    let sealed = destroyed(&stored.sealed);
    Ok(StoredSealed { sealed, ..stored }.encode_to_vec().into())
}

#[cfg(test)]
mod tests {
    use domain::ids::Home;
    use event_log::{Class, Key, Kind, Seal};

    use super::*;

    #[test]
    fn a_record_comes_back_as_it_was() {
        let home = Home { province: "68".parse().unwrap(), commune: "25126".parse().unwrap() };
        let record = Record {
            id: RecordId::of_purpose("x"),
            key: Key { class: Class::Alert, home, entity: "alert-x".parse().unwrap() },
            kind: Kind::Commit { version: 1 },
            open: Bytes::from_static(&[0, 255, 1]),
            sealed: Some(Bytes::from_static(b"sealed")),
            signature: None,
        };
        let keys = [Keyring::default(), Keyring::fresh().unwrap()];
        for keys in keys {
            let entries = encode(std::slice::from_ref(&record), &keys).unwrap().pop().unwrap();
            let recorded = decode(&entries.record, 7).unwrap();
            assert_eq!((recorded.position, &recorded.seal), (7, &Seal::Missing));
            assert_eq!((recorded.id, recorded.kind), (record.id, record.kind));
            assert_eq!((&recorded.key, &recorded.open), (&record.key, &record.open));
            let entry = entries.sealed.unwrap();
            let part = || decode_sealed(&entry).unwrap();
            assert_eq!((part().id, part().entity), (record.id, record.key.entity.clone()));
            assert_eq!(part().open(&keys), Ok(record.sealed.clone()));
            let without = without_part(entry.clone()).unwrap();
            assert_eq!(without.len(), entry.len());
            let gone = decode_sealed(&without).unwrap();
            assert_eq!((gone.id, &gone.entity), (record.id, &record.key.entity));
            assert_eq!(gone.open(&Keyring::default()), Ok(None), "no key is needed to destroy");
        }
    }

    #[test]
    fn what_is_none_of_ours_is_said_so() {
        let class = NotARecord("class");
        assert!(matches!(decode(&[], 1), Err(NotAnEntry::Record(why)) if why == class));
        assert!(matches!(decode(&[0xff; 9], 1), Err(NotAnEntry::Bytes(_))));
    }
}
