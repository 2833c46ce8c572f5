//! Sealing: what the journal has made durable is brought into the tree and signed, a moment after.
//!
//! In this order, each durable before the next begins: entries and tiles; the checkpoint, in its
//! own place and only in the place of the one before; the published checkpoint. Source: `tlog.md`,
//! section 10. After trouble nothing more is signed before another start has looked.

use std::{sync::Arc, time::Duration};

use chassis::Host;
use merkle::SignedCheckpoint;
use tokio::{sync::watch, time::sleep};

use super::{Tree, Trouble, growing::Growing, opening::publish, signed::Signed};
use crate::book::Shared;

/// What comes within this shares a checkpoint.
const TOGETHER: Duration = Duration::from_secs(1);
/// The most entries that are signed for at once: whoever catches up is seen to.
const AT_ONCE_MAX: u64 = 65_536;

/// The one who signs.
pub(super) struct Sealing {
    tree: Tree,
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
        Self { tree: tree.clone(), durable: shared.journal.subscribe_durable(), sealer }
    }

    /// Runs until the process drains. What is not signed by then is at the next start.
    ///
    /// # Errors
    /// [`Trouble`]: it has stopped for good.
    pub(super) async fn run(mut self, host: &Host) -> Result<(), Trouble> {
        let stop = host.drain.token();
        let mut sealer = self.sealer;
        loop {
            let size = sealer.growing.size();
            let end = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                end = self.durable.wait_for(|end| *end > size) => match end {
                    Ok(end) => *end,
                    // The journal is closed.
                    Err(_) => return Ok(()),
                },
            };
            tokio::select! { () = stop.cancelled() => return Ok(()), () = sleep(TOGETHER) => {} }
            let end = end.max(*self.durable.borrow()).min(size.saturating_add(AT_ONCE_MAX));
            let sealed = tokio::task::spawn_blocking(move || {
                let checkpoint = sealer.seal(end)?;
                Ok::<_, Trouble>((sealer, checkpoint))
            });
            // A task that was ended with the process has signed nothing that anybody saw.
            let Ok(sealed) = sealed.await else { return Ok(()) };
            let (back, checkpoint) = sealed?;
            sealer = back;
            metrics::gauge!("keng_audit_tree_size").set(end as f64);
            self.tree.0.checkpoint.send_replace(Some(Arc::new(checkpoint)));
        }
    }
}

impl Sealer {
    fn seal(&mut self, size: u64) -> Result<SignedCheckpoint, Trouble> {
        let before = self.growing.size();
        self.growing.grow(size)?;
        self.growing.write_edge(before)?;
        let key = self.signed.key();
        let checkpoint = SignedCheckpoint::sign(key, self.growing.size(), self.growing.root());
        self.signed.swap(&checkpoint)?;
        publish(self.tree.folder(), &checkpoint)?;
        self.growing.tidy(before);
        Ok(checkpoint)
    }
}
