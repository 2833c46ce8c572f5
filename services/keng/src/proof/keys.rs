//! The keys that a log is checked with: a file of vkeys, one a line, the log's own and those of
//! witnesses; lines that begin with `#` say something.

use std::path::Path;

use merkle::{VerifierKey, key::KeyType};
use tlog::check::Keys;

use crate::Failed;

/// Keys from a file.
pub(super) struct KeyFile {
    log: VerifierKey,
    witnesses: Vec<VerifierKey>,
}

impl KeyFile {
    /// Reads them.
    pub(super) fn read(path: &Path) -> Result<Self, Failed> {
        let wrong = |why: String| Failed::Usage(format!("{}: {why}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|why| wrong(why.to_string()))?;
        let (mut log, mut witnesses) = (None, Vec::new());
        for (number, line) in (1..).zip(text.lines()) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key: VerifierKey =
                line.parse().map_err(|why| wrong(format!("dòng / line {number}: {why}")))?;
            match (key.key_type(), &log) {
                (KeyType::Cosignature, _) => witnesses.push(key),
                (KeyType::Note, None) => log = Some(key),
                (KeyType::Note, Some(_)) => {
                    let why = "có hai khóa của nhật ký / there are two keys of a log";
                    return Err(wrong(format!("dòng / line {number}: {why}")));
                }
            }
        }
        let missing = "không có khóa của nhật ký / there is no key of a log";
        Ok(Self { log: log.ok_or_else(|| wrong(missing.to_owned()))?, witnesses })
    }

    /// The keys.
    pub(super) fn keys(&self) -> Keys<'_> {
        Keys { log: &self.log, witnesses: &self.witnesses }
    }
}
