//! One alert for a file: its records as they were hashed, where each is in the signed log, the
//! keys, and a page in Vietnamese that says how to check them with other programs than ours.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    path::Path,
};

use anyhow::{Context, anyhow};
use bytes::Bytes;
use futures::StreamExt;
use merkle::{
    BundleId, Hash, ProofFile, TileId,
    hash::leaf,
    proof::{self, Unprovable},
    verification::verify_inclusion,
};
use reqwest::Method;
use serde_json::Value;
use tlog::{
    CHECKPOINT, Folder,
    check::{self, Keys, Whole},
};

use super::{KEYS, LINES, PAGE, PROOFS, RECORDS, export::put, fetch::Fetched};
use crate::{
    Failed,
    client::{Client, send},
};

/// The page, but for the alert and the key.
const TEXT: &str = include_str!("court.html");

/// Writes the export of one alert; answers with what is to be said.
pub(super) async fn export(client: &Client, alert: &str, out: &Path) -> Result<String, Failed> {
    let log = Fetched::from(client).await?;
    let (lines, indexes) = lines(client, alert, log.size()).await?;
    if indexes.is_empty() {
        let why = "nhật ký đã ký chưa có tin này / the signed log has no such alert";
        return Err(Failed::Refused(format!("{alert}: {why}")));
    }
    let keys = log.file("v1/audit/key").await?;
    let (mut tiles, mut bundles) = (BTreeMap::new(), BTreeMap::new());
    for index in &indexes {
        let id = BundleId::within(index / 256, log.size()).context("a place in the log")?;
        let bundle: &Bytes = match bundles.entry(id.index()) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(place) => place.insert(log.file(&id.to_string()).await?),
        };
        let entries = id.entries(bundle).context("an entry bundle")?;
        let within = usize::try_from(index % 256).unwrap_or_default();
        let record = entries.get(within).context("an entry of the log")?;
        put(out, &format!("{RECORDS}/{index}"), record)?;
        let proof = proof_of(&log, *index, &mut tiles).await?;
        let checkpoint = log.checkpoint.clone();
        let file = ProofFile { extra: vec![], index: *index, proof, checkpoint };
        put(out, &format!("{PROOFS}/{index}.tlog-proof"), file.to_string())?;
    }
    put(out, CHECKPOINT, log.checkpoint.to_string())?;
    put(out, LINES, lines)?;
    let key = String::from_utf8_lossy(&keys);
    put(out, PAGE, TEXT.replace("{alert}", alert).replace("{key}", key.trim()))?;
    put(out, KEYS, &keys)?;
    Ok(format!("{} bản ghi / records → {}", indexes.len(), out.display()))
}

/// What people read of the alert, and which entries of the log that is.
async fn lines(
    client: &Client,
    alert: &str,
    size: u64,
) -> Result<(Vec<u8>, BTreeSet<u64>), Failed> {
    let request = client
        .request(Method::GET, "/v1/audit/records")
        .query(&[("alert", alert)])
        .header("accept", "application/x-ndjson");
    let mut answer = send(request).await?.bytes_stream();
    let mut text = Vec::new();
    while let Some(chunk) = answer.next().await {
        text.extend_from_slice(&chunk.context("the answer was cut")?);
    }
    let mut indexes = BTreeSet::new();
    let mut signed = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let record: Value = serde_json::from_slice(line).context("a record")?;
        let position = record.get("position").and_then(Value::as_u64).context("a position")?;
        // What came since is in the next export.
        if let Some(index) = position.checked_sub(1).filter(|index| *index < size) {
            indexes.insert(index);
            signed.extend_from_slice(line);
        }
    }
    Ok((signed, indexes))
}

/// Proves that an entry is in the log. Which tiles that needs, the proof itself says: it is made
/// until it has all of them.
async fn proof_of(
    log: &Fetched<'_>,
    index: u64,
    tiles: &mut BTreeMap<TileId, Bytes>,
) -> Result<Vec<Hash>, Failed> {
    loop {
        let read = |id: TileId| tiles.get(&id).cloned().ok_or(id);
        match proof::inclusion(index, log.size(), read) {
            Ok(proof) => return Ok(proof),
            Err(Unprovable::Read(missing)) => {
                let bytes = log.file(&missing.to_string()).await?;
                tiles.insert(missing, bytes);
            }
            Err(_) => return Err(Failed::Trouble(anyhow!("a damaged tile"))),
        }
    }
}

/// Checks an export of one alert; answers with how many records it has.
///
/// # Errors
/// The first thing that is wrong.
pub(super) fn check(folder: &Path, keys: Keys<'_>) -> Result<(Whole, u64), String> {
    let wrong = |path: &str, why: &dyn std::fmt::Display| format!("SAI / WRONG: {path}: {why}");
    let read = |path: &str| std::fs::read(folder.join(path)).map_err(|why| wrong(path, &why));
    let signed = read(CHECKPOINT)?;
    let whole = check::checkpoint(&signed, keys).map_err(|why| wrong(CHECKPOINT, &why))?;
    let files = Folder::at(folder).files().map_err(|why| wrong(".", &why))?;
    let mut records = BTreeSet::new();
    let mut others: BTreeSet<String> = files.into_iter().collect();
    for beside in [CHECKPOINT, KEYS, LINES, PAGE] {
        others.remove(beside);
    }
    for path in others.clone() {
        let Some(number) = path.strip_prefix("records/") else { continue };
        let index: u64 = number.parse().map_err(|_| wrong(&path, &"no number of a record"))?;
        let proved = format!("{PROOFS}/{index}.tlog-proof");
        let record = read(&path)?;
        let file = read(&proved)?;
        let file = ProofFile::parse(&file).map_err(|why| wrong(&proved, &why))?;
        let same = file.checkpoint == whole.checkpoint && file.index == index;
        if !same || !file.extra.is_empty() {
            return Err(wrong(&proved, &"it is of another record or checkpoint"));
        }
        let tree = whole.checkpoint.checkpoint();
        verify_inclusion(leaf(&record), index, tree.size(), &file.proof, tree.root())
            .map_err(|why| wrong(&path, &why))?;
        others.remove(&path);
        others.remove(&proved);
        records.insert(index);
    }
    match others.first() {
        Some(path) => Err(wrong(path, &"an export of an alert has no such file")),
        None => Ok((whole, records.len() as u64)),
    }
}
