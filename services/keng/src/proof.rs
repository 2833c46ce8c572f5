//! `keng export` and `keng verify`: the audit log as files, and whether it is whole.

mod court;
mod court_check;
mod demand;
mod export;
mod fetch;
mod keys;
mod quorum;
mod readable;
mod seen;
mod stamps;
mod verify;
mod words;

pub(crate) use export::{ExportArgs, export};
pub(crate) use verify::{VerifyArgs, verify};

/// The file of the keys that an export was made with, beside the log.
const KEYS: &str = "keys";
/// Of one alert's export: the records, each as it was hashed.
const RECORDS: &str = "records";
/// Of one alert's export: where each record is in the log.
const PROOFS: &str = "proofs";
/// Of one alert's export: who signed each record, where somebody did.
const SIGNATURES: &str = "signatures";
/// Of one alert's export, where somebody asked for them: salt and content of each sealed part.
const WORDS: &str = "words";
/// Time stamps over checkpoints, where there are some.
const STAMPS: &str = "timestamps";
/// What the name of a sealed part ends with that was erased; the file names the order's record.
const ERASED: &str = ".erased";
/// Of one alert's export: the records, as people read them.
const LINES: &str = "lines.jsonl";
/// Of one alert's export: how to check it.
const PAGE: &str = "huong-dan.html";
