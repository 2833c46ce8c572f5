//! The ends of processes: killed, a sync that fails, a full disk. A child process writes and
//! prints what it was told is durable; the parent ends it and looks.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    os::unix::process::ExitStatusExt,
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
};

use bytes::Bytes;
use journal::Reserve;

use super::*;

/// Names the directory to the child.
const DIR: &str = "KENG_JOURNAL_TEST_DIR";
/// The number of a signal: what `abort` ends a process with.
const SIGABRT: i32 = 6;

/// Not a test: what the child does. Writes until somebody or something ends it, but not for ever.
#[test]
fn child() {
    let Some(dir) = env::var_os(DIR).map(PathBuf::from) else { return };
    let reserve = Arc::new(Reserve::create(&dir.join("reserve"), 512 << 10).unwrap());
    let options = Options {
        segment_bytes: 64 << 10,
        reserve: Some(Arc::clone(&reserve)),
        ..Options::default()
    };
    let (journal, _) = open(&dir.join("journal"), options);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let say = |line: String| writeln!(std::io::stdout(), "{line}").unwrap();
    runtime.block_on(async {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let (journal, reserve) = (journal.clone(), Arc::clone(&reserve));
                tokio::spawn(async move {
                    for n in 0..2000 {
                        let part = |part: &str| {
                            Bytes::from(format!("{part} {writer} {n} {}", "x".repeat(n % 500)))
                        };
                        let index = match writer {
                            0 => journal.append_all(vec![part("1/3"), part("2/3"), part("3/3")]),
                            _ => journal.append(part("1/1")),
                        };
                        let index = index.unwrap();
                        journal.durable(index).await.unwrap();
                        if reserve.is_released() {
                            say("released".to_owned());
                        }
                        say(format!("durable {index} {writer} {n}"));
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
    });
    say("finished".to_owned());
}

/// Starts the child, perhaps through another program.
fn start(dir: &Path, through: &[&str]) -> Child {
    let this = env::current_exe().unwrap();
    let mut command = match through.split_first() {
        Some((program, arguments)) => {
            let mut command = Command::new(program);
            command.args(arguments).arg(this);
            command
        }
        None => Command::new(this),
    };
    command
        .args(["--exact", "crash::child", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What the child said before its end.
#[derive(Debug, Default)]
struct Said {
    /// Index, and how the entry goes on after its first word.
    durable: Vec<(u64, String)>,
    /// How many were durable when the reserve was free.
    released_at: Option<usize>,
    finished: bool,
}

/// Listens until the child has ended; kills it once it has said so much.
fn listen(mut child: Child, kill_after: usize) -> (Said, ExitStatus) {
    let mut said = Said::default();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        // The harness begins a line of its own.
        if let Some((_, durable)) = line.split_once("durable ") {
            let (index, rest) = durable.split_once(' ').unwrap();
            said.durable.push((index.parse().unwrap(), format!(" {rest} ")));
            if said.durable.len() == kill_after {
                child.kill().unwrap();
            }
        } else if line.ends_with("released") {
            said.released_at.get_or_insert(said.durable.len());
        }
        said.finished |= line.ends_with("finished");
    }
    (said, child.wait().unwrap())
}

/// Everything said to be durable is there, and groups are whole. Returns the number of entries.
fn check(dir: &Path, said: &Said) -> u64 {
    let (journal, recovery) = open(&dir.join("journal"), Options::default());
    let entries = all(&journal);
    assert_eq!(entries.len() as u64, recovery.entries);
    let entries: Vec<_> = entries.iter().map(|entry| String::from_utf8_lossy(entry)).collect();
    for (index, rest) in &said.durable {
        let entry = entries.get(*index as usize).expect("durable entries are there");
        assert!(entry[3..].starts_with(rest), "entry {index} is {entry}, not {rest}");
    }
    let mut walk = entries.iter();
    while let Some(entry) = walk.next() {
        if let Some(rest) = entry.strip_prefix("1/3") {
            for part in ["2/3", "3/3"] {
                let next = walk.next().expect("groups are whole");
                assert_eq!(next.strip_prefix(part), Some(rest));
            }
        } else {
            assert!(entry.starts_with("1/1"), "{entry}");
        }
    }
    recovery.entries
}

#[test]
fn killed_at_any_moment_nothing_durable_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let mut entries = 0;
    for round in 0..20 {
        let (said, status) = listen(start(dir.path(), &[]), 1 + round * 37 % 151);
        assert_eq!(status.signal(), Some(9));
        let now = check(dir.path(), &said);
        assert!(now > entries);
        entries = now;
    }
}

#[test]
fn a_failed_sync_ends_the_process() {
    let works = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    if !works.is_ok_and(|status| status.success()) {
        println!("skipped: strace does not work here");
        return;
    }
    for call in ["fdatasync", "pwrite64"] {
        let dir = tempfile::tempdir().unwrap();
        let trace = format!("trace={call}");
        let inject = format!("inject={call}:error=EIO:when=50+");
        let strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
        let (said, status) = listen(start(dir.path(), &strace), usize::MAX);
        assert!(!said.finished, "{call}");
        assert_eq!(status.signal(), Some(SIGABRT), "{call}: {status}");
        assert!(!said.durable.is_empty());
        check(dir.path(), &said);
        // What was written and not synced is written once more when the journal is opened.
        assert_eq!(check(dir.path(), &said), open(&dir.path().join("journal"), small()).1.promised);
    }
}

/// A small file system of its own.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(dir.path())
            .stderr(Stdio::null())
            .status();
        mount.is_ok_and(|status| status.success()).then(|| Self(dir))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_frees_the_reserve_and_then_ends_the_process() {
    let Some(disk) = SmallDisk::mount("2m") else {
        println!("skipped: no file system can be mounted here");
        return;
    };
    let dir = disk.0.path();
    let (said, status) = listen(start(dir, &[]), usize::MAX);
    assert_eq!(status.signal(), Some(SIGABRT), "{status}");
    assert!(!said.finished);
    let released_at = said.released_at.expect("the reserve was freed");
    assert!(released_at > 0 && said.durable.len() > released_at + 100, "{released_at}");
    assert!(Reserve::create(&dir.join("reserve"), 512 << 10).unwrap().is_released());
    check(dir, &said);
}
