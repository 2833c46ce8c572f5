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
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use chassis::{Host, durable_file};
use merkle::{
    SignedCheckpoint, TileId, VerifierKey,
    key::BadKey,
    note::{BadNote, SignatureLine},
};
use tlog::{CHECKPOINT, Folder};
use tokio::sync::watch;

use crate::{anchors::Anchors, book::Shared, entry::NotAnEntry, say_unsigned, witnesses};

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
    /// Nothing was signed yet.
    #[error("{0}: nothing was signed there yet")]
    NothingSigned(PathBuf),
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
    /// A witness knows another history, or a longer one, under this key.
    #[error("the witness {witness} refuses: {why}")]
    Refused {
        /// The name of the witness.
        witness: String,
        /// What it said, and what it shows.
        why: String,
    },
    /// A witness has refused before, and nobody has looked.
    #[error("{0}: a witness has refused what was signed; whoever has looked removes this file")]
    RefusedBefore(PathBuf),
    /// A checkpoint has no room for a cosignature. A mistake of the operator: too many witnesses.
    #[error("the checkpoint: {0}")]
    NoRoom(#[from] BadNote),
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
    /// Who may cosign.
    witnesses: Vec<VerifierKey>,
    /// Held while the file is written: what is older never takes the place of what is newer.
    publishing: Mutex<()>,
    /// What the file says.
    checkpoint: watch::Sender<Option<Arc<SignedCheckpoint>>>,
}

impl Tree {
    /// Where the tiles lie.
    pub(crate) fn folder(&self) -> &Folder {
        &self.0.folder
    }

    /// A tile, as far as the newest checkpoint goes. Blocks.
    ///
    /// # Errors
    /// `NotFound`, also where it is wider than that; or it cannot be read.
    pub(crate) fn tile(&self, id: TileId) -> io::Result<Vec<u8>> {
        let size = self.checkpoint().map_or(0, |newest| newest.checkpoint().size());
        let widest = TileId::within(id.level(), id.index(), size);
        match widest.is_some_and(|widest| id.width() <= widest.width()) {
            true => self.folder().tile(id),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// What other processes read of the tree: `key`, `checkpoint`, tiles by their paths. Blocks.
    pub(crate) fn show(&self, what: &str) -> Option<Bytes> {
        let shown = match what {
            "key" => self.key().to_string().into_bytes(),
            CHECKPOINT => self.checkpoint()?.to_string().into_bytes(),
            tile => self.tile(tile.parse().ok()?).ok()?,
        };
        Some(shown.into())
    }

    /// The log's own key.
    pub(crate) fn key(&self) -> &VerifierKey {
        &self.0.key
    }

    /// The keys that a checkpoint is checked with, as vkeys, one a line: the log's own first, then
    /// those of its witnesses.
    pub(crate) fn keys(&self) -> String {
        std::iter::once(self.key()).chain(&self.0.witnesses).map(|key| format!("{key}\n")).collect()
    }

    /// Follows the newest checkpoint.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Option<Arc<SignedCheckpoint>>> {
        self.0.checkpoint.subscribe()
    }

    /// The newest checkpoint, with its signatures; `None` before the first.
    pub(crate) fn checkpoint(&self) -> Option<Arc<SignedCheckpoint>> {
        self.0.checkpoint.borrow().clone()
    }

    /// Puts a checkpoint that has been signed where people read it. Blocks.
    fn publish(&self, checkpoint: SignedCheckpoint) -> Result<(), Trouble> {
        let _publishing = self.0.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        self.write(checkpoint)
    }

    /// Adds a witness's line to the published checkpoint, or puts it in the place of its former
    /// one, if that is still the checkpoint which the line is over. Blocks.
    pub(crate) fn cosigned(
        &self,
        over: &SignedCheckpoint,
        by: &VerifierKey,
        line: SignatureLine,
    ) -> Result<(), Trouble> {
        let _publishing = self.0.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(newest) = self.checkpoint() else { return Ok(()) };
        if newest.checkpoint() != over.checkpoint() {
            return Ok(());
        }
        let others = newest.note().signatures().iter().filter(|other| !other.is_by(by));
        let mut cosigned = newest.with_signatures(others.cloned().collect());
        cosigned.add(line)?;
        self.write(cosigned)
    }

    fn write(&self, checkpoint: SignedCheckpoint) -> Result<(), Trouble> {
        let folder = self.folder().path();
        durable_file::write_below(folder, CHECKPOINT, checkpoint.to_string())
            .map_err(Trouble::file(folder.join(CHECKPOINT)))?;
        self.0.checkpoint.send_replace(Some(Arc::new(checkpoint)));
        Ok(())
    }
}

/// The tree as it was published last, beside this journal.
///
/// # Errors
/// [`Trouble`]: there is none, or this journal has less than was signed.
pub(crate) fn read_only(shared: &Shared, dir: &Path) -> Result<Tree, Trouble> {
    opening::read_only(shared, dir)
}

/// Starts growing the tree over the audit's journal, and asking the witnesses. `name` names the log
/// where it has no key yet. Nothing is signed before each witness was asked for what was signed
/// last, or does not answer.
///
/// # Errors
/// [`Trouble`]; nothing more is signed, and all else goes on.
pub(crate) fn start(
    host: &Host,
    shared: &Arc<Shared>,
    dir: &Path,
    name: &str,
    anchors: &Anchors,
) -> Result<Tree, Trouble> {
    let (tree, sealing) = opening::open(shared, dir, name, &anchors.policy)?;
    let (asked, objections) = witnesses::start(host, &tree, anchors);
    let host_ = host.clone();
    host.drain.spawn("audit-tree", async move {
        if let Err(trouble) = sealing.run(&host_, asked, objections).await {
            say_unsigned(&host_, &trouble);
        }
    });
    Ok(tree)
}
