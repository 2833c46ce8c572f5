//! The outbox: everything that this process has said, open and sealed, and where the broker
//! acknowledged it. A journal, kept until the audit's proofs cover it and for a while beyond; in
//! memory are only what is not settled or not covered, and the last place of each stream.

mod lost;
mod proven;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use domain::ids::{AlertId, EntityName, Millis, RecordId};
use event_log::{
    erasing::{Parts, destroyed, is_destroyed},
    follower::hash_of,
    record::{Kind, Record, Recorded},
    stored,
};
use journal::{Journal, Options};
use keyring::{Keyring, NotOpened};
use prost::Message;
use tokio::task::spawn_blocking;
use wire::v1::StoredRecord;

use crate::{
    alarm::Size,
    cache::lock,
    options::{NatsOptions, OpenError},
    outbox::{
        lost::Lost,
        proven::{Mark, Proven},
    },
    owed::Owed,
    subject::Stream,
};

pub use lost::Loss;
pub(crate) use proven::Known;

const SCAN_ENTRIES_MAX: usize = 256;
const SCAN_BYTES_MAX: usize = 4 << 20;
/// Entries remembered as not on disk before those on disk by now are forgotten.
const WET_MAX: usize = 1_024;

/// One entry of the journal: exactly one of these.
#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(message, optional, tag = "1")]
    said: Option<Said>,
    /// What became of entries said before.
    #[prost(message, repeated, tag = "2")]
    settled: Vec<Settled>,
    /// After healing: the last place of a stream, whatever stood in entries before.
    #[prost(message, optional, tag = "3")]
    healed: Option<Healed>,
    /// How far the audit's tree was read, and what it proves.
    #[prost(message, optional, tag = "4")]
    proven: Option<Proven>,
    /// What the broker had lost.
    #[prost(message, optional, tag = "5")]
    lost: Option<Lost>,
    /// The index of a loss that is recorded in the log by now.
    #[prost(uint64, optional, tag = "6")]
    told: Option<u64>,
}

#[derive(Clone, PartialEq, Message)]
struct Said {
    #[prost(message, optional, tag = "1")]
    record: Option<StoredRecord>,
    /// Encrypted, where there is a key.
    #[prost(bytes = "bytes", optional, tag = "2")]
    sealed: Option<Bytes>,
    /// When: a command that is held waits since then.
    #[prost(int64, tag = "3")]
    at_ms: i64,
}

/// Where a said record stands at the broker.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct Settled {
    /// The index of the entry that said it.
    #[prost(uint64, tag = "1")]
    pub(crate) said: u64,
    #[prost(bytes = "bytes", tag = "2")]
    id: Bytes,
    /// SHA-256 of the open part.
    #[prost(bytes = "bytes", tag = "3")]
    open: Bytes,
    /// The stream's number, see `subject`.
    #[prost(uint32, tag = "4")]
    stream: u32,
    /// 0: it is not in the log, and need not be.
    #[prost(uint64, tag = "5")]
    sequence: u64,
    /// Where its sealed part stands; 0 where it has none.
    #[prost(uint64, tag = "6")]
    sealed: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Healed {
    #[prost(uint32, tag = "1")]
    stream: u32,
    #[prost(message, optional, tag = "2")]
    last: Option<Settled>,
}

/// A message that the broker acknowledged: what must stand where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Anchor {
    pub(crate) sequence: u64,
    pub(crate) id: RecordId,
    pub(crate) open: [u8; 32],
}

impl Settled {
    pub(crate) fn new(said: u64, record: &Record, sequence: u64, sealed: Option<u64>) -> Self {
        Self {
            said,
            id: Bytes::copy_from_slice(record.id.0.as_bytes()),
            open: Bytes::copy_from_slice(&hash_of(&record.open)),
            stream: Stream::Of(record.key.class).code(),
            sequence,
            sealed: sealed.unwrap_or(0),
        }
    }

    /// It is not in the log and need not be: a repeat, or refused by the log.
    pub(crate) fn dropped(said: u64, record: &Record) -> Self {
        Self::new(said, record, 0, None)
    }

    /// The same record's part in one stream, at another place.
    pub(crate) fn moved(&self, stream: Stream, sequence: u64) -> Self {
        let (sequence, sealed) =
            if stream == Stream::Sealed { (0, sequence) } else { (sequence, 0) };
        Self { sequence, sealed, ..self.clone() }
    }

    /// What must stand in which streams.
    pub(crate) fn anchors(&self) -> Vec<(Stream, Anchor)> {
        let (Some(id), Ok(open)) = (RecordId::from_slice(&self.id), self.open.as_ref().try_into())
        else {
            return Vec::new();
        };
        let open_part = Stream::of_code(self.stream).map(|stream| (stream, self.sequence));
        [open_part, Some((Stream::Sealed, self.sealed))]
            .into_iter()
            .flatten()
            .filter(|(_, sequence)| *sequence > 0)
            .map(|(stream, sequence)| (stream, Anchor { sequence, id, open }))
            .collect()
    }
}

/// The outbox cannot take or give an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the outbox: {0}")]
pub(crate) struct OutboxTrouble(pub(crate) String);

impl OutboxTrouble {
    fn because(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Outbox {
    journal: Journal,
    keyring: Keyring,
    /// The last acknowledged place of each stream.
    anchors: Mutex<BTreeMap<Stream, Anchor>>,
    /// Entries said and not known to be on disk, by record.
    wet: Mutex<HashMap<RecordId, u64>>,
    /// What no proof covers yet. Held while something is said.
    owed: Mutex<Owed>,
    /// How far the audit's tree was read.
    known: Mutex<Option<Known>>,
    /// Up to where what is covered may be forgotten, the oldest first.
    marks: Mutex<VecDeque<Mark>>,
    /// Whose sealed parts lie where.
    parts: Mutex<Parts>,
    size: Mutex<Size>,
}

/// What the last run left.
pub(crate) struct Left {
    /// Commands that were said and never settled, in order.
    pub(crate) commands: Vec<Unsettled>,
    /// What the broker had lost, and the log does not say yet.
    pub(crate) losses: Vec<Loss>,
}

/// What is gathered while the journal is read.
#[derive(Default)]
struct Replayed {
    unsettled: BTreeSet<u64>,
    losses: BTreeMap<u64, Loss>,
}

/// A command that was said and never settled.
pub(crate) struct Unsettled {
    /// The index of the entry that said it.
    pub(crate) said: u64,
    pub(crate) since: Millis,
    pub(crate) record: Record,
}

impl Outbox {
    /// Opens the journal and reads it once.
    pub(crate) fn open(dir: &Path, options: &NatsOptions) -> Result<(Self, Left), OpenError> {
        let (reserve, keyring) = (options.reserve.clone(), options.keyring.clone());
        let options = Options { reserve, ..Options::default() }.with_sync_delay(options.sync_delay);
        let (journal, _recovery) = Journal::open(dir, options)?;
        let outbox = Self {
            journal,
            keyring,
            anchors: Mutex::default(),
            wet: Mutex::default(),
            owed: Mutex::default(),
            known: Mutex::default(),
            marks: Mutex::default(),
            parts: Mutex::default(),
            size: Mutex::default(),
        };
        let mut replayed = Replayed::default();
        let mut from = outbox.journal.begin();
        loop {
            let entries = outbox.entries(from).map_err(|error| OpenError::Unreadable(error.0))?;
            if entries.is_empty() {
                break;
            }
            for (index, entry) in &entries {
                let sealed = entry.said.as_ref().and_then(|said| said.sealed.as_ref());
                if let Some(key) = sealed.and_then(|sealed| outbox.keyring.lacks(sealed)) {
                    return Err(OpenError::NoKey { dir: dir.to_owned(), key });
                }
                outbox.replay(*index, entry, &mut replayed);
                from = index + 1;
            }
        }
        let commands = replayed
            .unsettled
            .into_iter()
            .map(|index| outbox.unsettled(index))
            .collect::<Result<Vec<_>, OutboxTrouble>>()
            .map_err(|error| OpenError::Unreadable(error.0))?;
        Ok((outbox, Left { commands, losses: replayed.losses.into_values().collect() }))
    }

    fn replay(&self, index: u64, entry: &Entry, replayed: &mut Replayed) {
        lock(&self.size).grow(entry.encoded_len());
        if let Some(said) = &entry.said
            && let Some((record, sealed)) = said.record.as_ref().zip(said.sealed.as_ref())
            && let Ok(entity) = record.entity.parse()
            && !is_destroyed(sealed)
        {
            lock(&self.parts).lies_at(&entity, index);
        }
        if let Some(record) = entry.said.as_ref().and_then(|said| said.record.as_ref()) {
            let is_command = record.class == 1;
            lock(&self.owed).said(index, is_command);
            if is_command {
                replayed.unsettled.insert(index);
            }
        }
        for settled in &entry.settled {
            replayed.unsettled.remove(&settled.said);
            self.raise(&mut lock(&self.anchors), settled);
        }
        if let Some(proven) = &entry.proven {
            self.replay_proven(proven);
        }
        if let Some(lost) = &entry.lost {
            replayed.losses.insert(index, lost.loss(index));
        }
        if let Some(told) = &entry.told {
            replayed.losses.remove(told);
        }
        if let Some(healed) = &entry.healed
            && let Some(stream) = Stream::of_code(healed.stream)
        {
            lock(&self.anchors).remove(&stream);
            let last = healed.last.iter().flat_map(Settled::anchors);
            let anchor = last.filter(|(of, _)| *of == stream).map(|(_, anchor)| anchor).next();
            if let Some(anchor) = anchor {
                lock(&self.anchors).insert(stream, anchor);
            }
        }
    }

    /// Takes in where a record stands, or that it need not.
    fn raise(&self, anchors: &mut BTreeMap<Stream, Anchor>, settled: &Settled) {
        match settled.sequence {
            0 => lock(&self.owed).settled(settled.said),
            _ => lock(&self.owed).stands(settled.said),
        }
        for (stream, anchor) in settled.anchors() {
            let last = anchors.entry(stream).or_insert(anchor);
            if anchor.sequence > last.sequence {
                *last = anchor;
            }
        }
    }

    /// Writes records down, without waiting for the disk. Their indices, in order.
    pub(crate) fn say(&self, records: &[Record], now: Millis) -> Result<Vec<u64>, OutboxTrouble> {
        let mut indices = Vec::with_capacity(records.len());
        for record in records {
            let encrypt = |sealed| self.keyring.lock(record.id.0.as_bytes(), sealed);
            let sealed = record.sealed.as_ref().map(encrypt).transpose();
            let said = Said {
                record: Some(stored::said(record)),
                sealed: sealed.map_err(OutboxTrouble::because)?,
                at_ms: now.0,
            };
            let mut parts = lock(&self.parts);
            if record.sealed.is_some() && parts.is_erased(&record.key.entity) {
                return Err(OutboxTrouble("its entity is being erased".to_owned()));
            }
            let mut owed = lock(&self.owed);
            let index = self.append(&Entry { said: Some(said), ..Entry::default() })?;
            owed.said(index, record.kind == Kind::Command);
            drop(owed);
            if record.sealed.is_some() {
                parts.lies_at(&record.key.entity, index);
            }
            drop(parts);
            lock(&self.wet).insert(record.id, index);
            indices.push(index);
        }
        self.dry(WET_MAX);
        Ok(indices)
    }

    /// Writes down where records stand. Nobody waits for it: what is lost of it is found out.
    pub(crate) fn settle(&self, settled: Vec<Settled>) {
        // Held, so that the entries say in their order what the anchors are.
        let mut anchors = lock(&self.anchors);
        settled.iter().for_each(|settled| self.raise(&mut anchors, settled));
        if let Err(error) = self.append(&Entry { settled, ..Entry::default() }) {
            tracing::warn!(%error, "an acknowledgement was not written down");
        }
    }

    /// After healing a stream: its last place among what this process said.
    pub(crate) fn healed(&self, stream: Stream, last: Option<Settled>) {
        let anchor = last.iter().flat_map(Settled::anchors).find(|(of, _)| *of == stream);
        match anchor {
            Some((_, anchor)) => lock(&self.anchors).insert(stream, anchor),
            None => lock(&self.anchors).remove(&stream),
        };
        let healed = Some(Healed { stream: stream.code(), last });
        if let Err(error) = self.append(&Entry { healed, ..Entry::default() }) {
            tracing::warn!(%error, "that a stream was healed was not written down");
        }
    }

    fn append(&self, entry: &Entry) -> Result<u64, OutboxTrouble> {
        let payload = Bytes::from(entry.encode_to_vec());
        lock(&self.size).grow(payload.len());
        self.journal.append(payload).map_err(OutboxTrouble::because)
    }

    /// The last acknowledged place of a stream.
    pub(crate) fn anchor(&self, stream: Stream) -> Option<Anchor> {
        lock(&self.anchors).get(&stream).copied()
    }

    /// Waits until what this process said under the id is on disk; at once where it said nothing.
    pub(crate) async fn durable(&self, id: RecordId) -> Result<(), OutboxTrouble> {
        let Some(index) = lock(&self.wet).get(&id).copied() else { return Ok(()) };
        self.journal.durable(index).await.map_err(OutboxTrouble::because)?;
        self.dry(0);
        Ok(())
    }

    /// Forgets the entries that are on disk by now, where more than so many are remembered.
    fn dry(&self, many: usize) {
        let mut wet = lock(&self.wet);
        if wet.len() > many {
            let end = self.journal.durable_end();
            wet.retain(|_, index| *index >= end);
        }
    }

    /// The record said at an index.
    pub(crate) fn record(&self, index: u64) -> Result<Record, OutboxTrouble> {
        Ok(self.unsettled(index)?.record)
    }

    fn unsettled(&self, index: u64) -> Result<Unsettled, OutboxTrouble> {
        let payload = self.journal.read(index).map_err(OutboxTrouble::because)?;
        let entry = Entry::decode(payload).map_err(OutboxTrouble::because)?;
        let said =
            entry.said.ok_or_else(|| OutboxTrouble(format!("entry {index} says nothing")))?;
        let since = Millis(said.at_ms);
        let record = self.record_of(said).map_err(OutboxTrouble::because)?;
        let record = record.ok_or_else(|| OutboxTrouble(format!("entry {index} is no record")))?;
        Ok(Unsettled { said: index, since, record })
    }

    /// `None` where it is none.
    fn record_of(&self, said: Said) -> Result<Option<Record>, NotOpened> {
        let recorded = said.record.and_then(|stored| stored::recorded(stored, 0).ok());
        let Some(Recorded { id, key, kind, open, signature, .. }) = recorded else {
            return Ok(None);
        };
        let locked = said.sealed.filter(|sealed| !is_destroyed(sealed));
        let unlock = |locked| self.keyring.open(id.0.as_bytes(), locked);
        let sealed = locked.map(unlock).transpose()?;
        Ok(Some(Record { id, key, kind, open, sealed, signature }))
    }

    /// What was settled, from an index on, in parts: `None` past the end.
    pub(crate) fn settled_from(
        &self,
        from: u64,
    ) -> Result<Option<(Vec<Settled>, u64)>, OutboxTrouble> {
        let entries = self.entries(from)?;
        let Some((last, _)) = entries.last() else { return Ok(None) };
        let next = last + 1;
        Ok(Some((entries.into_iter().flat_map(|(_, entry)| entry.settled).collect(), next)))
    }

    /// The first entry there is.
    pub(crate) fn begin(&self) -> u64 {
        self.journal.begin()
    }

    /// What no proof covers yet.
    pub(crate) fn owed(&self) -> MutexGuard<'_, Owed> {
        lock(&self.owed)
    }

    /// How many entries there are now.
    pub(crate) fn end(&self) -> u64 {
        self.journal.end()
    }

    fn entries(&self, from: u64) -> Result<Vec<(u64, Entry)>, OutboxTrouble> {
        if from >= self.journal.end() {
            return Ok(Vec::new());
        }
        let payloads = self
            .journal
            .read_from(from, SCAN_ENTRIES_MAX, SCAN_BYTES_MAX)
            .map_err(OutboxTrouble::because)?;
        (from..)
            .zip(payloads)
            .map(|(index, payload)| {
                let entry = Entry::decode(payload).map_err(OutboxTrouble::because)?;
                Ok((index, entry))
            })
            .collect()
    }

    /// Takes the sealed part off what comes after an erasure.
    pub(crate) fn strip(&self, records: &mut [Record]) {
        lock(&self.parts).strip(records);
    }

    /// Whether the sealed parts of this entity were destroyed.
    pub(crate) fn is_erased(&self, entity: &EntityName) -> bool {
        lock(&self.parts).is_erased(entity)
    }

    /// Of how many alerts this process knows that they were erased.
    pub(crate) fn erased(&self) -> usize {
        lock(&self.parts).erased()
    }

    /// Destroys the sealed parts of what belongs to the alert, and takes none of it any more. How
    /// many there were.
    pub(crate) async fn erase(self: Arc<Self>, alert: AlertId) -> Result<u64, OutboxTrouble> {
        let entries = lock(&self.parts).erase(alert);
        let Some(last) = entries.iter().max() else { return Ok(0) };
        self.journal.durable(*last).await.map_err(OutboxTrouble::because)?;
        let outbox = Arc::clone(&self);
        let destroying = spawn_blocking(move || outbox.destroy(&entries).map(|()| entries));
        let entries = destroying.await.map_err(OutboxTrouble::because)??;
        lock(&self.parts).gone(alert, &entries);
        Ok(entries.len() as u64)
    }

    fn destroy(&self, indices: &[u64]) -> Result<(), OutboxTrouble> {
        let mut without: BTreeMap<u64, Bytes> = BTreeMap::new();
        for index in indices {
            let was = self.journal.read(*index).map_err(OutboxTrouble::because)?;
            let mut entry = Entry::decode(was).map_err(OutboxTrouble::because)?;
            if let Some(sealed) = entry.said.as_mut().and_then(|said| said.sealed.as_mut()) {
                *sealed = destroyed(sealed);
            }
            without.insert(*index, entry.encode_to_vec().into());
        }
        self.journal.replace(&without).map_err(OutboxTrouble::because)
    }

    /// Writes out what waits, and ends.
    pub(crate) async fn close(&self) {
        self.journal.clone().close().await;
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::Home;
    use event_log::record::{Class, Key, Kind};

    use super::*;

    fn command(name: &str) -> Record {
        let entity = "alert-a".parse().unwrap();
        Record {
            id: RecordId::of_purpose(name),
            key: Key { class: Class::Command, home: Home::NATION, entity },
            kind: Kind::Command,
            open: Bytes::from_static(b"open"),
            sealed: Some(Bytes::from_static(b"sealed")),
            signature: None,
        }
    }

    #[tokio::test]
    async fn what_waits_has_waited_since_before_the_restart() {
        let dir = tempfile::tempdir().unwrap();
        let options = NatsOptions::new("nats://127.0.0.1:1", dir.path(), "test");
        let (outbox, left) = Outbox::open(dir.path(), &options).unwrap();
        assert!(left.commands.is_empty());
        let (old, sent, late) = (command("old"), command("sent"), command("late"));
        let said = outbox.say(&[old.clone(), sent.clone()], Millis(1_000)).unwrap();
        outbox.say(std::slice::from_ref(&late), Millis(2_000)).unwrap();
        outbox.settle(vec![Settled::new(said[1], &sent, 7, None)]);
        let bytes = lock(&outbox.size).bytes();
        outbox.close().await;
        drop(outbox);

        let (outbox, left) = Outbox::open(dir.path(), &options).unwrap();
        let waiting: Vec<_> = left
            .commands
            .iter()
            .map(|unsettled| (unsettled.said, unsettled.since, &unsettled.record))
            .collect();
        assert_eq!(waiting, [(0, Millis(1_000), &old), (2, Millis(2_000), &late)]);
        assert_eq!(lock(&outbox.size).bytes(), bytes, "what was found counts");
        outbox.close().await;
    }
}
