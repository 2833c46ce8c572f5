//! Nobody forgets what it said: what the outbox holds and a stream has lost is sent again, oldest
//! first. A commit whose ordinal was taken meanwhile is appended as `Recovered`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use domain::{ids::RecordId, loss::NAMED_MAX};
use event_log::{
    follower::hash_of,
    record::{Kind, Record},
    recovery::{self, Back},
};
use tokio::time::Instant;

use crate::{
    alarm,
    log::Inner,
    message::{self, Raw},
    outbox::{Anchor, OutboxTrouble, Settled},
    read::Unread,
    subject::{self, Stream},
    writer::{NotPut, Over, Put},
};

const PATIENCE: Duration = Duration::from_secs(5);
/// How often a recovered commit meets another at its version before the pass is given up.
const RACES_MAX: u32 = 20;

/// What one pass did.
#[derive(Debug, Default)]
pub(crate) struct Healing {
    /// Sent again as they were.
    pub(crate) sent: u64,
    /// Appended as recovered.
    pub(crate) recovered: u64,
    /// Not yet: commits before them, of other processes, are lost too.
    pub(crate) gaps: u64,
    /// Proven and forgotten here, and lost there: the audit alone has them.
    pub(crate) gone: u64,
    /// Some of those that were lost.
    pub(crate) records: Vec<RecordId>,
}

impl Healing {
    fn name(&mut self, record: RecordId) {
        if self.records.len() < NAMED_MAX {
            self.records.push(record);
        }
    }
}

/// Why a pass ended early. Try again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unhealed {
    #[error(transparent)]
    Unread(#[from] Unread),
    #[error(transparent)]
    Outbox(#[from] OutboxTrouble),
    #[error("not sent again: {0}")]
    NotSent(String),
}

impl From<NotPut> for Unhealed {
    fn from(error: NotPut) -> Self {
        Self::NotSent(format!("{error:?}"))
    }
}

enum Fate {
    /// It stands elsewhere in the stream.
    Present(u64),
    Sent(u64),
    Recovered,
    /// A commit that recovers it stands in the stream.
    Contained,
    /// A commit before it is missing.
    Gap,
    /// The log will never take it.
    Hopeless,
    /// It was destroyed by right.
    Erased,
}

/// Compares all that the outbox says of these streams with them, and sends again what is lost.
/// With `through_gaps`, a commit does not wait for lost commits before it.
pub(crate) async fn heal(
    inner: &Arc<Inner>,
    suspects: &[Stream],
    connection: u64,
    through_gaps: bool,
) -> Result<Healing, Unhealed> {
    inner.writer.forget();
    let pass = Pass { inner, over: Over::This(connection), through_gaps };
    let mut healing = Healing::default();
    let mut lasts: BTreeMap<Stream, Option<Settled>> = BTreeMap::new();
    let (mut from, end) = (inner.outbox.begin(), inner.outbox.end());
    while from < end {
        let Some((settled, next)) = settled_from(inner, from).await? else { break };
        from = next;
        for settled in settled {
            if settled.said < inner.outbox.begin() {
                continue;
            }
            for (stream, anchor) in settled.anchors() {
                if !suspects.contains(&stream) {
                    continue;
                }
                let stands = pass.stands(stream, &anchor, settled.said, &mut healing).await?;
                let last = lasts.entry(stream).or_default();
                let before = last.as_ref().map_or(0, |last| place(last, stream));
                if let Some(sequence) = stands.filter(|sequence| *sequence > before) {
                    *last = Some(settled.moved(stream, sequence));
                }
            }
        }
    }
    if healing.gaps == 0 {
        for stream in suspects {
            match lasts.remove(stream) {
                Some(last) => inner.outbox.healed(*stream, last),
                None => pass.look_for_forgotten(*stream, &mut healing).await?,
            }
        }
    }
    inner.writer.forget();
    Ok(healing)
}

/// The streams that do not have what these entries said, as it was settled.
pub(crate) async fn astray(
    inner: &Arc<Inner>,
    entries: &[u64],
) -> Result<BTreeSet<Stream>, Unread> {
    let (Some(first), entries) = (entries.first(), entries.iter().collect::<BTreeSet<_>>()) else {
        return Ok(BTreeSet::new());
    };
    let (mut from, end) = (*first, inner.outbox.end());
    // Healing may have moved a record since it was first settled.
    let mut places: BTreeMap<(u64, Stream), Anchor> = BTreeMap::new();
    while from < end {
        let part = settled_from(inner, from).await.map_err(Unread::because)?;
        let Some((settled, next)) = part else { break };
        from = next;
        for settled in settled.iter().filter(|settled| entries.contains(&settled.said)) {
            let anchors = settled.anchors().into_iter();
            places.extend(anchors.map(|(stream, anchor)| ((settled.said, stream), anchor)));
        }
    }
    let mut astray = BTreeSet::new();
    for ((_, stream), anchor) in places {
        // Sealed parts are destroyed by right, and no proof speaks of them.
        if stream == Stream::Sealed || astray.contains(&stream) {
            continue;
        }
        if !inner.broker.has(stream, &anchor).await? {
            astray.insert(stream);
        }
    }
    Ok(astray)
}

/// Finds out what became of commits that were said and of which nobody heard: such a commit may
/// stand in the log, be decided upon and be shown.
pub(crate) async fn settle_unheard(inner: &Arc<Inner>, entries: &[u64]) -> Result<(), Unhealed> {
    for said in entries {
        let reader = Arc::clone(inner);
        let said = *said;
        let record = tokio::task::spawn_blocking(move || reader.outbox.record(said)).await;
        let record = record.map_err(|error| Unhealed::NotSent(error.to_string()))??;
        let (stream, subject) = (Stream::Of(record.key.class), subject::of_record(&record));
        let open = hash_of(&record.open);
        let history = inner.broker.history(stream, &subject).await?;
        let there = history.iter().find(|raw| message::is(raw, stream, record.id, &open));
        let settled = match there {
            None => Settled::dropped(said, &record),
            Some(raw) => {
                let parts = subject::of_sealed(&record.key);
                let parts = match record.sealed {
                    Some(_) => inner.broker.history(Stream::Sealed, &parts).await?,
                    None => Vec::new(),
                };
                let part = parts.iter().find(|part| part.seals(record.id, &open));
                Settled::new(said, &record, raw.sequence, part.map(|part| part.sequence))
            }
        };
        inner.outbox.settle(vec![settled]);
    }
    Ok(())
}

async fn settled_from(
    inner: &Arc<Inner>,
    from: u64,
) -> Result<Option<(Vec<Settled>, u64)>, Unhealed> {
    let reader = Arc::clone(inner);
    let part = tokio::task::spawn_blocking(move || reader.outbox.settled_from(from)).await;
    Ok(part.map_err(|error| Unhealed::NotSent(error.to_string()))??)
}

fn place(settled: &Settled, stream: Stream) -> u64 {
    let anchors = settled.anchors();
    anchors.iter().find(|(of, _)| *of == stream).map_or(0, |(_, anchor)| anchor.sequence)
}

struct Pass<'a> {
    inner: &'a Inner,
    over: Over,
    through_gaps: bool,
}

impl Pass<'_> {
    /// Where all that this process said in a stream was forgotten here: whether the last of it is
    /// lost there.
    async fn look_for_forgotten(
        &self,
        stream: Stream,
        healing: &mut Healing,
    ) -> Result<(), Unread> {
        let Some(anchor) = self.inner.outbox.anchor(stream) else { return Ok(()) };
        if self.inner.broker.has(stream, &anchor).await? {
            return Ok(());
        }
        self.inner.outbox.healed(stream, None);
        // Sealed parts are destroyed by right.
        if stream != Stream::Sealed {
            healing.gone += 1;
            healing.name(anchor.id);
            tracing::error!(record = %anchor.id, stream = stream.name(), "only the audit has it");
        }
        Ok(())
    }

    /// Where the message stands now, after sending it again where it was lost.
    async fn stands(
        &self,
        stream: Stream,
        anchor: &Anchor,
        said: u64,
        healing: &mut Healing,
    ) -> Result<Option<u64>, Unhealed> {
        if self.inner.broker.has(stream, anchor).await? {
            return Ok(Some(anchor.sequence));
        }
        let record = self.inner.outbox.record(said)?;
        let fate = match (stream, record.kind) {
            (Stream::Sealed, _) => self.restore_sealed(&record).await?,
            (_, Kind::Command) => self.restore_command(&record).await?,
            (_, Kind::Commit { version }) => self.restore_commit(&record, version).await?,
        };
        let (how, at) = match fate {
            Fate::Present(sequence) => {
                self.moved(stream, &record, said, sequence);
                return Ok(Some(sequence));
            }
            Fate::Gap => {
                healing.gaps += 1;
                return Ok(None);
            }
            Fate::Erased => return Ok(None),
            Fate::Hopeless => {
                tracing::error!(record = %record.id, "a lost record is refused by the log");
                self.inner.outbox.settle(vec![Settled::dropped(said, &record)]);
                return Ok(None);
            }
            Fate::Contained => {
                self.inner.outbox.settle(vec![Settled::dropped(said, &record)]);
                return Ok(None);
            }
            Fate::Sent(sequence) => {
                healing.sent += 1;
                self.moved(stream, &record, said, sequence);
                ("sent", Some(sequence))
            }
            Fate::Recovered => {
                healing.recovered += 1;
                // What recovers it is said, and owed, in its place.
                self.inner.outbox.settle(vec![Settled::dropped(said, &record)]);
                ("recovered", None)
            }
        };
        healing.name(record.id);
        metrics::counter!("keng_outbox_healed_total", "class" => stream.word(), "how" => how)
            .increment(1);
        tracing::error!(
            record = %record.id, stream = stream.name(), sequence = anchor.sequence, how,
            "the broker had lost a record"
        );
        Ok(at)
    }

    /// Where a record stands now, for who looks next.
    fn moved(&self, stream: Stream, record: &Record, said: u64, sequence: u64) {
        if let Stream::Of(_) = stream {
            self.inner.outbox.settle(vec![Settled::new(said, record, sequence, None)]);
        }
    }

    async fn restore_sealed(&self, record: &Record) -> Result<Fate, Unhealed> {
        let entity = &record.key.entity;
        // Whoever was away when it was erased learns of it before saying it again.
        if record.sealed.is_none() || self.inner.is_erased(entity).await? {
            return Ok(Fate::Erased);
        }
        let subject = subject::of_sealed(&record.key);
        let open = hash_of(&record.open);
        let parts = self.inner.broker.history(Stream::Sealed, &subject).await?;
        if let Some(raw) = parts.iter().find(|raw| raw.seals(record.id, &open)) {
            return Ok(Fate::Present(raw.sequence));
        }
        let one = std::slice::from_ref(record);
        let seals = self.inner.writer.put_sealed(one, self.over, deadline()).await?;
        let part = seals.first().copied().flatten();
        Ok(part.map_or(Fate::Hopeless, |part| Fate::Sent(part.sequence)))
    }

    async fn restore_command(&self, record: &Record) -> Result<Fate, Unhealed> {
        let one = std::slice::from_ref(record);
        match self.inner.writer.put_open(one, self.over, deadline()).await {
            Ok(puts) => Ok(match puts.first() {
                Some(Put::Stored { sequence, .. }) => Fate::Sent(*sequence),
                Some(Put::Repeat { first, .. }) => Fate::Present(first.position),
                None => Fate::Hopeless,
            }),
            Err(NotPut::Refused(_) | NotPut::Conflict(_)) => Ok(Fate::Hopeless),
            Err(error) => Err(error.into()),
        }
    }

    async fn restore_commit(&self, record: &Record, version: u64) -> Result<Fate, Unhealed> {
        let (stream, subject) = (Stream::Of(record.key.class), subject::of_record(record));
        for _race in 0..RACES_MAX {
            let history = self.inner.broker.history(stream, &subject).await?;
            let ids = history.iter().filter_map(|raw| Some((raw, raw.id()?)));
            let ours: Vec<(&Raw, RecordId)> = ids.collect();
            let last = history.last().and_then(Raw::version).unwrap_or(0);
            let said = ours.iter().map(|(raw, id)| (*id, &raw.payload));
            let (put, fate): (_, fn(u64) -> Fate) =
                match recovery::back(record, version, said, (last, self.through_gaps)) {
                    Back::Stands(index) => {
                        let there = ours.get(index).filter(|(_, id)| *id == record.id);
                        let present = there.map(|(raw, _)| Fate::Present(raw.sequence));
                        return Ok(present.unwrap_or(Fate::Contained));
                    }
                    Back::Gap => return Ok(Fate::Gap),
                    Back::AsItWas => {
                        let one = std::slice::from_ref(record);
                        let put = self.inner.writer.put_open(one, self.over, deadline()).await;
                        (put, Fate::Sent)
                    }
                    Back::Recovered(recovered) => {
                        (self.recover(&recovered).await?, |_| Fate::Recovered)
                    }
                };
            match put {
                Ok(puts) => {
                    let put = puts.first().map(|put| fate(put.position()));
                    return Ok(put.unwrap_or(Fate::Hopeless));
                }
                Err(NotPut::Conflict(_)) => {}
                Err(NotPut::Refused(_)) => return Ok(Fate::Hopeless),
                Err(error) => return Err(error.into()),
            }
        }
        Err(Unhealed::NotSent(format!("{} does not come to rest", record.key.entity)))
    }

    /// What recovers is said by this process too, so that it is not forgotten either.
    async fn recover(&self, record: &Record) -> Result<Result<Vec<Put>, NotPut>, Unhealed> {
        let one = std::slice::from_ref(record);
        let said = self.inner.outbox.say(one, alarm::now())?.first().copied().unwrap_or(0);
        let put = self.inner.writer.put_open(one, self.over, deadline()).await;
        let settled = match &put {
            Ok(puts) => puts.first().map(|put| Settled::new(said, record, put.position(), None)),
            Err(NotPut::Unknown(_)) => None,
            Err(_) => Some(Settled::dropped(said, record)),
        };
        if let Some(settled) = settled {
            self.inner.outbox.settle(vec![settled]);
        }
        Ok(put)
    }
}

fn deadline() -> Instant {
    Instant::now() + PATIENCE
}
