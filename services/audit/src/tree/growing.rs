//! Growing: the journal's entries become leaves, bundles and tiles, each file written once.
//!
//! A full one is written when it is filled, the narrow ones at the edge when a checkpoint is to be
//! signed; then the narrower ones that they took the place of may go.

use std::{fs, path::Path, sync::Arc};

use bytes::Bytes;
use chassis::durable_file;
use merkle::{
    BundleId, Hash, Tile, TileId, TileWriter, WIDTH_MAX,
    bundle::{self, EntryTooLarge},
    hash::leaf,
    proof::Unprovable,
};
use tlog::Folder;

use super::Trouble;
use crate::{book::Shared, entry};

const READ_ENTRIES: usize = 512;
const READ_BYTES: usize = 256 << 10;
/// The levels of tiles that a log can come to have.
const LEVELS: u8 = 8;

/// The right edge of the log on disk.
pub(super) struct Growing {
    shared: Arc<Shared>,
    folder: Folder,
    tiles: TileWriter,
    /// The entries of the bundle that is not full yet, as they are written.
    bundle: Vec<u8>,
}

impl Growing {
    /// Begins with nothing.
    pub(super) fn anew(shared: &Arc<Shared>, folder: &Folder) -> Self {
        let (shared, folder) = (Arc::clone(shared), folder.clone());
        Self { shared, folder, tiles: TileWriter::default(), bundle: Vec::new() }
    }

    /// Goes on with a log of so many entries: its edge is read from the tiles, and the last of its
    /// entries from the journal. Whether they are that log's, the root tells.
    ///
    /// # Errors
    /// A file is missing or short, or the journal cannot be read.
    pub(super) fn resume(
        shared: &Arc<Shared>,
        folder: &Folder,
        size: u64,
    ) -> Result<Self, Trouble> {
        let tiles = TileWriter::resume(size, |id| folder.tile(id)).map_err(|why| match why {
            Unprovable::Read(cause) => Trouble::file(folder.path())(cause),
            Unprovable::OutOfRange { .. } | Unprovable::Damaged { .. } => Trouble::Altered { size },
        })?;
        let mut growing = Self { tiles, ..Self::anew(shared, folder) };
        let first = size - size % WIDTH_MAX;
        let mut hashes = Vec::new();
        let mut index = first;
        while index < size {
            for open in growing.opens(index, size)? {
                growing.put(index, &open)?;
                hashes.extend_from_slice(leaf(&open).as_bytes());
                index += 1;
            }
        }
        // The edge of the lowest level has the hashes of the entries that the journal has.
        let edge = growing.tiles.partial_since(0).find(|tile| tile.id.level() == 0);
        match edge.map_or(hashes.is_empty(), |edge| edge.bytes == hashes) {
            true => Ok(growing),
            false => Err(Trouble::Altered { size }),
        }
    }

    /// The number of entries.
    pub(super) fn size(&self) -> u64 {
        self.tiles.size()
    }

    /// The root of the tree.
    pub(super) fn root(&self) -> Hash {
        self.tiles.root()
    }

    /// Takes in the journal's entries up to `size`, which are durable there, and writes what they
    /// fill.
    ///
    /// # Errors
    /// The journal cannot be read, or a file cannot be written.
    pub(super) fn grow(&mut self, size: u64) -> Result<(), Trouble> {
        while self.size() < size {
            let index = self.size();
            for (index, open) in (index..).zip(self.opens(index, size)?) {
                self.put(index, &open)?;
                for tile in self.tiles.push(leaf(&open)) {
                    self.write_tile(&tile)?;
                }
                if self.size().is_multiple_of(WIDTH_MAX) {
                    self.write_bundle()?;
                    self.bundle.clear();
                }
            }
        }
        Ok(())
    }

    /// Writes the narrow tiles and the narrow bundle of the edge, but those that a log of `before`
    /// entries had too. A checkpoint of this size may be signed then.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(super) fn write_edge(&self, before: u64) -> Result<(), Trouble> {
        for tile in self.tiles.partial_since(before) {
            self.write_tile(&tile)?;
        }
        if self.size() > before && !self.bundle.is_empty() {
            self.write_bundle()?;
        }
        Ok(())
    }

    /// Lets go of narrow files that a log of `before` entries had and this one has full.
    pub(super) fn tidy(&self, before: u64) {
        let now = self.size();
        for level in 0..LEVELS {
            let index = before.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0);
            let narrow = TileId::within(level, index, before).filter(|id| !id.is_full());
            let full = narrow.and_then(|_| TileId::within(level, index, now));
            if let Some(full) = full.filter(|id| id.is_full()) {
                self.forget_narrow(&full.to_string());
            }
        }
        let index = before / WIDTH_MAX;
        let narrow = BundleId::within(index, before).filter(|id| !id.is_full());
        let full = narrow.and_then(|_| BundleId::within(index, now));
        if let Some(full) = full.filter(|id| id.is_full()) {
            self.forget_narrow(&full.to_string());
        }
    }

    /// What stays is in nobody's way: the full one is read in its place.
    fn forget_narrow(&self, full: &str) {
        let narrow = self.folder.path().join(format!("{full}.p"));
        if let Err(why) = fs::remove_dir_all(&narrow)
            && why.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%why, path = %narrow.display(), "narrow tiles stay");
        }
    }

    /// The open parts of some of the journal's entries from `index` on, up to `size`.
    fn opens(&self, index: u64, size: u64) -> Result<Vec<Bytes>, Trouble> {
        let most = usize::try_from(size.saturating_sub(index)).unwrap_or(READ_ENTRIES);
        let entries = self.shared.journal.read_from(index, most.min(READ_ENTRIES), READ_BYTES)?;
        if entries.is_empty() && index < size {
            return Err(Trouble::RolledBack { signed: size, here: index });
        }
        let open = |bytes| Ok(entry::decode(bytes)?.recorded.open.clone());
        entries.into_iter().map(open).collect()
    }

    fn put(&mut self, index: u64, open: &[u8]) -> Result<(), Trouble> {
        bundle::append(&mut self.bundle, open)
            .map_err(|EntryTooLarge { bytes }| Trouble::TooLarge { index, bytes })
    }

    fn write_tile(&self, tile: &Tile) -> Result<(), Trouble> {
        self.write(&tile.id.to_string(), &tile.bytes)
    }

    fn write_bundle(&self) -> Result<(), Trouble> {
        let last = self.size().saturating_sub(1) / WIDTH_MAX;
        match BundleId::within(last, self.size()) {
            Some(id) => self.write(&id.to_string(), &self.bundle),
            None => Ok(()),
        }
    }

    fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Trouble> {
        let folder: &Path = self.folder.path();
        durable_file::write_below(folder, path, bytes).map_err(Trouble::file(folder.join(path)))
    }
}
