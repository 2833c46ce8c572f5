//! Opening: the index is rebuilt from the journals, and what nobody was promised is cut.
//!
//! A door opens when a record and all sealed parts up to it are on disk. So a tail of records whose
//! sealed parts never arrived was promised to nobody: it is cut, and with it the whole batch. An
//! erased part leaves its entry behind, so it is not mistaken for one that never came.

use std::{collections::HashMap, path::Path};

use event_log::{Position, Seal, erasing::Parts};
use journal::Journal;
use keyring::Keyring;

use crate::{
    entry::{self, decode_sealed},
    errors::OpenError,
    index::Index,
};

/// The most records that are cut. What was ordered in one stalled sync is less; more than that
/// means that sealed parts were lost, and an operator must restore them.
const CUT_RECORDS_MAX: u64 = 10_000;

/// How much of a journal is read at a time.
const SCAN_ENTRIES: usize = 1_024;
const SCAN_BYTES: usize = 1 << 20;

/// Builds the index, after cutting the log where that must be; and says whose parts lie where.
pub(crate) fn recover(
    log: &Journal,
    sealed: &Journal,
    dir: &Path,
    keyring: &Keyring,
) -> Result<(Index, Parts), OpenError> {
    let (parts, of_entities) = parts(sealed, dir, keyring)?;
    let scan = scan(log, &parts)?;
    if scan.missing > 0 {
        let missing = scan.missing;
        tracing::warn!(dir = %dir.display(), missing, "log: sealed parts are missing");
        metrics::counter!("keng_log_sealed_missing_total").increment(missing);
    }
    let Some(first) = scan.unpromised else { return Ok((scan.index, of_entities)) };
    let records = scan.index.head() - first + 1;
    if records > CUT_RECORDS_MAX {
        return Err(OpenError::SealedGone { dir: dir.join("sealed"), records });
    }
    tracing::warn!(
        dir = %dir.display(), first, records,
        "log: cutting records whose sealed part never reached the disk; nobody was promised them"
    );
    // Cuts the batch that the record is in as a whole.
    log.cut(first - 1)?;
    Ok((self::scan(log, &parts)?.index, of_entities))
}

/// The entry of each record's sealed part, and those of each entity that are not destroyed. Where
/// a record's append failed and was repeated, there are two; the later one is the record's. Nothing
/// is decrypted, but that each could be.
fn parts(
    sealed: &Journal,
    dir: &Path,
    keyring: &Keyring,
) -> Result<(HashMap<[u8; 16], u64>, Parts), OpenError> {
    let mut parts = HashMap::new();
    let mut of_entities = Parts::default();
    let mut entry = 0;
    while entry < sealed.end() {
        for bytes in sealed.read_from(entry, SCAN_ENTRIES, SCAN_BYTES)? {
            let part = decode_sealed(&bytes).map_err(|source| OpenError::NotAnEntry {
                journal: "sealed",
                position: entry + 1,
                source,
            })?;
            parts.insert(part.id.0.into_bytes(), entry);
            if let Some(locked) = &part.locked {
                if let Some(key) = keyring.lacks(locked) {
                    return Err(OpenError::NoKey { dir: dir.join("sealed"), key });
                }
                of_entities.lies_at(&part.entity, entry);
            }
            entry += 1;
        }
    }
    Ok((parts, of_entities))
}

/// What a walk over the log has found.
#[derive(Default)]
struct Scan {
    index: Index,
    /// Where to cut: the first record whose sealed part is not here, where none behind it is.
    unpromised: Option<Position>,
    /// How many sealed parts are missing behind `unpromised`.
    unpromised_parts: u64,
    /// How many sealed parts are missing before the last that is here.
    missing: u64,
}

fn scan(log: &Journal, parts: &HashMap<[u8; 16], u64>) -> Result<Scan, OpenError> {
    let mut scan = Scan::default();
    while scan.index.head() < log.end() {
        for bytes in log.read_from(scan.index.head(), SCAN_ENTRIES, SCAN_BYTES)? {
            let position = scan.index.head() + 1;
            let recorded = entry::decode(&bytes, position)
                .map_err(|source| OpenError::NotAnEntry { journal: "log", position, source })?;
            let part = parts.get(recorded.id.0.as_bytes()).copied();
            scan.index.push(recorded.id, &recorded.key, recorded.kind, part);
            match (recorded.seal != Seal::None, part) {
                (false, _) => {}
                (true, Some(_)) => {
                    scan.missing += std::mem::take(&mut scan.unpromised_parts);
                    scan.unpromised = None;
                }
                (true, None) => {
                    scan.unpromised_parts += 1;
                    scan.unpromised.get_or_insert(position);
                }
            }
        }
    }
    Ok(scan)
}
