//! How many witnesses an auditor wants on a checkpoint: by the same policy file (C2SP tlog-policy)
//! by which the log gathers them, or the auditor's own.

use std::path::PathBuf;

use clap::Args;
use merkle::{Policy, VerifierKey};
use tlog::{CHECKPOINT, check::Whole};

use super::court_check::wrong;
use crate::{Failed, feeds::line};

#[derive(Debug, Args)]
pub(super) struct QuorumArgs {
    /// Các bên làm chứng phải có, như tệp của --witnesses / The witnesses that must have cosigned:
    /// a policy file, as --witnesses has it
    #[arg(long, value_name = "FILE")]
    quorum: Option<PathBuf>,
}

/// Whose cosignatures are enough.
pub(super) struct Quorum(Policy);

impl QuorumArgs {
    /// Reads the file; `None` where none is given.
    pub(super) fn read(&self) -> Result<Option<Quorum>, Failed> {
        let Some(path) = &self.quorum else { return Ok(None) };
        let wrong = |why: String| Failed::Usage(format!("--quorum {}: {why}", path.display()));
        let file = std::fs::read(path).map_err(|why| wrong(why.to_string()))?;
        Ok(Some(Quorum(Policy::parse(&file).map_err(|why| wrong(why.to_string()))?)))
    }
}

impl Quorum {
    /// The keys of its witnesses.
    pub(super) fn witnesses(&self) -> impl Iterator<Item = &VerifierKey> {
        self.0.witnesses().iter().map(|witness| &witness.key)
    }

    /// Enough of them have signed this very checkpoint.
    ///
    /// # Errors
    /// They have not.
    pub(super) fn check(&self, whole: &Whole) -> Result<(), String> {
        let cosigners = self.0.cosigners(&whole.checkpoint);
        let count = cosigners.len();
        if !self.0.is_quorum(&cosigners) {
            let why = "chưa đủ bên làm chứng / the witnesses who signed are no quorum";
            return Err(wrong(CHECKPOINT, &format!("{count}: {why}")));
        }
        line(&format!("đủ bên làm chứng / a quorum of witnesses: {count}"));
        Ok(())
    }
}
