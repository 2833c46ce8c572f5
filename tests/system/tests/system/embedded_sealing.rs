//! The log's signing is cut off at each write, sync, rename and new folder in turn, in the real
//! binary: after each the log is whole, and what was signed before is in it.
//!
//! `strace` injects the kills; where it is not installed this is skipped, with a word.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use futures::future::try_join_all;
use support::{Keng, child, eventually};
use system::{
    SOON,
    town::{HOME, NEIGHBOUR, Town},
};
use tempfile::TempDir;
use tokio::process::Command;

/// The calls that change what is on disk.
const CALLS: [&str; 4] = ["write", "fsync", "rename", "mkdir"];
/// More than any of them is made.
const TIMES_MAX: usize = 40;

/// A data directory whose records are signed, and how far.
struct Before {
    town: Town,
    size: u64,
    /// The files that a signing writes, as strace is told of them.
    paths: BTreeSet<String>,
}

fn size_in(data: &Path) -> Option<u64> {
    let text = fs::read_to_string(data.join("tlog/checkpoint")).ok()?;
    text.lines().nth(1)?.parse().ok()
}

/// Copies a data directory and its key at rest, without what was signed but for the signing key.
fn unsigned(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    let mode = fs::metadata(from)?.permissions();
    fs::set_permissions(to, mode)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        match name.to_str() {
            Some("tlog") => {}
            Some("audit-signed") => {
                fs::create_dir(to.join(&name))?;
                fs::copy(path.join("key"), to.join("audit-signed/key"))?;
            }
            // A socket is not copied.
            _ if entry.file_type()?.is_file() => drop(fs::copy(&path, to.join(&name))?),
            _ if entry.file_type()?.is_dir() => copy_all(&path, &to.join(&name))?,
            _ => {}
        }
    }
    let key = |data: &Path| format!("{}.key", data.display());
    fs::copy(key(from), key(to))?;
    Ok(())
}

fn copy_all(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy_all(&entry.path(), &to)?,
            false => drop(fs::copy(entry.path(), to)?),
        }
    }
    Ok(())
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.push(path.clone());
            files.extend(files_below(&path)?);
        } else {
            files.push(path.with_file_name(format!(
                "{}.new",
                path.file_name().and_then(|name| name.to_str()).context("a name")?
            )));
            files.push(path);
        }
    }
    Ok(files)
}

/// More records than one tile holds, all signed for in one go.
async fn before() -> Result<Before> {
    let town = Town::with(&[HOME, NEIGHBOUR], 80).await?;
    let mut keng = town.up(&[]).await?;
    let data = keng.data().to_owned();
    let settled = async || {
        let size = size_in(&data).unwrap_or(0);
        ensure!(size > 320, "{size} are signed for");
        Ok(size)
    };
    eventually(SOON, settled).await?;
    keng.sigterm(SOON).await?;

    // Signed in one go, the files are these.
    let once = town.folder.path().join("once");
    unsigned(&data, &once)?;
    let mut keng = Keng::start_in(Arc::clone(&town.folder), "once", "up", &[]).await?;
    let size = eventually(SOON, async || size_in(&once).context("nothing is signed")).await?;
    keng.kill9().await?;
    let mut paths = BTreeSet::new();
    for folder in ["tlog", "audit-signed"] {
        let folder = once.join(folder);
        for path in files_below(&folder)?.into_iter().chain([folder]) {
            let path = path.strip_prefix(&once)?;
            paths.insert(path.to_str().context("a path")?.to_owned());
        }
    }
    Ok(Before { town, size, paths })
}

/// Runs the server until the `time`-th such call of a signing, which kills it; `false` where there
/// is no such call any more.
async fn is_cut_off(before: &Before, data: &Path, call: &str, time: usize) -> Result<bool> {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null"]);
    strace.arg("-e").arg(format!("trace={call}"));
    strace.arg("-e").arg(format!("inject={call}:signal=KILL:when={time}"));
    for path in &before.paths {
        strace.arg("-P").arg(data.join(path));
    }
    strace.arg(child::binary()?).args(["up", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]);
    strace.arg("--data").arg(data).stdout(Stdio::null()).stderr(Stdio::null());
    // Its own group, so that what it traces ends with it.
    let mut running = strace.kill_on_drop(true).process_group(0).spawn()?;
    let group = running.id().and_then(|id| i32::try_from(id).ok()).context("a process")?;
    let group = rustix::process::Pid::from_raw(group).context("a process")?;
    let signed = eventually(SOON, async || {
        ensure!(size_in(data) == Some(before.size), "not yet");
        Ok(())
    });
    let cut_off = tokio::select! {
        ended = running.wait() => { ended?; true }
        signed = signed => { signed?; false }
    };
    if !cut_off {
        // Narrow files may still be tidied up: that is cut off too.
        let ended = tokio::time::timeout(Duration::from_millis(300), running.wait()).await;
        if ended.is_err() {
            rustix::process::kill_process_group(group, rustix::process::Signal::KILL)?;
            running.wait().await?;
            return Ok(false);
        }
    }
    Ok(true)
}

#[tokio::test]
async fn wherever_the_signing_is_cut_off_the_log_is_whole_afterwards() -> Result<()> {
    let tried = Command::new("strace").arg("-V").stdout(Stdio::null()).status().await;
    if !tried.is_ok_and(|status| status.success()) {
        println!("skipped: strace is not installed");
        return Ok(());
    }
    let before = before().await?;
    let cuts = try_join_all(CALLS.map(|call| cut_off_at_each(&before, call))).await?;
    let cuts: usize = cuts.into_iter().sum();
    println!("{cuts} cuts");
    ensure!(cuts > 20, "only {cuts} cuts: strace kills nothing");
    Ok(())
}

/// Cuts the signing off at each such call in turn; answers at how many.
async fn cut_off_at_each(before: &Before, call: &str) -> Result<usize> {
    for time in 1..=TIMES_MAX {
        let name = format!("{call}-{time}");
        let data = before.town.folder.path().join(&name);
        unsigned(&before.town.folder.path().join("once"), &data)?;
        if !is_cut_off(before, &data, call, time).await? {
            fs::remove_dir_all(&data)?;
            return Ok(time - 1);
        }
        check(before, &name).await.with_context(|| name.clone())?;
        fs::remove_dir_all(&data)?;
    }
    bail!("{call} is made more often than {TIMES_MAX} times")
}

/// Starts again, and has the whole log exported and verified.
async fn check(before: &Before, name: &str) -> Result<()> {
    let folder: &Arc<TempDir> = &before.town.folder;
    let data = folder.path().join(name);
    let mut keng = Keng::start_in(Arc::clone(folder), name, "up", &[]).await?;
    let signed = async || {
        let size = size_in(&data).context("nothing is signed")?;
        ensure!(size >= before.size, "{size} of {} are signed for", before.size);
        Ok(())
    };
    eventually(SOON, signed).await?;
    let out = format!("{}-out", data.display());
    let done = keng.run(&["export", "--out", &out]).await?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let done = child::run(&["verify", &out]).await?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    fs::remove_dir_all(&out)?;
    keng.kill9().await
}
