//! How far the audit's tree was read, which entries it covers, and forgetting those that were
//! covered long ago.

use std::sync::Arc;

use bytes::Bytes;
use domain::ids::Millis;
use merkle::{Frontier, Hash, VerifierKey, hash};
use prost::Message;
use tokio::task::spawn_blocking;

use super::{Anchor, Entry, Healed, Outbox, OutboxTrouble, Settled};
use crate::{cache::lock, owed::Leaf, subject::Stream};

/// A place that may be forgotten up to is remembered so often.
const MARK_EVERY_MS: i64 = 60 * 60 * 1_000;

/// As it is written down.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Proven {
    /// The log's own key, as a vkey.
    #[prost(string, tag = "1")]
    key: String,
    #[prost(uint64, tag = "2")]
    size: u64,
    /// The roots of the complete subtrees, the largest first.
    #[prost(bytes = "bytes", repeated, tag = "3")]
    edge: Vec<Bytes>,
    /// Every entry before this one is covered, or need not be.
    #[prost(uint64, tag = "4")]
    below: u64,
    /// Entries from there on that this reading found covered.
    #[prost(uint64, repeated, tag = "5")]
    beyond: Vec<u64>,
    #[prost(int64, tag = "6")]
    at_ms: i64,
}

/// How far the tree of an audit was read, and by whom it is signed.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) key: VerifierKey,
    pub(crate) tree: Frontier,
}

/// By then every entry below this one was covered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    at: Millis,
    below: u64,
}

impl Proven {
    fn known(&self) -> Option<Known> {
        let hash = |hash: &Bytes| <[u8; 32]>::try_from(hash.as_ref()).ok().map(Hash::from);
        let edge = self.edge.iter().map(hash).collect::<Option<Vec<_>>>()?;
        let tree = Frontier::from_parts(self.size, edge).ok()?;
        Some(Known { key: self.key.parse().ok()?, tree })
    }
}

impl Outbox {
    /// How far the tree was read; `None` before the first time.
    pub(crate) fn known(&self) -> Option<Known> {
        lock(&self.known).clone()
    }

    /// What no proof covers yet, in the order of its leaves. Reads what was said since the last
    /// time; blocks.
    pub(crate) fn owed_leaves(&self) -> Result<Vec<(Leaf, u64)>, OutboxTrouble> {
        let unhashed = lock(&self.owed).unhashed();
        for entry in unhashed {
            let leaf = hash::leaf(&self.record(entry)?.open);
            if let Some((half, _)) = leaf.as_bytes().split_first_chunk() {
                lock(&self.owed).hashed(entry, *half);
            }
        }
        let mut leaves = lock(&self.owed).leaves();
        leaves.sort_unstable();
        Ok(leaves)
    }

    /// The tree was read so far, and these entries are among its leaves.
    pub(crate) fn prove(&self, known: Known, covered: &[u64], now: Millis) {
        let mut owed = lock(&self.owed);
        owed.proven(0, covered);
        // Nothing is said while `owed` is held.
        let below = owed.first().unwrap_or_else(|| self.journal.end());
        drop(owed);
        let proven = Proven {
            key: known.key.to_string(),
            size: known.tree.size(),
            edge: known.tree.edge().iter().map(|hash| hash.as_bytes().to_vec().into()).collect(),
            below,
            beyond: covered.iter().copied().filter(|entry| *entry >= below).collect(),
            at_ms: now.0,
        };
        self.mark(&proven);
        *lock(&self.known) = Some(known);
        if let Err(error) = self.append(&Entry { proven: Some(proven), ..Entry::default() }) {
            tracing::warn!(%error, "how far the audit's tree was read was not written down");
        }
    }

    pub(super) fn replay_proven(&self, proven: &Proven) {
        lock(&self.owed).proven(proven.below, &proven.beyond);
        self.mark(proven);
        match proven.known() {
            Some(known) => *lock(&self.known) = Some(known),
            None => tracing::error!("how far the audit's tree was read cannot be understood"),
        }
    }

    fn mark(&self, proven: &Proven) {
        let mut marks = lock(&self.marks);
        let last = marks.back().map_or(i64::MIN, |mark| mark.at.0);
        if proven.at_ms.saturating_sub(last) >= MARK_EVERY_MS {
            marks.push_back(Mark { at: Millis(proven.at_ms), below: proven.below });
        }
    }

    /// Forgets entries that were covered before `before`, file by file, and none from `from` on.
    pub(crate) async fn forget(
        self: Arc<Self>,
        before: Millis,
        from: Option<u64>,
    ) -> Result<(), OutboxTrouble> {
        let Some(mark) = self.passed(before) else { return Ok(()) };
        let below = mark.below.min(from.unwrap_or(u64::MAX));
        // Where a stream stood last would be forgotten with the entry that said it.
        if let Some(last) = self.keep_anchors()? {
            self.journal.durable(last).await.map_err(OutboxTrouble::because)?;
        }
        let journal = self.journal.clone();
        let forgotten = spawn_blocking(move || journal.forget_before(below)).await;
        let forgotten = forgotten.map_err(OutboxTrouble::because)?;
        let forgotten = forgotten.map_err(OutboxTrouble::because)?;
        lock(&self.parts).forget_before(forgotten.begin);
        lock(&self.size).shrink(forgotten.bytes);
        if forgotten.bytes > 0 {
            tracing::info!(?forgotten, "what was proven long ago was forgotten here");
        }
        Ok(())
    }

    /// Says once more where each stream stood last; the last entry that does.
    fn keep_anchors(&self) -> Result<Option<u64>, OutboxTrouble> {
        let anchors = lock(&self.anchors);
        let mut last_entry = None;
        for (stream, anchor) in anchors.iter() {
            let healed = Healed { stream: stream.code(), last: Some(last(*stream, anchor)) };
            last_entry = Some(self.append(&Entry { healed: Some(healed), ..Entry::default() })?);
        }
        Ok(last_entry)
    }

    /// The newest mark that was made before then; the older ones are of no use any more.
    fn passed(&self, before: Millis) -> Option<Mark> {
        let mut marks = lock(&self.marks);
        let passed = marks.partition_point(|mark| mark.at < before);
        marks.drain(..passed).next_back()
    }
}

fn last(stream: Stream, anchor: &Anchor) -> Settled {
    let stands = Settled {
        said: 0,
        id: Bytes::copy_from_slice(anchor.id.0.as_bytes()),
        open: Bytes::copy_from_slice(&anchor.open),
        stream: stream.code(),
        sequence: 0,
        sealed: 0,
    };
    stands.moved(stream, anchor.sequence)
}

#[cfg(test)]
mod tests {
    use domain::ids::{AlertId, Home, RecordId};
    use event_log::record::{Class, Key, Kind, Record};
    use merkle::LogKey;

    use super::*;
    use crate::options::NatsOptions;

    const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

    fn alert() -> AlertId {
        AlertId::raised_by(RecordId::of_purpose("an alert"))
    }

    fn record(number: u64) -> Record {
        let entity = domain::ids::EntityName::alert(alert());
        Record {
            id: RecordId::of_purpose(&format!("record {number}")),
            key: Key { class: Class::Command, home: Home::NATION, entity },
            kind: Kind::Command,
            open: Bytes::from(format!("open {number}")),
            sealed: Some(vec![7; 50_000].into()),
            signature: None,
        }
    }

    fn open(dir: &std::path::Path) -> Outbox {
        let options = NatsOptions::new("nats://127.0.0.1:1", dir, "test");
        let (outbox, left) = Outbox::open(dir, &options).unwrap();
        assert!(left.commands.is_empty(), "all is settled");
        outbox
    }

    fn known(leaves: u64) -> Known {
        let key = LogKey::from_seed("log", &[1; 32]).unwrap().verifier().clone();
        let mut tree = Frontier::default();
        (0..leaves).for_each(|number| tree.push(hash::leaf(&record(number).open)));
        Known { key, tree }
    }

    fn say(outbox: &Outbox, numbers: std::ops::Range<u64>) -> Vec<u64> {
        let records: Vec<Record> = numbers.map(record).collect();
        let said = outbox.say(&records, Millis(0)).unwrap();
        let settle = said
            .iter()
            .zip(&records)
            .map(|(said, record)| Settled::new(*said, record, said + 1, Some(said + 1)));
        outbox.settle(settle.collect());
        said
    }

    #[tokio::test]
    async fn only_what_was_proven_long_ago_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Arc::new(open(dir.path()));
        let forget = |before| Arc::clone(&outbox).forget(Millis(before), None);
        let said = say(&outbox, 0..700);
        assert_eq!(outbox.owed_leaves().unwrap().len(), 700);
        outbox.journal.durable(outbox.end() - 1).await.unwrap();
        forget(DAY_MS).await.unwrap();
        assert_eq!(outbox.begin(), 0, "nothing is proven");

        outbox.prove(known(1), &said[..600], Millis(DAY_MS));
        forget(DAY_MS).await.unwrap();
        assert_eq!(outbox.begin(), 0, "it was proven just now");
        let bytes = lock(&outbox.size).bytes();
        forget(DAY_MS + 1).await.unwrap();
        let begin = outbox.begin();
        assert!((300..=600).contains(&begin), "{begin}: file by file");
        assert!(lock(&outbox.size).bytes() < bytes);
        assert!(outbox.record(begin - 1).is_err());
        assert_eq!(outbox.record(begin).unwrap(), record(begin));
        let command = Stream::Of(Class::Command);
        let anchors = (outbox.anchor(command).unwrap(), outbox.anchor(Stream::Sealed).unwrap());
        outbox.close().await;
        drop(outbox);

        let outbox = Arc::new(open(dir.path()));
        assert_eq!(outbox.begin(), begin);
        assert_eq!(outbox.known().unwrap().tree, known(1).tree);
        assert_eq!(outbox.owed_leaves().unwrap().len(), 100);
        assert_eq!(outbox.anchor(command), Some(anchors.0), "where the stream stood is kept");
        assert_eq!(outbox.anchor(Stream::Sealed), Some(anchors.1));
        // What is left can be destroyed, and what is gone is gone.
        assert_eq!(Arc::clone(&outbox).erase(alert()).await, Ok(700 - begin));
        outbox.close().await;
    }

    #[tokio::test]
    async fn what_is_proven_out_of_order_is_known_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = open(dir.path());
        let said = say(&outbox, 0..5);
        outbox.prove(known(2), &[said[1], said[4]], Millis(1));
        outbox.prove(known(3), &[said[0]], Millis(2));
        let left = |outbox: &Outbox| -> Vec<u64> {
            let mut left: Vec<u64> =
                outbox.owed_leaves().unwrap().into_iter().map(|(_, entry)| entry).collect();
            left.sort_unstable();
            left
        };
        assert_eq!(left(&outbox), said[2..4]);
        outbox.close().await;
        drop(outbox);
        let outbox = open(dir.path());
        assert_eq!(left(&outbox), said[2..4]);
        assert_eq!(outbox.known().unwrap().tree, known(3).tree);
        outbox.close().await;
    }
}
