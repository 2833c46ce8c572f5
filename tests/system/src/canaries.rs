//! What must not be found any more: words, a salt, the bytes of a picture, in any file.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Where a sealed part has its salt: a tag, a length, and 32 bytes before the content's tag.
const SALT: [u8; 2] = [0x0a, 0x20];
const SALT_BYTES: usize = 32;
const CONTENT: u8 = 0x12;

/// Bytes that are looked for, each under a name.
#[derive(Debug, Default)]
pub struct Canaries(pub Vec<(String, Vec<u8>)>);

impl Canaries {
    /// These words.
    #[must_use]
    pub fn of(words: &[&str]) -> Self {
        Self(words.iter().map(|word| ((*word).to_owned(), word.as_bytes().to_vec())).collect())
    }

    /// What was found below these folders: which, and in which file.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn found(&self, folders: &[&Path]) -> io::Result<Vec<(String, PathBuf)>> {
        let mut found = Vec::new();
        for folder in folders {
            for path in files(folder)? {
                // What is gone by now holds nothing; sockets are not read.
                let Ok(bytes) = fs::read(&path) else { continue };
                let here = self.0.iter().filter(|(_, canary)| place(&bytes, canary).is_some());
                found.extend(here.map(|(name, _)| (name.clone(), path.clone())));
            }
        }
        Ok(found)
    }
}

/// The salt of the sealed part that holds this word, in some file below the folder.
///
/// # Errors
/// A folder cannot be read.
pub fn salt_beside(word: &str, folder: &Path) -> io::Result<Option<Vec<u8>>> {
    for path in files(folder)? {
        let bytes = fs::read(&path)?;
        let Some(at) = place(&bytes, word.as_bytes()) else { continue };
        let before = bytes.get(..at).unwrap_or_default();
        let salt = (0..before.len()).rev().find_map(|from| {
            let rest = before.get(from..)?.strip_prefix(&SALT)?;
            (rest.get(SALT_BYTES) == Some(&CONTENT)).then(|| rest.get(..SALT_BYTES))?
        });
        if let Some(salt) = salt {
            return Ok(Some(salt.to_vec()));
        }
    }
    Ok(None)
}

/// Copies everything below a folder, as a backup does.
///
/// # Errors
/// Something cannot be read or written.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for path in files(from)? {
        let there = to.join(path.strip_prefix(from).map_err(io::Error::other)?);
        if let Some(folder) = there.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(path, there)?;
    }
    Ok(())
}

/// Every file below a folder.
///
/// # Errors
/// A folder cannot be read.
pub fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    Ok(files)
}

fn place(bytes: &[u8], canary: &[u8]) -> Option<usize> {
    let first = *canary.first()?;
    let mut from = 0;
    while let Some(step) = bytes.get(from..)?.iter().position(|byte| *byte == first) {
        let at = from + step;
        if bytes.get(at..)?.starts_with(canary) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}
