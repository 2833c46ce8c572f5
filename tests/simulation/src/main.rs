//! `cargo xtask sim N [--from SEED]`: runs many seeds, and says which fail and how to run each
//! again.
#![allow(clippy::print_stdout, reason = "a program for a person at a terminal")]

use std::{
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use anyhow::Result;
use clap::Parser;
use simulation::{
    course::{self, Manner},
    digest,
    faults::{Faults, Mutation},
    seeds::{BROKEN, Theatre, Verdict},
};
use tracing_subscriber::filter::LevelFilter;

#[derive(Parser)]
#[command(about = "Mô phỏng tất định / Deterministic simulation")]
struct Args {
    /// How many seeds.
    #[arg(default_value_t = 1_000)]
    seeds: u64,
    /// The first.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Break something on purpose: the checker must turn red.
    #[arg(long)]
    mutation: Option<Mutation>,
    /// Run the first seed alone and once in this process, and print its history.
    #[arg(long)]
    lines: bool,
    /// With `--lines`: every record in full.
    #[arg(long)]
    full: bool,
    /// With `--lines`: some checks at the end are left out.
    #[arg(long)]
    unchecked: bool,
}

impl Args {
    fn manner(&self) -> Manner {
        Manner { mutation: self.mutation, unchecked: self.unchecked }
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let went_well = if args.lines { lines(&args) } else { many(&args) };
    match went_well {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            println!("{BROKEN}not simulated: {why:#}");
            ExitCode::FAILURE
        }
    }
}

fn many(args: &Args) -> Result<bool> {
    let theatre = Theatre::around(&std::env::current_exe()?)?;
    let seeds: Vec<u64> = (args.from..args.from.saturating_add(args.seeds)).collect();
    let (began, failed) = (Instant::now(), AtomicUsize::new(0));
    let lines = AtomicUsize::new(0);
    theatre.judge_all(&seeds, args.manner(), |verdict: &Verdict| {
        lines.fetch_add(verdict.lines, Ordering::Relaxed);
        if !verdict.is_well() {
            failed.fetch_add(1, Ordering::Relaxed);
            println!("{}\n", verdict.told());
        }
    });
    let (failed, lines) = (failed.into_inner(), lines.into_inner());
    let (many, from, s) = (seeds.len(), args.from, began.elapsed().as_secs_f64());
    println!(
        "{many} seeds from {from}, each twice, {lines} records and calls: {failed} failed, {s:.1} s"
    );
    Ok(failed == 0)
}

fn lines(args: &Args) -> Result<bool> {
    // Always on: whoever takes chance from the system is part of the history.
    let trace = tracing_subscriber::fmt().with_max_level(LevelFilter::WARN);
    trace.with_ansi(false).without_time().with_writer(std::io::stderr).init();
    println!("seed {}: {}", args.from, Faults::of(args.from));
    let course = course::run(args.from, args.manner())?;
    if args.full {
        digest::in_full(&course.entries).iter().for_each(|line| println!("{line}"));
    }
    course.lines.iter().for_each(|line| println!("{line}"));
    course.broken.iter().for_each(|broken| println!("{BROKEN}{broken}"));
    Ok(course.broken.is_empty())
}
