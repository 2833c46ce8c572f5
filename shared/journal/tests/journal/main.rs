//! The journal from outside: order, sharing of syncs, torn tails, crashes, and a model of it all.
#![cfg(test)]

mod crash;
mod cut;
mod forget;
mod model;
mod order;
mod replace;
mod tail;

use std::{
    fs,
    future::Future,
    path::{Path, PathBuf},
    time::Duration,
};

use journal::{Journal, Options, Recovery};

/// Longer than any test.
const FOR_EVER: Duration = Duration::from_secs(3600);

/// Small segments, so that there are many.
fn small() -> Options {
    Options { segment_bytes: 4096, ..Options::default() }
}

fn open(dir: &Path, options: Options) -> (Journal, Recovery) {
    Journal::open(dir, options).unwrap()
}

/// Waits for a future, but not for ever.
fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(60), future).await.expect("within a minute")
    })
}

/// Fills a directory with entries, each in a batch of its own.
fn filled<'a>(dir: &Path, entries: impl IntoIterator<Item = &'a [u8]>) {
    let (journal, _) = open(dir, small());
    for entry in entries {
        let index = journal.append(entry.to_vec().into()).unwrap();
        wait(journal.durable(index)).unwrap();
    }
    wait(journal.close());
}

/// All entries.
fn all(journal: &Journal) -> Vec<Vec<u8>> {
    let entries = journal.read_from(0, usize::MAX, usize::MAX).unwrap();
    entries.into_iter().map(|entry| entry.to_vec()).collect()
}

/// The files of a directory, by name.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// A copy of a directory, to be damaged.
fn copy(dir: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for (path, bytes) in files(dir) {
        fs::write(to.path().join(path.file_name().unwrap()), bytes).unwrap();
    }
    to
}

fn segment(dir: &Path, base: u64) -> PathBuf {
    dir.join(format!("{base:020}.seg"))
}

/// Sets the watermark, as a power cut may leave an older one.
fn promise(dir: &Path, end: u64) {
    let end = end.to_le_bytes();
    let crc = crc32c::crc32c(&end).to_le_bytes();
    fs::write(dir.join("promised"), [end.as_slice(), &crc].concat()).unwrap();
}

/// The length of a frame.
fn frame(payload: usize) -> usize {
    (8 + payload).next_multiple_of(8)
}

/// The length of a segment's header.
const HEADER: usize = 32;
