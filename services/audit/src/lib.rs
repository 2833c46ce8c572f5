//! The audit keeps every command and every commit in one total order, hash-chained, and replays
//! what happened.
//!
//! It runs behind the doors: nothing that is raised, relayed or corrected waits for it. It knows
//! open parts only. Over NATS a second audit on another data directory keeps a copy of its own,
//! whose order may differ where the rules leave it open. The Merkle tree, proofs and checkpoints
//! have their place behind [`Audit::subscribe`]: they follow this journal.

mod book;
mod entry;
mod grpc;
mod http;
mod known_http;
mod replay;
mod state_http;
mod writing;

use std::{path::Path, sync::Arc};

use chassis::Host;
use domain::ids::RecordId;
use tokio::sync::watch;

use crate::{book::Shared, writing::Writing};

pub use book::OpenError;
pub use grpc::{Grpc, grpc};
pub use http::router;
pub use replay::{Replay, Replayer};
pub use state_http::compared;

/// The name under which `/readyz` shows the audit.
pub const BANNER: &str = "audit";

/// The audit of this process. Cloning shares it.
#[derive(Clone)]
pub struct Audit(Arc<Shared>);

/// Starts the audit on the journal in `dir/audit`, which it checks from end to end first: that
/// blocks. The journal is all of its state: the cursors come from its last entries.
///
/// Whoever runs other services beside it goes on without it where this fails, and calls
/// [`say_stopped`].
///
/// # Errors
/// [`OpenError`]: the operator must act. Nothing was changed on disk.
pub fn start(host: &Host, dir: &Path) -> Result<Audit, OpenError> {
    let (shared, tip) = book::open(&dir.join("audit"))?;
    let audit = Audit(Arc::new(shared));
    let writing = Writing::new(host, &audit, tip);
    host.drain.spawn("audit", writing.run());
    Ok(audit)
}

/// Says in `/readyz` and in the trace that the audit has stopped, while all else goes on.
pub fn say_stopped(host: &Host, why: &dyn std::fmt::Display) {
    tracing::error!(%why, "the audit has stopped");
    metrics::counter!("keng_audit_stopped_total").increment(1);
    let text = "nhật ký kiểm toán đã dừng; báo động vẫn hoạt động / \
                the audit has stopped; alerts go on";
    host.health.banner(BANNER, Some(text.to_owned()));
}

impl Audit {
    /// Follows the number of entries that are on disk: an entry whose position is not greater is.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.journal.subscribe_durable()
    }

    /// The position of a record; `None` where it has none yet. It may not be on disk yet: see
    /// [`Audit::subscribe`].
    #[must_use]
    pub fn position_of(&self, id: RecordId) -> Option<u64> {
        self.0.book().place_of(id)
    }
}
