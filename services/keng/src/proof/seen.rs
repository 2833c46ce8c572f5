//! Checkpoints of a log that an auditor has kept: it must have grown from each, else an old copy
//! was put in its place, or two histories were shown.

use std::path::{Path, PathBuf};

use clap::Args;
use merkle::{SignedCheckpoint, VerifierKey};
use tlog::{
    Folder,
    check::{Whole, grown_from},
};

use super::RECORDS;
use crate::{Failed, feeds::line};

#[derive(Debug, Args)]
pub(super) struct SeenArgs {
    /// Mốc đã thấy trước đây; dùng được nhiều lần / A checkpoint that was seen before: the log must
    /// have grown from it; may be repeated
    #[arg(long, value_name = "FILE")]
    seen: Vec<PathBuf>,
}

/// A checkpoint that was seen, and where it is kept.
pub(super) struct Seen {
    file: PathBuf,
    checkpoint: SignedCheckpoint,
}

impl SeenArgs {
    /// Reads them.
    pub(super) fn read(self) -> Result<Vec<Seen>, Failed> {
        self.seen.into_iter().map(Seen::read).collect()
    }
}

impl Seen {
    fn read(file: PathBuf) -> Result<Self, Failed> {
        let wrong = |why: String| Failed::Usage(format!("--seen {}: {why}", file.display()));
        let bytes = std::fs::read(&file).map_err(|why| wrong(why.to_string()))?;
        let checkpoint = SignedCheckpoint::parse(&bytes).map_err(|why| wrong(why.to_string()))?;
        Ok(Self { file, checkpoint })
    }

    /// The log in this folder, which is whole and of this key, has grown from it.
    pub(super) fn check(
        &self,
        folder: &Path,
        whole: &Whole,
        key: &VerifierKey,
    ) -> Result<(), Failed> {
        let usage = |why: &str| Failed::Usage(format!("--seen {}: {why}", self.file.display()));
        let (seen, now) = (self.checkpoint.checkpoint(), whole.checkpoint.checkpoint());
        // What the log's key did not sign says nothing of the log.
        if seen.origin() != key.name() || self.checkpoint.verify([key]).is_err() {
            return Err(usage("khóa của nhật ký không ký mốc này / the log's key did not sign it"));
        }
        if seen.size() < now.size() && folder.join(RECORDS).is_dir() {
            let why = "chỉ cả nhật ký mới cho thấy / only the whole log shows that it grew";
            return Err(usage(why));
        }
        grown_from(&Folder::at(folder), whole, seen).map_err(|why| {
            let file = self.file.display();
            Failed::Trouble(anyhow::anyhow!("SAI / WRONG: {why} (--seen {file})"))
        })?;
        line(&format!("lớn lên từ / grew from {} bản ghi / records", seen.size()));
        Ok(())
    }
}
