//! The real binary as a child: started, waited for until it is ready, killed, started again on the
//! same data directory. It is ended by its own id, at the latest when this is dropped.

use std::{
    env,
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
    process::{ExitStatus, Output, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
};

use crate::{client::Client, seen::Seen};

/// From the start to the line `ready`, on a machine that does other things too.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// A client command, from its start to its end.
const COMMAND_WITHIN: Duration = Duration::from_secs(60);

/// `keng` as a server. Its standard error goes to a file beside the data directory.
pub struct Keng {
    launch: Launch,
    folder: Arc<TempDir>,
    child: Child,
    lines: Arc<Seen<String>>,
    ready: Ready,
}

/// How it is started, the first time and again.
#[derive(Debug)]
struct Launch {
    binary: PathBuf,
    command: String,
    options: Vec<String>,
    data: PathBuf,
}

/// What the line `ready` says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ready {
    http: String,
    grpc: String,
}

impl Keng {
    /// Starts `keng COMMAND OPTIONS…` in a new temporary folder and waits until it is ready.
    /// `--data`, `--http` and `--grpc` are added, the ports are free ones.
    ///
    /// # Errors
    /// It was not ready in time, or ended; the error shows what it said.
    pub async fn start(command: &str, options: &[&str]) -> Result<Self> {
        Self::start_in(Arc::new(tempfile::tempdir()?), "data", command, options).await
    }

    /// The same with the data in `FOLDER/NAME`, so that several share a folder, or one begins with
    /// the data of another.
    ///
    /// # Errors
    /// It was not ready in time, or ended; the error shows what it said.
    pub async fn start_in(
        folder: Arc<TempDir>,
        name: &str,
        command: &str,
        options: &[&str],
    ) -> Result<Self> {
        let data = folder.path().join(name);
        let options = options.iter().map(ToString::to_string).collect();
        let launch = Launch { binary: binary()?, command: command.to_owned(), options, data };
        Self::begin(folder, launch).await
    }

    async fn begin(folder: Arc<TempDir>, launch: Launch) -> Result<Self> {
        let (child, lines, ready) = launch.run().await?;
        Ok(Self { launch, folder, child, lines, ready })
    }

    /// Starts it again on the same data with the same options; the ports are others. What still
    /// runs is killed first.
    ///
    /// # Errors
    /// It was not ready in time, or ended; the error shows what it said.
    pub async fn restart(&mut self) -> Result<()> {
        self.kill9().await?;
        let (child, lines, ready) = self.launch.run().await?;
        (self.child, self.lines, self.ready) = (child, lines, ready);
        Ok(())
    }

    /// SIGKILL, and waits until it is gone. Nothing where it is gone already.
    ///
    /// # Errors
    /// The child cannot be waited for.
    pub async fn kill9(&mut self) -> Result<()> {
        if self.child.id().is_none() {
            return Ok(());
        }
        self.child.kill().await.context("killing keng")
    }

    /// SIGTERM, and waits until it has drained.
    ///
    /// # Errors
    /// It had ended before, or does not end `within` the time.
    pub async fn sigterm(&mut self, within: Duration) -> Result<ExitStatus> {
        let pid = self.pid().context("keng has ended before SIGTERM")?;
        kill_process(pid, Signal::TERM)?;
        self.wait(within).await
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// It does not end `within` the time.
    pub async fn wait(&mut self, within: Duration) -> Result<ExitStatus> {
        match tokio::time::timeout(within, self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => bail!("keng did not end within {within:?}\n{}", self.stderr()),
        }
    }

    /// The process; `None` once it was waited for.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
    }

    /// `http://HOST:PORT`.
    #[must_use]
    pub fn http(&self) -> &str {
        &self.ready.http
    }

    /// `http://HOST:PORT` of gRPC.
    #[must_use]
    pub fn grpc(&self) -> &str {
        &self.ready.grpc
    }

    /// The data directory.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.launch.data
    }

    /// The folder that the data directory stands in, for files of the test's own.
    #[must_use]
    pub fn folder(&self) -> &Arc<TempDir> {
        &self.folder
    }

    /// What it has written to standard output since its last start, line by line.
    #[must_use]
    pub fn lines(&self) -> &Seen<String> {
        &self.lines
    }

    /// What it has written to standard error, over all starts.
    #[must_use]
    pub fn stderr(&self) -> String {
        text_of(&self.launch.stderr_file())
    }

    /// Runs a client command on this server's machine: `keng ARGUMENTS… --data DIR`.
    ///
    /// # Errors
    /// It could not be run, or did not end in time. That it failed is in the output.
    pub async fn run(&self, arguments: &[&str]) -> Result<Output> {
        let data = self.data().to_str().context("the data directory is no text")?;
        run(&[arguments, &["--data", data]].concat()).await
    }

    /// A token from `keng token`. `home` is the commune's code for officer and commander, the
    /// province's for province, and `None` for auditor and admin.
    ///
    /// # Errors
    /// There is none; the error shows what the command said.
    pub async fn token(&self, officer: &str, role: &str, home: Option<&str>) -> Result<String> {
        let mut arguments = vec!["token", "--officer", officer, "--role", role];
        if let Some(home) = home {
            arguments.push(if role == "province" { "--province" } else { "--commune" });
            arguments.push(home);
        }
        let output = self.run(&arguments).await?;
        let said = String::from_utf8_lossy(&output.stdout);
        let token = said.lines().last().map(str::trim).filter(|token| !token.is_empty());
        match token {
            Some(token) if output.status.success() => Ok(token.to_owned()),
            _ => {
                bail!("keng token: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr))
            }
        }
    }

    /// A client with a token of this role; see [`Self::token`].
    ///
    /// # Errors
    /// There is no token.
    pub async fn client(&self, officer: &str, role: &str, home: Option<&str>) -> Result<Client> {
        let token = self.token(officer, role, home).await?;
        Ok(Client::new(self.http())?.with_token(&token))
    }
}

/// Runs `keng ARGUMENTS…` to its end.
///
/// # Errors
/// It could not be run, or did not end in time. That it failed is in the output.
pub async fn run(arguments: &[&str]) -> Result<Output> {
    let mut command = keng(&binary()?);
    command.args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    match tokio::time::timeout(COMMAND_WITHIN, command.output()).await {
        Ok(output) => output.with_context(|| format!("running keng {arguments:?}")),
        Err(_) => bail!("keng {arguments:?} did not end within {COMMAND_WITHIN:?}"),
    }
}

/// The binary under test: `KENG_BIN`, or the one that cargo has built in this workspace.
///
/// # Errors
/// There is none.
pub fn binary() -> Result<PathBuf> {
    let path = match env::var_os("KENG_BIN") {
        Some(path) => PathBuf::from(path),
        None => {
            let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
            let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
            workspace.join(target).join("debug/keng")
        }
    };
    ensure!(path.is_file(), "{} is not there: cargo build --package keng", path.display());
    Ok(path)
}

/// The binary without any option from the environment.
fn keng(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in env::vars_os().filter(|(name, _)| is_option(name)) {
        command.env_remove(name);
    }
    command.kill_on_drop(true);
    command
}

fn is_option(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with("KENG_") && name != "KENG_BIN")
}

impl Launch {
    async fn run(&self) -> Result<(Child, Arc<Seen<String>>, Ready)> {
        let mut keng = keng(&self.binary);
        keng.arg(&self.command).arg("--data").arg(&self.data);
        keng.args(["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]).args(&self.options);
        keng.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(append_to(&self.stderr_file())?);
        let mut child = keng.spawn().with_context(|| format!("starting {self:?}"))?;
        let stdout = child.stdout.take().context("the child has no standard output")?;
        let lines = Arc::new(Seen::default());
        // Read to its end, so that the child never waits for a reader.
        let reading = tokio::spawn(read(stdout, Arc::clone(&lines)));
        let ready = tokio::select! {
            biased;
            line = lines.wait_for_one(READY_WITHIN, |line| ready_of(line).is_some()) => line,
            _ = reading => Err(anyhow!("it closed its standard output: {:#?}", lines.all())),
        };
        match ready.map(|line| ready_of(&line)) {
            Ok(Some(ready)) => Ok((child, lines, ready)),
            not_ready => {
                child.kill().await?;
                let status = child.wait().await?;
                let said = text_of(&self.stderr_file());
                let error = not_ready.err().unwrap_or_else(|| anyhow!("no line `ready`"));
                Err(error.context(format!("{self:?} was not ready: {status}\n{said}")))
            }
        }
    }

    fn stderr_file(&self) -> PathBuf {
        let mut name = self.data.clone().into_os_string();
        name.push(".stderr.txt");
        PathBuf::from(name)
    }
}

async fn read(stdout: ChildStdout, lines: Arc<Seen<String>>) {
    let mut stdout = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = stdout.next_line().await {
        lines.push(line);
    }
}

/// `ready http=http://HOST:PORT grpc=http://HOST:PORT`.
fn ready_of(line: &str) -> Option<Ready> {
    let mut words = line.strip_prefix("ready ")?.split_whitespace();
    let http = words.next()?.strip_prefix("http=")?.to_owned();
    let grpc = words.next()?.strip_prefix("grpc=")?.to_owned();
    Some(Ready { http, grpc })
}

fn append_to(path: &Path) -> Result<File> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.with_context(|| format!("opening {}", path.display()))
}

fn text_of(path: &Path) -> String {
    fs::read(path).map_or_else(
        |error| format!("{}: {error}", path.display()),
        |bytes| String::from_utf8_lossy(&bytes).into_owned(),
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    /// A shell in the place of the binary, a script in the place of the command.
    async fn shell(script: &str) -> Result<Keng> {
        let folder = Arc::new(tempfile::tempdir()?);
        let command = folder.path().join("script.sh");
        fs::write(&command, script)?;
        let launch = Launch {
            binary: PathBuf::from("/bin/sh"),
            command: command.to_str().context("no text")?.to_owned(),
            options: vec!["--allow-private-targets".to_owned()],
            data: folder.path().join("data"),
        };
        Keng::begin(folder, launch).await
    }

    const SERVING: &str = "echo \"$@\"\necho trace >&2\n\
        echo ready http=http://127.0.0.1:1 grpc=http://127.0.0.1:2\nexec tail -f /dev/null\n";

    #[tokio::test]
    async fn a_server_is_started_killed_and_started_again() {
        let mut keng = shell(SERVING).await.unwrap();
        let options = keng.lines().all()[0].clone();
        assert!(options.starts_with(&format!("--data {}", keng.data().display())), "{options}");
        assert!(options.ends_with("--grpc 127.0.0.1:0 --allow-private-targets"), "{options}");
        assert_eq!(keng.http(), "http://127.0.0.1:1");

        let first = keng.pid().unwrap();
        keng.kill9().await.unwrap();
        keng.kill9().await.unwrap();
        assert_eq!(keng.pid(), None);
        keng.restart().await.unwrap();
        assert_ne!(keng.pid().unwrap(), first);
        assert_eq!(keng.stderr(), "trace\ntrace\n");

        let status = keng.sigterm(SOON).await.unwrap();
        assert_eq!(status.signal(), Some(Signal::TERM.as_raw()));
        assert!(keng.sigterm(SOON).await.is_err());
    }

    #[tokio::test]
    async fn who_ends_before_it_is_ready_is_not_waited_for() {
        let error = shell("echo halfway\necho wrong map >&2\nexit 64\n").await.err().unwrap();
        let said = format!("{error:#}");
        for word in ["halfway", "wrong map", "exit status: 64"] {
            assert!(said.contains(word), "{said}");
        }
    }

    #[test]
    fn the_line_ready_names_both_addresses() {
        let ready = ready_of("ready http=http://127.0.0.1:1 grpc=http://127.0.0.1:2").unwrap();
        assert_eq!(
            (ready.http.as_str(), ready.grpc.as_str()),
            ("http://127.0.0.1:1", "http://127.0.0.1:2")
        );
        for other in ["", "ready", "ready http=x", "not ready http=x grpc=y", "ready grpc=y http=x"]
        {
            assert_eq!(ready_of(other), None, "{other}");
        }
    }

    #[test]
    fn options_from_the_environment_do_not_reach_the_child() {
        assert!(is_option("KENG_DATA".as_ref()) && is_option("KENG_TOKEN".as_ref()));
        assert!(!is_option("KENG_BIN".as_ref()) && !is_option("PATH".as_ref()));
    }
}
