//! The free space of the data directory: below the reserve nothing new is raised, so that
//! corrections and closings can still be written.
//!
//! Only the watch. The file that keeps a last bit of space is the journal's.

use std::{
    io,
    path::{Path, PathBuf},
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

type FreeBytes = dyn Fn() -> io::Result<u64> + Send + Sync;

impl Disk {
    /// Measures before it returns, and then each second until the process drains.
    pub async fn watch(dir: PathBuf, reserve_bytes: u64, health: Health, drain: &Drain) -> Self {
        Self::watch_by(Arc::new(move || free_bytes(&dir)), reserve_bytes, health, drain).await
    }

    async fn watch_by(
        free_bytes: Arc<FreeBytes>,
        reserve_bytes: u64,
        health: Health,
        drain: &Drain,
    ) -> Self {
        let allowed = judge(true, reserve_bytes, measure(&free_bytes).await, &health);
        let (sender, receiver) = watch::channel(allowed);
        let draining = drain.token();
        drain.spawn("disk", async move {
            loop {
                tokio::select! {
                    () = draining.cancelled() => return,
                    () = tokio::time::sleep(Duration::from_millis(MEASURE_EVERY_MS)) => {}
                }
                let before = *sender.borrow();
                let allowed = judge(before, reserve_bytes, measure(&free_bytes).await, &health);
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

/// On a thread of its own, since a file system may hang.
async fn measure(free_bytes: &Arc<FreeBytes>) -> io::Result<u64> {
    let free_bytes = Arc::clone(free_bytes);
    let measured = tokio::task::spawn_blocking(move || free_bytes()).await;
    measured.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// A disk that cannot be measured counts as full.
fn judge(before: bool, reserve_bytes: u64, free: io::Result<u64>, health: &Health) -> bool {
    let margin_bytes = if before { 0 } else { reserve_bytes / 10 };
    let needed_bytes = reserve_bytes.saturating_add(margin_bytes);
    let holds = match free {
        Ok(free_bytes) => {
            metrics::gauge!("keng_disk_free_bytes").set(free_bytes as f64);
            // No figures that change: the condition is news only when it turns.
            (free_bytes >= needed_bytes).then_some(()).ok_or_else(|| {
                format!(
                    "ổ đĩa còn trống dưới mức dự trữ {reserve_bytes} byte / \
                     less than the reserve of {reserve_bytes} bytes is free"
                )
            })
        }
        Err(error) => Err(format!("không đo được ổ đĩa / disk cannot be measured: {error}")),
    };
    let allowed = holds.is_ok();
    health.set(CONDITION, holds);
    allowed
}

/// What this user may still write.
fn free_bytes(dir: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(dir)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn raising_stops_below_the_reserve_and_returns_a_tenth_above_it() {
        let health = Health::new(&[CONDITION]);
        let drain = Drain::new(health.clone());
        let free = Arc::new(AtomicU64::new(1_000));
        let source = Arc::clone(&free);
        let read: Arc<FreeBytes> = Arc::new(move || match source.load(Ordering::Relaxed) {
            0 => Err(io::Error::other("gone")),
            free => Ok(free),
        });
        let mut disk = Disk::watch_by(read, 1_000, health.clone(), &drain).await;
        assert!(disk.raising_allowed() && health.readiness().ready);
        free.store(999, Ordering::Relaxed);
        disk.wait_until(false).await;
        assert!(!health.readiness().ready);

        free.store(1_099, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(5 * MEASURE_EVERY_MS)).await;
        assert!(!disk.raising_allowed());
        free.store(1_100, Ordering::Relaxed);
        disk.wait_until(true).await;
        assert!(health.readiness().ready);

        free.store(0, Ordering::Relaxed);
        disk.wait_until(false).await;
        drain.begin("test");
        drain.finished().await;
    }

    #[tokio::test]
    async fn a_real_disk_is_measured() {
        let dir = tempfile::tempdir().unwrap();
        let health = Health::new(&[]);
        let drain = Drain::new(health.clone());
        let path = dir.path().to_owned();
        assert!(Disk::watch(path.clone(), 1, health.clone(), &drain).await.raising_allowed());
        assert!(!Disk::watch(path, u64::MAX, health, &drain).await.raising_allowed());
        drain.begin("test");
        drain.finished().await;
    }
}
