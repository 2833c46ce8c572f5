//! Many seeds, each run twice in processes of their own; and the seeds that failed once, which
//! are run for ever.
//!
//! A process of its own makes a seed one history: tokio's order of wakes and the order of hash
//! maps come from the system's chance, which `chance.c` replaces there.

use std::{
    fs,
    num::NonZero,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use tempfile::TempDir;

use crate::{
    course::Manner,
    faults::{Faults, Mutation},
};

/// Seeds that failed once, each with its story: a line each.
const KEPT: &str = include_str!("../seeds.txt");
/// Seeds that fail today, each with its story: a line each.
const KNOWN: &str = include_str!("../broken.txt");
const CHANCE: &str = include_str!("chance.c");
/// What a line begins with that says what does not hold.
pub const BROKEN: &str = "BROKEN: ";

/// What is known of a seed.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The seed.
    pub seed: u64,
    /// What does not hold; empty where all is well.
    pub broken: Vec<String>,
    /// Where two runs differ.
    pub differs: Option<String>,
    /// How many records were ever appended, and calls made.
    pub lines: usize,
}

impl Verdict {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.broken.is_empty() && self.differs.is_none()
    }

    /// What is wrong, for a person who is to find out why.
    #[must_use]
    pub fn told(&self) -> String {
        let mut told = format!("seed {}: {}\n", self.seed, Faults::of(self.seed));
        for broken in self.broken.iter().chain(&self.differs) {
            told.push_str(&format!("    {broken}\n"));
        }
        told.push_str(&format!("    again: cargo xtask sim 1 --from {}", self.seed));
        told
    }
}

/// The seeds of `seeds.txt`.
#[must_use]
pub fn kept() -> Vec<u64> {
    seeds_of(KEPT)
}

/// The seeds of `broken.txt`.
#[must_use]
pub fn known_to_fail() -> Vec<u64> {
    seeds_of(KNOWN)
}

fn seeds_of(text: &str) -> Vec<u64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect()
}

/// Where histories run: the program, and what stands around each process.
pub struct Theatre {
    program: PathBuf,
    folder: TempDir,
}

impl Theatre {
    /// Around this program, which is this crate's.
    ///
    /// # Errors
    /// There is no C compiler, or no room.
    pub fn around(program: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let source = folder.path().join("chance.c");
        fs::write(&source, CHANCE)?;
        // Histories call plain http alone; reading the system's certificates takes longer than
        // most of them.
        fs::write(folder.path().join("no-certificates.pem"), "")?;
        fs::create_dir(folder.path().join("no-certificates"))?;
        let made = Command::new("cc")
            .args(["-O1", "-shared", "-fPIC", "-o"])
            .arg(folder.path().join("chance.so"))
            .arg(&source)
            .status()
            .context("cc, which the build of ring needs, too")?;
        ensure!(made.success(), "cc: {made}");
        Ok(Self { program: program.to_owned(), folder })
    }

    /// One run of a seed: its lines, and what is broken.
    ///
    /// # Errors
    /// The process did not come to its end.
    pub fn run(&self, seed: u64, manner: Manner) -> Result<(Vec<String>, Vec<String>)> {
        let mut command = Command::new(&self.program);
        command.args(["--lines", "--from", &seed.to_string()]);
        if let Some(mutation) = manner.mutation.as_ref().and_then(Mutation::to_possible_value) {
            command.args(["--mutation", mutation.get_name()]);
        }
        if manner.unchecked {
            command.arg("--unchecked");
        }
        let output = command
            .env("SIMULATION_SEED", seed.to_string())
            .env("LD_PRELOAD", self.folder.path().join("chance.so"))
            .env("SSL_CERT_FILE", self.folder.path().join("no-certificates.pem"))
            .env("SSL_CERT_DIR", self.folder.path().join("no-certificates"))
            .stdin(Stdio::null())
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let lines = || text.lines().map(str::to_owned);
        let broken: Vec<String> =
            lines().filter_map(|line| Some(line.strip_prefix(BROKEN)?.to_owned())).collect();
        if broken.is_empty() && !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("{}: {}", output.status, said.lines().next_back().unwrap_or_default());
        }
        Ok((lines().filter(|line| !line.starts_with(BROKEN)).collect(), broken))
    }

    /// Runs a seed twice, and compares.
    #[must_use]
    pub fn judge(&self, seed: u64, manner: Manner) -> Verdict {
        let first = self.run(seed, manner);
        let twice =
            first.and_then(|one| Ok((one, self.run(seed, Manner { unchecked: true, ..manner })?)));
        let (one, other) = match twice {
            Ok(twice) => twice,
            Err(why) => {
                let broken = vec![format!("not simulated: {why:#}")];
                return Verdict { seed, broken, differs: None, lines: 0 };
            }
        };
        let mut broken = one.1;
        broken.extend(other.1.into_iter().filter(|one| !broken.contains(one)).collect::<Vec<_>>());
        let lines = one.0.len();
        Verdict { seed, broken, differs: difference(&one.0, &other.0), lines }
    }

    /// Judges many seeds, as many at once as there are processors; `said` hears of each.
    pub fn judge_all(&self, seeds: &[u64], manner: Manner, said: impl Fn(&Verdict) + Send) {
        let next = AtomicUsize::new(0);
        let said = Mutex::new(said);
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
                scope.spawn(|| {
                    while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let verdict = self.judge(*seed, manner);
                        (said.lock().unwrap_or_else(PoisonError::into_inner))(&verdict);
                    }
                });
            }
        });
    }
}

/// The first line that differs.
fn difference(one: &[String], other: &[String]) -> Option<String> {
    let first = one.iter().zip(other).enumerate().find(|(_, (one, other))| one != other);
    match first {
        Some((number, (one, other))) => {
            Some(format!("two runs differ in line {number}:\n        {one}\n        {other}"))
        }
        None if one.len() != other.len() => {
            Some(format!("two runs differ: {} and {} lines", one.len(), other.len()))
        }
        None => None,
    }
}
