//! The reactors' places on disk: a small text file, written behind and never synced.
//!
//! A cache: without it, or where a place does not fit the log, a reactor begins at the start, and
//! finds that what it answers is answered. A line: name, class, position, SHA-256 of the record.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    sync::{Weak, mpsc},
    thread,
    time::{Duration, Instant},
};

use domain::hex::hex;
use event_log::{Class, Position};

/// The longest that a place on disk is behind.
const BEHIND_MAX: Duration = Duration::from_secs(1);

/// A place as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) name: String,
    pub(crate) class: Class,
    pub(crate) position: Position,
    /// SHA-256 of the open part at the position.
    pub(crate) hash: [u8; 32],
}

/// The file of a log's places.
pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join("places")
}

/// Reads what is kept. Lines that say nothing are passed over.
pub(crate) fn read(dir: &Path) -> Vec<Kept> {
    let text = fs::read_to_string(path(dir)).unwrap_or_default();
    text.lines().filter_map(parse).collect()
}

/// Replaces what is kept.
pub(crate) fn write(dir: &Path, places: &[Kept]) -> io::Result<()> {
    let mut text = String::new();
    for Kept { name, class, position, hash } in places {
        let _ = writeln!(text, "{name}\t{}\t{position}\t{}", class.as_str(), hex(hash));
    }
    let new = dir.join("places.new");
    fs::write(&new, text)?;
    fs::rename(new, path(dir))
}

fn parse(line: &str) -> Option<Kept> {
    let mut fields = line.split('\t');
    let name = fields.next()?.to_owned();
    let class = fields.next()?;
    let class = Class::ALL.into_iter().find(|other| other.as_str() == class)?;
    let position = fields.next()?.parse().ok()?;
    let (pairs, []) = fields.next()?.as_bytes().as_chunks::<2>() else { return None };
    let mut hash = [0; 32];
    if pairs.len() != hash.len() || fields.next().is_some() {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(Kept { name, class, position, hash })
}

/// Has something that is kept on disk.
pub(crate) trait Keeps: Send + Sync + 'static {
    /// Writes the places as they are.
    fn keep(&self);
}

/// Tells a thread that places have moved; it writes them at most once in [`BEHIND_MAX`], and ends
/// with the sender.
pub(crate) fn keeper<K: Keeps>(log: Weak<K>, moved: mpsc::Receiver<()>) -> io::Result<()> {
    let keeping = move || {
        while moved.recv().is_ok() {
            let until = Instant::now() + BEHIND_MAX;
            while let Some(left) = until.checked_duration_since(Instant::now()) {
                if moved.recv_timeout(left) == Err(mpsc::RecvTimeoutError::Disconnected) {
                    return;
                }
            }
            match log.upgrade() {
                Some(log) => log.keep(),
                None => return,
            }
        }
    };
    thread::Builder::new().name("keng-places".to_owned()).spawn(keeping).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(dir.path()).is_empty());
        let places: Vec<Kept> = Class::ALL
            .into_iter()
            .map(|class| Kept { name: "fan-out".to_owned(), class, position: 7, hash: [0xa5; 32] })
            .collect();
        write(dir.path(), &places).unwrap();
        assert_eq!(read(dir.path()), places);
        write(dir.path(), &places[..1]).unwrap();
        assert_eq!(read(dir.path()), &places[..1]);
    }

    #[test]
    fn lines_that_say_nothing_are_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(path(dir.path()), "x\nx\talert\t7\tabc\nx\tnone\t7\t00\n\u{1f514}\t\t\t\n")
            .unwrap();
        assert!(read(dir.path()).is_empty());
    }
}
