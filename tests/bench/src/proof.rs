//! The signed log: checking a whole one, proving one record of a large one, and what sealing one
//! more record costs however many there are.
//!
//! Each beside its floor, taken in turns in this process: bare SHA-256 over the same bytes with as
//! many bare Ed25519 checks over the same records, or a millisecond.

use std::{
    cell::Cell,
    fs,
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use domain::key::{Holder, KeyFacts};
use ed25519_dalek::{Signature, VerifyingKey};
use history::{
    Tally,
    beside::{By, said},
};
use merkle::{
    LogKey, SignedCheckpoint, TileWriter,
    bundle::{self, bundles_since},
    hash::leaf,
    proof,
    verification::verify_inclusion,
};
use prost::Message;
use rustix::time::{ClockId, clock_gettime};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tlog::{
    CHECKPOINT, Folder,
    check::{Beside, Keys, whole},
};
use wire::{
    actor::service,
    key::key_said,
    signing::Signer,
    v1::{self, command::Body},
};

use crate::report::{Row, Target, median_ms};

/// A record's open part is about so long.
const RECORD_BYTES: usize = 400;
/// Records that share a checkpoint while a log grows.
const TOGETHER: u64 = 1_000;
/// Proofs of which the median is taken.
const PROOFS: u64 = 500;
/// Seals of one record each, of which the median is taken.
const SEALS: usize = 200;

fn key() -> Result<LogKey> {
    Ok(LogKey::from_seed("keng.example.vn", &[7; 32])?)
}

/// A record that no other is like.
fn record(index: u64) -> [u8; RECORD_BYTES] {
    let mut record = [0; RECORD_BYTES];
    for (at, chunk) in (0_u64..).zip(record.chunks_mut(8)) {
        let mixed = (index << 8 | at).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
        chunk.copy_from_slice(mixed.get(..chunk.len()).unwrap_or_default());
    }
    record
}

fn put(dir: &Path, path: &str, bytes: &[u8]) -> Result<()> {
    let file = dir.join(path);
    fs::create_dir_all(file.parent().context("a folder")?)?;
    Ok(fs::write(file, bytes)?)
}

/// A whole log as it is exported.
struct Exported {
    dir: TempDir,
    key: LogKey,
    /// The bundles of records, for the floor.
    bundles: Vec<Vec<u8>>,
    /// What is signed, and by which signature.
    signed: Vec<(Bytes, Signature)>,
    signer: VerifyingKey,
}

/// Writes a log of so many records.
fn exported(size: u64) -> Result<Exported> {
    let dir = tempfile::tempdir()?;
    let (signer, key) = (Signer::of_secret(&[9; 32]), key()?);
    let (mut tiles, mut signed, mut bundles) = (TileWriter::default(), Vec::new(), Vec::new());
    for id in bundles_since(0, size) {
        let (mut bytes, mut signatures) = (Vec::new(), Vec::new());
        let first = id.index() * 256;
        for index in first..first + u64::from(id.width()) {
            let (record, signature) = leaf_of(index, &signer)?;
            bundle::append(&mut bytes, &record)?;
            let mut beside = vec![];
            if let Some(value) = signature {
                signed.push((record.clone(), Signature::from_slice(&value)?));
                let signature = event_log::Signature { key: signer.id(), value, received: None };
                beside = said(By::Service, &signature);
            }
            bundle::append(&mut signatures, &beside)?;
            for tile in tiles.push(leaf(&record)) {
                put(dir.path(), &tile.id.to_string(), &tile.bytes)?;
            }
        }
        put(dir.path(), &id.to_string(), &bytes)?;
        put(dir.path(), &id.signatures(), &signatures)?;
        bundles.push(bytes);
    }
    for tile in tiles.partial_since(0) {
        put(dir.path(), &tile.id.to_string(), &tile.bytes)?;
    }
    let checkpoint = SignedCheckpoint::sign(&key, size, tiles.root());
    put(dir.path(), CHECKPOINT, checkpoint.to_string().as_bytes())?;
    let signer = VerifyingKey::from_bytes(&signer.public())?;
    Ok(Exported { dir, key, bundles, signed, signer })
}

/// The service's key, then commands that it signs, one among four: the others are commits.
fn leaf_of(index: u64, signer: &Signer) -> Result<(Bytes, Option<Bytes>)> {
    let entity = |name: &str| v1::Entity { name: name.to_owned(), ..v1::Entity::default() };
    let id = Bytes::from([index.to_be_bytes(), index.to_be_bytes()].concat());
    // About as long as a record is.
    let sealed_fields = vec!["x".repeat(RECORD_BYTES - 100)];
    let actor = Some(service("bench"));
    if !index.is_multiple_of(4) {
        let commit = v1::Commit {
            causation: id.clone(),
            id,
            entity: Some(entity("alert-bench")),
            version: index,
            actor,
            sealed_fields,
            outcome: Some(v1::commit::Outcome::AlreadyTrue(v1::AlreadyTrue {})),
            ..v1::Commit::default()
        };
        return Ok((commit.encode_to_vec().into(), None));
    }
    let name = "service:bench";
    let facts = KeyFacts {
        public: signer.public().into(),
        holder: Holder::Service(name.parse()?),
        proof: signer.proof(name),
    };
    let body = match index {
        0 => Body::RegisterKey(v1::RegisterKey { facts: Some(key_said(&facts)) }),
        _ => Body::CancelAlert(v1::CancelAlert {}),
    };
    let entity = Some(entity("alert-bench"));
    let command = v1::Command {
        id,
        entity,
        actor,
        sealed_fields,
        body: Some(body),
        ..v1::Command::default()
    };
    let open = Bytes::from(command.encode_to_vec());
    let signature = signer.sign(&open);
    Ok((open, Some(signature)))
}

/// Checks a whole log of `size` records and every signature in it, `rounds` times.
///
/// # Errors
/// It cannot be written, or is found to be wrong.
pub fn verify(size: u64, rounds: usize) -> Result<Row> {
    let log = exported(size)?;
    let keys = Keys { log: log.key.verifier(), witnesses: &[] };
    let folder = Folder::at(log.dir.path());
    let checkpoint = SignedCheckpoint::parse(&fs::read(log.dir.path().join(CHECKPOINT))?)?;
    let beside = Beside { signatures: true, ..Beside::default() };
    let (mut checked, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let begun = Instant::now();
        let mut hash = Sha256::new();
        log.bundles.iter().for_each(|bundle| hash.update(bundle));
        black_box(hash.finalize());
        checkpoint.verify([log.key.verifier()])?;
        for (record, signature) in &log.signed {
            log.signer.verify_strict(record, signature)?;
        }
        bare.push(begun.elapsed());
        let begun = Instant::now();
        let mut tally = Tally::default();
        let found = whole(&folder, keys, &beside, |index, entry| {
            tally.next(index, &Bytes::copy_from_slice(entry.open), entry.signature);
            Ok(())
        })?;
        checked.push(begun.elapsed());
        let by_services: u64 = tally.services.values().sum();
        ensure!(found.checkpoint == checkpoint && tally.wrong_count == 0, "{:?}", tally.wrong);
        ensure!(by_services == log.signed.len() as u64);
    }
    Ok(Row {
        what: format!("verify a log of {size} records, {} signed", log.signed.len()),
        disk: "in the page cache".to_owned(),
        measured: median_ms(&checked),
        floor_is: "bare SHA-256 of them, and as many bare signatures".to_owned(),
        floor: median_ms(&bare),
        unit: "ms",
        target: Target::AtMost(2.0),
        rounds,
    })
}

fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or_default())
}

/// Proves single records of a log of `size` records: processor time, and what is read.
///
/// # Errors
/// It cannot be written, or a proof does not prove.
pub fn prove(size: u64) -> Result<Row> {
    let dir = tempfile::tempdir()?;
    let mut tiles = TileWriter::default();
    for index in 0..size {
        for tile in tiles.push(leaf(&index.to_be_bytes())) {
            put(dir.path(), &tile.id.to_string(), &tile.bytes)?;
        }
    }
    for tile in tiles.partial_since(0) {
        put(dir.path(), &tile.id.to_string(), &tile.bytes)?;
    }
    let folder = Folder::at(dir.path());
    let (mut times, read_most) = (Vec::new(), Cell::new(0));
    for n in 0..PROOFS {
        let index = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size;
        let read = Cell::new(0);
        let begun = cpu();
        let shown = proof::inclusion(index, size, |id| {
            read.set(read.get() + 1);
            folder.tile(id)
        })?;
        times.push(cpu().saturating_sub(begun));
        read_most.set(read_most.get().max(read.get()));
        verify_inclusion(leaf(&index.to_be_bytes()), index, size, &shown, tiles.root())?;
    }
    let most = times.iter().max().copied().unwrap_or_default().as_secs_f64() * 1_000.0;
    Ok(Row {
        what: format!(
            "prove one of {size} records (at most {} tiles read, {most:.2} ms)",
            read_most.get()
        ),
        disk: "in the page cache".to_owned(),
        measured: median_ms(&times),
        floor_is: "a millisecond of processor time".to_owned(),
        floor: 1.0,
        unit: "ms",
        target: Target::AtMost(1.0),
        rounds: times.len(),
    })
}

/// What one more record costs in logs of 10³ to 10⁷ records: its leaf, the files that are written,
/// and the signature. Syncs are the disk's, and left out.
///
/// # Errors
/// A file cannot be written.
pub fn seal() -> Result<Vec<Row>> {
    let dir = tempfile::tempdir()?;
    let key = key()?;
    let mut tiles = TileWriter::default();
    let mut rows: Vec<Row> = Vec::new();
    for size in [1_000_u64, 10_000, 100_000, 1_000_000, 10_000_000] {
        while tiles.size() < size {
            tiles.push(leaf(&tiles.size().to_be_bytes()));
        }
        let (mut one, mut together) = (Vec::new(), Vec::new());
        for _ in 0..SEALS {
            let begun = Instant::now();
            grow(dir.path(), &mut tiles, 1, &key)?;
            one.push(begun.elapsed());
        }
        for _ in 0..SEALS / 10 {
            let begun = Instant::now();
            grow(dir.path(), &mut tiles, TOGETHER, &key)?;
            together.push(begun.elapsed() / u32::try_from(TOGETHER)?);
        }
        let of_first = rows.first().map(|row| row.measured);
        let (alone, each) = (median_ms(&one) * 1_000.0, median_ms(&together) * 1_000.0);
        rows.push(Row {
            what: format!("seal one more of {size} records (of {TOGETHER} together {each:.2} µs)"),
            disk: "without syncs".to_owned(),
            measured: alone,
            floor_is: "of 1000 records".to_owned(),
            floor: of_first.unwrap_or(alone),
            unit: "µs",
            target: Target::Shown,
            rounds: SEALS,
        });
    }
    Ok(rows)
}

fn grow(dir: &Path, tiles: &mut TileWriter, more: u64, key: &LogKey) -> Result<()> {
    let before = tiles.size();
    for _ in 0..more {
        let record = record(tiles.size());
        for tile in tiles.push(leaf(&record)) {
            put(dir, &tile.id.to_string(), &tile.bytes)?;
        }
    }
    for tile in tiles.partial_since(before) {
        put(dir, &tile.id.to_string(), &tile.bytes)?;
    }
    let checkpoint = SignedCheckpoint::sign(key, tiles.size(), tiles.root());
    put(dir, CHECKPOINT, checkpoint.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_is_a_log_that_is_whole_and_signed() -> Result<()> {
        let row = verify(600, 1)?;
        ensure!(row.what.ends_with("600 records, 150 signed") && row.measured > 0.0);
        Ok(())
    }
}
