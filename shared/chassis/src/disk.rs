//! The free space of the data directory: below the reserve nothing new is raised, so that
//! corrections and closings can still be written.
//!
//! Only the watch. The file that keeps a last bit of space is the journal's.

use std::{
    io,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use tokio::sync::watch;

use crate::{drain::Drain, health::Health};

const MEASURE_EVERY_MS: u64 = 1_000;

/// The name of the condition in `/readyz`.
pub const CONDITION: &str = "disk";

/// Whether there is room enough to raise alerts. Cloning gives the same watch.
#[derive(Debug, Clone)]
pub struct Disk(watch::Receiver<bool>);

impl Disk {
    /// Measures at once, and then about each second until the process has drained.
    pub async fn watch(dir: PathBuf, reserve_bytes: u64, health: Health, drain: &Drain) -> Self {
        Self::watch_by(move || free_bytes(&dir), reserve_bytes, health, drain).await
    }

    async fn watch_by(
        free_bytes: impl Fn() -> io::Result<u64> + Send + Sync + 'static,
        reserve_bytes: u64,
        health: Health,
        drain: &Drain,
    ) -> Self {
        let free_bytes = Arc::new(free_bytes);
        let measure = move || {
            let free_bytes = Arc::clone(&free_bytes);
            // A file system that hangs must not hold a thread of the runtime.
            async move {
                tokio::task::spawn_blocking(move || free_bytes())
                    .await
                    .unwrap_or_else(|error| Err(io::Error::other(error)))
            }
        };
        let allowed = judge(true, reserve_bytes, measure().await, &health);
        let (sender, receiver) = watch::channel(allowed);
        let drained = drain.abandoned();
        drain.spawn("disk", async move {
            loop {
                tokio::select! {
                    () = drained.cancelled() => return,
                    () = tokio::time::sleep(Duration::from_millis(MEASURE_EVERY_MS)) => {}
                }
                let before = *sender.borrow();
                let allowed = judge(before, reserve_bytes, measure().await, &health);
                sender.send_if_modified(|shown| std::mem::replace(shown, allowed) != allowed);
            }
        });
        Self(receiver)
    }

    /// False below the reserve, and after that until a tenth more than the reserve is free.
    #[must_use]
    pub fn raising_allowed(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until [`Self::raising_allowed`] is so; ends early where the watch has ended.
    pub async fn wait_until(&mut self, allowed: bool) {
        let _ = self.0.wait_for(|shown| *shown == allowed).await;
    }
}

/// A disk that cannot be measured counts as full.
fn judge(before: bool, reserve_bytes: u64, free: io::Result<u64>, health: &Health) -> bool {
    let needed = if before { reserve_bytes } else { reserve_bytes + reserve_bytes / 10 };
    let holds = match free {
        Ok(free) => {
            metrics::gauge!("keng_disk_free_bytes").set(free as f64);
            if free >= needed {
                Ok(())
            } else {
                Err(format!("còn {free} byte, cần {needed} / {free} bytes free, {needed} needed"))
            }
        }
        Err(error) => Err(format!("không đo được / cannot be measured: {error}")),
    };
    let allowed = holds.is_ok();
    // The figure changes each second; the condition is news only when it turns.
    if allowed || before || !health.knows(CONDITION) {
        health.set(CONDITION, holds);
    }
    allowed
}

/// What this user may still write.
fn free_bytes(dir: &std::path::Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(dir)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}
