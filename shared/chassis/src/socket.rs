//! The Unix socket by which commands on the server's own machine talk to it.
//!
//! Only its owner can open it, and so it needs no token; acts through it are recorded as
//! `local:<uid>`.

use std::{
    env, fmt, fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use axum::{extract::connect_info::Connected, serve::IncomingStream};
use domain::hex::hex;
use rustix::process::geteuid;
use sha2::{Digest, Sha256};
use tokio::net::{UnixListener, UnixStream};

use crate::{data_dir::DataDir, exit::ConfigError};

/// A path longer than this does not go into the data directory; the system's limit is 107.
const PATH_BYTES_MAX: usize = 100;

/// Where the server of a data directory listens: `keng.sock` in it, or, where that path would pass
/// 100 bytes, a name made of its hash in `$XDG_RUNTIME_DIR` (or in `/run/user/<uid>`). The
/// directory has to be there. Client and server come to the same answer.
///
/// # Errors
/// Where the directory is not there, or the path is too long and there is no other place.
pub fn path_of(data: &Path) -> Result<PathBuf, ConfigError> {
    let unusable = |source| ConfigError::Unusable { path: data.to_owned(), source };
    let data = data.canonicalize().map_err(unusable)?;
    let runtime = env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let runtime = runtime.or_else(|| {
        let default = PathBuf::from(format!("/run/user/{}", geteuid().as_raw()));
        default.is_dir().then_some(default)
    });
    choose(&data, runtime.as_deref())
}

fn choose(data: &Path, runtime: Option<&Path>) -> Result<PathBuf, ConfigError> {
    let short = |path: &PathBuf| path.as_os_str().len() <= PATH_BYTES_MAX;
    let inside = data.join("keng.sock");
    if short(&inside) {
        return Ok(inside);
    }
    let hash = Sha256::digest(data.as_os_str().as_encoded_bytes());
    let hash: String = hex(&hash).chars().take(16).collect();
    runtime.map(|dir| dir.join(format!("keng-{hash}.sock"))).filter(short).ok_or_else(|| {
        let why = "đường dẫn quá dài cho socket; đặt XDG_RUNTIME_DIR / \
                   path too long for a socket; set XDG_RUNTIME_DIR";
        ConfigError::Wrong { name: "--data", why: why.to_owned() }
    })
}

/// A socket file, removed when dropped.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl SocketFile {
    /// The path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // One that stays behind is replaced by the next server.
        let _ = fs::remove_file(&self.0);
    }
}

/// Listens for the owner of the data directory; whoever holds it may replace a socket that an
/// earlier server left.
///
/// # Errors
/// Where there is no place for the socket, or it cannot be made.
pub fn listen(data: &DataDir) -> Result<(UnixListener, SocketFile), ConfigError> {
    let path = path_of(data.path())?;
    let unusable = |source| ConfigError::Unusable { path: path.clone(), source };
    // Under another name first, so that nobody finds it before its mode is set.
    let new = path.with_extension("new");
    remove_stale(&new).map_err(unusable)?;
    let listener = UnixListener::bind(&new).map_err(unusable)?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600))
        .and_then(|()| fs::rename(&new, &path))
        .map_err(unusable)?;
    Ok((listener, SocketFile(path)))
}

fn remove_stale(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Who is at the other end of the socket, as the system says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalPeer {
    /// `None` where the system does not tell.
    uid: Option<u32>,
}

impl LocalPeer {
    /// The peer of a connection.
    #[must_use]
    pub fn of(stream: &UnixStream) -> Self {
        Self { uid: stream.peer_cred().ok().map(|found| found.uid()) }
    }

    /// The user, where it is the owner of this process or root. Nobody else has rights here, even
    /// if the socket's mode was changed.
    #[must_use]
    pub fn owner(self) -> Option<LocalOwner> {
        let trusted = |uid: &u32| *uid == 0 || *uid == geteuid().as_raw();
        self.uid.filter(trusted).map(LocalOwner)
    }
}

impl Connected<IncomingStream<'_, UnixListener>> for LocalPeer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self::of(stream.io())
    }
}

/// A user who owns this server; shown as `local:<uid>`, which is the actor in the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalOwner(u32);

impl LocalOwner {
    /// The user who runs this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self(geteuid().as_raw())
    }
}

impl fmt::Display for LocalOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "local:{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_dir::Kind;

    #[test]
    fn a_long_path_goes_to_the_runtime_directory() {
        let runtime = Path::new("/run/user/1000");
        let longest = PathBuf::from(format!("/{}", "d".repeat(PATH_BYTES_MAX - 11)));
        let inside = choose(&longest, Some(runtime)).unwrap();
        assert_eq!((inside.as_os_str().len(), inside.parent()), (100, Some(longest.as_path())));
        let long = PathBuf::from(format!("/{}", "d".repeat(PATH_BYTES_MAX - 10)));
        let elsewhere = choose(&long, Some(runtime)).unwrap();
        assert_eq!(elsewhere.parent(), Some(runtime));
        assert_ne!(elsewhere, choose(&long.join("x"), Some(runtime)).unwrap());
        assert!(choose(&long, None).is_err());
    }

    #[tokio::test]
    async fn the_owner_is_known_and_a_stale_socket_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(dir.path(), Kind::Real).unwrap();
        let path = path_of(data.path()).unwrap();
        // A server that was killed leaves its socket behind.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let (listener, file) = listen(&data).unwrap();
        assert_eq!(file.path(), path);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let (client, server) = tokio::join!(UnixStream::connect(&path), listener.accept());
        let owner = LocalPeer::of(&server.unwrap().0).owner().unwrap();
        assert_eq!(owner.to_string(), format!("local:{}", geteuid().as_raw()));
        assert_eq!(LocalPeer { uid: Some(geteuid().as_raw() + 1) }.owner(), None);
        assert_eq!(LocalPeer { uid: None }.owner(), None);
        drop((client, file));
        assert!(!path.exists());
    }
}
