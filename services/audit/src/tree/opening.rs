//! Opening: what is published, what was signed and what is here are compared before anything is
//! signed again. Source: `tlog.md`, section 10, start-up.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use merkle::{Policy, SignedCheckpoint, VerifierKey};
use tlog::{CHECKPOINT, Folder};
use tokio::sync::watch;

use super::{
    Published, Tree, Trouble,
    growing::Growing,
    sealing::Sealing,
    signed::{self, Signed},
};
use crate::book::Shared;

/// The folder of the tiles, in the data directory.
const TILES: &str = "tlog";
/// The folder of what was signed. Backups leave it out, and a disk of its own may be mounted there.
const SIGNED: &str = "audit-signed";

/// Opens the tree in `dir`, and brings what is published up to what was signed.
///
/// # Errors
/// [`Trouble`]: nothing was signed.
pub(super) fn open(
    shared: &Arc<Shared>,
    dir: &Path,
    name: &str,
    policy: &Policy,
) -> Result<(Tree, Sealing), Trouble> {
    let folder = Folder::at(&dir.join(TILES));
    std::fs::create_dir_all(folder.path()).map_err(Trouble::file(folder.path()))?;
    let signed = Signed::open(&dir.join(SIGNED), name)?;
    let published = published(&folder, &signed)?;
    let growing = grown(shared, &folder, &signed)?;
    let witnesses: Vec<_> = policy.witnesses().iter().map(|witness| witness.key.clone()).collect();
    signed.keep_witnesses(&witnesses)?;
    let last = signed.last();
    let last = last.map(|last| with_cosignatures(last, published.as_ref(), &witnesses));
    let tree = tree_of(folder, (signed.key().verifier().clone(), witnesses), None);
    match last {
        Some(last) if Some(&last) == published.as_ref() => {
            tree.0.checkpoint.send_replace(Some(Arc::new(last)));
        }
        Some(last) => tree.publish(last)?,
        None => {}
    }
    let sealing = Sealing::new(shared, &tree, signed, growing);
    Ok((tree, sealing))
}

/// The tree in `dir` as it was published last, with the cosignatures of whoever was a witness when
/// it was opened last. Nothing is written, and nothing can be signed.
///
/// # Errors
/// [`Trouble`]: nothing was signed, what is published was not, or the journal has less.
pub(super) fn read_only(shared: &Shared, dir: &Path) -> Result<Tree, Trouble> {
    let folder = Folder::at(&dir.join(TILES));
    let path = folder.path().join(CHECKPOINT);
    let key = signed::verifier(&dir.join(SIGNED))?;
    let witnesses = signed::witnesses(&dir.join(SIGNED))?;
    let bytes = folder.checkpoint().map_err(Trouble::file(&path))?;
    let bytes = bytes.ok_or_else(|| Trouble::NothingSigned(path.clone()))?;
    let published = SignedCheckpoint::parse(&bytes).ok();
    let published =
        published.filter(|it| signed::is_by(&key, it)).ok_or(Trouble::NotSigned(path))?;
    let (signed, here) = (published.checkpoint().size(), shared.journal.durable_end());
    match here < signed {
        true => Err(Trouble::RolledBack { signed, here }),
        false => {
            let lines = published.note().signatures().iter();
            let ours = lines.filter(|line| line.is_by(&key)).cloned().collect();
            let own = published.with_signatures(ours);
            let cosigned = with_cosignatures(&own, Some(&published), &witnesses);
            Ok(tree_of(folder, (key, witnesses), Some(Arc::new(cosigned))))
        }
    }
}

fn tree_of(
    folder: Folder,
    (key, witnesses): (VerifierKey, Vec<VerifierKey>),
    published: Option<Arc<SignedCheckpoint>>,
) -> Tree {
    let checkpoint = watch::Sender::new(published);
    Tree(Arc::new(Published { folder, key, witnesses, publishing: Mutex::new(()), checkpoint }))
}

/// What was signed last, with those cosignatures of the published one that are a witness's.
fn with_cosignatures(
    last: &SignedCheckpoint,
    published: Option<&SignedCheckpoint>,
    witnesses: &[VerifierKey],
) -> SignedCheckpoint {
    let mut cosigned = last.clone();
    let published = published.filter(|published| published.checkpoint() == last.checkpoint());
    for line in published.map_or(&[][..], |published| published.note().signatures()) {
        let text = last.note().text();
        let is_witness = |key: &VerifierKey| line.verify(text, key).is_ok();
        // A note that is full has all that it can have.
        if witnesses.iter().any(is_witness) && cosigned.add(line.clone()).is_err() {
            break;
        }
    }
    cosigned
}

/// What is published, which is never more than was signed, nor anything else of the same size.
fn published(folder: &Folder, signed: &Signed) -> Result<Option<SignedCheckpoint>, Trouble> {
    let path = folder.path().join(CHECKPOINT);
    let Some(bytes) = folder.checkpoint().map_err(Trouble::file(&path))? else { return Ok(None) };
    let parsed = SignedCheckpoint::parse(&bytes).ok().filter(|it| signed.is_ours(it));
    let published = parsed.ok_or(Trouble::NotSigned(path))?;
    let (here, last) = (published.checkpoint(), signed.last().map(SignedCheckpoint::checkpoint));
    let size = last.map_or(0, |last| last.size());
    let is_other =
        last.is_some_and(|last| last.size() == here.size() && last.root() != here.root());
    if here.size() > size || is_other {
        return Err(Trouble::NeverSigned { published: here.size(), signed: size });
    }
    Ok(Some(published))
}

/// The edge of the log as it was signed. What a power cut took from the tiles is made again from
/// the journal.
fn grown(shared: &Arc<Shared>, folder: &Folder, signed: &Signed) -> Result<Growing, Trouble> {
    let Some(last) = signed.last().map(SignedCheckpoint::checkpoint) else {
        return Ok(Growing::anew(shared, folder));
    };
    let (size, here) = (last.size(), shared.journal.durable_end());
    if here < size {
        return Err(Trouble::RolledBack { signed: size, here });
    }
    match Growing::resume(shared, folder, size) {
        Ok(growing) if growing.root() == last.root() => return Ok(growing),
        Ok(_) => tracing::error!(size, "the tiles are not what was signed: made again"),
        Err(why) => tracing::error!(size, %why, "the tiles cannot be read: made again"),
    }
    metrics::counter!("keng_audit_tiles_made_again_total").increment(1);
    let mut again = Growing::anew(shared, folder);
    again.grow(size)?;
    again.write_edge(0)?;
    match again.root() == last.root() {
        true => Ok(again),
        false => Err(Trouble::Altered { size }),
    }
}
