//! A child of this program: started, told what to measure, and ended by its own id.

use std::{env, fs, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use support::Client;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

/// Longer than any order takes.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// A child, with a folder of its own that goes with it.
pub struct Served {
    process: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    /// `http://HOST:PORT`; empty where it serves nothing.
    pub http: String,
    /// Of the officers who raise, one a commune, in the order that was asked for.
    tokens: Vec<String>,
    dir: TempDir,
}

/// How a server is started.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The groups, as JSON Lines.
    pub groups: &'a Path,
    /// Each has an officer who raises.
    pub communes: &'a [&'a str],
    /// The channels file.
    pub channels: Option<&'a Path>,
    /// Deliveries in flight.
    pub in_flight: usize,
    /// Each sync of a journal takes so much longer.
    pub sync_delay: Duration,
}

impl Served {
    /// Starts this program again with these words and `--dir`, and waits until it is ready.
    ///
    /// # Errors
    /// It ends before; the error shows what it said.
    pub async fn start(dir: TempDir, words: &[String]) -> Result<Self> {
        let trace = fs::File::create(dir.path().join("trace"))?;
        let mut process = Command::new(env::current_exe()?)
            .args(words)
            .arg("--dir")
            .arg(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(trace)
            .kill_on_drop(true)
            .spawn()?;
        let orders = process.stdin.take().context("no standard input")?;
        let answers = BufReader::new(process.stdout.take().context("no standard output")?).lines();
        let (http, tokens) = (String::new(), vec![]);
        let mut served = Self { process, orders, answers, http, tokens, dir };
        let ready = served.answer().await?;
        served.http = ready.get("http").and_then(Value::as_str).unwrap_or_default().to_owned();
        // A child that nobody raises at has none.
        if let Some(tokens) = ready.get("tokens") {
            served.tokens = serde_json::from_value(tokens.clone())?;
        }
        Ok(served)
    }

    /// A server in a child, over these groups; `dir` is its own, and may hold them.
    ///
    /// # Errors
    /// It cannot start.
    pub async fn server(dir: TempDir, setting: &Setting<'_>) -> Result<Self> {
        let Setting { groups, communes, channels, in_flight, sync_delay } = *setting;
        let mut words = vec!["serve".to_owned()];
        let mut say = |name: &str, value: String| words.extend([name.to_owned(), value]);
        say("--sync-delay-ms", sync_delay.as_millis().to_string());
        say("--groups", groups.display().to_string());
        say("--in-flight", in_flight.to_string());
        communes.iter().for_each(|commune| say("--commune", (*commune).to_owned()));
        if let Some(channels) = channels {
            say("--channels", channels.display().to_string());
        }
        Self::start(dir, &words).await
    }

    /// A client of the officer of this commune, by its place among those that were asked for.
    ///
    /// # Errors
    /// There is no such officer.
    pub fn client(&self, commune: usize) -> Result<Client> {
        let token = self.tokens.get(commune).context("no officer of this commune")?;
        Ok(Client::new(&self.http)?.with_token(token))
    }

    /// Stops it where it is, so that it takes nothing from whatever else is measured.
    ///
    /// # Errors
    /// It has ended.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// It has ended.
    pub fn go_on(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.process.id().context("the child has ended")?;
        let pid = Pid::from_raw(i32::try_from(pid)?).context("no process is numbered so")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Aims the child's bare POSTs.
    ///
    /// # Errors
    /// The child has ended.
    pub async fn aim(&mut self, base: &str, body: &Bytes) -> Result<()> {
        let body = std::str::from_utf8(body)?;
        self.ask(&json!({ "do": "aim", "base": base, "body": body })).await.map(drop)
    }

    /// One synced append in the child.
    ///
    /// # Errors
    /// The child has ended.
    pub async fn append(&mut self) -> Result<Duration> {
        self.measure(&json!({ "do": "append" })).await
    }

    /// So many bare POSTs from the child.
    ///
    /// # Errors
    /// The child has ended, as it does where one is not delivered.
    pub async fn posts(&mut self, count: usize, in_flight: usize) -> Result<Duration> {
        self.measure(&json!({ "do": "posts", "count": count, "in_flight": in_flight })).await
    }

    /// One order that measures one thing.
    ///
    /// # Errors
    /// The child has ended.
    pub async fn measure(&mut self, order: &Value) -> Result<Duration> {
        let answer = self.ask(order).await?;
        let us = answer.pointer("/us/0").and_then(Value::as_u64).context("no figure")?;
        Ok(Duration::from_micros(us))
    }

    /// One order, and its answer.
    ///
    /// # Errors
    /// The child has ended.
    pub async fn ask(&mut self, order: &Value) -> Result<Value> {
        self.orders.write_all(format!("{order}\n").as_bytes()).await?;
        self.answer().await
    }

    async fn answer(&mut self) -> Result<Value> {
        match tokio::time::timeout(ANSWER_WITHIN, self.answers.next_line()).await {
            Ok(Ok(Some(line))) => Ok(serde_json::from_str(&line)?),
            Ok(_) => bail!("the child has ended; it said:\n{}", self.trace()),
            Err(_) => bail!("no answer within {ANSWER_WITHIN:?}; it said:\n{}", self.trace()),
        }
    }

    /// What it has written to standard error: its last lines.
    #[must_use]
    pub fn trace(&self) -> String {
        let text = fs::read_to_string(self.dir.path().join("trace")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(20).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Its resident memory now, and the most it had, in MiB.
    ///
    /// # Errors
    /// It has ended.
    pub fn memory_mib(&self) -> Result<(f64, f64)> {
        memory_mib(self.process.id().context("the child has ended")?)
    }

    /// How long its threads have run on a processor so far.
    ///
    /// # Errors
    /// It has ended.
    pub fn cpu(&self) -> Result<Duration> {
        cpu(self.process.id().context("the child has ended")?)
    }

    /// Ends it: it drains, as on SIGTERM.
    ///
    /// # Errors
    /// It did not end well.
    pub async fn end(self) -> Result<()> {
        let Self { mut process, orders, .. } = self;
        drop(orders);
        let status = tokio::time::timeout(ANSWER_WITHIN, process.wait()).await??;
        anyhow::ensure!(status.success(), "the child ended with {status}");
        Ok(())
    }
}

/// How long the threads of a process have run on a processor so far. A machine that does other
/// things too does not change it much.
///
/// # Errors
/// There is no such process.
pub fn cpu(pid: u32) -> Result<Duration> {
    let mut ns = 0;
    for task in fs::read_dir(Path::new("/proc").join(pid.to_string()).join("task"))? {
        // A thread may have ended meanwhile.
        let times = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        ns += times.split(' ').next().and_then(|ran| ran.parse().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(ns))
}

/// The resident memory of a process now, and the most it had, in MiB.
///
/// # Errors
/// There is no such process.
pub fn memory_mib(pid: u32) -> Result<(f64, f64)> {
    let status = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status"))?;
    let kib = |name: &str| -> Option<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse().ok()
    };
    let both = kib("VmRSS:").zip(kib("VmHWM:")).context("no VmRSS")?;
    Ok((both.0 / 1_024.0, both.1 / 1_024.0))
}
