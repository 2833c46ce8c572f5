//! The commands of `deploy/README.md`, as they stand there, start an installation that works.
//!
//! Changed are the ports, so that the test stands in nobody's way; what needs curl the test asks
//! itself.

use std::{
    collections::BTreeSet,
    fs,
    net::TcpListener,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, ensure};
use event_log_nats::testing::find_server;
use rustix::process::{Pid, Signal, kill_process};
use support::{Client, child};
use system::{
    SOON,
    people::lost_child,
    town::{HOME, RING},
};
use tokio::process::Command;

const SERVICES: [&str; 4] = ["intake", "alerting", "fan-out", "audit"];

/// The shell blocks of the section on one machine.
fn commands(deploy: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(deploy.join("README.md"))?;
    let section = text.split("\n## ").find(|part| part.starts_with("By hand, on one machine"));
    let section = section.context("the README has no such section")?;
    let blocks = section.split("```sh\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap_or_default());
    let kept = |block: &str| -> String {
        let lines = block.lines().filter(|line| !line.contains("curl "));
        lines.map(|line| format!("{line}\n")).collect()
    };
    Ok(blocks.map(kept).collect())
}

/// A folder with the tree's `deploy`, and the two programs on a path of their own, which write
/// down who they are.
struct Place {
    folder: tempfile::TempDir,
}

impl Drop for Place {
    fn drop(&mut self) {
        for name in SERVICES.into_iter().chain(["nats-server"]) {
            self.signal(name, Signal::KILL);
        }
    }
}

impl Place {
    fn new(deploy: &Path, nats: [u16; 2]) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("keng-readme-").tempdir()?;
        let place = Self { folder };
        symlink(deploy, place.path("deploy"))?;
        fs::create_dir(place.path("bin"))?;
        let [port, monitor] = nats;
        let (keng, server) = (child::binary()?.canonicalize()?, find_server()?.canonicalize()?);
        let begin = |name: &str| format!("exec >{name}.out 2>{name}.err; echo $$ >{name}.pid\n");
        place.program(
            "nats-server",
            &format!(
                "{}exec {} \"$@\" -p {port} -m {monitor}\n",
                begin("nats-server"),
                server.display()
            ),
        )?;
        place.program(
            "keng",
            &format!(
                "case $1 in intake | alerting | fan-out | audit)\n{}\
                 set -- \"$@\" --http 127.0.0.1:0 --grpc 127.0.0.1:0 ;;\nesac\n\
                 exec {} \"$@\"\n",
                begin("$1"),
                keng.display()
            ),
        )?;
        Ok(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self, name: &str, script: &str) -> Result<()> {
        let path = self.path("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}"))?;
        Ok(fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?)
    }

    /// Sent to the process that has written its id down; nothing where there is none.
    fn signal(&self, name: &str, signal: Signal) {
        let pid = fs::read_to_string(self.path(&format!("{name}.pid"))).ok();
        let pid = pid.and_then(|pid| Pid::from_raw(pid.trim().parse().ok()?));
        if let Some(pid) = pid {
            // It may have ended before.
            let _ = kill_process(pid, signal);
        }
    }

    fn shell(&self, script: &str) -> Result<Command> {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-euc", script])
            .current_dir(self.folder.path())
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("KENG_DISK_RESERVE", "1048576")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(self.path("shell.err"))?)
            .kill_on_drop(true);
        Ok(shell)
    }

    /// The address in the line `ready` of a service.
    async fn ready(&self, service: &str) -> Result<String> {
        support::eventually(SOON, async || {
            let said = fs::read_to_string(self.path(&format!("{service}.out")))?;
            let http = said.lines().find_map(|line| line.strip_prefix("ready http="));
            let http = http.and_then(|rest| rest.split(' ').next()).map(str::to_owned);
            let trace = fs::read_to_string(self.path(&format!("{service}.err")))?;
            http.with_context(|| format!("{service} is not ready: {trace}"))
        })
        .await
    }
}

#[tokio::test]
async fn the_commands_of_the_readme_start_what_they_say() -> Result<()> {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").canonicalize()?;
    let free = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
    let [port, monitor] = free.each_ref().map(|port| port.local_addr().map(|at| at.port()));
    let (port, monitor) = (port?, monitor?);
    drop(free);
    let place = Place::new(&deploy, [port, monitor])?;
    let mut blocks = commands(&deploy)?;
    let last = blocks.pop().context("no commands")?;
    let script: String = blocks.concat();
    let script = script
        .replace("127.0.0.1:4222", &format!("127.0.0.1:{port}"))
        .replace("127.0.0.1:8222", &format!("127.0.0.1:{monitor}"));
    // The shell stays, as a person's does, and reaps what ends.
    let mut shell = place.shell(&format!("{script}\nwait\n"))?.spawn()?;

    let mut addresses = Vec::new();
    for service in SERVICES {
        addresses.push(place.ready(service).await?);
    }
    for address in &addresses {
        let client = Client::new(address)?;
        let ready = async || client.get("/readyz").await?.expect(200);
        support::eventually(SOON, ready).await?;
    }
    let token = place.shell(&last)?.output().await?;
    let why = fs::read_to_string(place.path("shell.err"))?;
    ensure!(token.status.success(), "{last}: {why}");
    let token = String::from_utf8(token.stdout)?;
    let token = token.lines().last().context("no token")?;
    let intake = addresses.first().context("no intake")?;
    let officer = Client::new(intake)?.with_token(token);
    let raised = officer.raise(&lost_child("ở chợ"), "k").await?.expect(201)?;
    let communes = raised.at("/communes").as_array().cloned().unwrap_or_default();
    let communes: BTreeSet<_> =
        communes.iter().filter_map(|one| one.get("code")?.as_str()).collect();
    ensure!(communes == BTreeSet::from(RING) && communes.contains(HOME), "{}", raised.text);

    // As the README says: SIGTERM, and each is gone within 10 s.
    for service in SERVICES {
        place.signal(service, Signal::TERM);
    }
    support::eventually(SOON, async || {
        for service in SERVICES {
            let trace = fs::read_to_string(place.path(&format!("{service}.err")))?;
            ensure!(trace.contains("draining"), "{service} has not heard it");
        }
        Ok(())
    })
    .await?;
    place.signal("nats-server", Signal::TERM);
    tokio::time::timeout(SOON, shell.wait()).await.context("something still runs")??;
    Ok(())
}
