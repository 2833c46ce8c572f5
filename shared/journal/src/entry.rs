//! Entries on their way to the disk, and on their way to a reader.

use bytes::Bytes;

use crate::{
    errors::{AppendError, ReadError},
    frame::{PAYLOAD_BYTES_MAX, frame_bytes},
};

/// An entry on its way.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its bytes.
    pub(crate) payload: Bytes,
    /// Whether the next entry belongs to the same group.
    pub(crate) continues: bool,
}

impl Entry {
    /// The size of its frame.
    pub(crate) fn frame_bytes(&self) -> u64 {
        frame_bytes(self.payload.len())
    }
}

/// How many of the entries, in whole groups from the first on, have frames that fit.
pub(crate) fn fitting(entries: &[Entry], room_bytes: u64) -> usize {
    let (mut bytes, mut whole) = (0, 0);
    for (before, entry) in entries.iter().enumerate() {
        bytes += entry.frame_bytes();
        if bytes > room_bytes {
            break;
        }
        if !entry.continues {
            whole = before + 1;
        }
    }
    whole
}

/// The size of the first group's frames.
pub(crate) fn first_group_bytes(entries: &[Entry]) -> u64 {
    let inner = entries.iter().take_while(|entry| entry.continues).count();
    entries.iter().take(inner + 1).map(Entry::frame_bytes).sum()
}

/// Collects what a reader asked for, as entries or as what the reader makes of each.
#[derive(Debug)]
pub(crate) struct Gathered<T = Bytes> {
    /// So far.
    pub(crate) entries: Vec<T>,
    entries_max: usize,
    bytes_left: usize,
}

impl<T> Gathered<T> {
    /// At most so many entries, and so many bytes after the first entry, which always fits.
    pub(crate) fn new(entries_max: usize, bytes_max: usize) -> Self {
        Self { entries: Vec::new(), entries_max, bytes_left: bytes_max }
    }

    /// Whether one more entry of this size was asked for.
    pub(crate) fn wants(&self, bytes: usize) -> bool {
        self.entries.len() < self.entries_max
            && (self.entries.is_empty() || bytes <= self.bytes_left)
    }

    /// One more entry, of so many bytes.
    pub(crate) fn push(&mut self, entry: T, bytes: usize) {
        self.bytes_left = self.bytes_left.saturating_sub(bytes);
        self.entries.push(entry);
    }

    /// What was gathered before this went wrong.
    ///
    /// # Errors
    /// This, where nothing was.
    pub(crate) fn before(self, why: ReadError) -> Result<Vec<T>, ReadError> {
        if self.entries.is_empty() { Err(why) } else { Ok(self.entries) }
    }
}

/// The size of the entry's frame, if it may be one.
pub(crate) fn checked_bytes(payload: &Bytes) -> Result<usize, AppendError> {
    match payload.len() {
        0 => Err(AppendError::Empty),
        bytes if bytes > PAYLOAD_BYTES_MAX => {
            Err(AppendError::TooLarge { bytes, bytes_max: PAYLOAD_BYTES_MAX })
        }
        bytes => Ok(frame_bytes(bytes) as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_never_parted() {
        let entry = |continues| Entry { payload: Bytes::from_static(b"gong"), continues };
        let entries = [false, true, false, false].map(entry);
        let fits: Vec<_> = (0..5).map(|frames| fitting(&entries, frames * 16)).collect();
        assert_eq!(fits, [0, 1, 1, 3, 4]);
        assert_eq!(first_group_bytes(&entries), 16);
        assert_eq!(first_group_bytes(&entries[1..]), 32);
    }
}
