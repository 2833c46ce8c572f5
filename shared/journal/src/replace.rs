//! Replacing entries by others of the same length, so that what stood in them is gone from disk.
//!
//! A segment is copied beside itself, synced, and put in its own place; what it was is written
//! over with zeros. A crash leaves the old segment or the new one, never half of either; opening
//! clears away what was left over. Offsets, numbers and the watermark stay as they are.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;

use crate::{
    errors::{ReadError, ReplaceError},
    fatal::end_process,
    frame::{HEAD_BYTES, Head, Parsed},
    reader::{Frames, SCAN_BYTES},
    segment::Segment,
    store::Store,
    zeros::{fill, open_file, sync_dir},
};

/// The new form of a segment, before it has its name.
const NEW: &str = "new";
/// The old form of a segment, until it is written over.
const OLD: &str = "old";

/// Replaces entries that are on disk, each by as many bytes. One call at a time.
pub(crate) fn replace(store: &Store, entries: &BTreeMap<u64, Bytes>) -> Result<(), ReplaceError> {
    let _one = store.replacing();
    let mut concerned: BTreeMap<u64, (Arc<Segment>, BTreeMap<u64, &Bytes>)> = BTreeMap::new();
    for (index, new) in entries {
        let segment = store.holding(*index).ok_or_else(|| corrupt(*index, &store.dir))?;
        let of = concerned.entry(segment.base).or_insert_with(|| (segment, BTreeMap::new()));
        of.1.insert(*index, new);
    }
    concerned.values().try_for_each(|(segment, own)| rewrite(store, segment, own))
}

fn rewrite(
    store: &Store,
    segment: &Segment,
    entries: &BTreeMap<u64, &Bytes>,
) -> Result<(), ReplaceError> {
    let (new, old) = (beside(&segment.path, NEW), beside(&segment.path, OLD));
    let io = |source| ReplaceError::Io { path: new.clone(), source };
    let source = open_file(&segment.path, false).map_err(io)?;
    let target = open_file(&new, true).map_err(io)?;
    let end = segment.places().end;
    // What is long written needs no lock; what comes meanwhile is copied behind it, under one.
    let prepared = prepare(segment, (&source, &target), end, entries);
    let writing = store.writing();
    let grown = segment.places().end;
    let prepared = prepared.and_then(|()| {
        let copied = copy(&source, &target, end, grown);
        copied.and_then(|()| target.sync_all()).map_err(io)
    });
    if let Err(why) = prepared {
        // Half a copy helps nobody; that it cannot be removed changes nothing about the error.
        let _ = destroy(&new, &store.dir);
        return Err(why);
    }
    // From here on a failure is one of writing.
    let swapped = fs::hard_link(&segment.path, &old)
        .and_then(|()| fs::rename(&new, &segment.path))
        .and_then(|()| sync_dir(&store.dir));
    if let Err(error) = swapped {
        end_process("replacing entries", &segment.path, &error);
    }
    store.reopen(segment.base);
    drop(writing);
    // Whoever reads the old file has finished.
    store.readers_left();
    match destroy(&old, &store.dir) {
        Ok(()) => Ok(()),
        Err(error) => end_process("writing over", &old, &error),
    }
}

/// A copy as far as `end`, with the new entries in it, on disk.
fn prepare(
    segment: &Segment,
    (source, target): (&File, &File),
    end: u64,
    entries: &BTreeMap<u64, &Bytes>,
) -> Result<(), ReplaceError> {
    let io = |source| ReplaceError::Io { path: segment.path.clone(), source };
    target.set_len(0).and_then(|()| target.set_len(segment.bytes)).map_err(io)?;
    copy(source, target, 0, end).map_err(io)?;
    put(segment, target, entries)?;
    fill(target, end, segment.bytes).and_then(|()| target.sync_all()).map_err(io)
}

fn copy(source: &File, target: &File, from: u64, to: u64) -> io::Result<()> {
    let mut buffer = Vec::new();
    let mut at = from;
    while at < to {
        buffer.resize((to - at).min(SCAN_BYTES as u64) as usize, 0);
        source.read_exact_at(&mut buffer, at)?;
        target.write_all_at(&buffer, at)?;
        at += buffer.len() as u64;
    }
    Ok(())
}

/// Writes the new entries into the copy.
fn put(
    segment: &Segment,
    target: &File,
    entries: &BTreeMap<u64, &Bytes>,
) -> Result<(), ReplaceError> {
    let io = |source| ReplaceError::Io { path: segment.path.clone(), source };
    let mut buffer = Vec::new();
    for (index, payload) in entries {
        let (near, mut offset) = segment.places().near(index.saturating_sub(segment.base));
        let mut frames = Frames::new(target, segment.bytes, HEAD_BYTES);
        for passed in segment.base + near..*index {
            match frames.head(offset).map_err(io)? {
                Parsed::Head(head) => offset += head.frame_bytes(),
                Parsed::Nothing | Parsed::Bad => return Err(corrupt(passed, &segment.path)),
            }
        }
        let Parsed::Head(head) = frames.head(offset).map_err(io)? else {
            return Err(corrupt(*index, &segment.path));
        };
        if head.payload_bytes() != payload.len() {
            let (bytes, bytes_were) = (payload.len(), head.payload_bytes());
            return Err(ReplaceError::OtherLength { index: *index, bytes, bytes_were });
        }
        buffer.clear();
        let new = Head::new(*index, payload, head.continues(), head.begins());
        new.write(payload, &mut buffer);
        target.write_all_at(&buffer, offset).map_err(io)?;
    }
    Ok(())
}

/// Clears away what a crash left of replacing.
pub(crate) fn tidy(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let left = path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with(".seg"))
            && path.extension().is_some_and(|last| last == NEW || last == OLD);
        if left {
            // An old form that still has its name is the segment itself.
            let is_segment = path.extension().is_some_and(|last| last == OLD)
                && same_file(&path, &path.with_extension(""))?;
            if is_segment {
                fs::remove_file(&path)?;
                sync_dir(dir)?;
            } else {
                destroy(&path, dir)?;
            }
        }
    }
    Ok(())
}

fn same_file(one: &Path, other: &Path) -> io::Result<bool> {
    let number = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino()));
    match (number(one), number(other)) {
        (Ok(one), Ok(other)) => Ok(one == other),
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

/// Writes a file over with zeros, and removes it.
fn destroy(path: &Path, dir: &Path) -> io::Result<()> {
    let file = open_file(path, false)?;
    fill(&file, 0, file.metadata()?.len())?;
    file.sync_all()?;
    fs::remove_file(path)?;
    sync_dir(dir)
}

fn beside(path: &Path, form: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(form);
    PathBuf::from(name)
}

fn corrupt(index: u64, segment: &Path) -> ReplaceError {
    ReadError::Corrupt { index, segment: segment.to_owned() }.into()
}
