//! What is wrong with a file of boundaries: feature, field and reason of each fault.

use std::fmt;

use crate::fault::{Collector, FAULTS_MAX, Fault, Faults, ReadError};

/// Why a file of boundaries is not used. The operator must act: the file, or its name, is wrong.
#[derive(Debug, thiserror::Error)]
pub enum BoundaryError {
    /// The file could not be read at all.
    #[error(transparent)]
    Unreadable(#[from] ReadError),
    /// The file was read, and is wrong.
    #[error("{path}:\n{faults}")]
    Faulty {
        /// The file.
        path: String,
        /// What is wrong.
        faults: FeatureFaults,
    },
}

/// Everything found wrong with a file of boundaries. The `line` of each fault is the number of
/// the feature, from 1, or 0 where it is the file as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct FeatureFaults(pub(super) Faults);

impl FeatureFaults {
    /// The faults.
    #[must_use]
    pub fn as_slice(&self) -> &[Fault] {
        self.0.as_slice()
    }
}

impl fmt::Display for FeatureFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, Fault { line, field, reason }) in self.as_slice().iter().enumerate() {
            let gap = if place == 0 { "" } else { "\n" };
            let comma = if field.is_empty() { "" } else { ", " };
            match line {
                0 => write!(f, "{gap}tệp (file){comma}{field}: {reason}")?,
                number => {
                    write!(f, "{gap}đối tượng {number} (feature {number}){comma}{field}: {reason}")?
                }
            }
        }
        if self.as_slice().len() >= FAULTS_MAX {
            let max = FAULTS_MAX;
            write!(f, "\n(sau {max} lỗi không đọc tiếp / not read further after {max} faults)")?;
        }
        Ok(())
    }
}

/// As [`Collector::check`].
pub(super) fn check(faults: &mut Collector) -> Result<(), FeatureFaults> {
    faults.check().map_err(FeatureFaults)
}
