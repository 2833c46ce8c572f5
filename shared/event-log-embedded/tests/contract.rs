//! The contract suite on the embedded log.
//!
//! A kill is played by copying the directory as it stands, while it is written to: what the
//! journals have in memory alone is not in the copy.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

use std::{fs, io, path::Path, sync::Arc};

use event_log::{
    EventLog,
    contract::{Ending, Subject},
};
use event_log_embedded::{EmbeddedLog, EmbeddedOptions};
use futures::future::BoxFuture;
use keyring::Keyring;
use tempfile::TempDir;

/// Small, so that cases pass from one to the next.
const SEGMENT_BYTES: u64 = 64 << 10;

struct Embedded {
    /// Before its directory: a journal that loses it under its hands ends the process.
    log: Option<Arc<EmbeddedLog>>,
    dir: TempDir,
    keyring: Keyring,
    /// Directories of those who were killed: they may write on until the case lets go of them.
    left: Vec<TempDir>,
}

impl Subject for Embedded {
    fn open(&mut self) -> BoxFuture<'_, Arc<dyn EventLog>> {
        let keyring = self.keyring.clone();
        let options =
            EmbeddedOptions { segment_bytes: SEGMENT_BYTES, keyring, ..Default::default() };
        let log = self.log.get_or_insert_with(|| {
            EmbeddedLog::open(self.dir.path(), options).expect("the log opens")
        });
        let log: Arc<dyn EventLog> = log.clone();
        Box::pin(async move { log })
    }

    fn restart(&mut self, ending: Ending) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            match (ending, self.log.take()) {
                (Ending::Closed, Some(log)) => log.close().await,
                (Ending::Closed, None) => {}
                (Ending::Killed, log) => {
                    let copy = tempfile::tempdir().expect("a directory");
                    copy_all(self.dir.path(), copy.path()).expect("the directory is copied");
                    drop(log);
                    self.left.push(std::mem::replace(&mut self.dir, copy));
                }
            }
        })
    }
}

/// Copies as a disk would stand at one moment: the sealed parts before the records, and of each
/// journal the watermark before the segments, and no segment that begins meanwhile.
fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
    for journal in ["sealed", "log"] {
        let (from, to) = (from.join(journal), to.join(journal));
        fs::create_dir(&to)?;
        copy(&from.join("promised"), &to.join("promised"))?;
        let mut names: Vec<_> = fs::read_dir(&from)?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<Result<_, _>>()?;
        names.retain(|name| name != "promised" && name != "lock");
        for name in names {
            copy(&from.join(&name), &to.join(&name))?;
        }
    }
    copy(&from.join("places"), &to.join("places"))
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    match fs::copy(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        copied => copied.map(drop),
    }
}

async fn embedded() -> Embedded {
    let dir = tempfile::tempdir().expect("a directory");
    Embedded { dir, keyring: Keyring::fresh().expect("a key"), log: None, left: Vec::new() }
}

event_log::contract_tests!(embedded);
