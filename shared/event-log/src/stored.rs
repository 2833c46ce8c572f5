//! The stored form of a record (`StoredRecord` of `storage.proto`), and back: one for every
//! journal, outbox and cache.
//!
//! Without the sealed part: whether it has one is all that is kept here.

use std::sync::Arc;

use bytes::Bytes;
use domain::ids::{Home, KeyId, Millis, RecordId};
use wire::{
    passkey::ASSERTION_BYTES_MAX,
    signing::ED25519_BYTES,
    spoken::id_bytes,
    v1::{self, StoredRecord},
};

use crate::record::{Class, Key, Kind, Position, Received, Record, Recorded, Seal, Signature};

/// A field of it is no value of ours: another program wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its {0} cannot be read")]
pub struct NotARecord(pub &'static str);

/// A record on its way into the log, as it is stored.
#[must_use]
pub fn said(record: &Record) -> StoredRecord {
    let Record { id, key, kind, open, sealed, signature } = record;
    let stored = form(*id, key, *kind, open, sealed.is_some());
    StoredRecord { signature: signature.as_deref().map(signature_said), ..stored }
}

/// A record that stands in the log, as it is stored. Its position is not: who stores it knows.
#[must_use]
pub fn stored(recorded: &Recorded) -> StoredRecord {
    let Recorded { position: _, id, key, kind, open, seal, signature } = recorded;
    let stored = form(*id, key, *kind, open, *seal != Seal::None);
    StoredRecord { signature: signature.as_deref().map(signature_said), ..stored }
}

fn form(id: RecordId, key: &Key, kind: Kind, open: &Bytes, has_sealed: bool) -> StoredRecord {
    StoredRecord {
        id: id_bytes(id.0),
        class: Class::said(key.class).into(),
        province: key.home.province.to_string(),
        commune: key.home.commune.to_string(),
        entity: key.entity.to_string(),
        version: match kind {
            Kind::Command => 0,
            Kind::Commit { version } => version,
        },
        open: open.clone(),
        has_sealed,
        signature: None,
    }
}

/// A signature, as it is stored.
#[must_use]
pub fn signature_said(signature: &Signature) -> v1::Signature {
    v1::Signature {
        key: Bytes::copy_from_slice(signature.key.as_bytes()),
        value: signature.value.clone(),
        received_at_ms: signature.received.map_or(0, |received| received.at.0),
        key_version: signature.received.map_or(0, |received| received.key_version),
    }
}

/// The signature as it was.
///
/// # Errors
/// [`NotARecord`]: another program wrote it.
pub fn signature_recalled(said: &v1::Signature) -> Result<Signature, NotARecord> {
    let received = Received { at: Millis(said.received_at_ms), key_version: said.key_version };
    if !(ED25519_BYTES..=ASSERTION_BYTES_MAX).contains(&said.value.len()) {
        return Err(NotARecord("signature"));
    }
    Ok(Signature {
        key: KeyId::from_slice(&said.key).ok_or(NotARecord("signature"))?,
        value: said.value.clone(),
        received: (said.key_version != 0).then_some(received),
    })
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
    let signature = stored.signature.as_ref().map(signature_recalled).transpose()?;
    Ok(Recorded {
        position,
        id: RecordId::from_slice(&stored.id).ok_or(NotARecord("id"))?,
        key: Key {
            class,
            home,
            entity: stored.entity.try_into().map_err(|_| NotARecord("entity"))?,
        },
        kind,
        open: stored.open,
        seal: if stored.has_sealed { Seal::Missing } else { Seal::None },
        signature: signature.map(Arc::new),
    })
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    fn record(class: Class, kind: Kind, sealed: Option<&'static [u8]>) -> Record {
        let home = Home { province: "68".parse().unwrap(), commune: "25126".parse().unwrap() };
        Record {
            id: RecordId::of_purpose("x"),
            key: Key { class, home, entity: "alert-x".parse().unwrap() },
            kind,
            open: Bytes::from_static(&[0, 255, 1]),
            sealed: sealed.map(Bytes::from_static),
            signature: None,
        }
    }

    #[test]
    fn a_signature_comes_back_as_it_was() {
        let value = Bytes::from_static(&[0xfe; 64]);
        let by_writer = Signature { key: KeyId::of(&[7; 32]), value, received: None };
        let received = Some(Received { at: Millis(-1), key_version: 3 });
        let by_person = Signature { received, ..by_writer.clone() };
        let by_passkey = Signature { value: vec![1; 300].into(), ..by_person.clone() };
        for signature in [by_person, by_writer, by_passkey] {
            let signature = Some(Arc::new(signature));
            let record = Record { signature, ..record(Class::Command, Kind::Command, None) };
            let back = recorded(said(&record), 7).unwrap();
            assert_eq!(back.signature, record.signature);
            assert_eq!(stored(&back), said(&record));
        }
    }

    #[test]
    fn a_record_comes_back_as_it_was() {
        for (class, kind) in [
            (Class::Command, Kind::Command),
            (Class::Alert, Kind::Commit { version: 1 }),
            (Class::Delivery, Kind::Commit { version: 2 }),
            (Class::Receipt, Kind::Commit { version: u64::MAX }),
            (Class::News, Kind::Commit { version: 3 }),
        ] {
            for (sealed, seal) in [(None, Seal::None), (Some(b"sealed".as_slice()), Seal::Missing)]
            {
                let record = record(class, kind, sealed);
                let back = recorded(said(&record), 7).unwrap();
                assert_eq!((back.position, back.id, back.kind), (7, record.id, kind));
                assert_eq!((&back.key, &back.open, &back.seal), (&record.key, &record.open, &seal));
                assert_eq!(stored(&back), said(&record), "one form, whoever stores it");
            }
        }
    }

    /// Journals that exist hold these bytes: a change here makes them unreadable.
    #[test]
    fn the_bytes_on_disk_do_not_change() {
        let commit = record(Class::Alert, Kind::Commit { version: 3 }, Some(b"sealed"));
        let id = commit.id.0.into_bytes();
        let fields =
            b"\x10\x02\x1a\x0268\x22\x0525126\x2a\x07alert-x\x30\x03\x3a\x03\x00\xff\x01@\x01";
        let bytes = [b"\x0a\x10".as_slice(), &id, fields].concat();
        assert_eq!(said(&commit).encode_to_vec(), bytes);
    }

    #[test]
    fn what_is_none_of_ours_is_said_so() {
        let good = || said(&record(Class::Alert, Kind::Commit { version: 1 }, None));
        let cases = [
            ("class", StoredRecord { class: 0, ..good() }),
            ("class", StoredRecord { class: 99, ..good() }),
            ("province", StoredRecord { province: "x".to_owned(), ..good() }),
            ("commune", StoredRecord { commune: "x".to_owned(), ..good() }),
            ("version", StoredRecord { version: 0, ..good() }),
            ("version", StoredRecord { class: 1, ..good() }),
            ("id", StoredRecord { id: Bytes::from_static(b"short"), ..good() }),
            ("entity", StoredRecord { entity: String::new(), ..good() }),
            ("signature", StoredRecord { signature: Some(v1::Signature::default()), ..good() }),
        ];
        for (field, wrong) in cases {
            assert_eq!(recorded(wrong, 1), Err(NotARecord(field)));
        }
    }
}
