//! What was cosigned last of each log: the one fact that a witness must never lose or take back.
//!
//! The check and the write are one step under the log's lock. The file is durable before anybody
//! sees the cosignature; where it cannot be read, or may not have been kept, nothing is cosigned.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use chassis::{Health, durable_file};
use domain::hex::hex;
use merkle::{
    SignedCheckpoint, VerifierKey, WitnessKey,
    checkpoint::BadCheckpoint,
    note::SignatureLine,
    witness::{BadRequest, Refusal, Request, decide},
};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::{BANNER_UNREADABLE, NotCosigned, OpenError, evidence::Evidence};

const LOGS: &str = "logs";
const CHECKPOINT: &str = "checkpoint";

/// A log that is witnessed.
pub(crate) struct Log {
    origin: String,
    /// SHA-256 of the origin in lower-case hex: its folder, and its path over HTTP.
    folder: String,
    dir: PathBuf,
    /// Its keys.
    trusted: Vec<VerifierKey>,
    kept: Arc<Mutex<Kept>>,
    evidence: Evidence,
}

/// What is known of the last checkpoint that was cosigned.
pub(crate) enum Kept {
    /// It is on disk, with the log's signatures and the own one; `None` before the first.
    Last(Option<SignedCheckpoint>),
    /// Nobody knows: not readable at the start, or a write of it failed.
    Unknown,
}

impl Log {
    /// Reads what was cosigned last of the log with this origin.
    pub(crate) fn open(
        dir: &Path,
        origin: &str,
        keys: &[VerifierKey],
        own: &WitnessKey,
        health: &Health,
    ) -> Result<Self, OpenError> {
        let folder = hex(&Sha256::digest(origin));
        let trusted: Vec<_> = keys.iter().filter(|key| key.name() == origin).cloned().collect();
        let dir = dir.join(LOGS).join(&folder);
        std::fs::create_dir_all(&dir)
            .map_err(|cause| OpenError::File { path: dir.clone(), cause })?;
        let kept = read(&dir, origin, &trusted, own).unwrap_or_else(|why| {
            tracing::error!(origin, why, "what was cosigned last cannot be read: not served");
            metrics::counter!("keng_witness_unreadable_total").increment(1);
            let text = "không đọc được điểm đã đồng ký gần nhất của một nhật ký: \
                        không đồng ký nhật ký đó nữa / what was cosigned last of a log cannot be \
                        read: that log is cosigned no more";
            health.banner(BANNER_UNREADABLE, Some(text.to_owned()));
            Kept::Unknown
        });
        let evidence = Evidence::open(&dir, health);
        let kept = Arc::new(Mutex::new(kept));
        Ok(Self { origin: origin.to_owned(), folder, dir, trusted, kept, evidence })
    }

    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    pub(crate) fn folder(&self) -> &str {
        &self.folder
    }

    /// The right to decide: one at a time.
    pub(crate) async fn hold(&self) -> OwnedMutexGuard<Kept> {
        Arc::clone(&self.kept).lock_owned().await
    }

    /// The last that was cosigned, as a note.
    pub(crate) async fn last(&self) -> Option<String> {
        match &*self.kept.lock().await {
            Kept::Last(last) => last.as_ref().map(ToString::to_string),
            Kept::Unknown => None,
        }
    }

    /// Decides a request, and keeps what it decided. Blocks until that is durable.
    pub(crate) fn add(
        &self,
        kept: &mut Kept,
        request: &Request,
        own: &WitnessKey,
        at_s: u64,
    ) -> Result<SignatureLine, NotCosigned> {
        let Kept::Last(last) = &*kept else { return Err(NotCosigned::Unreadable) };
        let checkpoint = last.as_ref().map(SignedCheckpoint::checkpoint);
        let decided = decide(checkpoint, request, &self.trusted).inspect_err(|refusal| {
            self.evidence.of_refusal(&self.origin, refusal, request, last.as_ref());
        });
        let mut next = decided?;
        let line = own.cosign(next.checkpoint(), at_s)?;
        let too_many = |why| Refusal::Malformed(BadRequest::Checkpoint(BadCheckpoint::Note(why)));
        next.add(line.clone()).map_err(too_many)?;
        if let Err(why) = durable_file::write(&self.dir, CHECKPOINT, next.to_string()) {
            tracing::error!(origin = self.origin, %why, "what was cosigned could not be kept");
            // It may be on disk or not: nothing is built on either.
            *kept = Kept::Unknown;
            return Err(NotCosigned::NotKept);
        }
        metrics::counter!("keng_witness_cosigned_total").increment(1);
        *kept = Kept::Last(Some(next));
        Ok(line)
    }
}

/// What was cosigned last, as it lies on disk: believed only with the own cosignature.
fn read(
    dir: &Path,
    origin: &str,
    trusted: &[VerifierKey],
    own: &WitnessKey,
) -> Result<Kept, String> {
    let text = durable_file::read(&dir.join(CHECKPOINT)).map_err(|why| why.to_string())?;
    let Some(text) = text else { return Ok(Kept::Last(None)) };
    let last = SignedCheckpoint::parse(text.as_bytes()).map_err(|why| why.to_string())?;
    if last.checkpoint().origin() != origin {
        return Err("it is another log's".to_owned());
    }
    let own = own.verifier();
    let verified = last.verify(trusted.iter().chain([own])).map_err(|why| why.to_string())?;
    if !verified.iter().any(|found| found.key == own) {
        return Err("this witness did not cosign it".to_owned());
    }
    Ok(Kept::Last(Some(last)))
}
