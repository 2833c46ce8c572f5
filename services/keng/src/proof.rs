//! `keng export` and `keng verify`: the audit log as files, and whether it is whole.

mod court;
mod export;
mod fetch;
mod keys;
mod verify;

pub(crate) use export::{ExportArgs, export};
pub(crate) use verify::{VerifyArgs, verify};

/// The file of the keys that an export was made with, beside the log.
const KEYS: &str = "keys";
/// Of one alert's export: the records, each as it was hashed.
const RECORDS: &str = "records";
/// Of one alert's export: where each record is in the log.
const PROOFS: &str = "proofs";
/// Of one alert's export: the records, as people read them.
const LINES: &str = "lines.jsonl";
/// Of one alert's export: how to check it.
const PAGE: &str = "huong-dan.html";
