//! Records as messages: what stands in headers, and back. Ids, versions and names stand in
//! headers; the payload is the bytes of one part, untouched.

use std::sync::Arc;

use async_nats::HeaderMap;
use bytes::Bytes;
use domain::{
    hex::{hex, unhex},
    ids::RecordId,
};
use event_log::{
    follower::hash_of,
    record::{Class, Key, Kind, Record, Recorded, Seal, Signature},
    stored::{signature_recalled, signature_said},
};
use prost::Message as _;
use wire::v1;

use crate::subject::{self, Stream};

const ID: &str = "Keng-Id";
const KIND: &str = "Keng-Kind";
const ENTITY: &str = "Keng-Entity";
const VERSION: &str = "Keng-Version";
/// Present where the record has a sealed part.
const SEALED: &str = "Keng-Sealed";
/// Present where somebody signed the open part: `Signature` of `storage.proto`, in hex.
const SIGNATURE: &str = "Keng-Signature";
/// On a sealed part: SHA-256 of its open part. A repeated command may have brought another
/// sealed part under the same id; only this says which belongs to the record in the log.
const OPEN: &str = "Keng-Open";

/// A message on its way to a stream.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) subject: String,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Bytes,
}

/// A message as it lies in a stream.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    pub(crate) subject: String,
    pub(crate) sequence: u64,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Bytes,
}

/// What a record's message demands of the broker.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Demand {
    /// The sequence of the last message on the subject; `None` where an earlier message of the
    /// same batch comes before it.
    pub(crate) last: Option<u64>,
    /// Whether the broker is told the id. It is not where the broker remembers an id whose
    /// message it has lost.
    pub(crate) labelled: bool,
}

/// The open part of a record.
pub(crate) fn open(record: &Record, demand: Demand) -> Message {
    let mut headers = HeaderMap::new();
    let id = record.id.to_string();
    if demand.labelled {
        headers.insert("Nats-Msg-Id", id.as_str());
    }
    if let Some(last) = demand.last {
        headers.insert("Nats-Expected-Last-Subject-Sequence", last.to_string().as_str());
    }
    headers.insert(ID, id.as_str());
    headers.insert(ENTITY, record.key.entity.as_str());
    match record.kind {
        Kind::Command => {
            headers.insert(KIND, "command");
            let anywhere = subject::of_command_anywhere(record.id);
            headers.insert("Nats-Expected-Last-Subject-Sequence-Subject", anywhere.as_str());
        }
        Kind::Commit { version } => {
            headers.insert(KIND, "commit");
            headers.insert(VERSION, version.to_string().as_str());
        }
    }
    if record.sealed.is_some() {
        headers.insert(SEALED, "1");
    }
    if let Some(signature) = &record.signature {
        let said = signature_said(signature).encode_to_vec();
        headers.insert(SIGNATURE, hex(&said).as_str());
    }
    Message { subject: subject::of_record(record), headers, payload: record.open.clone() }
}

/// The sealed part of a record; `None` where it has none.
pub(crate) fn sealed(record: &Record, labelled: bool) -> Option<Message> {
    let payload = record.sealed.clone()?;
    let (id, open) = (record.id.to_string(), hex(&hash_of(&record.open)));
    let mut headers = HeaderMap::new();
    if labelled {
        headers.insert("Nats-Msg-Id", format!("{id}:{}", open.get(..16)?).as_str());
    }
    headers.insert(ID, id.as_str());
    headers.insert(OPEN, open.as_str());
    Some(Message { subject: subject::of_sealed(&record.key), headers, payload })
}

impl Raw {
    /// A message that a consumer brought; 0 where nobody asks for its sequence.
    pub(crate) fn of(message: async_nats::Message, sequence: u64) -> Self {
        Self {
            subject: message.subject.to_string(),
            sequence,
            headers: message.headers.unwrap_or_default(),
            payload: message.payload,
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(async_nats::HeaderValue::as_str)
    }

    /// The id of the record that this is a part of.
    pub(crate) fn id(&self) -> Option<RecordId> {
        self.header(ID)?.parse().ok()
    }

    /// A commit's version.
    pub(crate) fn version(&self) -> Option<u64> {
        self.header(VERSION)?.parse().ok()
    }

    /// Whether this is the sealed part of the record with that id and that open part.
    pub(crate) fn seals(&self, id: RecordId, open: &[u8; 32]) -> bool {
        self.id() == Some(id) && self.header(OPEN) == Some(hex(open).as_str())
    }

    /// The id and the hash of the open part that this sealed part belongs to.
    pub(crate) fn sealed_for(&self) -> Option<(RecordId, [u8; 32])> {
        Some((self.id()?, unhex(self.header(OPEN)?)?.try_into().ok()?))
    }

    /// Who signed the open part; `None` where the header is none of ours.
    fn signature(&self) -> Option<Option<Arc<Signature>>> {
        let Some(said) = self.header(SIGNATURE) else { return Some(None) };
        let said = v1::Signature::decode(unhex(said)?.as_slice()).ok()?;
        Some(Some(Arc::new(signature_recalled(&said).ok()?)))
    }

    /// The record. Its seal is `Missing` where it has one: it lies in another stream.
    /// `None` where the message is not ours.
    pub(crate) fn recorded(&self, class: Class) -> Option<Recorded> {
        let kind = match self.header(KIND)? {
            "command" if class == Class::Command => Kind::Command,
            "commit" if class != Class::Command => Kind::Commit { version: self.version()? },
            _ => return None,
        };
        let key = Key {
            class,
            home: subject::home(&self.subject)?,
            entity: self.header(ENTITY)?.parse().ok()?,
        };
        let seal = if self.header(SEALED).is_some() { Seal::Missing } else { Seal::None };
        let (id, open, signature) = (self.id()?, self.payload.clone(), self.signature()?);
        Some(Recorded { position: self.sequence, id, key, kind, open, seal, signature })
    }
}

/// Whether the stream's message is what `id` and `open` name.
pub(crate) fn is(raw: &Raw, stream: Stream, id: RecordId, open: &[u8; 32]) -> bool {
    match stream {
        Stream::Of(_) => raw.id() == Some(id) && hash_of(&raw.payload) == *open,
        Stream::Sealed => raw.seals(id, open),
    }
}
