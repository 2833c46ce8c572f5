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

use anyhow::{Context, Result, anyhow};

use crate::place::{Place, run};
use crate::steps::Steps;

/// Wrong usage, as in `sysexits.h`; `keng` uses the same number.
const WRONG_USAGE: u8 = 64;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test          fetch the tools, then format, lints, licences, words, and every test
  check         format, lints and tidy only
  tools         fetch nats-server, cargo-deny and buf into the target folder
  bench [WHAT]  measure, optimised; what follows is passed on
  sim [N] [--from SEED]
                simulate N seeds (1,000), each twice; what follows is passed on
  borders POLYGONS BORDERS
                compute borders from polygons and compare them with the true ones:
                a GeoJSON file, or a folder of them; a CSV";

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
        ["sim", what @ ..] => simulate(&Place::of_this_tree()?, what),
        ["borders", polygons, borders] => compare(&Place::of_this_tree()?, polygons, borders),
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

/// Says which seeds fail, and how each is run again.
fn simulate(place: &Place, what: &[&str]) -> Result<ExitCode> {
    let mut command = place.cargo(&["run", "--quiet", "--package", "simulation", "--"]);
    let status = command.args(what).status().context("`cargo run` could not be started")?;
    // 0: all hold. 1: some do not. None: killed.
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// An example of `registry` does the work, so that this program needs none of its dependencies.
fn compare(place: &Place, polygons: &str, borders: &str) -> Result<ExitCode> {
    let absolute = |path: &str| -> Result<String> {
        let path = std::path::absolute(path).with_context(|| format!("the path `{path}`"))?;
        path.into_os_string().into_string().map_err(|path| anyhow!("not Unicode: {path:?}"))
    };
    let (polygons, borders) = (absolute(polygons)?, absolute(borders)?);
    let mut command = place.cargo(&["run", "--quiet", "--package", "registry"]);
    let status = command
        .args(["--example", "borders", "--", &polygons, &borders])
        .status()
        .context("`cargo run` could not be started")?;
    // 0: precise and complete. 1: not. 64: the files are wrong. None: killed.
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
