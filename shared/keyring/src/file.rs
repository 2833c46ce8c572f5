//! A key file: lines of `keng-key ID SECRET`, both in hex, the newest key first; `#` begins a
//! remark. The id is there for people, and so that a slip of the hand is noticed.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
    sync::Arc,
};

use domain::hex::{hex, unhex};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::{KEY_BYTES, Key, KeyId, Keyring};

/// What a line begins with.
const WORD: &str = "keng-key";

/// What the name of a file ends with that is not whole yet.
const HALF: &str = ".half";

const HEADER: &str = "\
# Khóa mã hóa dữ liệu của Kẻng. Mất tệp này là mất mọi lời đã niêm phong: hãy cất một bản nơi khác.
# Kẻng's key at rest. Without it nothing sealed can be read: keep a copy, apart from the backups.
";

/// Why a file gives no keys.
#[derive(Debug, thiserror::Error)]
pub enum NotAKeyFile {
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Others than its owner and its owner's group can read it.
    #[error("người khác đọc được: chmod 600 / others can read it: chmod 600")]
    Open,
    /// A line is no key, counted from 1; 0 where there is no key at all.
    #[error("dòng {0} không phải khóa / line {0} is no key")]
    Line(usize),
}

impl Keyring {
    /// The keys of a file.
    ///
    /// # Errors
    /// [`NotAKeyFile`].
    pub fn read(file: &Path) -> Result<Self, NotAKeyFile> {
        if fs::metadata(file)?.permissions().mode() & 0o007 != 0 {
            return Err(NotAKeyFile::Open);
        }
        let text = Zeroizing::new(fs::read_to_string(file)?);
        let lines = text.lines().enumerate();
        let lines = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        let keys = lines.map(|(before, line)| key(line).ok_or(NotAKeyFile::Line(before + 1)));
        let keys: Vec<Key> = keys.collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(NotAKeyFile::Line(0));
        }
        Ok(Self(Arc::new(keys)))
    }

    /// Makes a file (mode 0600) with one new key; it is durable when this returns. Under its name
    /// it is whole or not there: what a kill leaves is called after its key's id and `.half`, is in
    /// nobody's way and may be deleted.
    ///
    /// # Errors
    /// The system's; `AlreadyExists` where there is such a file, which stays as it is.
    pub fn make(file: &Path) -> io::Result<Self> {
        let secret = secret()?;
        let id = KeyId::of(&secret);
        let line = Zeroizing::new(format!("{WORD} {id} {}\n", *Zeroizing::new(hex(&*secret))));
        let half = file.with_added_extension(format!("{id}{HALF}"));
        let linked = write(&half, &[HEADER, &line]).and_then(|()| fs::hard_link(&half, file));
        // It holds the secret: it goes, whatever became of the file.
        let removed = match fs::remove_file(&half) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => Err(why),
            _ => Ok(()),
        };
        linked.and(removed)?;
        let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
        File::open(dir.unwrap_or(Path::new(".")))?.sync_all()?;
        Self::of(&secret)
    }

    /// One new key that is kept nowhere: for tests and benchmarks.
    ///
    /// # Errors
    /// There is no chance to be had.
    pub fn fresh() -> io::Result<Self> {
        Self::of(&*secret()?)
    }

    fn of(secret: &[u8; KEY_BYTES]) -> io::Result<Self> {
        let key = Key::of(secret).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self(Arc::new(vec![key])))
    }
}

/// Writes a new file that only its owner reads; it is durable when this returns.
fn write(file: &Path, parts: &[&str]) -> io::Result<()> {
    let mut made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    parts.iter().try_for_each(|part| made.write_all(part.as_bytes()))?;
    made.sync_all()
}

fn secret() -> io::Result<Zeroizing<[u8; KEY_BYTES]>> {
    let mut secret = Zeroizing::new([0; KEY_BYTES]);
    let filled = SystemRandom::new().fill(&mut *secret);
    filled.map_err(|_| io::Error::other("the system gives no chance"))?;
    Ok(secret)
}

fn key(line: &str) -> Option<Key> {
    let mut words = line.split_whitespace();
    let (word, id, secret) = (words.next()?, words.next()?, words.next()?);
    let bytes = Zeroizing::new(unhex(secret)?);
    let key = Key::of(bytes.as_slice().try_into().ok()?)?;
    (word == WORD && words.next().is_none() && id.parse() == Ok(key.id)).then_some(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_file_keeps_its_keys_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let made = Keyring::make(&file).unwrap();
        assert_eq!(Keyring::read(&file).unwrap().newest(), made.newest());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let again = Keyring::make(&file).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists, "a key is never written over");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o604)).unwrap();
        assert!(matches!(Keyring::read(&file), Err(NotAKeyFile::Open)));
    }

    #[test]
    fn what_a_killed_process_left_half_made_does_no_harm() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        fs::write(folder.path().join("key.0011.half"), &HEADER.as_bytes()[..20]).unwrap();
        let made = Keyring::make(&file).unwrap();
        assert_eq!(Keyring::read(&file).unwrap().newest(), made.newest());
        assert_eq!(Keyring::make(&file).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(Keyring::read(&file).unwrap().newest(), made.newest());
        let there = fs::read_dir(folder.path()).unwrap();
        let mut there: Vec<_> = there.map(|file| file.unwrap().file_name()).collect();
        there.sort();
        assert_eq!(there, ["key", "key.0011.half"], "a secret is in its file alone");
        assert_eq!(fs::metadata(&file).unwrap().nlink(), 1);
    }

    #[test]
    fn the_newest_comes_first_and_the_older_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        let (first, second) = (Keyring::make(&old).unwrap(), Keyring::make(&new).unwrap());
        let both = fs::read_to_string(&new).unwrap() + &fs::read_to_string(&old).unwrap();
        fs::write(&new, both).unwrap();
        let both = Keyring::read(&new).unwrap();
        assert_eq!(both.newest(), second.newest());
        assert!(both.has(first.newest().unwrap()) && !first.has(second.newest().unwrap()));
    }

    #[test]
    fn a_slip_is_named_by_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        Keyring::make(&file).unwrap();
        let good = fs::read_to_string(&file).unwrap();
        let (front, back) = good.split_at(good.len() - 2);
        let flipped = if back.starts_with('0') { '1' } else { '0' };
        for (text, line) in [
            (String::new(), 0),
            ("# nothing\n".to_owned(), 0),
            ("-----BEGIN\n".to_owned(), 1),
            (format!("{front}{flipped}\n"), 3),
            (good.replace("keng-key ", "keng-key 0"), 3),
            (format!("{} more\n", good.trim_end()), 3),
        ] {
            fs::write(&file, &text).unwrap();
            let read = Keyring::read(&file);
            assert!(matches!(read, Err(NotAKeyFile::Line(found)) if found == line), "{text}");
        }
    }
}
