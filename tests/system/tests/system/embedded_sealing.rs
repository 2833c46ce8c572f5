//! The audit is cut off at each create, write, sync, rename and new folder in turn, in the real
//! binary, while it signs and while it writes its journal: after each the log is whole, and what
//! was signed before is in it.
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

/// The calls by which a signing changes what is on disk.
const SIGNING: [&str; 5] = ["openat", "write", "fsync", "rename", "mkdir"];

/// The same of the journal, file by file: two threads write it, and strace counts for each.
const JOURNAL: [(&str, &[&str]); 4] = [
    ("audit", &["mkdir", "fsync"]),
    ("audit/spare.new", &["openat", "ftruncate", "pwrite64", "fdatasync", "fsync", "rename"]),
    ("audit/promised", &["openat", "pwrite64", "fsync"]),
    ("audit/00000000000000000000.seg", &["openat", "pwrite64", "fdatasync"]),
];
/// A new segment is filled with zeros by so many writes; few of them are cut off.
const ZEROS_STEP: usize = 21;
/// More than any call is made.
const TIMES_MAX: usize = 100;

/// A data directory whose records are signed, and how far.
struct Before {
    town: Town,
    size: u64,
}

/// A kind of call at some files, each of which is cut off in turn.
struct Cut {
    name: String,
    call: &'static str,
    /// The files, below the data directory.
    paths: BTreeSet<String>,
    /// From one time to the next that is cut off.
    step: usize,
    /// What the data directory begins without.
    without: &'static [&'static str],
}

fn size_in(data: &Path) -> Option<u64> {
    let text = fs::read_to_string(data.join("tlog/checkpoint")).ok()?;
    text.lines().nth(1)?.parse().ok()
}

/// Copies a data directory and its key at rest, without some of its folders, and without what was
/// signed but for the signing key.
fn unsigned(from: &Path, to: &Path, without: &[&str]) -> Result<()> {
    fs::create_dir(to)?;
    let mode = fs::metadata(from)?.permissions();
    fs::set_permissions(to, mode)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        match name.to_str() {
            Some(name) if without.contains(&name) => {}
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

/// More records than one tile holds, all signed for in one go in the directory `once`.
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

    let once = town.folder.path().join("once");
    unsigned(&data, &once, &["tlog"])?;
    let mut keng = Keng::start_in(Arc::clone(&town.folder), "once", "up", &[]).await?;
    let size = eventually(SOON, async || size_in(&once).context("nothing is signed")).await?;
    keng.kill9().await?;
    Ok(Before { town, size })
}

/// The cuts of a signing, which writes the files that lie in `once`.
fn of_signing(once: &Path) -> Result<Vec<Cut>> {
    let mut all = BTreeSet::new();
    for folder in ["tlog", "audit-signed"] {
        let folder = once.join(folder);
        for path in files_below(&folder)?.into_iter().chain([folder]) {
            let path = path.strip_prefix(once)?;
            all.insert(path.to_str().context("a path")?.to_owned());
        }
    }
    let made = |path: &&String| path.ends_with(".new");
    let cut = |call: &'static str| Cut {
        name: call.to_owned(),
        call,
        paths: match call {
            // What is opened and not made changes nothing.
            "openat" => all.iter().filter(made).cloned().collect(),
            _ => all.clone(),
        },
        step: 1,
        without: &["tlog"],
    };
    Ok(SIGNING.map(cut).into())
}

/// The cuts of a journal that is written from its beginning.
fn of_journal() -> Vec<Cut> {
    let cut = |path: &str, call: &'static str| Cut {
        name: format!("{call}-{}", path.replace('/', "-")),
        call,
        paths: BTreeSet::from([path.to_owned()]),
        step: if (path, call) == ("audit/spare.new", "pwrite64") { ZEROS_STEP } else { 1 },
        without: &["tlog", "audit"],
    };
    let cuts = JOURNAL.iter().flat_map(|(path, calls)| calls.iter().map(|call| cut(path, call)));
    cuts.collect()
}

/// Runs the server until the `time`-th such call, which kills it; `false` where there is no such
/// call any more.
async fn is_cut_off(before: &Before, data: &Path, cut: &Cut, time: usize) -> Result<bool> {
    let call = cut.call;
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null"]);
    strace.arg("-e").arg(format!("trace={call}"));
    strace.arg("-e").arg(format!("inject={call}:signal=KILL:when={time}"));
    for path in &cut.paths {
        strace.arg("-P").arg(data.join(path));
    }
    strace.arg(child::binary()?).args(["up", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]);
    strace.arg("--data").arg(data).stdout(Stdio::null()).stderr(Stdio::null());
    // Its own group, so that what it traces ends with it.
    let mut running = strace.kill_on_drop(true).process_group(0).spawn()?;
    let group = running.id().and_then(|id| i32::try_from(id).ok()).context("a process")?;
    let group = rustix::process::Pid::from_raw(group).context("a process")?;
    let signed = eventually(SOON, async || {
        ensure!(size_in(data).is_some_and(|size| size >= before.size), "not yet");
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

#[allow(clippy::print_stdout, reason = "what was not tested is said in the test's output")]
async fn is_installed() -> bool {
    let tried = Command::new("strace").arg("-V").stdout(Stdio::null()).status().await;
    let is_installed = tried.is_ok_and(|status| status.success());
    if !is_installed {
        println!("skipped: strace is not installed");
    }
    is_installed
}

#[tokio::test]
async fn wherever_the_signing_is_cut_off_the_log_is_whole_afterwards() -> Result<()> {
    if !is_installed().await {
        return Ok(());
    }
    let before = before().await?;
    let cuts = of_signing(&before.town.folder.path().join("once"))?;
    cut_off_at_all(&before, &cuts).await
}

#[tokio::test]
async fn wherever_the_journal_is_cut_off_the_log_is_whole_afterwards() -> Result<()> {
    if !is_installed().await {
        return Ok(());
    }
    cut_off_at_all(&before().await?, &of_journal()).await
}

/// Four at a time; every kind must have been cut off at least once.
async fn cut_off_at_all(before: &Before, cuts: &[Cut]) -> Result<()> {
    let shares = (0..4).map(|share| async move {
        for cut in cuts.iter().skip(share).step_by(4) {
            let times = cut_off_at_each(before, cut).await.with_context(|| cut.name.clone())?;
            ensure!(times > 0, "{} is never called: nothing was cut off there", cut.name);
        }
        Ok(())
    });
    try_join_all(shares).await.map(drop)
}

/// Cuts off at each such call in turn; answers at how many.
async fn cut_off_at_each(before: &Before, cut: &Cut) -> Result<usize> {
    for (made, time) in (1..=TIMES_MAX).step_by(cut.step).enumerate() {
        let name = format!("{}-{time}", cut.name);
        let data = before.town.folder.path().join(&name);
        unsigned(&before.town.folder.path().join("once"), &data, cut.without)?;
        let is_cut_off = is_cut_off(before, &data, cut, time).await?;
        if is_cut_off {
            check(before, &name).await.with_context(|| name.clone())?;
        }
        fs::remove_dir_all(&data)?;
        if !is_cut_off {
            return Ok(made);
        }
    }
    bail!("it is called more often than {TIMES_MAX} times")
}

/// Starts again, and has the whole log exported and verified, and that it grew from what was signed
/// before the cut.
async fn check(before: &Before, name: &str) -> Result<()> {
    let folder: &Arc<TempDir> = &before.town.folder;
    let data = folder.path().join(name);
    let (seen, out) = (format!("{}-seen", data.display()), format!("{}-out", data.display()));
    let was_signed = fs::copy(data.join("audit-signed/checkpoint"), &seen).is_ok();
    let mut keng = Keng::start_in(Arc::clone(folder), name, "up", &[]).await?;
    let signed = async || {
        let size = size_in(&data).context("nothing is signed")?;
        ensure!(size >= before.size, "{size} of {} are signed for", before.size);
        Ok(())
    };
    eventually(SOON, signed).await?;
    let done = keng.run(&["export", "--out", &out]).await?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let verify = ["verify", &out, "--seen", &seen];
    let done = child::run(if was_signed { &verify } else { &verify[..2] }).await?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    fs::remove_dir_all(&out)?;
    keng.kill9().await
}
