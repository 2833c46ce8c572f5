//! What is wrong with a file that an operator gave: line, field and reason of each fault.

use domain::text::NotText;
use std::{fmt, fs::File, io, io::Read, path::Path};

/// The most faults that one reading reports; reading stops there.
pub const FAULTS_MAX: usize = 20;

/// One fault of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// The field, as `neighbours[2]` or `channels[0].url`; empty where the whole line is at fault.
    pub field: String,
    /// Why, for the operator, in Vietnamese and then in English. Names no secret.
    pub reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, field, reason } = self;
        match field.as_str() {
            "" => write!(f, "dòng {line} (line {line}): {reason}"),
            field => write!(f, "dòng {line} (line {line}), {field}: {reason}"),
        }
    }
}

/// Everything found wrong with a file: at least one fault, at most [`FAULTS_MAX`], by line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// A single fault.
    pub(crate) fn one(fault: Fault) -> Self {
        Self(vec![fault])
    }

    /// The faults.
    #[must_use]
    pub fn as_slice(&self) -> &[Fault] {
        &self.0
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, fault) in self.0.iter().enumerate() {
            let gap = if place == 0 { "" } else { "\n" };
            write!(f, "{gap}{fault}")?;
        }
        if self.0.len() >= FAULTS_MAX {
            let max = FAULTS_MAX;
            write!(f, "\n(sau {max} lỗi không đọc tiếp / not read further after {max} faults)")?;
        }
        Ok(())
    }
}

/// Why a map or groups file is not used. The operator must act: the file, or its name, is wrong.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be read at all.
    #[error("{path}: không đọc được / cannot be read: {cause}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        cause: io::Error,
    },
    /// The file was read, and is wrong.
    #[error("{path}:\n{faults}")]
    Faulty {
        /// The file.
        path: String,
        /// What is wrong.
        faults: Faults,
    },
}

/// Reads `path` whole, up to `bytes_max`, and parses it.
pub(crate) fn read<T>(
    path: &Path,
    bytes_max: u64,
    parse: impl FnOnce(&[u8]) -> Result<T, Faults>,
) -> Result<T, ReadError> {
    let name = || path.display().to_string();
    let bytes = read_bytes(path, bytes_max)
        .map_err(|cause| ReadError::Unreadable { path: name(), cause })?;
    parse(&bytes).map_err(|faults| ReadError::Faulty { path: name(), faults })
}

fn read_bytes(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > bytes_max) {
        let why = format!("lớn hơn {bytes_max} byte / larger than {bytes_max} bytes");
        return Err(io::Error::other(why));
    }
    Ok(bytes)
}

/// Why a text is not taken, as the operator is told.
pub(crate) fn not_text(not: NotText) -> String {
    match not {
        NotText::Blank => format!("không được để trống / {not}"),
        NotText::Control => format!("không được có ký tự điều khiển / {not}"),
        NotText::TooLong { chars_max } => format!("không được quá {chars_max} ký tự / {not}"),
    }
}

/// Why a word is not taken: the words that are.
pub(crate) fn none_of(words: &str) -> String {
    format!("phải là một trong: {words} / is none of {words}")
}

/// Gathers faults while a file is read.
#[derive(Debug, Default)]
pub(crate) struct Collector(Vec<Fault>);

impl Collector {
    /// Notes a fault; beyond [`FAULTS_MAX`] it is dropped.
    pub(crate) fn add(&mut self, line: usize, field: impl Into<String>, reason: impl Into<String>) {
        self.push(Fault { line, field: field.into(), reason: reason.into() });
    }

    /// As [`Collector::add`].
    pub(crate) fn push(&mut self, fault: Fault) {
        if !self.is_full() {
            self.0.push(fault);
        }
    }

    /// The value, or the fault noted under this line and field.
    pub(crate) fn note<T, E: fmt::Display>(
        &mut self,
        line: usize,
        field: &str,
        result: Result<T, E>,
    ) -> Option<T> {
        result.map_err(|reason| self.add(line, field, reason.to_string())).ok()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= FAULTS_MAX
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// An error if anything was noted.
    pub(crate) fn check(&mut self) -> Result<(), Faults> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut faults = std::mem::take(&mut self.0);
        faults.sort_by_key(|fault| fault.line);
        Err(Faults(faults))
    }
}
