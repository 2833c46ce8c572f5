//! The audit keeps every command and every commit in one total order, hash-chained, and replays
//! what happened.
//!
//! It runs behind the doors: nothing that is raised, relayed or corrected waits for it. It knows
//! open parts only. Over NATS a second audit on another data directory keeps a copy of its own,
//! whose order may differ where the rules leave it open. The Merkle tree follows its journal.

mod anchors;
mod book;
mod entry;
mod grpc;
mod http;
mod known_http;
mod outside;
mod pages;
mod quorum;
mod replay;
mod state_http;
mod timestamps;
mod tree;
mod tree_http;
mod witnesses;
mod words_http;
mod writing;

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use chassis::{Host, looks::Looking};
use domain::ids::RecordId;
use merkle::{SignedCheckpoint, VerifierKey};
use tokio::sync::watch;

use crate::{book::Shared, timestamps::Stamps, tree::Tree, writing::Writing};

pub use anchors::{Anchors, BadAnchors};
pub use book::OpenError;
pub use grpc::{Grpc, grpc};
pub use http::router;
pub use pages::pages;
pub use replay::{Replay, Replayer};
pub use state_http::compared;
pub use timestamps::{NoStamp, stamped_at};

/// The name under which `/readyz` shows the audit.
pub const BANNER: &str = "audit";
const SIGNING_BANNER: &str = "audit-signing";

/// The audit of this process. Cloning shares it.
#[derive(Clone)]
pub struct Audit {
    shared: Arc<Shared>,
    tree: Option<Tree>,
    /// Where time stamps lie.
    stamps: Stamps,
    /// Writes down who reads words; `None` where nothing is written.
    looking: Option<Arc<Looking>>,
}

/// Starts the audit on the journal in `dir/audit`, which it checks from end to end first: that
/// blocks. The journal is all of its state: the cursors come from its last entries. Beside it the
/// Merkle tree grows in `dir/tlog`; what was signed of it lies in `dir/audit-signed`. `name` is the
/// log's, a URL without scheme, where it has no key yet. Where the tree cannot grow, the journal
/// does.
///
/// Whoever runs other services beside it goes on without it where this fails, and calls
/// [`say_stopped`].
///
/// # Errors
/// [`OpenError`]: the operator must act. Nothing was changed on disk.
pub fn start(host: &Host, dir: &Path, name: &str) -> Result<Audit, OpenError> {
    start_with(host, dir, name, &Anchors::default())
}

/// The same, with witnesses and time stamps from outside.
///
/// # Errors
/// As [`start`].
pub fn start_with(
    host: &Host,
    dir: &Path,
    name: &str,
    anchors: &Anchors,
) -> Result<Audit, OpenError> {
    let (shared, tip) = book::open(&dir.join("audit"))?;
    let shared = Arc::new(shared);
    let tree =
        tree::start(host, &shared, dir, name, anchors).inspect_err(|why| say_unsigned(host, why));
    let stamps = Stamps::of(dir);
    if let Ok(tree) = &tree {
        timestamps::start(host, &shared, tree, &stamps, anchors);
    }
    let looking = Some(Arc::new(Looking::new(host)));
    let audit = Audit { shared, tree: tree.ok(), stamps, looking };
    let writing = Writing::new(host, &audit, tip);
    host.drain.spawn("audit", writing.run());
    Ok(audit)
}

/// The audit as it lies in `dir`, of a server that does not run: read, and neither grown nor
/// signed. Checks the journal from end to end: that blocks.
///
/// # Errors
/// [`OpenError`]; where nothing was ever signed there, or not what is published, too.
pub fn read_only(dir: &Path) -> Result<Audit, OpenError> {
    let (shared, _) = book::open(&dir.join("audit"))?;
    let tree = tree::read_only(&shared, dir).map_err(|why| OpenError::Unsigned(why.to_string()))?;
    let (shared, stamps) = (Arc::new(shared), Stamps::of(dir));
    Ok(Audit { shared, tree: Some(tree), stamps, looking: None })
}

/// Says in `/readyz` and in the trace that the audit has stopped, while all else goes on.
pub fn say_stopped(host: &Host, why: &dyn std::fmt::Display) {
    tracing::error!(%why, "the audit has stopped");
    metrics::counter!("keng_audit_stopped_total").increment(1);
    let text = "nhật ký kiểm toán đã dừng; báo động vẫn hoạt động / \
                the audit has stopped; alerts go on";
    host.health.banner(BANNER, Some(text.to_owned()));
}

/// Says in `/readyz` and in the trace that nothing more is signed, while the journal and all else
/// go on.
fn say_unsigned(host: &Host, why: &dyn std::fmt::Display) {
    tracing::error!(%why, "the audit signs nothing more");
    metrics::counter!("keng_audit_unsigned_total").increment(1);
    let text = "nhật ký kiểm toán ngừng ký, cần kiểm tra; báo động vẫn hoạt động / \
                the audit log is no longer signed and must be looked at; alerts go on";
    host.health.banner(SIGNING_BANNER, Some(text.to_owned()));
}

impl Audit {
    fn tree(&self) -> Option<&Tree> {
        self.tree.as_ref()
    }

    /// Follows the number of entries that are on disk: an entry whose position is not greater is.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.shared.journal.subscribe_durable()
    }

    /// Follows the newest checkpoint; `None` before the first. `None` altogether where nothing is
    /// signed here.
    #[must_use]
    pub fn subscribe_signed(&self) -> Option<watch::Receiver<Option<Arc<SignedCheckpoint>>>> {
        self.tree.as_ref().map(Tree::subscribe)
    }

    /// The log's key, and what shows its tree to other processes: `key`, `checkpoint`, and tiles by
    /// their C2SP paths. `None` where nothing is signed here. It blocks.
    #[must_use]
    pub fn show(
        &self,
    ) -> Option<(VerifierKey, impl Fn(&str) -> Option<Bytes> + Send + Sync + use<>)> {
        let tree = self.tree.clone()?;
        Some((tree.key().clone(), move |what: &str| tree.show(what)))
    }

    /// The position of a record; `None` where it has none yet. It may not be on disk yet: see
    /// [`Audit::subscribe`].
    #[must_use]
    pub fn position_of(&self, id: RecordId) -> Option<u64> {
        self.shared.book().place_of(id)
    }
}
