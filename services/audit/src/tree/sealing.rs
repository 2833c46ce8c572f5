//! Sealing: what the journal has made durable is brought into the tree and signed, a moment after.
//!
//! In this order, each durable before the next begins: entries and tiles; the checkpoint, in its
//! own place and only in the place of the one before; the published checkpoint. Source: `tlog.md`,
//! section 10. After trouble nothing more is signed before another start has looked.

use std::{sync::Arc, time::Duration};

use chassis::Host;
use merkle::SignedCheckpoint;
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};

use super::{Tree, Trouble, growing::Growing, signed::Signed};
use crate::book::Shared;

/// What comes within this shares a checkpoint.
const TOGETHER: Duration = Duration::from_secs(1);
/// The most entries that are signed for at once: whoever catches up is seen to.
const AT_ONCE_MAX: u64 = 65_536;

/// The one who signs.
pub(super) struct Sealing {
    durable: watch::Receiver<u64>,
    sealer: Sealer,
}

struct Sealer {
    tree: Tree,
    signed: Signed,
    growing: Growing,
}

impl Sealing {
    pub(super) fn new(shared: &Arc<Shared>, tree: &Tree, signed: Signed, growing: Growing) -> Self {
        let sealer = Sealer { tree: tree.clone(), signed, growing };
        Self { durable: shared.journal.subscribe_durable(), sealer }
    }

    /// Runs until the process drains. What is not signed by then is at the next start. It begins
    /// when `asked` ends, and ends with the first that comes by `objections`.
    ///
    /// # Errors
    /// [`Trouble`]: it has stopped for good.
    pub(super) async fn run(
        mut self,
        host: &Host,
        asked: impl Future<Output = ()> + Send,
        mut objections: mpsc::Receiver<Trouble>,
    ) -> Result<(), Trouble> {
        let stop = host.drain.token();
        let mut sealer = self.sealer;
        tokio::select! { () = stop.cancelled() => return Ok(()), () = asked => {} }
        loop {
            let size = sealer.growing.size();
            let more = async {
                let more = self.durable.wait_for(|end| *end > size).await.is_ok();
                sleep(TOGETHER).await;
                more
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                Some(trouble) = objections.recv() => return Err(sealer.refused(trouble)),
                // The journal may be closed.
                more = more => if !more { return Ok(()) },
            }
            let end = (*self.durable.borrow()).min(size.saturating_add(AT_ONCE_MAX));
            let sealed = tokio::task::spawn_blocking(move || {
                sealer.seal(end)?;
                Ok::<_, Trouble>(sealer)
            });
            // A task that was ended with the process has signed nothing that anybody saw.
            let Ok(sealed) = sealed.await else { return Ok(()) };
            sealer = sealed?;
            metrics::gauge!("keng_audit_tree_size").set(end as f64);
        }
    }
}

impl Sealer {
    fn seal(&mut self, size: u64) -> Result<(), Trouble> {
        let before = self.growing.size();
        self.growing.grow(size)?;
        self.growing.write_edge(before)?;
        let key = self.signed.key();
        let checkpoint = SignedCheckpoint::sign(key, self.growing.size(), self.growing.root());
        self.signed.swap(&checkpoint)?;
        self.tree.publish(checkpoint)?;
        self.growing.tidy(before);
        Ok(())
    }

    /// Writes down that a witness has refused, so that no start signs before somebody has looked.
    /// A moment's write: there is nothing more to do for this task.
    fn refused(&self, trouble: Trouble) -> Trouble {
        if let Trouble::Refused { witness, why } = &trouble
            && let Err(not_kept) = self.signed.refuse(&format!("{witness}: {why}\n"))
        {
            tracing::error!(%not_kept, "the refusal is not kept: another start asks again");
        }
        trouble
    }
}
