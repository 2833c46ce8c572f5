//! Counts tests by the `test result:` lines that cargo's test programs print, while passing all
//! they print on. A program that dies prints no such line: then cargo's exit status tells.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::place::words_of;

/// How many tests ran; shown in the form that CI reads.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    passed: u64,
    failed: u64,
}

impl Tally {
    /// Adds one line of output, which most often says nothing of this.
    fn read(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let count = |what: &str| -> u64 {
            result
                .split([';', '.'])
                .filter_map(|part| part.trim().strip_suffix(what)?.trim().parse::<u64>().ok())
                .sum()
        };
        self.passed += count("passed");
        self.failed += count("failed");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// Runs a test command, copies its standard output to `out` line by line, and counts.
/// An error where the command failed, or where no test ran at all.
pub fn stream(mut command: Command, out: &mut impl Write, tally: &mut Tally) -> Result<()> {
    let said = words_of(&command);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{said}` could not be started"))?;
    let mut lines = BufReader::new(child.stdout.take().context("the output of the tests")?);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        out.write_all(&line)?;
        out.flush()?;
        tally.read(&String::from_utf8_lossy(&line));
        line.clear();
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{said}` ended with {status}");
    }
    if tally.passed == 0 {
        bail!("`{said}` ran no test");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_several_programs_are_summed() {
        let mut tally = Tally::default();
        for line in [
            "running 15 tests",
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; \
             finished in 0.00s",
            "test a ... ok",
            "test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; \
             finished in 1.21s",
            "  test result: ok. 9 passed; quoted by a test, not a result",
        ] {
            tally.read(line);
        }
        assert_eq!(tally, Tally { passed: 15, failed: 2 });
        assert_eq!(tally.to_string(), "15 passed, 2 failed");
    }

    #[test]
    fn what_a_command_prints_is_passed_on_and_its_failure_is_told() {
        let script = "echo 'test result: FAILED. 1 passed; 1 failed; 0 ignored'; exit 101";
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let (mut out, mut tally) = (Vec::new(), Tally::default());
        let outcome = stream(command, &mut out, &mut tally);
        assert!(outcome.unwrap_err().to_string().contains("ended with"));
        assert_eq!(out, b"test result: FAILED. 1 passed; 1 failed; 0 ignored\n");
        assert_eq!(tally, Tally { passed: 1, failed: 1 });
    }

    #[test]
    fn a_run_without_a_test_is_a_failure() {
        let (mut out, mut tally) = (Vec::new(), Tally::default());
        let outcome = stream(Command::new("true"), &mut out, &mut tally);
        assert!(outcome.unwrap_err().to_string().contains("ran no test"));
    }
}
