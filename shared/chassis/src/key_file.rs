//! The key file of a data directory: given, made beside the directory, or none by the operator's
//! own word. The directory remembers the keys that it was encrypted under, so that nothing is begun
//! where one of them is missing.

use std::{
    convert::Infallible,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    str::FromStr,
};

use keyring::{KeyId, Keyring, NotAKeyFile};
use serde::Deserialize;

use crate::{DataDir, durable_file, exit::ConfigError};

/// The option, as people know it.
const OPTION: &str = "--key-file";
/// In the data directory: the ids of the keys, one a line.
const USED: &str = "key-ids";

/// Which key file a server uses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum KeyFile {
    /// Beside the data directory, under its name and `.key`; made where there is none.
    #[default]
    Beside,
    /// This one; it is there.
    At(PathBuf),
    /// None: nothing is encrypted.
    None,
}

impl FromStr for KeyFile {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.to_owned().into())
    }
}

impl From<String> for KeyFile {
    fn from(text: String) -> Self {
        match text.as_str() {
            "none" => Self::None,
            _ => Self::At(text.into()),
        }
    }
}

/// A path beside a data directory: its own with more behind it, as `keng-data.key`.
#[must_use]
pub fn beside(data: &Path, more: &str) -> PathBuf {
    let mut name = OsString::from(data);
    name.push(".");
    name.push(more);
    name.into()
}

/// The keys for a data directory. Where it was encrypted before, all keys that it needs are there.
///
/// # Errors
/// [`ConfigError`] that names the option, and the key that is missing.
pub fn open(data: &DataDir, given: &KeyFile) -> Result<Keyring, ConfigError> {
    let used = used(data)?;
    let keyring = match (given, used.first()) {
        (KeyFile::None, None) => Keyring::default(),
        (KeyFile::None, Some(key)) => return Err(wrong(encrypted(data, *key))),
        (KeyFile::At(file), key) => read(data, file, key)?,
        (KeyFile::Beside, key) => {
            let file = beside(data.path(), "key");
            match key {
                None if !file.exists() => make(&file)?,
                key => read(data, &file, key)?,
            }
        }
    };
    if let Some(missing) = used.iter().find(|id| !keyring.has(**id)) {
        let holds = keyring.newest().map(|key| key.to_string()).unwrap_or_default();
        let why = encrypted(data, *missing);
        return Err(wrong(format!("{why}; tệp có khóa {holds} / the file holds key {holds}")));
    }
    if let Some(newest) = keyring.newest().filter(|newest| !used.contains(newest)) {
        let lines: String = [newest].iter().chain(&used).map(|id| format!("{id}\n")).collect();
        let unusable = |source| ConfigError::Unusable { path: data.path().join(USED), source };
        durable_file::write(data.path(), USED, lines).map_err(unusable)?;
    }
    Ok(keyring)
}

fn used(data: &DataDir) -> Result<Vec<KeyId>, ConfigError> {
    let path = data.path().join(USED);
    let text = durable_file::read(&path)
        .map_err(|source| ConfigError::Unusable { path: path.clone(), source })?;
    let ids = text.iter().flat_map(|text| text.lines()).map(str::parse);
    let damaged = |_| ConfigError::Damaged { path, why: "a line is no key's id" };
    ids.collect::<Result<_, _>>().map_err(damaged)
}

fn read(data: &DataDir, file: &Path, used: Option<&KeyId>) -> Result<Keyring, ConfigError> {
    Keyring::read(file).map_err(|why| {
        let name = file.display();
        let missing = matches!(&why, NotAKeyFile::Io(why) if why.kind() == io::ErrorKind::NotFound);
        match used {
            Some(key) if missing => {
                let why = encrypted(data, *key);
                wrong(format!("không có tệp {name} / there is no file {name}; {why}"))
            }
            None if missing => wrong(format!(
                "không có tệp {name} / there is no file {name}; `keng key-file new {name}` makes one"
            )),
            _ => wrong(format!("{name}: {why}")),
        }
    })
}

fn make(file: &Path) -> Result<Keyring, ConfigError> {
    let name = file.display();
    let made = Keyring::make(file)
        .map_err(|why| wrong(format!("{name}: {why}; `--key-file FILE` names another place")))?;
    tracing::warn!(
        file = %name,
        "a key was made beside the data: keep a copy elsewhere, without it nothing sealed can be \
         read; who takes the whole disk has both"
    );
    Ok(made)
}

/// What a directory needs.
fn encrypted(data: &DataDir, key: KeyId) -> String {
    let data = data.path().display();
    format!(
        "dữ liệu ở {data} mã hóa bằng khóa {key}: hãy chỉ tệp có khóa ấy / \
         the data in {data} are encrypted under key {key}: name the file that holds it"
    )
}

fn wrong(why: String) -> ConfigError {
    ConfigError::Wrong { name: OPTION, why }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::Kind;

    fn data(folder: &Path) -> DataDir {
        DataDir::open(&folder.join("data"), Kind::Real).unwrap()
    }

    fn said(refused: Result<Keyring, ConfigError>) -> String {
        refused.map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn a_key_is_made_beside_the_data_once() {
        let folder = tempfile::tempdir().unwrap();
        let data = data(folder.path());
        let made = open(&data, &KeyFile::Beside).unwrap();
        assert_eq!(open(&data, &KeyFile::Beside).unwrap().newest(), made.newest());
        let file = folder.path().join("data.key");
        assert_eq!(open(&data, &KeyFile::At(file)).unwrap().newest(), made.newest());
    }

    #[test]
    fn nothing_begins_where_the_key_is_lost_another_or_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let data = data(folder.path());
        let id = open(&data, &KeyFile::Beside).unwrap().newest().unwrap().to_string();
        let file = folder.path().join("data.key");
        let kept = folder.path().join("kept");
        fs::rename(&file, &kept).unwrap();
        let other = folder.path().join("other");
        Keyring::make(&other).unwrap();
        for given in [KeyFile::Beside, KeyFile::None, KeyFile::At(other.clone())] {
            let why = said(open(&data, &given));
            assert!(why.contains("--key-file") && why.contains(&id), "{given:?}: {why}");
        }
        assert!(!file.exists(), "no other key is made in its place");
        let both = fs::read_to_string(&other).unwrap() + &fs::read_to_string(&kept).unwrap();
        fs::write(&other, both).unwrap();
        assert!(open(&data, &KeyFile::At(other)).is_ok(), "a newer one before it");
        let why = said(open(&data, &KeyFile::At(kept)));
        assert!(why.contains("encrypted under key"), "the newer one is needed from then on: {why}");
    }

    #[test]
    fn a_file_that_is_named_is_there_and_none_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let data = data(folder.path());
        let nowhere = folder.path().join("nowhere");
        let why = said(open(&data, &KeyFile::At(nowhere.clone())));
        assert!(why.contains("keng key-file new") && !nowhere.exists(), "{why}");
        assert_eq!(open(&data, &"none".parse().unwrap()).unwrap().newest(), None);
        fs::write(&nowhere, "x\n").unwrap();
        let why = said(open(&data, &KeyFile::At(nowhere)));
        assert!(why.contains("--key-file"), "{why}");
    }
}
