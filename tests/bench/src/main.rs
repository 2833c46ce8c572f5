//! The benchmarks of speed and memory: `cargo xtask bench [WHAT…]`.
//!
//! Each figure stands beside its floor, measured in the same run, in the same process, on the
//! same disk. No tests: a target that is missed is said, and the exit code is 0 all the same.
#![allow(clippy::print_stdout, reason = "a program for a person at a terminal")]

mod alert;
mod alertmanager;
mod batches;
mod child;
mod embedded;
mod flood;
mod floors;
mod nats;
mod orders;
mod proof;
mod push;
mod replay;
mod report;
mod served;
mod sick;
mod sink;

use std::{
    env, fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use clap::{Parser, Subcommand, ValueEnum};

use crate::{
    embedded::{FEW, Load, MANY, ORDINARY, Times},
    report::{Row, Target, json_line, median_ms, table},
    served::Serving,
    sink::Sink,
};

/// Records of the log that is checked.
const VERIFIED: u64 = 300_000;
/// Records of the log of which single ones are proved.
const PROVED: u64 = 10_000_000;
/// Set in the environment of the process that measures.
const PREPARED: &str = "KENG_BENCH_PREPARED";

#[derive(Parser)]
#[command(about = "Đo tốc độ và bộ nhớ / Measures speed and memory")]
struct Args {
    #[command(subcommand)]
    child: Option<ChildCommand>,
    /// What to measure; everything but `in-flight`, `push`, `sick`, `flood`, `proof` and `replay`
    /// where nothing is named.
    what: Vec<What>,
    /// Rounds that count, where 56 groups are told.
    #[arg(long, default_value_t = 25)]
    rounds: usize,
    /// Rounds that count, where 4,500 are.
    #[arg(long, default_value_t = 7)]
    rounds_many: usize,
    /// Pairs of a flooded and a quiet server.
    #[arg(long, default_value_t = 11)]
    pairs: usize,
    /// What may leave a minute in the flood, which asks for ten times as much.
    #[arg(long, default_value_t = 6_000)]
    per_minute: u32,
    /// Deliveries in flight; others than the default only for a look.
    #[arg(long, default_value_t = fan_out::FanOutOptions::IN_FLIGHT_MAX)]
    in_flight: usize,
    /// Web pushes, and as many bare ones.
    #[arg(long, default_value_t = 1_000_000)]
    pushes: usize,
    /// Records of the log that is read again.
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum What {
    /// Raise → accepted, and → last of 56 groups, on both disks.
    Few,
    /// Raise → last of 4,500 groups on both disks, and memory.
    Many,
    /// The 4,500 with 8, 16, 32, 64, 128, 256 deliveries in flight.
    InFlight,
    /// 64 clients raise at once, with the 4 ms disk.
    Concurrent,
    /// Raise → last of 56 groups over NATS.
    Nats,
    /// The peer, with 56 and 4,500 webhooks.
    Alertmanager,
    /// Web pushes to a stand-in: time and processor time a push, and memory.
    Push,
    /// The healthy of 4,500 groups, with and without the sick ones.
    Sick,
    /// An alert's p99 while a flood of news comes, and without.
    Flood,
    /// Checking a signed log, proving one record of ten million, sealing one more.
    Proof,
    /// Reading a whole log again, on one machine and over NATS.
    Replay,
}

const BY_DEFAULT: [What; 5] =
    [What::Few, What::Many, What::Concurrent, What::Nats, What::Alertmanager];

#[derive(Subcommand)]
enum ChildCommand {
    /// The server, in a process of its own.
    #[command(hide = true)]
    Serve {
        #[arg(long)]
        dir: PathBuf,
        #[arg(long)]
        sync_delay_ms: u64,
        #[arg(long)]
        groups: PathBuf,
        #[arg(long)]
        in_flight: usize,
        #[arg(long)]
        commune: Vec<String>,
        #[arg(long)]
        channels: Option<PathBuf>,
    },
    /// A push service, in a process of its own.
    #[command(hide = true)]
    PushService {
        #[arg(long)]
        #[allow(dead_code, reason = "every child is given a folder, and this one needs none")]
        dir: PathBuf,
    },
    /// Floors, in a process of their own.
    #[command(hide = true)]
    Floors {
        #[arg(long)]
        dir: PathBuf,
    },
}

fn main() -> Result<()> {
    let args = Args::parse();
    if args.child.is_none() && env::var_os(PREPARED).is_none() {
        return prepared(&args);
    }
    let runtime = tokio::runtime::Runtime::new()?;
    let done = runtime.block_on(async {
        match &args.child {
            Some(ChildCommand::Serve {
                dir,
                sync_delay_ms,
                groups,
                in_flight,
                commune,
                channels,
            }) => {
                let serving = Serving {
                    dir,
                    sync_delay: Duration::from_millis(*sync_delay_ms),
                    groups,
                    in_flight: *in_flight,
                    communes: commune,
                    channels: channels.as_deref(),
                };
                served::serve(&serving).await
            }
            Some(ChildCommand::PushService { .. }) => push::serve().await,
            Some(ChildCommand::Floors { dir }) => served::floors_only(dir).await,
            None => measure(&args).await,
        }
    });
    runtime.shutdown_background();
    done
}

/// Starts this program again with all it needs in its environment: the optimised `keng`, and a
/// folder for data on the disk of the target folder, since the system's may be in memory.
fn prepared(args: &Args) -> Result<()> {
    let program = env::current_exe()?;
    let folder = program.parent().context("no folder")?;
    let data = folder.join("bench-data");
    fs::create_dir_all(&data)?;
    let mut again = Command::new(&program);
    again.args(env::args_os().skip(1)).env(PREPARED, "1").env("TMPDIR", &data);
    if chosen(args).contains(&What::Nats) {
        again.env("KENG_BIN", keng(folder)?);
    }
    Err(again.exec().into())
}

/// The optimised binary beside this one; cargo is asked to bring it up to date where it runs this.
fn keng(folder: &Path) -> Result<PathBuf> {
    if let Some(cargo) = env::var_os("CARGO") {
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--release", "--package", "keng"]);
        ensure!(build.status()?.success(), "cargo build --release --package keng has failed");
    }
    let keng = folder.join("keng");
    ensure!(keng.is_file(), "{} is not there: cargo build --release -p keng", keng.display());
    Ok(keng)
}

fn chosen(args: &Args) -> Vec<What> {
    if args.what.is_empty() { BY_DEFAULT.to_vec() } else { args.what.clone() }
}

async fn measure(args: &Args) -> Result<()> {
    if cfg!(debug_assertions) {
        bail!("not optimised: cargo xtask bench, or cargo run --release -p bench");
    }
    let sink = Sink::start().await?;
    let mut rows = Vec::new();
    let (mut few, mut many) = (None, None);
    for what in chosen(args) {
        if let Some(name) = what.to_possible_value() {
            println!("$ cargo xtask bench {}", name.get_name());
        }
        let shown = rows.len();
        match what {
            What::Few => few = Some(sizes(args, FEW, 1.5, &sink, &mut rows).await?),
            What::Many => many = Some(sizes(args, MANY, 1.15, &sink, &mut rows).await?),
            What::InFlight => in_flight(args, &sink, &mut rows).await?,
            What::Concurrent => rows.push(embedded::concurrent(&sink).await?),
            What::Nats => rows.push(nats::reach(args.rounds, &sink).await?),
            What::Push => rows.extend(push::cost(args.pushes).await?),
            What::Alertmanager => {
                let ours = [(FEW, few.clone()), (MANY, many.clone())];
                peer(args, ours, &sink, &mut rows).await?;
            }
            What::Sick => rows.extend(sick::reach(args.rounds_many, args.in_flight, &sink).await?),
            What::Flood => {
                let Args { pairs, per_minute, in_flight, .. } = *args;
                let load = flood::Load { pairs, per_minute, in_flight };
                rows.extend(flood::reach(&load, &sink).await?);
            }
            What::Proof => {
                rows.push(proof::verify(VERIFIED, args.rounds_many)?);
                rows.push(proof::prove(PROVED)?);
                rows.extend(proof::seal()?);
            }
            What::Replay => {
                rows.push(replay::embedded(args.records, args.rounds_many).await?);
                rows.push(replay::jetstream(args.records, args.rounds_many).await?);
            }
        }
        for line in table(rows.get(shown..).unwrap_or_default()) {
            println!("  {line}");
        }
    }
    println!();
    table(&rows).iter().for_each(|line| println!("{line}"));
    if sink.doubles() > 0 {
        println!("{} calls came twice: the figures are of a larger load", sink.doubles());
    }
    println!("{}", json_line(&rows));
    Ok(())
}

fn load(args: &Args, groups: usize, sync_delay: Duration) -> Load {
    let rounds = if groups == FEW { args.rounds } else { args.rounds_many };
    Load { groups, rounds, warm_up: rounds.min(3), in_flight: args.in_flight, sync_delay }
}

/// One size on both disks; the times on the disk as it is.
async fn sizes(
    args: &Args,
    groups: usize,
    limit: f64,
    sink: &Sink,
    rows: &mut Vec<Row>,
) -> Result<Times> {
    let as_it_is = load(args, groups, Duration::ZERO);
    let times = embedded::reach(&as_it_is, sink).await?;
    rows.extend(embedded::rows(&as_it_is, &times, limit));
    let ordinary = load(args, groups, ORDINARY);
    let slower = embedded::reach(&ordinary, sink).await?;
    rows.extend(embedded::rows(&ordinary, &slower, limit));
    Ok(times)
}

async fn in_flight(args: &Args, sink: &Sink, rows: &mut Vec<Row>) -> Result<()> {
    for in_flight in [8, 16, 32, 64, 128, 256] {
        let load = Load { in_flight, ..load(args, MANY, Duration::ZERO) };
        let times = embedded::reach(&load, sink).await?;
        let last = embedded::rows(&load, &times, 1.15).into_iter().nth(1);
        rows.extend(last);
    }
    Ok(())
}

/// Ours beside the peer's; ours is measured here where it was not before.
async fn peer(
    args: &Args,
    ours: [(usize, Option<Times>); 2],
    sink: &Sink,
    rows: &mut Vec<Row>,
) -> Result<()> {
    let Some(binary) = alertmanager::find() else {
        println!("  Alertmanager is not installed: {}", alertmanager::HINT);
        return Ok(());
    };
    for (groups, times) in ours {
        let load = load(args, groups, Duration::ZERO);
        let times = match times {
            Some(times) => times,
            None => embedded::reach(&load, sink).await?,
        };
        let (peers, mib) = alertmanager::reach(&binary, groups, load.rounds, sink).await?;
        rows.push(Row {
            what: format!("raise → last of {groups}, beside Alertmanager"),
            disk: "as it is".to_owned(),
            measured: median_ms(&times.last),
            floor_is: format!("Alertmanager, {mib:.0} MiB resident"),
            floor: median_ms(&peers),
            unit: "ms",
            target: Target::AtMost(1.0),
            rounds: peers.len(),
        });
    }
    Ok(())
}
