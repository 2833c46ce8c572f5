//! Time stamps (RFC 3161) in an export: what an authority answered, beside the checkpoint that it
//! answered about, and in an alert's export the proof that the log grew from that one.
//!
//! That each is over a checkpoint of this log is checked here; whether the authority signed it,
//! `openssl ts -verify` says to whoever has its certificate.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, anyhow};
use bytes::Bytes;
use merkle::{
    Hash, SignedCheckpoint, TileId, VerifierKey,
    proof::{self, Unprovable},
    verification::verify_consistency,
};
use serde_json::Value;
use tlog::{
    Folder,
    check::{self, Keys, Whole, grown_from},
};

use super::{
    STAMPS,
    court_check::{read, wrong},
    export::put,
    fetch::Fetched,
};
use crate::{Failed, feeds::line};

const ANSWER: &str = "tsr";
const NOTE: &str = "checkpoint";
const PROOF: &str = "consistency";

/// Writes all of a log's; answers at how many.
pub(super) async fn export(log: &Fetched<'_>, out: &Path) -> Result<usize, Failed> {
    let (key, mut count) = (key(log).await?, 0);
    for size in sizes(log).await? {
        count += usize::from(take(log, out, (size, &key)).await?);
    }
    Ok(count)
}

/// Writes the first that says that a record with this number was there.
pub(super) async fn export_first(
    log: &Fetched<'_>,
    out: &Path,
    last: u64,
    tiles: &mut BTreeMap<TileId, Bytes>,
) -> Result<(), Failed> {
    let key = key(log).await?;
    for size in sizes(log).await?.into_iter().filter(|size| *size > last) {
        if take(log, out, (size, &key)).await? {
            return put_proof(log, out, size, tiles).await;
        }
    }
    Ok(())
}

/// Proves that the log grew from this size. Which tiles that needs, the proof itself says.
async fn put_proof(
    log: &Fetched<'_>,
    out: &Path,
    size: u64,
    tiles: &mut BTreeMap<TileId, Bytes>,
) -> Result<(), Failed> {
    let proof = loop {
        let read = |id: TileId| tiles.get(&id).cloned().ok_or(id);
        match proof::consistency(size, log.size(), read) {
            Ok(proof) => break proof,
            Err(Unprovable::Read(missing)) => {
                tiles.insert(missing, log.file(&missing.to_string()).await?);
            }
            Err(_) => return Err(Failed::Trouble(anyhow!("a damaged tile"))),
        }
    };
    put(out, &format!("{STAMPS}/{size}.{PROOF}"), said(&proof))
}

/// Hashes, one a line.
fn said(proof: &[Hash]) -> String {
    proof.iter().map(|hash| format!("{hash}\n")).collect()
}

/// What was stamped, up to where the log is exported.
async fn sizes(log: &Fetched<'_>) -> Result<Vec<u64>, Failed> {
    let answer = log.file("v1/audit/timestamps").await?;
    let answer: Value = serde_json::from_slice(&answer).context("the time stamps")?;
    let sizes = answer.get("sizes").and_then(Value::as_array).context("the time stamps")?;
    let sizes = sizes.iter().filter_map(Value::as_u64);
    Ok(sizes.filter(|size| (1..=log.size()).contains(size)).collect())
}

/// The log's own key: the first of those that it names.
async fn key(log: &Fetched<'_>) -> Result<VerifierKey, Failed> {
    let keys = log.file("v1/audit/key").await?;
    let keys = String::from_utf8_lossy(&keys).into_owned();
    Ok(keys.lines().next().unwrap_or_default().parse().context("the log's key")?)
}

/// Writes one; `false` where it is of another log, which lay in that directory before.
async fn take(
    log: &Fetched<'_>,
    out: &Path,
    (size, key): (u64, &VerifierKey),
) -> Result<bool, Failed> {
    let file = |kind: &str| format!("v1/audit/timestamps/{size}.{kind}");
    let note = log.file(&file(NOTE)).await?;
    let stamped = SignedCheckpoint::parse(&note).context("a stamped checkpoint")?;
    if stamped.verify([key]).is_err() {
        return Ok(false);
    }
    put(out, &format!("{STAMPS}/{size}.{NOTE}"), note)?;
    put(out, &format!("{STAMPS}/{size}.{ANSWER}"), log.file(&file(ANSWER)).await?)?;
    Ok(true)
}

/// Of an export, each kind of file by the size that was stamped.
#[derive(Debug, Default)]
pub(super) struct Stamps(BTreeMap<u64, Vec<&'static str>>);

impl Stamps {
    /// Finds them among these files.
    pub(super) fn among<'a>(files: impl Iterator<Item = &'a String>) -> Self {
        let mut stamps = Self::default();
        for path in files {
            let name = path.strip_prefix(STAMPS).and_then(|name| name.strip_prefix('/'));
            let Some((number, kind)) = name.and_then(|name| name.split_once('.')) else { continue };
            let kind = [ANSWER, NOTE, PROOF].into_iter().find(|known| *known == kind);
            // Another spelling of a number is another file, which nobody expects.
            let size = number.parse().ok().filter(|size: &u64| size.to_string() == number);
            if let Some((size, kind)) = size.zip(kind) {
                stamps.0.entry(size).or_default().push(kind);
            }
        }
        stamps
    }

    /// Their files.
    pub(super) fn files(&self) -> impl Iterator<Item = String> {
        let of = |(size, kinds): (&u64, &Vec<&'static str>)| -> Vec<String> {
            kinds.iter().map(|kind| format!("{STAMPS}/{size}.{kind}")).collect()
        };
        self.0.iter().flat_map(of).collect::<Vec<_>>().into_iter()
    }

    /// Each is over a checkpoint from which the log grew: the whole of it shows that, or a proof.
    ///
    /// # Errors
    /// The first that is not.
    pub(super) fn check(&self, folder: &Path, keys: Keys<'_>, whole: &Whole) -> Result<(), String> {
        for (size, kinds) in &self.0 {
            let path = |kind: &str| format!("{STAMPS}/{size}.{kind}");
            let note = read(folder, &path(NOTE))?;
            let stamped = check::checkpoint(&note, keys).map_err(|why| wrong(&path(NOTE), &why))?;
            let stamped = stamped.checkpoint;
            if stamped.checkpoint().size() != *size || stamped.to_string().as_bytes() != note {
                return Err(wrong(&path(NOTE), &"không phải mốc đó / it is another checkpoint"));
            }
            let answer = read(folder, &path(ANSWER))?;
            let time = audit::stamped_at(&answer, &note);
            let time = time.map_err(|why| wrong(&path(ANSWER), &why))?;
            match kinds.contains(&PROOF) {
                true => grew(folder, &path(PROOF), &stamped, whole)?,
                false => grown_from(&Folder::at(folder), whole, stamped.checkpoint())
                    .map_err(|why| wrong(&path(NOTE), &why))?,
            }
            line(&format!("dấu thời gian / time stamp {time}: {size} bản ghi / records"));
        }
        Ok(())
    }
}

/// The proof beside it shows that the log grew from it.
fn grew(
    folder: &Path,
    path: &str,
    stamped: &SignedCheckpoint,
    whole: &Whole,
) -> Result<(), String> {
    let bytes = read(folder, path)?;
    let text = String::from_utf8_lossy(&bytes);
    let hashes: Result<Vec<Hash>, _> = text.split_terminator('\n').map(str::parse).collect();
    let proof = hashes.map_err(|why| wrong(path, &why))?;
    let (old, new) = (stamped.checkpoint(), whole.checkpoint.checkpoint());
    if said(&proof).as_bytes() != bytes {
        return Err(wrong(path, &"không đúng dạng đã xuất / not as it is exported"));
    }
    verify_consistency(old.size(), old.root(), new.size(), new.root(), &proof)
        .map_err(|why| wrong(path, &why))
}
