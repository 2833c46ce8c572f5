//! The keys that a log is checked with: a file of vkeys, one a line, the log's own and those of
//! witnesses. In one that a person writes, lines that begin with `#` say something.

use std::{fmt, path::Path};

use merkle::{VerifierKey, key::KeyType};
use tlog::check::Keys;

use super::{
    KEYS,
    court_check::{read, wrong},
};
use crate::Failed;

/// Keys from a file.
#[derive(Debug)]
pub(super) struct KeyFile {
    log: VerifierKey,
    witnesses: Vec<VerifierKey>,
}

impl KeyFile {
    /// Reads what a person trusts.
    pub(super) fn read(path: &Path) -> Result<Self, Failed> {
        let wrong = |why: String| Failed::Usage(format!("{}: {why}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|why| wrong(why.to_string()))?;
        Self::parse(&text).map_err(wrong)
    }

    /// Reads what an export was made with: as it is printed, so that no byte of it is free.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn of_export(folder: &Path) -> Result<Self, String> {
        let bytes = read(folder, KEYS)?;
        let text = String::from_utf8_lossy(&bytes);
        let keys = Self::parse(&text).map_err(|why| wrong(KEYS, &why))?;
        match keys.to_string().as_bytes() == bytes {
            true => Ok(keys),
            false => Err(wrong(KEYS, &"không đúng dạng đã xuất / not as it is exported")),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (mut log, mut witnesses) = (None, Vec::new());
        for (number, line) in (1..).zip(text.lines()) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key: VerifierKey =
                line.parse().map_err(|why| format!("dòng / line {number}: {why}"))?;
            match (key.key_type(), &log) {
                (KeyType::Cosignature, _) => witnesses.push(key),
                (KeyType::Note, None) => log = Some(key),
                (KeyType::Note, Some(_)) => {
                    let why = "có hai khóa của nhật ký / there are two keys of a log";
                    return Err(format!("dòng / line {number}: {why}"));
                }
            }
        }
        let missing = "không có khóa của nhật ký / there is no key of a log";
        Ok(Self { log: log.ok_or(missing)?, witnesses })
    }

    /// These keys, which are trusted, where an export says that it is of the same log.
    ///
    /// # Errors
    /// It is of another.
    pub(super) fn of_the_log_of(self, own: &Self) -> Result<Self, String> {
        if self.log == own.log {
            return Ok(self);
        }
        let (asked, found) = (&self.log, &own.log);
        let why = format!("nhật ký của khóa khác / of the log {found}, not of {asked}");
        Err(wrong(KEYS, &why))
    }

    /// These, and those of more witnesses.
    pub(super) fn trusting<'a>(mut self, more: impl Iterator<Item = &'a VerifierKey>) -> Self {
        for key in more {
            if !self.witnesses.contains(key) {
                self.witnesses.push(key.clone());
            }
        }
        self
    }

    /// The keys.
    pub(super) fn keys(&self) -> Keys<'_> {
        Keys { log: &self.log, witnesses: &self.witnesses }
    }
}

/// As exports have them: the log's own key, then those of its witnesses.
impl fmt::Display for KeyFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::iter::once(&self.log).chain(&self.witnesses).try_for_each(|key| writeln!(out, "{key}"))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use merkle::{LogKey, WitnessKey};

    use super::*;

    #[test]
    fn no_byte_of_an_exports_keys_is_free_and_a_persons_file_may_say_something() {
        let folder = tempfile::tempdir().unwrap();
        let log = LogKey::from_seed("keng.example.vn", &[1; 32]).unwrap();
        let witness = WitnessKey::from_seed("tinh.example.vn", &[2; 32]).unwrap();
        let text = format!("{}\n{}\n", log.verifier(), witness.verifier());
        let file = folder.path().join(KEYS);
        let own = |bytes: &[u8]| {
            fs::write(&file, bytes).unwrap();
            KeyFile::of_export(folder.path())
        };
        let there = own(text.as_bytes()).unwrap();
        assert_eq!((there.keys().log, there.keys().witnesses.len()), (log.verifier(), 1));
        for at in 0..text.len() {
            for bit in [0x01, 0x02, 0x20, 0x80] {
                let mut flipped = text.clone().into_bytes();
                flipped[at] ^= bit;
                let said = own(&flipped).unwrap_err();
                assert!(said.starts_with("SAI / WRONG: keys: "), "byte {at}: {said}");
            }
        }
        let remarked = format!("# from the province\n\n{text}");
        for changed in [remarked.as_str(), text.trim_end(), &text.replace('\n', "\r\n"), ""] {
            own(changed.as_bytes()).unwrap_err();
        }
        own(remarked.as_bytes()).unwrap_err();
        assert_eq!(KeyFile::read(&file).unwrap().to_string(), text);

        let other = LogKey::from_seed("keng.example.vn", &[3; 32]).unwrap();
        let other = KeyFile::parse(&other.verifier().to_string()).unwrap();
        let said = other.of_the_log_of(&there).unwrap_err();
        assert!(said.starts_with("SAI / WRONG: keys: ") && said.contains("of the log"), "{said}");
    }
}
