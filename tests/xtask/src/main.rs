//! The door to the evidence: `cargo xtask test` is what the README names and CI runs.
//! It fetches the tools, runs the checks one after another, and counts the tests.
//! No rule stands here: those are in `tests/tidy`, `deny.toml`, `clippy.toml` and the tests.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a person at a terminal, and for the log of CI"
)]

mod place;
mod steps;
mod tally;
mod tools;

use std::process::ExitCode;

use anyhow::Result;

use crate::place::{Place, run};
use crate::steps::Steps;

/// Wrong usage, as in `sysexits.h`; `keng` uses the same number.
const WRONG_USAGE: u8 = 64;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test          fetch the tools, then format, lints, licences, words, and every test
  check         format, lints and tidy only
  tools         fetch nats-server, cargo-deny and buf into the target folder
  bench [WHAT]  measure, optimised; what follows is passed on";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match obey(&words) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn obey(words: &[&str]) -> Result<ExitCode> {
    match words {
        ["test"] => test(&Place::of_this_tree()?),
        ["check"] => check(&Place::of_this_tree()?),
        ["tools"] => tools::fetch(&Place::of_this_tree()?).map(|()| ExitCode::SUCCESS),
        ["bench", what @ ..] => bench(&Place::of_this_tree()?, what),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            eprintln!("{USAGE}");
            Ok(ExitCode::from(WRONG_USAGE))
        }
    }
}

/// Every step is taken, also after one that failed: a run tells all that it can tell.
fn test(place: &Place) -> Result<ExitCode> {
    let mut steps = Steps::default();
    steps.take("tools", || tools::fetch(place));
    format_and_lints(place, &mut steps);
    steps.take("licences, bans, sources", || {
        run(place.cargo(&[
            "deny",
            "check",
            "--hide-inclusion-graph",
            "licenses",
            "bans",
            "sources",
        ]))
    });
    steps.take("words (buf lint)", || run(place.tool("buf", &["lint", "proto"])));
    steps.take("the program (cargo build)", || {
        run(place.cargo(&["build", "--package", "keng"]))?;
        place.keep_keng()
    });

    let mut tally = tally::Tally::default();
    steps.take("tests", || {
        tally::stream(
            place.cargo(&["test", "--workspace", "--no-fail-fast"]),
            &mut std::io::stdout().lock(),
            &mut tally,
        )
    });
    steps.sum_up();
    // The last line, in the form that CI reads.
    println!("{tally}");
    Ok(if steps.all_went_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn check(place: &Place) -> Result<ExitCode> {
    let mut steps = Steps::default();
    format_and_lints(place, &mut steps);
    steps.take("tidy", || run(place.cargo(&["test", "--quiet", "--package", "tidy"])));
    steps.sum_up();
    Ok(if steps.all_went_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn format_and_lints(place: &Place, steps: &mut Steps) {
    steps.take("format", || run(place.cargo(&["fmt", "--all", "--check"])));
    steps.take("lints (clippy)", || {
        run(place.cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    });
}

fn bench(place: &Place, what: &[&str]) -> Result<ExitCode> {
    tools::fetch(place)?;
    let mut words = vec!["run", "--release", "--package", "bench", "--"];
    words.extend_from_slice(what);
    run(place.cargo(&words))?;
    Ok(ExitCode::SUCCESS)
}
