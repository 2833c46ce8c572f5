//! A witness of other people's logs (C2SP tlog-witness): it cosigns a checkpoint only where the
//! log has grown from what it cosigned before, so that nobody can be shown another history.
//!
//! It stands alone, with somebody who does not run the log: no broker, no map, no alert. It knows
//! hashes and sizes only. Of each log it keeps one checkpoint, and never goes back behind it.

mod evidence;
mod http;
mod keeping;
mod keys;

use std::{collections::BTreeMap, io, path::PathBuf, sync::Arc};

use chassis::{Clock, Drain, Health};
use merkle::{
    VerifierKey, WitnessKey,
    cosignature::NotATime,
    key::BadKey,
    note::SignatureLine,
    witness::{Refusal, Request},
};

use crate::keeping::Log;

pub use http::router;
pub use keys::{WrongLog, log_keys};

const BANNER_EVIDENCE: &str = "witness-evidence";
const BANNER_UNREADABLE: &str = "witness-unreadable";

/// What a witness is and works with.
pub struct Options {
    /// Where its key and what it cosigned lie. It is there, and no other process works in it.
    pub dir: PathBuf,
    /// Its name, a URL without scheme, where it has no key yet.
    pub name: String,
    /// The keys of the logs that it knows; a log's origin is the name of its key.
    pub logs: Vec<VerifierKey>,
    /// The time that it signs.
    pub clock: Arc<dyn Clock>,
    /// Where it says what its operator must know.
    pub health: Health,
    /// Ended where the disk does not keep what was cosigned.
    pub drain: Drain,
}

/// Why a witness does not start. The operator must act.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file can be neither read nor written.
    #[error("{path}: {cause}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The name is none, or the key file holds no key.
    #[error("the witness's key: {0}")]
    Key(#[from] BadKey),
    /// The key in the directory is that of another witness.
    #[error("the key here is that of {found}, not of {asked}")]
    OtherName {
        /// The name of the key.
        found: String,
        /// The name that was asked for.
        asked: String,
    },
}

/// A witness. Cloning shares it.
#[derive(Clone)]
pub struct Witness(Arc<Inner>);

struct Inner {
    key: WitnessKey,
    /// By their origins.
    logs: BTreeMap<String, Arc<Log>>,
    clock: Arc<dyn Clock>,
    drain: Drain,
}

/// Why a witness did not cosign.
#[derive(Debug, thiserror::Error)]
enum NotCosigned {
    /// The client must act.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What was cosigned last cannot be read: nothing is cosigned before the operator has looked.
    #[error("what was cosigned last cannot be read")]
    Unreadable,
    /// It could not be kept: the process ends.
    #[error("what was to be cosigned could not be kept")]
    NotKept,
    /// The clock shows a time that no witness signs.
    #[error(transparent)]
    Clock(#[from] NotATime),
}

impl Witness {
    /// Opens a witness; makes its key where it has none. Blocks for a moment. A log whose last
    /// checkpoint cannot be read is served no more, and the others are.
    ///
    /// # Errors
    /// The operator must act.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        let Options { dir, name, logs: keys, clock, health, drain } = options;
        let key = keys::own(&dir, &name)?;
        let mut logs = BTreeMap::new();
        for log in &keys {
            if !logs.contains_key(log.name()) {
                let log = Log::open(&dir, log.name(), &keys, &key, &health)?;
                logs.insert(log.origin().to_owned(), Arc::new(log));
            }
        }
        Ok(Self(Arc::new(Inner { key, logs, clock, drain })))
    }

    /// The key that cosignatures are verified with.
    #[must_use]
    pub fn key(&self) -> &VerifierKey {
        self.0.key.verifier()
    }

    /// Cosigns a checkpoint. What was decided is durable when this returns, and stays so where the
    /// caller has gone away meanwhile.
    async fn add(&self, body: &[u8]) -> Result<SignatureLine, NotCosigned> {
        let request = Request::parse(body).map_err(Refusal::Malformed)?;
        let origin = request.checkpoint.checkpoint().origin();
        let log = self.0.logs.get(origin).cloned();
        let log = log.ok_or_else(|| Refusal::UnknownLog(origin.to_owned()))?;
        let inner = Arc::clone(&self.0);
        // One at a time for each log, from the check to the disk.
        let mut kept = log.hold().await;
        let cosigned = tokio::task::spawn_blocking(move || {
            let at_s = u64::try_from(inner.clock.now().0 / 1_000).unwrap_or_default();
            let added = log.add(&mut kept, &request, &inner.key, at_s);
            if matches!(added, Err(NotCosigned::NotKept)) {
                inner.drain.fail("what was cosigned could not be kept");
            }
            added
        });
        cosigned.await.unwrap_or(Err(NotCosigned::NotKept))
    }

    /// The last checkpoint that was cosigned of the log whose origin has this hash, in lower-case
    /// hex; `None` where there is none.
    async fn last(&self, origin_sha256: &str) -> Option<String> {
        let log = self.0.logs.values().find(|log| log.folder() == origin_sha256)?;
        log.last().await
    }
}
