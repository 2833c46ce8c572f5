//! Checking one alert's export: each record is in the signed log, each signature is of its record
//! and by a key that is good there, each sealed part is what was committed to, and what people read
//! of it says what the records say.
//!
//! What was left out of it cannot be seen here, a key's revocation neither: that takes the whole
//! log.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    path::Path,
};

use bytes::Bytes;
use history::Tally;
use merkle::{ProofFile, hash::leaf, verification::verify_inclusion};
use tlog::{
    CHECKPOINT, Folder,
    check::{self, Keys, Whole},
};

use super::{
    KEYS, LINES, PAGE, PROOFS, RECORDS, SIGNATURES, WORDS,
    readable::Readable,
    stamps::Stamps,
    words::{self, Words},
};

/// What is found in an export that is whole.
pub(super) struct Court {
    pub(super) whole: Whole,
    /// How many records it has, those of keys included.
    pub(super) records: u64,
    /// `None` where it has no words.
    pub(super) words: Option<Words>,
    /// What people read of it, which was not looked at yet.
    pub(super) readable: Readable,
}

pub(super) fn wrong(path: &str, why: &dyn Display) -> String {
    format!("SAI / WRONG: {path}: {why}")
}

/// Checks an export of one alert; what is to be said of its signatures is in the tally, and what
/// people read of it is to be checked after them.
///
/// # Errors
/// The first thing that is wrong, but for signatures.
pub(super) fn check(folder: &Path, keys: Keys<'_>, tally: &mut Tally) -> Result<Court, String> {
    let signed = read(folder, CHECKPOINT)?;
    let whole = check::checkpoint(&signed, keys).map_err(|why| wrong(CHECKPOINT, &why))?;
    let files = Folder::at(folder).files().map_err(|why| wrong(".", &why))?;
    let mut others: BTreeSet<String> = files.into_iter().collect();
    for beside in [CHECKPOINT, KEYS, LINES, PAGE] {
        others.remove(beside);
    }
    let stamps = Stamps::among(others.iter());
    for stamp in stamps.files() {
        others.remove(&stamp);
    }
    stamps.check(folder, keys, &whole)?;
    let numbers = others.iter().filter_map(|path| path.strip_prefix(RECORDS)?.strip_prefix('/'));
    let mut records = BTreeMap::new();
    for number in numbers {
        let path = format!("{RECORDS}/{number}");
        let index: u64 = number.parse().map_err(|_| wrong(&path, &"no number of a record"))?;
        let record = Bytes::from(read(folder, &path)?);
        proven(folder, index, &record, &whole)?;
        records.insert(index, record);
    }
    tally.expect_signatures();
    let mut signed = BTreeMap::new();
    for (index, record) in &records {
        let path = format!("{SIGNATURES}/{index}");
        let signature = match others.remove(&path) {
            true => read(folder, &path)?,
            false => Vec::new(),
        };
        tally.next(*index, record, &signature);
        signed.insert(*index, (record.clone(), signature));
        others.remove(&format!("{RECORDS}/{index}"));
        others.remove(&format!("{PROOFS}/{index}.tlog-proof"));
    }
    let has_words = folder.join(WORDS).exists();
    let words = has_words.then(|| words::check(folder, &records, &mut others)).transpose()?;
    let said = words.as_ref().map_or("", |words| &words.page);
    let readable = Readable::of(&signed, said);
    let readable = readable.map_err(|(index, why)| wrong(&format!("{RECORDS}/{index}"), &why))?;
    match others.first() {
        Some(path) => Err(wrong(path, &"an export of an alert has no such file")),
        None => Ok(Court { whole, records: records.len() as u64, words, readable }),
    }
}

pub(super) fn read(folder: &Path, path: &str) -> Result<Vec<u8>, String> {
    std::fs::read(folder.join(path)).map_err(|why| wrong(path, &why))
}

/// The record is in the log, as its proof says.
fn proven(folder: &Path, index: u64, record: &[u8], whole: &Whole) -> Result<(), String> {
    let path = format!("{PROOFS}/{index}.tlog-proof");
    let file = ProofFile::parse(&read(folder, &path)?).map_err(|why| wrong(&path, &why))?;
    let same = file.checkpoint == whole.checkpoint && file.index == index;
    if !same || !file.extra.is_empty() {
        return Err(wrong(&path, &"it is of another record or checkpoint"));
    }
    let tree = whole.checkpoint.checkpoint();
    verify_inclusion(leaf(record), index, tree.size(), &file.proof, tree.root())
        .map_err(|why| wrong(&format!("{RECORDS}/{index}"), &why))
}
