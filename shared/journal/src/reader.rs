//! Walks over the frames of one file through a buffer. Changes nothing.

use std::{cell::Cell, fs::File, io, mem, ops::Range, os::unix::fs::FileExt};

use crate::{
    errors::ReadError,
    frame::{HEAD_BYTES, Head, Parsed},
    segment::{HEADER_BYTES, Segment},
};

/// The buffer for walks over whole files.
pub(crate) const SCAN_BYTES: usize = 1 << 20;
/// The buffer for reading many entries: what is in it stays in the processor's cache.
pub(crate) const RUN_BYTES: usize = 64 << 10;

thread_local! {
    /// The buffer of the last walk on this thread, at most [`RUN_BYTES`] long, for the next one.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What stands at an offset.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    /// A frame that checks, and its payload.
    Frame(Head, &'a [u8]),
    /// Nothing was written here, or the file ends.
    Nothing,
    /// Something else.
    Bad,
}

/// The frames of one file.
#[derive(Debug)]
pub(crate) struct Frames<'a> {
    file: &'a File,
    /// Nothing is read from here on: the file's length, or less where no frame lies across.
    end: u64,
    /// How much is read at a time.
    chunk: usize,
    /// Never shorter than what it holds.
    buffer: Vec<u8>,
    /// The offsets in the file of what the buffer holds.
    held: Range<u64>,
}

impl<'a> Frames<'a> {
    /// Reads a file up to the offset `end`, `chunk` bytes at a time.
    pub(crate) fn new(file: &'a File, end: u64, chunk: usize) -> Self {
        Self { file, end, chunk, buffer: SPARE.take(), held: 0..0 }
    }

    /// The head at `offset`, unchecked but for its bounds.
    pub(crate) fn head(&mut self, offset: u64) -> io::Result<Parsed> {
        if offset + HEAD_BYTES as u64 > self.end {
            return Ok(Parsed::Nothing);
        }
        let view = self.view(offset, HEAD_BYTES)?;
        let Ok(bytes) = <[u8; HEAD_BYTES]>::try_from(view) else { return Ok(Parsed::Bad) };
        Ok(match Head::parse(bytes) {
            Parsed::Head(head) if offset + head.frame_bytes() > self.end => Parsed::Bad,
            parsed => parsed,
        })
    }

    /// The frame of entry `index` at `offset`, checked.
    pub(crate) fn frame(&mut self, offset: u64, index: u64) -> io::Result<Step<'_>> {
        let head = match self.head(offset)? {
            Parsed::Head(head) => head,
            Parsed::Nothing => return Ok(Step::Nothing),
            Parsed::Bad => return Ok(Step::Bad),
        };
        let rest =
            self.view(offset + HEAD_BYTES as u64, head.frame_bytes() as usize - HEAD_BYTES)?;
        Ok(head.checks(index, rest).map_or(Step::Bad, |payload| Step::Frame(head, payload)))
    }

    /// The offset behind the last byte from `offset` on that is not zero; `offset` if all are.
    pub(crate) fn written_end(&mut self, offset: u64) -> io::Result<u64> {
        let (mut at, mut written) = (offset, offset);
        while at < self.end {
            let bytes = (self.end - at).min(self.chunk as u64) as usize;
            let view = self.view(at, bytes)?;
            if let Some(last) = view.iter().rposition(|byte| *byte != 0) {
                written = at + last as u64 + 1;
            }
            at += bytes as u64;
        }
        Ok(written)
    }

    /// So many bytes at `offset`, all within the file.
    pub(crate) fn view(&mut self, offset: u64, bytes: usize) -> io::Result<&[u8]> {
        if offset < self.held.start || offset + bytes as u64 > self.held.end {
            let left = usize::try_from(self.end.saturating_sub(offset)).unwrap_or(usize::MAX);
            let more = bytes.max(self.chunk).min(left);
            if self.buffer.len() < more {
                self.buffer.resize(more, 0);
            }
            self.held = 0..0;
            let (into, _) = self.buffer.split_at_mut(more);
            self.file.read_exact_at(into, offset)?;
            self.held = offset..offset + more as u64;
        }
        let held = self.buffer.get(..(self.held.end - self.held.start) as usize);
        let from = (offset - self.held.start) as usize;
        let view = held.and_then(|held| held.get(from..from + bytes));
        view.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

impl Drop for Frames<'_> {
    fn drop(&mut self) {
        if self.buffer.len() <= RUN_BYTES {
            SPARE.set(mem::take(&mut self.buffer));
        }
    }
}

/// A way through the entries of a segment, forwards.
pub(crate) struct Walk<'a> {
    segment: &'a Segment,
    frames: Frames<'a>,
    /// The entry that stands at `offset`.
    index: u64,
    offset: u64,
}

impl<'a> Walk<'a> {
    /// Begins at the segment's first entry, for entries up to `last`; reads `chunk` bytes at a
    /// time, and little behind that entry.
    pub(crate) fn new(segment: &'a Segment, file: &'a File, chunk: usize, last: u64) -> Self {
        let frames = Frames::new(file, segment.places().behind(last - segment.base), chunk);
        Self { segment, frames, index: segment.base, offset: HEADER_BYTES }
    }

    /// The payload of an entry that is there, not before the one that was read last.
    pub(crate) fn to(&mut self, index: u64) -> Result<&[u8], ReadError> {
        let Self { segment, frames, index: at, offset } = self;
        let io = |source| ReadError::Io { path: segment.path.clone(), source };
        let corrupt = |index| ReadError::Corrupt { index, segment: segment.path.clone() };
        if index > *at {
            let (ordinal, known) = segment.places().near(index - segment.base);
            if segment.base + ordinal > *at {
                (*at, *offset) = (segment.base + ordinal, known);
            }
        }
        while *at < index {
            match frames.head(*offset).map_err(io)? {
                Parsed::Head(head) => *offset += head.frame_bytes(),
                Parsed::Nothing | Parsed::Bad => return Err(corrupt(*at)),
            }
            *at += 1;
        }
        match frames.frame(*offset, index).map_err(io)? {
            Step::Frame(head, payload) => {
                *offset += head.frame_bytes();
                *at += 1;
                Ok(payload)
            }
            Step::Nothing | Step::Bad => Err(corrupt(index)),
        }
    }
}
