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
    let mut lasts: BTreeMap<Stream, Settled> = BTreeMap::new();
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
                if let Some(sequence) = stands
                    && lasts.get(&stream).is_none_or(|last| place(last, stream) < sequence)
                {
                    lasts.insert(stream, settled.moved(stream, sequence));
                }
            }
        }
    }
    pass.look_for_forgotten(suspects, &lasts, &mut healing).await?;
    if healing.gaps == 0 {
        suspects.iter().for_each(|stream| inner.outbox.healed(*stream, lasts.remove(stream)));
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
    let mut astray = BTreeSet::new();
    while from < end {
        let part = settled_from(inner, from).await.map_err(Unread::because)?;
        let Some((settled, next)) = part else { break };
        from = next;
        for settled in settled.iter().filter(|settled| entries.contains(&settled.said)) {
            for (stream, anchor) in settled.anchors() {
                // Sealed parts are destroyed by right, and no proof speaks of them.
                let raw = match stream {
                    Stream::Sealed => continue,
                    Stream::Of(_) => inner.broker.at(stream, anchor.sequence).await?,
                };
                if !raw.is_some_and(|raw| message::is(&raw, stream, anchor.id, &anchor.open)) {
                    astray.insert(stream);
                }
            }
        }
    }
    Ok(astray)
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
    /// Where the last that this process said in a stream was forgotten here, and is lost there.
    async fn look_for_forgotten(
        &self,
        suspects: &[Stream],
        lasts: &BTreeMap<Stream, Settled>,
        healing: &mut Healing,
    ) -> Result<(), Unread> {
        for stream in suspects {
            let forgotten = matches!(stream, Stream::Of(_)) && !lasts.contains_key(stream);
            let Some(anchor) = self.inner.outbox.anchor(*stream).filter(|_| forgotten) else {
                continue;
            };
            let there = self.inner.broker.at(*stream, anchor.sequence).await?;
            if !there.is_some_and(|raw| message::is(&raw, *stream, anchor.id, &anchor.open)) {
                healing.gone += 1;
                healing.name(anchor.id);
                tracing::error!(record = %anchor.id, stream = stream.name(), "only the audit has it");
            }
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
        let there = self.inner.broker.at(stream, anchor.sequence).await?;
        if there.is_some_and(|raw| message::is(&raw, stream, anchor.id, &anchor.open)) {
            return Ok(Some(anchor.sequence));
        }
        let record = self.inner.outbox.record(said)?;
        let fate = match (stream, record.kind) {
            (Stream::Sealed, _) => self.restore_sealed(&record).await?,
            (_, Kind::Command) => self.restore_command(&record).await?,
            (_, Kind::Commit { version }) => self.restore_commit(&record, version).await?,
        };
        let (how, at) = match fate {
            Fate::Present(sequence) => return Ok(Some(sequence)),
            Fate::Gap => {
                healing.gaps += 1;
                return Ok(None);
            }
            Fate::Erased => return Ok(None),
            Fate::Hopeless => {
                tracing::error!(record = %record.id, "a lost record is refused by the log");
                return Ok(None);
            }
            Fate::Sent(sequence) => {
                healing.sent += 1;
                ("sent", Some(sequence))
            }
            Fate::Recovered => {
                healing.recovered += 1;
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
                        let there = ours.get(index).map_or(0, |(raw, _)| raw.sequence);
                        return Ok(Fate::Present(there));
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
