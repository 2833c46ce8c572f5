//! What an operator says about the broker, and why a log was not opened.

use std::{path::PathBuf, sync::Arc, time::Duration};

use journal::Reserve;
use keyring::{KeyId, Keyring};
use merkle::VerifierKey;

/// How to reach the broker, and how far to trust it.
#[derive(Debug, Clone)]
pub struct NatsOptions {
    /// `nats://HOST:PORT`, several separated by commas.
    pub url: String,
    /// The HTTP monitor of each server, `http://HOST:PORT`, separated by commas. Without one it
    /// cannot be known whether the broker syncs before it acknowledges.
    pub monitor: Option<String>,
    /// Publish although it is not known that the broker syncs before it acknowledges.
    pub accept_unverified_broker: bool,
    /// The process's own directory; the outbox lies in `outbox` below it.
    pub data: PathBuf,
    /// The service, as the broker lists its clients.
    pub service: &'static str,
    /// How many servers keep each stream; 3 in a cluster.
    pub replicas: usize,
    /// Freed for the outbox when the disk is full.
    pub reserve: Option<Arc<Reserve>>,
    /// What the sealed parts in the outbox are encrypted under, and were.
    pub keyring: Keyring,
    /// How often the outbox is compared with the streams while connected.
    pub compare_every: Duration,
    /// How soon a broker that was not fit is looked at again.
    pub retry_every: Duration,
    /// How long a commit waits for the lost commits before it, which other processes send again,
    /// before it is appended as recovered.
    pub gap_patience: Duration,
    /// The key of the audit log whose proofs are believed; `None` means the first that answers.
    pub audit_key: Option<VerifierKey>,
    /// How often the audit's tree is read.
    pub prove_every: Duration,
    /// How long a record that stands in the log may be without a proof.
    pub proof_patience: Duration,
    /// How long what is proven stays in the outbox.
    pub keep: Duration,
    /// For benchmarks only: how much longer each sync of the outbox takes.
    #[doc(hidden)]
    pub sync_delay: Duration,
}

impl NatsOptions {
    /// The options for one server, with the intervals of the architecture.
    #[must_use]
    pub fn new(url: impl Into<String>, data: impl Into<PathBuf>, service: &'static str) -> Self {
        Self {
            url: url.into(),
            monitor: None,
            accept_unverified_broker: false,
            data: data.into(),
            service,
            replicas: 1,
            reserve: None,
            keyring: Keyring::default(),
            compare_every: Duration::from_secs(45),
            retry_every: Duration::from_secs(3),
            gap_patience: Duration::from_secs(30),
            audit_key: None,
            prove_every: Duration::from_secs(10),
            proof_patience: Duration::from_secs(45),
            keep: Duration::from_secs(30 * 24 * 60 * 60),
            sync_delay: Duration::ZERO,
        }
    }
}

/// Why a log was not opened. The operator must act.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is none.
    #[error("not an address of a NATS server: {0}")]
    Address(String),
    /// The outbox cannot be used.
    #[error("the outbox: {0}")]
    Outbox(#[from] journal::OpenError),
    /// The outbox is encrypted, and the key is not here.
    #[error("{dir} is encrypted under key {key}, which the key file does not hold")]
    NoKey {
        /// The directory.
        dir: PathBuf,
        /// The key.
        key: KeyId,
    },
    /// An entry of the outbox cannot be read.
    #[error("the outbox cannot be read: {0}")]
    Unreadable(String),
    /// The client could not be made.
    #[error("the client of NATS: {0}")]
    Client(String),
}
