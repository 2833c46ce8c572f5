//! Sealed parts as a stream, for whoever reads a whole class again: asking for each of them would
//! take longer than all the rest. What does not come this way is asked for as ever.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, SystemTime},
};

use async_nats::jetstream::consumer::{Consumer, DeliverPolicy, pull};
use bytes::Bytes;
use domain::ids::RecordId;
use event_log::{follower::hash_of, record::Recorded};
use futures::StreamExt;

use crate::{
    follow::{MESSAGES_MAX, ephemeral},
    log::Inner,
    message::Raw,
    subject::Stream,
};

/// A part stands in its stream within so long of its record.
const APART_MAX: Duration = Duration::from_secs(10);
/// The next part comes within this, or none does.
const NEXT_MAX: Duration = Duration::from_secs(2);
/// Parts that were read and that nobody has asked for yet.
const BYTES_MAX: usize = 16 << 20;

type Name = (RecordId, [u8; 32]);

/// The parts in their order, up to where they were needed.
#[derive(Default)]
pub(crate) struct SealedAhead {
    parts: Option<pull::Stream>,
    /// Nothing more is read: the end was reached, or there was trouble.
    ended: bool,
    /// When the last one that was read was written.
    at: Option<SystemTime>,
    read: HashMap<Name, Bytes>,
    order: VecDeque<Name>,
    bytes: usize,
}

impl SealedAhead {
    /// The sealed part of a record that was written then; `None` where it must be asked for.
    pub(crate) async fn part(
        &mut self,
        inner: &Inner,
        recorded: &Recorded,
        written: SystemTime,
    ) -> Option<Bytes> {
        let name = (recorded.id, hash_of(&recorded.open));
        loop {
            if let Some(part) = self.read.remove(&name) {
                self.bytes = self.bytes.saturating_sub(part.len());
                return Some(part);
            }
            if self.ended || self.at.is_some_and(|at| at > written + APART_MAX) {
                return None;
            }
            if self.read_one(inner).await.is_none() {
                self.ended = true;
                self.parts = None;
            }
        }
    }

    async fn read_one(&mut self, inner: &Inner) -> Option<()> {
        let parts = match &mut self.parts {
            Some(parts) => parts,
            None => self.parts.insert(begin(inner).await?),
        };
        let next = tokio::time::timeout(NEXT_MAX, parts.next()).await.ok()??.ok()?;
        let info = next.info().ok()?;
        let (at, pending) = (SystemTime::from(info.published), info.pending);
        let raw = Raw::of(next.split().0, 0);
        self.at = Some(at);
        self.ended = pending == 0;
        if let Some(name) = raw.sealed_for() {
            self.keep(name, raw.payload);
        }
        Some(())
    }

    fn keep(&mut self, name: Name, part: Bytes) {
        self.bytes += part.len();
        match self.read.insert(name, part) {
            None => self.order.push_back(name),
            Some(same) => self.bytes = self.bytes.saturating_sub(same.len()),
        }
        while self.bytes > BYTES_MAX {
            let Some(oldest) = self.order.pop_front() else { break };
            self.bytes -= self.read.remove(&oldest).map_or(0, |part| part.len());
        }
        // Names of what was taken since stay behind in the order.
        if self.order.len() > 2 * self.read.len() + MESSAGES_MAX {
            self.order.retain(|name| self.read.contains_key(name));
        }
    }
}

async fn begin(inner: &Inner) -> Option<pull::Stream> {
    let context = &inner.broker.context;
    let config = ephemeral(DeliverPolicy::All);
    let consumer: Consumer<pull::Config> =
        context.create_consumer_on_stream(config, Stream::Sealed.name()).await.ok()?;
    consumer.stream().max_messages_per_batch(MESSAGES_MAX).messages().await.ok()
}
