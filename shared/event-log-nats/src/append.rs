//! Appending: the outbox beside the broker; commands are held where the broker does not answer
//! within a second, commits never.

use std::{sync::Arc, time::Duration};

use domain::ids::Millis;
use event_log::{
    log::{AppendError, Appended, At},
    record::{BATCH_RECORDS_MAX, Class, Kind, RECORD_BYTES_MAX, Record, Recorded},
};
use tokio::time::Instant;

use crate::{
    alarm, held,
    log::Inner,
    outbox::{OutboxTrouble, Settled},
    writer::{NotPut, Over, Put},
};

/// A command that the broker has not acknowledged after this is held.
const COMMAND_PATIENCE: Duration = Duration::from_secs(1);
/// A commit that the broker has not acknowledged after this is unavailable.
const COMMIT_PATIENCE: Duration = Duration::from_secs(5);

impl From<OutboxTrouble> for AppendError {
    fn from(error: OutboxTrouble) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// See `EventLog::append`.
pub(crate) async fn append(
    inner: Arc<Inner>,
    mut records: Vec<Record>,
) -> Result<Appended, AppendError> {
    let (class, id) = check(&records)?;
    inner.outbox.strip(&mut records);
    let (position, repeats) = match class {
        Class::Command => append_commands(&inner, records).await?,
        _ => append_commits(&inner, &records).await?,
    };
    Ok(Appended { at: At { class, position, id }, repeats })
}

/// The class of all, and the id of the last.
fn check(records: &[Record]) -> Result<(Class, domain::ids::RecordId), AppendError> {
    let refused = |why: &str| Err(AppendError::Refused(why.to_owned()));
    let (Some(first), Some(last)) = (records.first(), records.last()) else {
        return refused("nothing to append");
    };
    if records.len() > BATCH_RECORDS_MAX {
        return refused("too many records for one append");
    }
    for record in records {
        if record.key.class != first.key.class {
            return refused("one append is of one class");
        }
        let fits = match record.kind {
            Kind::Command => record.key.class == Class::Command,
            Kind::Commit { version } => record.key.class != Class::Command && version > 0,
        };
        if !fits {
            return refused("a class that does not fit the kind, or version 0");
        }
        let sealed = record.sealed.as_ref().map_or(0, bytes::Bytes::len);
        if record.open.len().max(sealed) > RECORD_BYTES_MAX {
            return refused("a record is too long");
        }
    }
    Ok((first.key.class, last.id))
}

type Placed = (u64, Vec<Arc<Recorded>>);

async fn append_commands(inner: &Arc<Inner>, records: Vec<Record>) -> Result<Placed, AppendError> {
    let mut repeats = Vec::new();
    let mut fresh: Vec<Record> = Vec::with_capacity(records.len());
    for record in records {
        match inner.held.on_the_way(record.id) {
            Some(held) => repeats.push(held),
            None if fresh.iter().any(|earlier| earlier.id == record.id) => {}
            None => fresh.push(record),
        }
    }
    if fresh.is_empty() {
        return Ok((At::UNPLACED, repeats));
    }
    if !inner.held.has_room(fresh.len()) {
        return Err(AppendError::Unavailable("too many commands are held here".to_owned()));
    }
    let since = alarm::now();
    let said = inner.outbox.say(&fresh, since)?;
    let put = match inner.state.connection() {
        None => Err(NotPut::Unknown("the broker is away".to_owned())),
        Some(_) => {
            let deadline = Instant::now() + COMMAND_PATIENCE;
            inner.writer.put(&fresh, Over::Open, deadline).await
        }
    };
    match put {
        Ok(puts) => {
            settle(inner, &said, &fresh, &puts);
            let position = puts.last().map_or(At::UNPLACED, Put::position);
            repeats.extend(puts.into_iter().filter_map(|put| match put {
                Put::Repeat { first, .. } => Some(first),
                Put::Stored { .. } => None,
            }));
            Ok((position, repeats))
        }
        Err(NotPut::Unknown(why)) => {
            tracing::warn!(commands = fresh.len(), why, "held here, not yet sent");
            hold(inner, &said, since, fresh).await?;
            Ok((At::UNPLACED, repeats))
        }
        Err(NotPut::Conflict(why) | NotPut::Refused(why)) => {
            drop_all(inner, &said, &fresh);
            Err(AppendError::Refused(why))
        }
    }
}

/// Holds commands, once they are on this machine's disk.
async fn hold(
    inner: &Inner,
    said: &[u64],
    since: Millis,
    fresh: Vec<Record>,
) -> Result<(), AppendError> {
    for record in &fresh {
        inner.outbox.durable(record.id).await?;
    }
    for (said, record) in said.iter().zip(fresh) {
        if !inner.held.hold(*said, since, record.clone()) {
            inner.outbox.settle(vec![Settled::dropped(*said, &record)]);
        }
    }
    Ok(())
}

async fn append_commits(inner: &Arc<Inner>, records: &[Record]) -> Result<Placed, AppendError> {
    let deadline = Instant::now() + COMMIT_PATIENCE;
    if inner.state.passage_until(deadline).await.is_none() {
        let why = "the broker is away, or not trusted".to_owned();
        return Err(AppendError::Unavailable(why));
    }
    let said = inner.outbox.say(records, alarm::now())?;
    match inner.writer.put(records, Over::Open, deadline).await {
        Ok(puts) => {
            settle(inner, &said, records, &puts);
            Ok((puts.last().map_or(0, Put::position), Vec::new()))
        }
        Err(NotPut::Conflict(why)) => {
            drop_all(inner, &said, records);
            Err(AppendError::Conflict(why))
        }
        Err(NotPut::Refused(why)) => {
            drop_all(inner, &said, records);
            Err(AppendError::Refused(why))
        }
        Err(NotPut::Unknown(why)) => Err(AppendError::Unavailable(why)),
    }
}

fn settle(inner: &Inner, said: &[u64], records: &[Record], puts: &[Put]) {
    let settled = said
        .iter()
        .zip(records)
        .zip(puts)
        .map(|((said, record), put)| held::settled(*said, record, put));
    inner.outbox.settle(settled.collect());
}

fn drop_all(inner: &Inner, said: &[u64], records: &[Record]) {
    let dropped = said.iter().zip(records).map(|(said, record)| Settled::dropped(*said, record));
    inner.outbox.settle(dropped.collect());
}
