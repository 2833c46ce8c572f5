//! Which streams may have lost something that this process said. Cheap, so that it can be asked
//! each minute: a stream that still has our last message, and no new hole, has lost nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use async_nats::jetstream::stream::Info;
use tokio::sync::Notify;

use crate::{
    broker::Broker,
    cache::lock,
    outbox::{Anchor, Outbox},
    read::Unread,
    subject::Stream,
};

/// Streams of which somebody has shown that they lack something, whatever they look like.
#[derive(Debug, Default)]
pub(crate) struct Doubts {
    streams: Mutex<BTreeSet<Stream>>,
    told: Notify,
}

impl Doubts {
    /// These are to be compared, now.
    pub(crate) fn tell(&self, streams: BTreeSet<Stream>) {
        lock(&self.streams).extend(streams);
        self.told.notify_one();
    }

    /// Waits until somebody tells.
    pub(crate) async fn told(&self) {
        self.told.notified().await;
    }

    pub(crate) fn streams(&self) -> BTreeSet<Stream> {
        lock(&self.streams).clone()
    }

    /// These were compared, and what they lacked was sent again.
    pub(crate) fn settle(&self, compared: &[Stream]) {
        lock(&self.streams).retain(|stream| !compared.contains(stream));
    }
}

/// What tells a stream with holes from one without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Shape {
    first: u64,
    deleted: u64,
}

impl Shape {
    pub(crate) fn of(info: &Info) -> Self {
        let state = &info.state;
        let span = (state.last_sequence + 1).saturating_sub(state.first_sequence);
        let missing = span.saturating_sub(state.messages);
        let deleted = state.deleted_count.unwrap_or(0).max(missing);
        Self {
            first: state.first_sequence.max(1),
            deleted: if state.messages == 0 { 0 } else { deleted },
        }
    }

    /// A stream that never lost anything in its middle.
    pub(crate) const WHOLE: Self = Self { first: 1, deleted: 0 };
}

/// The last place of each stream that the broker acknowledged to this process. Taken before the
/// streams are looked at, so that what is acknowledged meanwhile does not look lost.
pub(crate) fn anchors(outbox: &Outbox) -> BTreeMap<Stream, Anchor> {
    Stream::ALL.into_iter().filter_map(|stream| Some((stream, outbox.anchor(stream)?))).collect()
}

/// The streams in which something of this process may be lost. `known` are the shapes at the
/// last complete comparison.
pub(crate) async fn suspects(
    broker: &Broker,
    anchors: &BTreeMap<Stream, Anchor>,
    infos: &[(Stream, Info)],
    known: &BTreeMap<Stream, Shape>,
    fresh: bool,
) -> Result<Vec<Stream>, Unread> {
    let mut suspects = Vec::new();
    for (stream, info) in infos {
        let Some(anchor) = anchors.get(stream) else { continue };
        // Sealed parts are destroyed by right, which leaves holes all the time: they are looked
        // into on each connection, since a broker finds its damage when it starts.
        let shaped = *stream == Stream::Sealed && !fresh
            || Shape::of(info) == known.get(stream).copied().unwrap_or(Shape::WHOLE);
        if !shaped || !stands(broker, *stream, anchor, info).await? {
            suspects.push(*stream);
        }
    }
    Ok(suspects)
}

async fn stands(
    broker: &Broker,
    stream: Stream,
    anchor: &Anchor,
    info: &Info,
) -> Result<bool, Unread> {
    if info.state.last_sequence < anchor.sequence {
        return Ok(false);
    }
    broker.has(stream, anchor).await
}
