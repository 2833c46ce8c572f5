//! Reading a whole log again, as every process does at its first start: each record of each class,
//! decoded, with its sealed part.
//!
//! Beside it the same bytes, bare: on one machine the entries of both journals, checksums and all;
//! over NATS a pull of the same messages.

use std::{
    hint::black_box,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use async_nats::jetstream::{self, consumer::pull};
use bytes::Bytes;
use domain::ids::{Home, KeyId, RecordId};
use event_log::{
    AppendError, Class, EventLog, Following, Kind, Record, Role, Signature, Step,
    record::{BATCH_RECORDS_MAX, Key},
};
use event_log_embedded::{EmbeddedLog, EmbeddedOptions};
use event_log_nats::{NatsLog, NatsOptions, Trust, testing::NatsServer};
use futures::{StreamExt, future::try_join_all};
use journal::Journal;
use uuid::Uuid;

use crate::report::{Row, Target, median_ms};

/// An open part is about so long, a sealed one too.
const PART_BYTES: usize = 400;
/// One of so many records is a command, with a sealed part and a signature.
const COMMANDS: u64 = 8;
/// What is read at a time, bare.
const BARE_BYTES: usize = 4 << 20;
/// Appends that are under way at once while the log is filled.
const FILLING: usize = 8;
/// What a bare pull asks for at a time, as followers do.
const PULLED: usize = 500;
const STREAMS: [&str; 6] = ["CMD", "ALERT", "DELIVERY", "RECEIPT", "NEWS", "SEALED"];

/// Bytes that no other record has.
fn part(seed: u64) -> Bytes {
    let mut part = vec![0; PART_BYTES];
    for (at, chunk) in (0_u64..).zip(part.chunks_mut(8)) {
        let mixed = (seed << 8 | at).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
        chunk.copy_from_slice(mixed.get(..chunk.len()).unwrap_or_default());
    }
    part.into()
}

/// The batch with this number: commands, or commits of entities that no other batch has.
fn batch(number: u64) -> Result<Vec<Record>> {
    let classes = [Class::Alert, Class::Delivery, Class::Receipt];
    let is_commands = number.is_multiple_of(COMMANDS);
    let class = match usize::try_from(number % classes.len() as u64).map(|at| classes.get(at)) {
        Ok(Some(class)) if !is_commands => *class,
        _ => Class::Command,
    };
    let signature = Arc::new(Signature {
        key: KeyId::from_slice(&[7; 16]).context("a key")?,
        value: vec![7; 64].into(),
        received: None,
    });
    (0..BATCH_RECORDS_MAX as u64)
        .map(|one| {
            let seed = number * BATCH_RECORDS_MAX as u64 + one;
            let entity = Uuid::from_u64_pair(number, if is_commands { one } else { one / 5 });
            Ok(Record {
                id: RecordId(Uuid::from_u64_pair(seed, 1)),
                key: Key { class, home: Home::NATION, entity: format!("alert-{entity}").parse()? },
                kind: match is_commands {
                    true => Kind::Command,
                    false => Kind::Commit { version: one % 5 + 1 },
                },
                open: part(seed << 1),
                sealed: is_commands.then(|| part(seed << 1 | 1)),
                signature: is_commands.then(|| Arc::clone(&signature)),
            })
        })
        .collect()
}

async fn fill(log: &dyn EventLog, records: u64) -> Result<()> {
    let batches = records.div_ceil(BATCH_RECORDS_MAX as u64);
    let appends = (0..batches).map(|number| async move {
        let records = batch(number)?;
        loop {
            match log.append(records.clone()).await {
                Ok(appended) => {
                    return Ok::<_, anyhow::Error>(log.durable(appended.at, FOR_EVER).await);
                }
                // Too much waits for the disk, or for the broker.
                Err(AppendError::Unavailable(_)) => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    });
    let mut appends = futures::stream::iter(appends).buffered(FILLING);
    while let Some(appended) = appends.next().await {
        appended?;
    }
    Ok(())
}

const FOR_EVER: Duration = Duration::from_secs(600);

/// Follows every class up to its end; how many records and how many sealed parts there were.
async fn follow(log: &Arc<dyn EventLog>) -> Result<(u64, u64)> {
    let classes = Class::ALL.map(|class| {
        let log = Arc::clone(log);
        tokio::spawn(async move {
            let (mut records, mut parts) = (0, 0);
            let following = Following { class, role: Role::Projection, from: None };
            let mut follower = log.follow(following).await?;
            while let Step::Record(recorded) = follower.next().await? {
                records += 1;
                parts += u64::from(recorded.seal.bytes().is_some());
                black_box(&recorded.open);
                // As a projection does, so that the classes share the processors.
                tokio::task::coop::consume_budget().await;
            }
            Ok::<_, anyhow::Error>((records, parts))
        })
    });
    let mut all = (0, 0);
    for followed in try_join_all(classes).await? {
        let (records, parts) = followed?;
        all = (all.0 + records, all.1 + parts);
    }
    Ok(all)
}

/// So many records a millisecond, beside as many bare.
fn row(
    what: String,
    disk: &str,
    floor_is: &str,
    (records, replayed, bare): (u64, &[Duration], &[Duration]),
) -> Row {
    let speed = |taken: &[Duration]| records as f64 / median_ms(taken);
    Row {
        what,
        disk: disk.to_owned(),
        measured: speed(replayed),
        floor_is: floor_is.to_owned(),
        floor: speed(bare),
        unit: "records/ms",
        target: Target::AtLeast(0.7),
        rounds: replayed.len(),
    }
}

/// From the embedded log.
///
/// # Errors
/// It cannot be filled or read.
pub async fn embedded(records: u64, rounds: usize) -> Result<Row> {
    let dir = tempfile::tempdir()?;
    let open = || EmbeddedLog::open(dir.path(), EmbeddedOptions::default());
    let log = open()?;
    fill(&*log, records).await?;
    log.close().await;
    let (mut replayed, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        bare.push(scan(dir.path(), records).await?);
        let log = open()?;
        let read: Arc<dyn EventLog> = Arc::clone(&log) as Arc<dyn EventLog>;
        let begun = Instant::now();
        let found = follow(&read).await?;
        replayed.push(begun.elapsed());
        ensure!(found.0 >= records && found.1 >= records / COMMANDS, "{found:?} were read");
        log.close().await;
    }
    let disk = "in the page cache";
    let what = format!("replay {records} records");
    Ok(row(what, disk, "a scan of both journals", (records, &replayed, &bare)))
}

/// Reads both journals from end to end.
async fn scan(dir: &Path, records: u64) -> Result<Duration> {
    let mut journals = Vec::new();
    for name in ["log", "sealed"] {
        let (journal, _) = Journal::open(&dir.join(name), journal::Options::default())?;
        journals.push(journal);
    }
    let begun = Instant::now();
    let mut entries = 0;
    for journal in &journals {
        let mut from = 0;
        loop {
            let read = journal.read_from(from, usize::MAX, BARE_BYTES)?;
            if read.is_empty() {
                break;
            }
            from += read.len() as u64;
            entries += black_box(&read).len() as u64;
        }
    }
    let taken = begun.elapsed();
    ensure!(entries >= records, "{entries} entries were read");
    for journal in journals {
        journal.close().await;
    }
    Ok(taken)
}

/// Over JetStream, from one server that syncs before it acknowledges.
///
/// # Errors
/// There is no server, or the log cannot be filled or read.
pub async fn jetstream(records: u64, rounds: usize) -> Result<Row> {
    let server = NatsServer::start().await?;
    let data = tempfile::tempdir()?;
    let mut options = NatsOptions::new(server.url(), data.path(), "bench");
    options.monitor = Some(server.monitor_url());
    let log = NatsLog::open(options).await?;
    log.trust().wait_for(|trust| *trust == Trust::Verified).await?;
    fill(&*log, records).await?;
    let client = async_nats::connect(server.url()).await?;
    let context = jetstream::new(client);
    let read: Arc<dyn EventLog> = Arc::clone(&log) as Arc<dyn EventLog>;
    let (mut replayed, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let begun = Instant::now();
        let streams = STREAMS.map(|name| tokio::spawn(pull(context.clone(), name)));
        let mut messages = 0;
        for pulled in try_join_all(streams).await? {
            messages += pulled?;
        }
        bare.push(begun.elapsed());
        ensure!(messages >= records, "{messages} messages were pulled");
        let begun = Instant::now();
        let found = follow(&read).await?;
        replayed.push(begun.elapsed());
        ensure!(found.0 >= records && found.1 >= records / COMMANDS, "{found:?} were read");
    }
    log.close().await;
    let what = format!("replay {records} records over JetStream");
    Ok(row(what, "as it is", "a bare pull of the same messages", (records, &replayed, &bare)))
}

/// Pulls every message of a stream, without acknowledging.
async fn pull(context: jetstream::Context, name: &'static str) -> Result<u64> {
    let stream = context.get_stream(name).await?;
    let end = stream.cached_info().state.messages;
    let config = pull::Config {
        ack_policy: jetstream::consumer::AckPolicy::None,
        ..pull::Config::default()
    };
    let consumer = stream.create_consumer(config).await?;
    let mut messages = consumer.stream().max_messages_per_batch(PULLED).messages().await?;
    let mut pulled = 0;
    while pulled < end {
        let message = messages.next().await.context("the stream goes on")??;
        pulled += 1;
        black_box(&message.payload);
    }
    Ok(pulled)
}
