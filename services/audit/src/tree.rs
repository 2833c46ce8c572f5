//! The tree: the open part of each record is a leaf of an RFC 9162 Merkle tree, in the order of the
//! journal, published as C2SP tlog-tiles under signed checkpoints. Source: `tlog.md`, 6 and 10.
//!
//! The journal is what tiles are made of: it is durable before them, and can make each again. What
//! was signed lies in a place of its own and is never taken back: where the journal no longer has
//! it, nothing more is signed until somebody has looked.

mod growing;
mod opening;
mod sealing;
mod signed;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use chassis::Host;
use merkle::{SignedCheckpoint, VerifierKey, key::BadKey};
use tlog::Folder;
use tokio::sync::watch;

use crate::{book::Shared, entry::NotAnEntry, say_unsigned};

/// Why the tree does not grow. The operator must act, but for what another start mends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// A file can be neither read nor written.
    #[error("{path}: {cause}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The journal cannot be read.
    #[error("the audit's journal: {0}")]
    Journal(#[from] journal::ReadError),
    /// Another program wrote to the journal.
    #[error("the audit's journal: {0}")]
    NotAnEntry(#[from] NotAnEntry),
    /// A record is larger than a log's entry can be. A mistake of the program.
    #[error("entry {index} is too large: {bytes} bytes")]
    TooLarge {
        /// Its number, from 0.
        index: u64,
        /// Its length.
        bytes: usize,
    },
    /// The key file holds no key.
    #[error("the log's key: {0}")]
    Key(#[from] BadKey),
    /// What was signed cannot be read.
    #[error("{0}: this is no checkpoint of this log's key")]
    NotSigned(PathBuf),
    /// More was signed than is here: yesterday's copy was put in its place.
    #[error("{signed} entries were signed, and {here} are here: a copy was restored")]
    RolledBack {
        /// The size that was signed.
        signed: u64,
        /// What is there.
        here: u64,
    },
    /// Neither the tiles nor the journal have what was signed.
    #[error("what is here is not what was signed, up to entry {size}")]
    Altered {
        /// The size that was signed.
        size: u64,
    },
    /// What is published was never signed here.
    #[error("a checkpoint of {published} entries is published, and {signed} were signed")]
    NeverSigned {
        /// The size that is published.
        published: u64,
        /// The size that was signed.
        signed: u64,
    },
    /// Another process has signed, or signs, with this key.
    #[error("another process signs with this key")]
    SignedElsewhere,
}

impl Trouble {
    fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |cause| Self::File { path, cause }
    }
}

/// What is published. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Tree(Arc<Published>);

struct Published {
    folder: Folder,
    key: VerifierKey,
    checkpoint: watch::Sender<Option<Arc<SignedCheckpoint>>>,
}

impl Tree {
    /// Where the tiles lie.
    pub(crate) fn folder(&self) -> &Folder {
        &self.0.folder
    }

    /// The log's own key.
    pub(crate) fn key(&self) -> &VerifierKey {
        &self.0.key
    }

    /// Follows the newest checkpoint.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Option<Arc<SignedCheckpoint>>> {
        self.0.checkpoint.subscribe()
    }

    /// The newest checkpoint, with its signatures; `None` before the first.
    pub(crate) fn checkpoint(&self) -> Option<Arc<SignedCheckpoint>> {
        self.0.checkpoint.borrow().clone()
    }
}

/// Starts growing the tree over the audit's journal. `name` names the log where it has no key yet.
///
/// # Errors
/// [`Trouble`]; nothing more is signed, and all else goes on.
pub(crate) fn start(
    host: &Host,
    shared: &Arc<Shared>,
    dir: &Path,
    name: &str,
) -> Result<Tree, Trouble> {
    let (tree, sealing) = opening::open(shared, dir, name)?;
    let host_ = host.clone();
    host.drain.spawn("audit-tree", async move {
        if let Err(trouble) = sealing.run(&host_).await {
            say_unsigned(&host_, &trouble);
        }
    });
    Ok(tree)
}
