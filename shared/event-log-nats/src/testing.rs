//! A nats-server of one's own: on free ports, in a temporary directory, syncing before it
//! acknowledges unless told otherwise; stopped, killed and started again on the same ports.
//!
//! For tests and benchmarks only (feature `testing`).

use std::{
    env, fs,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::sync::mpsc;

mod cluster;

pub use self::cluster::NatsCluster;
use self::cluster::Place;

/// How long a server may take to be ready.
const READY_MAX: Duration = Duration::from_secs(20);

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// No binary was found.
    #[error(
        "no nats-server: neither KENG_NATS_SERVER, nor target/tools/bin/nats-server, nor the PATH \
         has one; `cargo xtask tools` fetches it"
    )]
    NotFound,
    /// The system refused.
    #[error("nats-server: {0}")]
    Io(#[from] io::Error),
    /// It ended, or did not become ready in time.
    #[error("nats-server is not ready; it said:\n{0}")]
    NotReady(String),
}

/// The binary: `KENG_NATS_SERVER`, `target/tools/bin/nats-server` of the workspace, the PATH.
pub fn find_server() -> Result<PathBuf, ServerError> {
    if let Some(named) = env::var_os("KENG_NATS_SERVER") {
        return Ok(PathBuf::from(named));
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    [target.join("tools/bin/nats-server"), root.join("target/tools/bin/nats-server")]
        .into_iter()
        .chain(env::split_paths(&path).map(|dir| dir.join("nats-server")))
        .find(|candidate| candidate.is_file())
        .ok_or(ServerError::NotFound)
}

/// A running, or stopped, server. Dropping it kills it.
#[derive(Debug)]
pub struct NatsServer {
    dir: TempDir,
    binary: PathBuf,
    child: Option<Child>,
    sync_always: bool,
    encrypts: bool,
    /// 0 before the first start.
    port: u16,
    monitor_port: u16,
    /// Its place among others; `None` where it stands alone.
    place: Option<Place>,
}

impl NatsServer {
    /// Starts a server that syncs before it acknowledges.
    pub async fn start() -> Result<Self, ServerError> {
        Self::start_with(true).await
    }

    /// Starts a server; without `sync_always` it acknowledges before it syncs.
    pub async fn start_with(sync_always: bool) -> Result<Self, ServerError> {
        let mut server = Self::stopped(sync_always, None)?;
        server.restart().await?;
        Ok(server)
    }

    /// Starts a server that syncs, and encrypts what it keeps.
    pub async fn start_encrypted() -> Result<Self, ServerError> {
        let mut server = Self::stopped(true, None)?;
        server.encrypts = true;
        server.restart().await?;
        Ok(server)
    }

    fn stopped(sync_always: bool, place: Option<Place>) -> Result<Self, ServerError> {
        Ok(Self {
            dir: tempfile::Builder::new().prefix("keng-nats-").tempdir()?,
            binary: find_server()?,
            child: None,
            sync_always,
            encrypts: false,
            port: 0,
            monitor_port: 0,
            place,
        })
    }

    /// `nats://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// `http://127.0.0.1:PORT`
    #[must_use]
    pub fn monitor_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.monitor_port)
    }

    /// The directory of the server's streams.
    #[must_use]
    pub fn store_dir(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    /// The process's id while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Stops it in order (SIGTERM), and waits.
    pub fn stop(&mut self) -> Result<(), ServerError> {
        if let Some(mut child) = self.child.take() {
            let id = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
            if let Some(id) = id {
                let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
            }
            child.wait()?;
        }
        Ok(())
    }

    /// Kills it (SIGKILL), and waits.
    pub fn kill(&mut self) -> Result<(), ServerError> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Starts it again, on the same ports and the same directory.
    pub async fn restart(&mut self) -> Result<(), ServerError> {
        self.kill()?;
        let config = self.dir.path().join("nats.conf");
        fs::write(&config, self.config())?;
        let mut child = Command::new(&self.binary)
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let said = child.stderr.take();
        self.child = Some(child);
        let (lines, mut heard) = mpsc::unbounded_channel();
        // Reads until the process ends, so that it never blocks on a full pipe.
        std::thread::spawn(move || {
            let said = said.into_iter().flat_map(|said| BufReader::new(said).lines());
            for line in said.map_while(Result::ok) {
                let _ = lines.send(line);
            }
        });
        let mut story = String::new();
        let ready = async {
            while let Some(line) = heard.recv().await {
                self.port = port_after(&line, "client connections on ").unwrap_or(self.port);
                self.monitor_port =
                    port_after(&line, "http monitor on ").unwrap_or(self.monitor_port);
                story.push_str(&line);
                story.push('\n');
                if line.ends_with("Server is ready") {
                    return true;
                }
            }
            false
        };
        match tokio::time::timeout(READY_MAX, ready).await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(ServerError::NotReady(story)),
        }
    }

    /// Copies the streams of a stopped server, to be put back later.
    pub fn copy_store(&self) -> Result<TempDir, ServerError> {
        let copy = tempfile::Builder::new().prefix("keng-store-").tempdir()?;
        copy_dir(&self.store_dir(), copy.path())?;
        Ok(copy)
    }

    /// Puts an older copy in the place of a stopped server's streams.
    pub fn put_back(&self, copy: &TempDir) -> Result<(), ServerError> {
        fs::remove_dir_all(self.store_dir())?;
        copy_dir(copy.path(), &self.store_dir())?;
        Ok(())
    }

    /// Puts an older copy in the place of one stream of a stopped server, its consumers included.
    pub fn put_back_stream(&self, copy: &TempDir, stream: &str) -> Result<(), ServerError> {
        let stream = Path::new("jetstream/$G/streams").join(stream);
        let lost = self.store_dir().join(&stream);
        fs::remove_dir_all(&lost)?;
        copy_dir(&copy.path().join(&stream), &lost)?;
        Ok(())
    }

    fn config(&self) -> String {
        // -1 asks the system for a free port.
        let port = |port: u16| if port == 0 { "-1".to_owned() } else { port.to_string() };
        let sync = if self.sync_always { "sync_interval: always" } else { "" };
        let cipher = if self.encrypts { "cipher: chachapoly\n key: the-key-of-a-test" } else { "" };
        format!(
            "host: 127.0.0.1\nport: {}\nhttp: \"127.0.0.1:{}\"\njetstream {{\n store_dir: {:?}\n {sync}\n {cipher}\n}}\n{}",
            port(self.port),
            port(self.monitor_port),
            self.store_dir(),
            self.place.as_ref().map_or_else(String::new, Place::config),
        )
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

fn port_after(line: &str, words: &str) -> Option<u16> {
    line.split_once(words)?.1.rsplit(':').next()?.trim().parse().ok()
}

fn copy_dir(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
