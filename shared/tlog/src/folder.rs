//! The folder: where the checkpoint, the tiles and the entry bundles lie. Source: C2SP tlog-tiles.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use merkle::{BundleId, TileId, bundle::bundles_since, tile::tiles_since};

/// The file of the newest checkpoint, with its signatures.
pub const CHECKPOINT: &str = "checkpoint";

/// A folder that holds a log. Cloning is cheap enough for anything but a loop.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at this path.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The checkpoint with its signatures; `None` where there is none.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn checkpoint(&self) -> io::Result<Option<Vec<u8>>> {
        there(fs::read(self.0.join(CHECKPOINT)))
    }

    /// The content of a tile; where a narrow one is gone, from the full one that took its place.
    ///
    /// # Errors
    /// Neither can be read.
    pub fn tile(&self, id: TileId) -> io::Result<Vec<u8>> {
        self.or_full(&id.to_string(), |mut full| {
            full.truncate(id.bytes());
            Ok(full)
        })
    }

    /// The content of an entry bundle; as [`Folder::tile`].
    ///
    /// # Errors
    /// Neither can be read, or the full one is none.
    pub fn bundle(&self, id: BundleId) -> io::Result<Vec<u8>> {
        let narrow = |full: Vec<u8>| id.of_wider(&full).map(<[u8]>::to_vec);
        self.or_full(&id.to_string(), |full| narrow(full).map_err(io::Error::other))
    }

    /// What lies beside the entries of a bundle, an item for each.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn signatures(&self, id: BundleId) -> io::Result<Vec<u8>> {
        fs::read(self.0.join(id.signatures()))
    }

    /// What stands there is given as it is: whoever checks it must see all of it.
    fn or_full(
        &self,
        path: &str,
        narrow: impl FnOnce(Vec<u8>) -> io::Result<Vec<u8>>,
    ) -> io::Result<Vec<u8>> {
        match there(fs::read(self.0.join(path)))? {
            Some(bytes) => Ok(bytes),
            None => narrow(fs::read(self.0.join(full_of(path)))?),
        }
    }

    /// All files below, as paths in it, in no order.
    ///
    /// # Errors
    /// A folder cannot be read; or a name is no text.
    pub fn files(&self) -> io::Result<Vec<String>> {
        let mut files = Vec::new();
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(self.0.join(&folder))? {
                let entry = entry?;
                let name = entry.file_name();
                let name = name.to_str().ok_or_else(|| io::Error::other("a name is no text"))?;
                let path = match folder.as_str() {
                    "" => name.to_owned(),
                    folder => format!("{folder}/{name}"),
                };
                // What only points elsewhere is a file that nobody expects.
                if entry.file_type()?.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        Ok(files)
    }
}

/// The path of the full tile or bundle that a narrow one grew into: `…/005.p/12` → `…/005`.
fn full_of(path: &str) -> &str {
    path.rsplit_once(".p/").map_or(path, |(full, _)| full)
}

fn there<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The tiles and bundles of a log of `size` entries, as paths: all that there are, none narrower
/// than it must be.
pub fn files_of(size: u64) -> impl Iterator<Item = String> {
    let bundles = bundles_since(0, size).map(|id| id.to_string());
    tiles_since(0, size).map(|id| id.to_string()).chain(bundles)
}

/// The bundles of signatures of such a log, as paths; only an export has them.
pub fn signatures_of(size: u64) -> impl Iterator<Item = String> {
    bundles_since(0, size).map(BundleId::signatures)
}
