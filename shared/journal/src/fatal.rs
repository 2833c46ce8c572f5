//! The one place that ends the process.
//!
//! After a failed write or sync nobody knows what the disk holds: the kernel may have dropped the
//! pages and call the next sync a success. So it is never retried, nor read past; the process
//! ends, and the next one begins with what the disk really holds (see `recovery`).

use std::{io, path::Path};

use tokio::sync::watch;

/// Ends the process: it may not say another word to anybody.
pub(crate) fn end_process(what: &str, path: &Path, error: &io::Error) -> ! {
    tracing::error!(path = %path.display(), %error, "journal: {what} failed, the process ends");
    std::process::abort()
}

/// Held by the committer's thread: should it ever panic, the process ends as well, since nobody
/// would sync any more. Otherwise lets go of the sender, by which all who wait learn of the end.
#[derive(Debug)]
pub(crate) struct NoPanic<'a>(pub(crate) &'a std::sync::Mutex<Option<watch::Sender<u64>>>);

impl Drop for NoPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
        drop(crate::queue::locked(self.0).take());
    }
}
