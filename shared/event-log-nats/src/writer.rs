//! Putting records into their stream: what is expected of the subject, what is done where the
//! broker answers otherwise, and the sealed parts beside it. A time-out is unknown, never failed:
//! the same records are said again, under the same ids, until the broker has told.
//!
//! No outbox and no holding: see `append`, `held`, `heal`. The sealed parts: `sealing`.

use std::{collections::HashMap, sync::Arc, time::Duration};

use event_log::{
    follower::hash_of,
    record::{Kind, Record, Recorded, Seal},
};
use tokio::time::Instant;

use crate::{
    broker::{Acked, Broker, Unpublished},
    cache::Cache,
    message::{self, Demand, Raw},
    read::Unread,
    sealed::Sealed,
    state::State,
    subject::{self, Stream},
};

/// How long one attempt waits for its acknowledgement.
pub(crate) const ATTEMPT_MAX: Duration = Duration::from_secs(2);
const PAUSE_MAX: Duration = Duration::from_millis(500);
/// How often a batch is refused before commands are sent one by one.
pub(crate) const BATCH_REFUSALS_MAX: u32 = 2;
/// How often the broker names a duplicate that is not there before it is no longer told ids.
const GHOSTS_MAX: u32 = 2;
/// How long the first record under a repeated id waits for its sealed part.
const REPEAT_SEAL_MAX: Duration = Duration::from_secs(1);
/// Entities whose last place is remembered, in one of two generations.
const ENTITIES_MAX: usize = 32_768;

/// Over which connection records may leave.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Over {
    /// Any that the keeper has opened, waiting for it.
    Open,
    /// This one, whether opened or not: the keeper heals before it opens.
    This(u64),
}

/// What became of one record.
#[derive(Debug, Clone)]
pub(crate) enum Put {
    /// It stands at this sequence; its sealed part at the other.
    Stored { sequence: u64, sealed: Option<u64> },
    /// A command whose id was in the log already, with other bytes or from earlier.
    Repeat { first: Arc<Recorded>, sealed: Option<u64> },
}

impl Put {
    pub(crate) fn position(&self) -> u64 {
        match self {
            Self::Stored { sequence, .. } => *sequence,
            Self::Repeat { first, .. } => first.position,
        }
    }
}

/// Why records were not put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotPut {
    /// The version is taken, or too far ahead. Nothing was appended.
    Conflict(String),
    /// They can never be put as they are.
    Refused(String),
    /// Not known: say them again.
    Unknown(String),
}

impl From<Unread> for NotPut {
    fn from(unread: Unread) -> Self {
        Self::Unknown(unread.to_string())
    }
}

/// Where a record's subject stands.
enum Looked {
    Free,
    Stored(u64),
    Repeat(Recorded),
}

/// Puts records.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) broker: Broker,
    pub(crate) sealed: Arc<Sealed>,
    state: State,
    /// By subject: the last version and its sequence.
    places: Cache<String, (u64, u64)>,
}

/// One call's way to the broker.
struct Attempt {
    number: u32,
    refusals: u32,
    ghosts: u32,
}

impl Writer {
    pub(crate) fn new(broker: Broker, sealed: Arc<Sealed>, state: State) -> Self {
        Self { broker, sealed, state, places: Cache::new(ENTITIES_MAX) }
    }

    /// Forgets where entities stand.
    pub(crate) fn forget(&self) {
        self.places.clear();
    }

    /// Remembers where an entity stands, as read from the leader.
    pub(crate) fn learn(&self, subject: String, version: u64, sequence: u64) {
        self.places.put(subject, (version, sequence), 1);
    }

    /// Puts records of one class, commits all or none, and their sealed parts beside them.
    pub(crate) async fn put(
        &self,
        records: &[Record],
        over: Over,
        deadline: Instant,
    ) -> Result<Vec<Put>, NotPut> {
        let open = self.put_open(records, over, deadline);
        let sealed = self.put_sealed(records, over, deadline);
        let (open, sealed) = futures::future::join(open, sealed).await;
        self.take_back(records, &open, &sealed);
        let (mut puts, seals) = (open?, sealed?);
        for (put, seal) in puts.iter_mut().zip(seals) {
            let (Put::Stored { sealed, .. } | Put::Repeat { sealed, .. }) = put;
            *sealed = seal.map(|part| part.sequence);
        }
        records.iter().for_each(|record| self.sealed.wrote(record));
        Ok(puts)
    }

    /// A connection over which records may leave.
    pub(crate) async fn leave(&self, over: Over, deadline: Instant) -> Result<u64, NotPut> {
        match over {
            Over::Open => self
                .state
                .passage_until(deadline)
                .await
                .ok_or_else(|| NotPut::Unknown("the broker is away, or not trusted".to_owned())),
            Over::This(connection) if self.state.connection() == Some(connection) => Ok(connection),
            Over::This(_) => Err(NotPut::Unknown("the connection was lost".to_owned())),
        }
    }

    /// Whether what was said over this connection may be believed.
    pub(crate) fn believes(&self, over: Over, connection: u64) -> bool {
        match over {
            Over::Open => self.state.passage() == Some(connection),
            Over::This(_) => self.state.connection() == Some(connection),
        }
    }

    /// Puts the open parts alone.
    pub(crate) async fn put_open(
        &self,
        records: &[Record],
        over: Over,
        deadline: Instant,
    ) -> Result<Vec<Put>, NotPut> {
        let mut puts: Vec<Option<Put>> = vec![None; records.len()];
        // Who heals has a broker that may remember the id of a message that it has lost.
        let ghosts = if matches!(over, Over::This(_)) { GHOSTS_MAX } else { 0 };
        let mut attempt = Attempt { number: 0, refusals: 0, ghosts };
        loop {
            let connection = self.leave(over, deadline).await?;
            let rest: Vec<(usize, &Record)> = records
                .iter()
                .enumerate()
                .filter(|(place, _)| puts.get(*place).is_some_and(Option::is_none))
                .collect();
            if rest.is_empty() {
                return Ok(puts.into_iter().flatten().collect());
            }
            let trouble = match self.try_open(&rest, &attempt, deadline).await {
                Ok(stored) if self.believes(over, connection) => {
                    fill(&mut puts, stored);
                    continue;
                }
                Ok(_) => "the connection was lost".to_owned(),
                Err(Tried::Look) => {
                    let before = rest.len();
                    self.look_at(&rest, &mut puts, &attempt).await?;
                    let after = puts.iter().filter(|put| put.is_none()).count();
                    attempt.ghosts += u32::from(before == after);
                    attempt.number += 1;
                    if Instant::now() >= deadline {
                        return Err(NotPut::Unknown("the entity does not come to rest".to_owned()));
                    }
                    continue;
                }
                Err(Tried::Told(why)) => {
                    attempt.refusals += 1;
                    why
                }
                Err(Tried::Unknown(why)) => why,
            };
            attempt.number += 1;
            pause(attempt.number, deadline, trouble).await?;
        }
    }

    /// Says the rest once: alone, as a batch, or one by one.
    async fn try_open(
        &self,
        rest: &[(usize, &Record)],
        attempt: &Attempt,
        deadline: Instant,
    ) -> Result<Vec<(usize, u64)>, Tried> {
        let labelled = attempt.ghosts < GHOSTS_MAX;
        let mut messages = Vec::with_capacity(rest.len());
        let mut written: HashMap<String, u64> = HashMap::new();
        for (_, record) in rest {
            let last = self.expected(record, &mut written).await?;
            messages.push(message::open(record, Demand { last, labelled }));
        }
        let patience = ATTEMPT_MAX.min(deadline.saturating_duration_since(Instant::now()));
        let commands = rest.iter().all(|(_, record)| record.kind == Kind::Command);
        let singly = rest.len() == 1 || (commands && attempt.refusals >= BATCH_REFUSALS_MAX);
        let mut stored = Vec::with_capacity(rest.len());
        if singly {
            for ((place, record), message) in rest.iter().zip(messages) {
                let acked = match self.broker.publish(message, patience).await {
                    Ok(acked) => acked,
                    // The others' places are kept: those still to come are said again.
                    Err(_) if !stored.is_empty() => break,
                    Err(error) => return Err(error.into()),
                };
                if acked.duplicate {
                    if stored.is_empty() {
                        return Err(Tried::Look);
                    }
                    break;
                }
                self.remember(record, acked.sequence);
                stored.push((*place, acked.sequence));
            }
            return Ok(stored);
        }
        let Acked { sequence, duplicate } = self.broker.publish_batch(messages, patience).await?;
        if duplicate {
            return Err(Tried::Look);
        }
        let first = (sequence + 1).saturating_sub(rest.len() as u64);
        for (offset, (place, record)) in (0u64..).zip(rest) {
            self.remember(record, first + offset);
            stored.push((*place, first + offset));
        }
        Ok(stored)
    }

    /// The sequence that the record's subject must stand at; `None` where an earlier record of
    /// the same batch comes before it.
    async fn expected(
        &self,
        record: &Record,
        written: &mut HashMap<String, u64>,
    ) -> Result<Option<u64>, Tried> {
        let Kind::Commit { version } = record.kind else { return Ok(Some(0)) };
        let subject = subject::of_record(record);
        if let Some(before) = written.insert(subject.clone(), version) {
            // A gap inside a batch is found by looking.
            return if before + 1 == version { Ok(None) } else { Err(Tried::Look) };
        }
        if version <= 1 {
            return Ok(Some(0));
        }
        if let Some((last, sequence)) = self.places.get(&subject)
            && last + 1 == version
        {
            return Ok(Some(sequence));
        }
        let stream = Stream::Of(record.key.class);
        match self
            .broker
            .last(stream, &subject)
            .await
            .map_err(|unread| Tried::Unknown(unread.to_string()))?
        {
            Some(raw) if raw.version().is_some_and(|last| last + 1 == version) => {
                self.places.put(subject, (version - 1, raw.sequence), 1);
                Ok(Some(raw.sequence))
            }
            _ => Err(Tried::Look),
        }
    }

    fn remember(&self, record: &Record, sequence: u64) {
        if let Kind::Commit { version } = record.kind {
            self.places.put(subject::of_record(record), (version, sequence), 1);
        }
    }

    /// Finds out what stands where the rest was to stand.
    async fn look_at(
        &self,
        rest: &[(usize, &Record)],
        puts: &mut [Option<Put>],
        attempt: &Attempt,
    ) -> Result<(), NotPut> {
        let mut ahead: HashMap<String, u64> = HashMap::new();
        for (place, record) in rest {
            let looked = match record.kind {
                Kind::Command => self.look_at_command(record, attempt).await?,
                Kind::Commit { version } => {
                    self.look_at_commit(record, version, &mut ahead).await?
                }
            };
            let put = match looked {
                Looked::Free => continue,
                Looked::Stored(sequence) => Put::Stored { sequence, sealed: None },
                Looked::Repeat(mut first) => {
                    if first.seal == Seal::Missing {
                        first.seal = self.sealed.seal(&first, REPEAT_SEAL_MAX, false).await?;
                    }
                    Put::Repeat { first: Arc::new(first), sealed: None }
                }
            };
            if let Some(slot) = puts.get_mut(*place) {
                *slot = Some(put);
            }
        }
        Ok(())
    }

    async fn look_at_command(&self, record: &Record, attempt: &Attempt) -> Result<Looked, NotPut> {
        let stream = Stream::Of(record.key.class);
        let anywhere = subject::of_command_anywhere(record.id);
        let Some(raw) = self.broker.last(stream, &anywhere).await? else {
            return Ok(Looked::Free);
        };
        // What stands there after an attempt without an answer is that attempt's.
        if attempt.number > 0 && raw.payload == record.open {
            return Ok(Looked::Stored(raw.sequence));
        }
        let first = raw.recorded(record.key.class);
        first.map(Looked::Repeat).ok_or_else(|| NotPut::Refused("a foreign message".to_owned()))
    }

    async fn look_at_commit(
        &self,
        record: &Record,
        version: u64,
        ahead: &mut HashMap<String, u64>,
    ) -> Result<Looked, NotPut> {
        let (stream, subject) = (Stream::Of(record.key.class), subject::of_record(record));
        let last = self.broker.last(stream, &subject).await?;
        let standing = last.as_ref().and_then(Raw::version).unwrap_or(0);
        if standing < version {
            let before = ahead.get(&subject).copied().unwrap_or(standing);
            if before + 1 != version {
                return Err(NotPut::Conflict(format!(
                    "{} has {standing} commits, not {}",
                    record.key.entity,
                    version - 1
                )));
            }
            match &last {
                Some(raw) if standing + 1 == version => {
                    self.places.put(subject.clone(), (standing, raw.sequence), 1);
                }
                _ => self.places.forget(&subject),
            }
            ahead.insert(subject, version);
            return Ok(Looked::Free);
        }
        let there = match last {
            Some(raw) if standing == version => Some(raw),
            _ => {
                let history = self.broker.history(stream, &subject).await?;
                history.into_iter().find(|raw| raw.version() == Some(version))
            }
        };
        match there {
            Some(raw) if raw.id() != Some(record.id) => Err(NotPut::Conflict(format!(
                "version {version} of {} is taken",
                record.key.entity
            ))),
            Some(raw) if hash_of(&raw.payload) != hash_of(&record.open) => {
                Err(NotPut::Refused(format!("other bytes stand under the id {}", record.id)))
            }
            Some(raw) => Ok(Looked::Stored(raw.sequence)),
            None => Err(NotPut::Conflict(format!("{} is past {version}", record.key.entity))),
        }
    }
}

/// What one attempt met.
enum Tried {
    Look,
    Told(String),
    Unknown(String),
}

impl From<Unpublished> for Tried {
    fn from(error: Unpublished) -> Self {
        match error {
            Unpublished::Look => Self::Look,
            Unpublished::Told(why) => Self::Told(why),
            Unpublished::Unknown(why) => Self::Unknown(why),
        }
    }
}

fn fill(puts: &mut [Option<Put>], stored: Vec<(usize, u64)>) {
    for (place, sequence) in stored {
        if let Some(slot) = puts.get_mut(place) {
            *slot = Some(Put::Stored { sequence, sealed: None });
        }
    }
}

/// Waits a little, longer each time; ends where the deadline would pass.
pub(crate) async fn pause(number: u32, deadline: Instant, trouble: String) -> Result<(), NotPut> {
    let pause = Duration::from_millis(20 << number.min(6)).min(PAUSE_MAX);
    if Instant::now() + pause >= deadline {
        return Err(NotPut::Unknown(trouble));
    }
    tracing::debug!(trouble, number, "said again");
    tokio::time::sleep(pause).await;
    Ok(())
}
