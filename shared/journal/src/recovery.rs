//! Opening a directory: every frame is checked, and only what nobody was promised is cut.
//!
//! First everything is read and nothing changed; a directory that is refused is as it was.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, FileExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    committer::Spare,
    errors::{OpenError, at},
    forget,
    frame::Parsed,
    lock::DirLock,
    options::Options,
    promise::Promise,
    reader::{Frames, SCAN_BYTES, Step},
    replace,
    segment::{self, HEADER_BYTES, Places, SPARE, SPARE_NEW, Segment},
    store::Store,
    zeros::{allocate, open_file, sync_dir, wipe},
};

/// What opening a journal found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// The number of entries; all are on disk.
    pub entries: u64,
    /// How many bytes of unfinished entries were cut.
    pub torn_bytes: u64,
    /// How many entries were known to be promised; the others were written, perhaps not synced.
    pub promised: u64,
}

/// An opened directory.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) store: Store,
    pub(crate) spare: Spare,
    pub(crate) lock: DirLock,
    pub(crate) recovery: Recovery,
}

/// Opens or creates a directory.
pub(crate) fn open(dir: &Path, options: &Options) -> Result<Opened, OpenError> {
    create_dir(dir).map_err(at(dir))?;
    let lock = DirLock::take(dir)?;
    let promised = Promise::read(dir).map_err(at(dir))?;
    let begin = forget::read(dir).map_err(at(&dir.join(forget::BEGINS)))?;
    let mut segments = scan_all(dir, promised, begin)?;

    replace::tidy(dir).map_err(at(dir))?;
    forget::tidy(dir, begin).map_err(at(dir))?;
    let spare = tidy_spare(dir, options).map_err(at(dir))?;
    let torn_bytes = match segments.last() {
        Some(last) => mend(last, promised).map_err(at(&last.path))?,
        None => 0,
    };
    if segments.is_empty() {
        segments.push(Arc::new(first_segment(dir, options).map_err(at(dir))?));
    }
    let entries = segments.last().map_or(0, |last| last.base + last.places().count);
    let promise = Promise::open(dir).map_err(at(dir))?;
    promise.set_synced(entries).map_err(at(dir))?;
    sync_dir(dir).map_err(at(dir))?;
    let recovery = Recovery { entries, torn_bytes, promised };
    if torn_bytes > 0 {
        tracing::warn!(dir = %dir.display(), ?recovery, "journal: an unfinished tail was cut");
    }
    Ok(Opened { store: Store::new(dir.to_path_buf(), promise, segments), spare, lock, recovery })
}

/// Creates the directory, readable by its owner only, so that it is there after a power cut.
fn create_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    create_dir(parent)?;
    DirBuilder::new().mode(0o700).create(dir)?;
    sync_dir(parent)
}

/// Checks all segments in order, from where the journal begins.
fn scan_all(dir: &Path, promised: u64, begin: u64) -> Result<Vec<Arc<Segment>>, OpenError> {
    let mut bases = Vec::new();
    for entry in fs::read_dir(dir).map_err(at(dir))? {
        let name = entry.map_err(at(dir))?.file_name();
        let base = name.to_str().and_then(segment::base_of);
        bases.extend(base.filter(|base| *base >= begin));
    }
    bases.sort_unstable();
    match bases.first() {
        Some(first) if *first == begin => {}
        None if promised == 0 && begin == 0 => {}
        // What is missing is the first segment.
        Some(_) | None => {
            let segment = segment::path(dir, begin);
            return Err(OpenError::Corrupt { segment, offset: 0, index: begin });
        }
    }
    let nexts = bases.iter().skip(1).copied().map(Some).chain([None]);
    bases
        .iter()
        .zip(nexts)
        .map(|(base, next)| scan(dir, *base, next, promised).map(Arc::new))
        .collect()
}

/// Checks one segment; `next` is the base of the one behind it.
fn scan(dir: &Path, base: u64, next: Option<u64>, promised: u64) -> Result<Segment, OpenError> {
    let path = segment::path(dir, base);
    let file = open_file(&path, false).map_err(at(&path))?;
    let bytes = file.metadata().map_err(at(&path))?.len();
    let damaged = |offset, index| OpenError::Corrupt { segment: path.clone(), offset, index };
    if bytes < HEADER_BYTES {
        return Err(damaged(0, base));
    }
    let mut frames = Frames::new(&file, bytes, SCAN_BYTES);
    let header = frames.view(0, HEADER_BYTES as usize).map_err(at(&path))?;
    // The newest segment may not have been used yet.
    let headed = header == segment::header(base);
    if !headed && (next.is_some() || header.iter().any(|byte| *byte != 0)) {
        return Err(damaged(0, base));
    }

    let mut places = Places::empty(headed);
    // The last place where a group was whole.
    let mut whole = (places.count, places.end);
    let bad = loop {
        match frames.frame(places.end, base + places.count).map_err(at(&path))? {
            Step::Frame(head, _) => {
                places.push(head.frame_bytes());
                if !head.continues() {
                    whole = (places.count, places.end);
                }
            }
            Step::Nothing => break false,
            Step::Bad => break true,
        }
    };
    let (offset, index) = (places.end, base + places.count);
    places.truncate(whole.0, whole.1);
    let end = base + places.count;
    let torn_is_possible = match next {
        // A later segment was begun only when this one was synced.
        Some(next) => !bad && end == next,
        None => end >= promised && !(bad && later_batch(&mut frames, offset, index, &path)?),
    };
    if !torn_is_possible {
        return Err(damaged(offset, index));
    }
    Ok(Segment::new(dir, base, bytes, places))
}

/// Whether a later batch follows the bad frame at `offset`: then that was synced, and is no torn
/// tail, whatever the watermark says. Sees only as far as the lengths are plausible.
fn later_batch(
    frames: &mut Frames<'_>,
    mut offset: u64,
    mut index: u64,
    path: &PathBuf,
) -> Result<bool, OpenError> {
    while let Parsed::Head(head) = frames.head(offset).map_err(at(path))? {
        offset += head.frame_bytes();
        index += 1;
        if let Step::Frame(head, _) = frames.frame(offset, index).map_err(at(path))?
            && head.begins()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Cuts the torn tail of the newest segment, and brings what nobody was promised to disk. Returns
/// how many bytes were cut.
fn mend(segment: &Segment, promised: u64) -> io::Result<u64> {
    let file = open_file(&segment.path, false)?;
    let places = segment.places();
    let written_end = Frames::new(&file, segment.bytes, SCAN_BYTES).written_end(places.end)?;
    wipe(&file, places.end, written_end)?;
    if segment.base + places.count > promised {
        // After a failed sync the kernel may hold these pages for clean though the disk never got
        // them. Written once more they are dirty again, and the sync means what it says.
        let from = match promised.checked_sub(segment.base) {
            None | Some(0) => 0,
            Some(ordinal) => places.near(ordinal).1,
        };
        rewrite(&file, from, places.end)?;
    }
    file.sync_all()?;
    Ok(written_end - places.end)
}

fn rewrite(file: &File, from: u64, to: u64) -> io::Result<()> {
    let mut buffer = Vec::new();
    let mut at = from;
    while at < to {
        buffer.resize((to - at).min(SCAN_BYTES as u64) as usize, 0);
        file.read_exact_at(&mut buffer, at)?;
        file.write_all_at(&buffer, at)?;
        at += buffer.len() as u64;
    }
    Ok(())
}

/// Removes what was half prepared, and finds out whether a spare segment lies ready.
fn tidy_spare(dir: &Path, options: &Options) -> io::Result<Spare> {
    let remove = |name| match fs::remove_file(dir.join(name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    remove(SPARE_NEW)?;
    match fs::metadata(dir.join(SPARE)) {
        Ok(spare) if spare.len() == options.segment_bytes() => Ok(Spare::Ready),
        _ => remove(SPARE).map(|()| Spare::None),
    }
}

fn first_segment(dir: &Path, options: &Options) -> io::Result<Segment> {
    let bytes = options.segment_bytes();
    allocate(&dir.join(SPARE_NEW), bytes, options.reserve.as_deref())?;
    fs::rename(dir.join(SPARE_NEW), segment::path(dir, 0))?;
    Ok(Segment::new(dir, 0, bytes, Places::empty(false)))
}
