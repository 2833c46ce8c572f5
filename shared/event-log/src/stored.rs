//! The stored form of a record (`StoredRecord` of `storage.proto`), and back: one for every
//! journal, outbox and cache.
//!
//! Without the sealed part: whether it has one is all that is kept here.

use std::sync::Arc;

use bytes::Bytes;
use domain::ids::{Home, KeyId, Millis, RecordId};
use wire::{
    fields::{Fields, NotAMessage},
    passkey::ASSERTION_BYTES_MAX,
    signing::ED25519_BYTES,
    spoken::id_bytes,
    v1::{self, RecordClass, StoredRecord},
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
    LentSignature::of(said).recalled()
}

/// The record as it was; its sealed part, where it had one, is missing.
///
/// # Errors
/// [`NotARecord`]: another program wrote it.
pub fn recorded(stored: StoredRecord, position: Position) -> Result<Recorded, NotARecord> {
    Lent::of(&stored).recorded(stored.open.clone(), position)
}

/// A stored record whose bytes are lent: what is read by the million is not copied before it is
/// known to be a record.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lent<'a> {
    id: &'a [u8],
    class: i32,
    province: &'a str,
    commune: &'a str,
    entity: &'a str,
    version: u64,
    open: &'a [u8],
    has_sealed: bool,
    signature: Option<LentSignature<'a>>,
}

/// A stored signature whose bytes are lent.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct LentSignature<'a> {
    key: &'a [u8],
    value: &'a [u8],
    received_at_ms: i64,
    key_version: u64,
}

impl<'a> Lent<'a> {
    /// The record that is stored as these bytes.
    ///
    /// # Errors
    /// [`NotAMessage`], where `StoredRecord` could not be decoded from them either, or has a group.
    #[inline]
    pub fn decode(bytes: &'a [u8]) -> Result<Self, NotAMessage> {
        let mut lent = Self::default();
        for field in Fields::of(bytes) {
            let (number, value) = field?;
            match number {
                1 => lent.id = value.bytes()?,
                2 => lent.class = value.number()? as i32,
                3 => lent.province = value.text()?,
                4 => lent.commune = value.text()?,
                5 => lent.entity = value.text()?,
                6 => lent.version = value.number()?,
                7 => lent.open = value.bytes()?,
                8 => lent.has_sealed = value.number()? != 0,
                9 => lent.signature.get_or_insert_default().add(value.bytes()?)?,
                _ => {}
            }
        }
        Ok(lent)
    }

    fn of(stored: &'a StoredRecord) -> Self {
        Self {
            id: &stored.id,
            class: stored.class,
            province: &stored.province,
            commune: &stored.commune,
            entity: &stored.entity,
            version: stored.version,
            open: &stored.open,
            has_sealed: stored.has_sealed,
            signature: stored.signature.as_ref().map(LentSignature::of),
        }
    }

    /// The record as it was, with an open part of its own: it keeps nothing of what was lent.
    ///
    /// # Errors
    /// [`NotARecord`]: another program wrote it.
    #[inline]
    pub fn copied(&self, position: Position) -> Result<Arc<Recorded>, NotARecord> {
        self.recorded(Bytes::copy_from_slice(self.open), position).map(Arc::new)
    }

    #[inline]
    fn recorded(&self, open: Bytes, position: Position) -> Result<Recorded, NotARecord> {
        let class = RecordClass::try_from(self.class).ok().and_then(Class::recalled);
        let class = class.ok_or(NotARecord("class"))?;
        let home = Home {
            province: self.province.parse().map_err(|_| NotARecord("province"))?,
            commune: self.commune.parse().map_err(|_| NotARecord("commune"))?,
        };
        let kind = match (class, self.version) {
            (Class::Command, 0) => Kind::Command,
            (Class::Command, _) | (_, 0) => return Err(NotARecord("version")),
            (_, version) => Kind::Commit { version },
        };
        let signature = self.signature.map(LentSignature::recalled).transpose()?;
        let entity = self.entity.parse().map_err(|_| NotARecord("entity"))?;
        Ok(Recorded {
            position,
            id: RecordId::from_slice(self.id).ok_or(NotARecord("id"))?,
            key: Key { class, home, entity },
            kind,
            open,
            seal: if self.has_sealed { Seal::Missing } else { Seal::None },
            signature: signature.map(Arc::new),
        })
    }
}

impl<'a> LentSignature<'a> {
    /// Takes the fields of a message, each in the place of what it was.
    fn add(&mut self, bytes: &'a [u8]) -> Result<(), NotAMessage> {
        for field in Fields::of(bytes) {
            let (number, value) = field?;
            match number {
                1 => self.key = value.bytes()?,
                2 => self.value = value.bytes()?,
                3 => self.received_at_ms = value.number()? as i64,
                4 => self.key_version = value.number()?,
                _ => {}
            }
        }
        Ok(())
    }

    fn of(said: &'a v1::Signature) -> Self {
        let v1::Signature { key, value, received_at_ms, key_version } = said;
        Self { key, value, received_at_ms: *received_at_ms, key_version: *key_version }
    }

    fn recalled(self) -> Result<Signature, NotARecord> {
        let Self { key, value, received_at_ms, key_version } = self;
        let received = Received { at: Millis(received_at_ms), key_version };
        if !(ED25519_BYTES..=ASSERTION_BYTES_MAX).contains(&value.len()) {
            return Err(NotARecord("signature"));
        }
        Ok(Signature {
            key: KeyId::from_slice(key).ok_or(NotARecord("signature"))?,
            value: Bytes::copy_from_slice(value),
            received: (key_version != 0).then_some(received),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::{
        Message as _,
        encoding::{WireType, encode_key, encode_varint},
    };

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

    /// Fields as another program could have written them: unknown ones, of the wrong kind, twice.
    fn any_field() -> impl Strategy<Value = Vec<u8>> {
        let fields = [WireType::Varint, WireType::SixtyFourBit, WireType::ThirtyTwoBit];
        let text = prop_oneof!["[0-9]{0,5}", "alert-[a-z]{0,3}"].prop_map(String::into_bytes);
        let signature = any::<(Vec<u8>, Vec<u8>, i64, u64)>();
        let signature = signature.prop_map(|(key, value, received_at_ms, key_version)| {
            let (key, value) = (key.into(), value.into());
            v1::Signature { key, value, received_at_ms, key_version }.encode_to_vec()
        });
        let bytes = prop_oneof![any::<Vec<u8>>(), text, signature];
        let number = prop_oneof![0..3_u64, any::<u64>()];
        prop_oneof![
            (1..12_u32, bytes).prop_map(|(tag, bytes)| {
                let mut field = Vec::new();
                encode_key(tag, WireType::LengthDelimited, &mut field);
                encode_varint(bytes.len() as u64, &mut field);
                [field, bytes].concat()
            }),
            (1..12_u32, prop::sample::select(fields.to_vec()), number).prop_map(
                |(tag, wire_type, number)| {
                    let mut field = Vec::new();
                    encode_key(tag, wire_type, &mut field);
                    match wire_type {
                        WireType::SixtyFourBit => field.extend(number.to_le_bytes()),
                        WireType::ThirtyTwoBit => field.extend((number as u32).to_le_bytes()),
                        _ => encode_varint(number, &mut field),
                    }
                    field
                }
            ),
        ]
    }

    fn as_lent(bytes: &[u8]) -> Option<Result<Arc<Recorded>, NotARecord>> {
        Lent::decode(bytes).ok().map(|lent| lent.copied(7))
    }

    fn as_generated(bytes: &[u8]) -> Option<Result<Arc<Recorded>, NotARecord>> {
        StoredRecord::decode(bytes).ok().map(|stored| recorded(stored, 7).map(Arc::new))
    }

    proptest! {
        /// What is lent is what the generated code reads.
        #[test]
        fn bytes_mean_one_record_however_they_are_read(
            fields in prop::collection::vec(any_field(), 0..5),
            after in any::<bool>(),
            cut in 0..40_usize,
            (at, bit) in (any::<prop::sample::Index>(), 0..8),
        ) {
            let (key, value) = (KeyId::of(&[7; 32]), vec![9; 64].into());
            let signed = Signature { key, value, received: None };
            let mut whole = record(Class::Command, Kind::Command, Some(b"sealed"));
            whole.signature = Some(Arc::new(signed));
            let whole = said(&whole).encode_to_vec();
            let more = fields.concat();
            let mut bytes = if after { [whole, more].concat() } else { [more, whole].concat() };
            bytes.truncate(bytes.len() - cut.saturating_sub(20));
            let (lent, generated) = (Lent::decode(&bytes), StoredRecord::decode(bytes.as_slice()));
            prop_assert_eq!(lent.clone().ok(), generated.as_ref().ok().map(Lent::of));
            prop_assert_eq!(as_lent(&bytes), as_generated(&bytes));
            // A bit that has turned may begin a group, which is refused here.
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            if let Ok(lent) = Lent::decode(&bytes) {
                let generated = StoredRecord::decode(bytes.as_slice()).unwrap();
                prop_assert_eq!(lent, Lent::of(&generated));
            }
        }
    }
}
