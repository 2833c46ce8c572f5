//! One alert for a court: its records as they were hashed, where each is in the signed log, who
//! signed it, the records of the keys that did, and a page in Vietnamese that says how to check
//! all that with other programs than ours. On request, with a reason, the words too.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    path::Path,
};

use anyhow::{Context, anyhow};
use bytes::Bytes;
use domain::ids::KeyId;
use futures::StreamExt;
use history::{Leaf, beside};
use merkle::{
    BundleId, Hash, ProofFile, TileId,
    proof::{self, Unprovable},
};
use reqwest::Method;
use serde_json::Value;
use tlog::CHECKPOINT;

use super::{
    KEYS, LINES, PAGE, PROOFS, RECORDS, SIGNATURES,
    export::put,
    fetch::Fetched,
    stamps,
    words::{self, escaped},
};
use crate::{
    Failed,
    client::{Client, send},
};

/// The page, but for the alert, the key and the words.
const TEXT: &str = include_str!("court.html");

/// Writes the export of one alert, with its words where a reason is given to read them; answers
/// with what is to be said.
pub(super) async fn export(
    client: &Client,
    alert: &str,
    reason: Option<&str>,
    out: &Path,
) -> Result<String, Failed> {
    let log = Fetched::from(client).await?;
    let mut case = Case::new(client, &log, out);
    case.take(("alert", alert)).await?;
    if case.records.is_empty() {
        let why = "nhật ký đã ký chưa có tin này / the signed log has no such alert";
        return Err(Failed::Refused(format!("{alert}: {why}")));
    }
    let of_alert = case.records.len();
    // The records of a key are signed too, by another key or by itself.
    while let Some(key) = case.unknown.pop_first() {
        case.take(("key", &key.to_string())).await?;
    }
    let words = match reason {
        None => String::new(),
        Some(reason) => words::export(&mut case, reason).await?,
    };
    if let Some(last) = case.records.keys().next_back() {
        stamps::export_first(&log, out, *last, &mut case.tiles).await?;
    }
    put(out, CHECKPOINT, log.checkpoint.to_string())?;
    put(out, LINES, case.lines.values().flatten().copied().collect::<Vec<u8>>())?;
    let keys = log.file("v1/audit/key").await?;
    put(out, PAGE, page(alert, &String::from_utf8_lossy(&keys), &words))?;
    put(out, KEYS, &keys)?;
    let (of_keys, out) = (case.records.len() - of_alert, out.display());
    Ok(format!("{of_alert} bản ghi / records, {of_keys} của khóa / of keys → {out}"))
}

/// The page of an alert, with the keys and words of its export.
pub(super) fn page(alert: &str, keys: &str, words: &str) -> String {
    let vkeys = escaped(keys);
    let (key, witnesses) = vkeys.split_once('\n').unwrap_or((&vkeys, ""));
    // The words come last: they are people's, and may say `{key}`.
    let page = TEXT.replace("{alert}", alert).replace("{key}", key);
    page.replace("{witnesses}", &shown(witnesses)).replace("{words}", words)
}

/// Keys of witnesses, one a line, for the page.
fn shown(witnesses: &str) -> String {
    let codes: Vec<String> = witnesses.lines().map(|key| format!("<code>{key}</code>")).collect();
    if codes.is_empty() { "không có / none".to_owned() } else { codes.join(", ") }
}

/// What is taken out of the log so far.
pub(super) struct Case<'a> {
    pub(super) client: &'a Client,
    pub(super) out: &'a Path,
    log: &'a Fetched<'a>,
    /// The records, by their numbers in the log.
    pub(super) records: BTreeMap<u64, Leaf>,
    /// Keys that have signed some of them, whose own records are not taken yet.
    unknown: BTreeSet<KeyId>,
    known: BTreeSet<KeyId>,
    lines: BTreeMap<u64, Vec<u8>>,
    tiles: BTreeMap<TileId, Bytes>,
    bundles: BTreeMap<String, Bytes>,
}

impl<'a> Case<'a> {
    fn new(client: &'a Client, log: &'a Fetched<'a>, out: &'a Path) -> Self {
        Self {
            client,
            out,
            log,
            records: BTreeMap::new(),
            unknown: BTreeSet::new(),
            known: BTreeSet::new(),
            lines: BTreeMap::new(),
            tiles: BTreeMap::new(),
            bundles: BTreeMap::new(),
        }
    }

    /// Takes the records that this parameter asks for. What came since the checkpoint is in the
    /// next export.
    pub(super) async fn take(&mut self, asked: (&str, &str)) -> Result<(), Failed> {
        let request = self
            .client
            .request(Method::GET, "/v1/audit/records")
            .query(&[asked])
            .header("accept", "application/x-ndjson");
        let mut answer = send(request).await?.bytes_stream();
        let mut text = Vec::new();
        while let Some(chunk) = answer.next().await {
            text.extend_from_slice(&chunk.context("the answer was cut")?);
        }
        let mut found: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let record: Value = serde_json::from_slice(line).context("a record")?;
            let position = record.get("position").and_then(Value::as_u64).context("a position")?;
            if let Some(index) = position.checked_sub(1).filter(|index| *index < self.log.size()) {
                found.entry(index).or_default().extend_from_slice(line);
            }
        }
        for (index, lines) in found {
            if self.lines.insert(index, lines).is_none() {
                self.take_record(index).await?;
            }
        }
        Ok(())
    }

    async fn take_record(&mut self, index: u64) -> Result<(), Failed> {
        let id = BundleId::within(index / 256, self.log.size()).context("a place in the log")?;
        let record = self.item(id, id.to_string(), index).await?;
        let signature = self.item(id, id.signatures(), index).await?;
        put(self.out, &format!("{RECORDS}/{index}"), &record)?;
        if let Some((_, by)) = beside::recalled(&signature).context("a signature")? {
            put(self.out, &format!("{SIGNATURES}/{index}"), &signature)?;
            if self.known.insert(by.key) {
                self.unknown.insert(by.key);
            }
        }
        let proof = self.proof_of(index).await?;
        let checkpoint = self.log.checkpoint.clone();
        let file = ProofFile { extra: vec![], index, proof, checkpoint };
        put(self.out, &format!("{PROOFS}/{index}.tlog-proof"), file.to_string())?;
        let leaf = Leaf::read(&record).with_context(|| format!("{RECORDS}/{index}"))?;
        self.records.insert(index, leaf);
        Ok(())
    }

    /// An item of a bundle at this path.
    async fn item(&mut self, id: BundleId, path: String, index: u64) -> Result<Bytes, Failed> {
        let bundle = match self.bundles.entry(path) {
            Entry::Occupied(there) => there.get().clone(),
            Entry::Vacant(place) => {
                let bytes = self.log.file(place.key()).await?;
                place.insert(bytes).clone()
            }
        };
        let items = id.entries(&bundle).context("a bundle")?;
        let within = usize::try_from(index % 256).unwrap_or_default();
        Ok(bundle.slice_ref(items.get(within).context("an item of a bundle")?))
    }

    /// Proves that an entry is in the log. Which tiles that needs, the proof itself says: it is
    /// made until it has all of them.
    async fn proof_of(&mut self, index: u64) -> Result<Vec<Hash>, Failed> {
        loop {
            let read = |id: TileId| self.tiles.get(&id).cloned().ok_or(id);
            match proof::inclusion(index, self.log.size(), read) {
                Ok(proof) => return Ok(proof),
                Err(Unprovable::Read(missing)) => {
                    let bytes = self.log.file(&missing.to_string()).await?;
                    self.tiles.insert(missing, bytes);
                }
                Err(_) => return Err(Failed::Trouble(anyhow!("a damaged tile"))),
            }
        }
    }
}
