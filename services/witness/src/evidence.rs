//! Evidence: what a log signed and could not show to be consistent with what it signed before.
//!
//! Kept once for each checkpoint that the log signed, so that nobody who has only seen one of them
//! can fill the disk; a checkpoint of the log's own key is needed for each.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use chassis::{Health, durable_file};
use domain::hex::hex;
use merkle::{
    SignedCheckpoint,
    witness::{Refusal, Request},
};
use sha2::{Digest, Sha256};

use crate::BANNER_EVIDENCE;

const EVIDENCE: &str = "evidence";
/// Files of one log. Who has misbehaved a hundred times needs no further proof.
const FILES_MAX: usize = 200;

/// The folder of one log's evidence; made with the first.
pub(crate) struct Evidence {
    dir: PathBuf,
    health: Health,
}

impl Evidence {
    /// Says again what was kept before.
    pub(crate) fn open(log: &Path, health: &Health) -> Self {
        let evidence = Self { dir: log.join(EVIDENCE), health: health.clone() };
        if evidence.count() > 0 {
            evidence.say();
        }
        evidence
    }

    /// Keeps a refused request where its signature was good and what it says cannot stand beside
    /// what was cosigned; other refusals happen to honest clients.
    pub(crate) fn of_refusal(
        &self,
        origin: &str,
        refusal: &Refusal,
        request: &Request,
        last: Option<&SignedCheckpoint>,
    ) {
        let new = request.checkpoint.checkpoint();
        let is_split_view = last.is_some_and(|last| {
            let last = last.checkpoint();
            last.size() == new.size() && last.root() != new.root()
        });
        match refusal {
            Refusal::Inconsistent(_) | Refusal::NotEmpty => {}
            Refusal::Conflict { .. } if is_split_view => {}
            _ => return,
        }
        tracing::error!(origin, size = new.size(), %refusal, "a signed checkpoint is inconsistent");
        metrics::counter!("keng_witness_evidence_total").increment(1);
        self.say();
        if let Err(why) = self.keep(request, last) {
            tracing::error!(origin, %why, "evidence could not be kept");
        }
    }

    fn keep(&self, request: &Request, last: Option<&SignedCheckpoint>) -> io::Result<()> {
        let signed = hex(&Sha256::digest(request.checkpoint.note().text()));
        let name = format!("{}-{signed}", request.checkpoint.checkpoint().size());
        let asked = format!("{name}.request");
        if self.dir.join(&asked).exists() || self.count() >= FILES_MAX {
            return Ok(());
        }
        fs::create_dir_all(&self.dir)?;
        if let Some(last) = last {
            durable_file::write(&self.dir, &format!("{name}.cosigned"), last.to_string())?;
        }
        durable_file::write(&self.dir, &asked, request.to_string())
    }

    fn count(&self) -> usize {
        fs::read_dir(&self.dir).map_or(0, Iterator::count)
    }

    fn say(&self) {
        let text = "một nhật ký đã ký điều không nhất quán, bằng chứng được giữ lại / \
                    a log has signed what is inconsistent; the evidence is kept";
        self.health.banner(BANNER_EVIDENCE, Some(text.to_owned()));
    }
}
