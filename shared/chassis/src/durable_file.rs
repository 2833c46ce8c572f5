//! Small files that are either there whole, across a power cut, or not at all.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Writes `<dir>/<name>` (mode 0600), replacing what was there. It is durable when this returns.
///
/// # Errors
/// It may be there or not: what was there before still is, or this.
pub fn write(dir: &Path, name: &str, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    let new = new_of(dir, name);
    let mut file =
        OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
    file.write_all(bytes.as_ref())?;
    file.sync_all()?;
    fs::rename(&new, dir.join(name))?;
    sync_dir(dir)
}

/// Writes `<root>/<path>` as [`write()`] does, and makes the folders between them; `root` is there.
/// The path has no `..` and no `/` at its beginning.
///
/// # Errors
/// It may be there or not.
pub fn write_below(root: &Path, path: &str, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut dir = root.to_owned();
    for folder in folders.split('/').filter(|folder| !folder.is_empty()) {
        let within = dir.join(folder);
        match fs::create_dir(&within) {
            Ok(()) => sync_dir(&dir)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        dir = within;
    }
    write(&dir, name, bytes)
}

/// What a write had put down before it was cut off: whole, or only its beginning, which the reader
/// can tell. `None` where no write was cut off.
///
/// # Errors
/// It cannot be read.
pub fn begun(dir: &Path, name: &str) -> io::Result<Option<String>> {
    read(&new_of(dir, name))
}

/// Finishes a write that was cut off, where [`begun`] is whole.
///
/// # Errors
/// As [`write`].
pub fn finish(dir: &Path, name: &str) -> io::Result<()> {
    let new = new_of(dir, name);
    File::open(&new)?.sync_all()?;
    fs::rename(&new, dir.join(name))?;
    sync_dir(dir)
}

fn new_of(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.new"))
}

/// `None` where it is not there.
///
/// # Errors
/// It is there, and cannot be read.
pub fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_was_cut_off_can_be_finished() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        write(dir.path(), "a", "old")?;
        assert_eq!(begun(dir.path(), "a")?, None);
        fs::write(dir.path().join("a.new"), "new")?;
        assert_eq!(begun(dir.path(), "a")?.as_deref(), Some("new"));
        finish(dir.path(), "a")?;
        assert_eq!(read(&dir.path().join("a"))?.as_deref(), Some("new"));
        assert_eq!(begun(dir.path(), "a")?, None);
        Ok(())
    }

    #[test]
    fn folders_are_made_on_the_way() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        for bytes in [&b"one"[..], &b"two"[..]] {
            write_below(dir.path(), "tile/0/x001/234", bytes)?;
            assert_eq!(fs::read(dir.path().join("tile/0/x001/234"))?, bytes);
        }
        write_below(dir.path(), "checkpoint", "c")?;
        assert_eq!(read(&dir.path().join("checkpoint"))?.as_deref(), Some("c"));
        Ok(())
    }
}
