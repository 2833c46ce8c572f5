//! Where things lie (the tree, cargo's target folder, the tools), and how commands are run there.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The folders of one tree.
pub struct Place {
    root: PathBuf,
    target: PathBuf,
}

impl Place {
    /// The tree that this program was built from, and the target folder that it was built into.
    pub fn of_this_tree() -> Result<Self> {
        let crate_folder = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = crate_folder.ancestors().nth(2).context("the tree above tests/xtask")?;
        // This program lies in `<target>/<profile>/xtask`, wherever cargo was told to build.
        let program = env::current_exe().context("the path of this program")?;
        let target = program.ancestors().nth(2).context("the target folder above this program")?;
        Ok(Self { root: root.to_owned(), target: target.to_owned() })
    }

    /// What xtask fetches, and nothing else, lies here.
    pub fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// The links to the tools; first on the path of every command.
    pub fn tools_bin(&self) -> PathBuf {
        self.tools().join("bin")
    }

    /// A cargo command in the tree.
    pub fn cargo(&self, words: &[&str]) -> Command {
        self.command(Path::new("cargo"), words)
    }

    /// A command of a fetched tool.
    pub fn tool(&self, name: &str, words: &[&str]) -> Command {
        self.command(&self.tools_bin().join(name), words)
    }

    /// Sets `keng` aside as a user gets it: `cargo test` may build it once more, with the
    /// features that tests switch on, and a test of the program must not meet that one.
    pub fn keep_keng(&self) -> Result<()> {
        let name = format!("keng{}", env::consts::EXE_SUFFIX);
        let built = self.target.join("debug").join(&name);
        let kept = self.keng();
        std::fs::create_dir_all(self.tools())?;
        // Removed first: a copy over a program that still runs would be refused.
        if kept.exists() {
            std::fs::remove_file(&kept)?;
        }
        std::fs::copy(&built, &kept)
            .with_context(|| format!("copying {} to {}", built.display(), kept.display()))?;
        Ok(())
    }

    fn keng(&self) -> PathBuf {
        self.tools().join(format!("keng{}", env::consts::EXE_SUFFIX))
    }

    fn command(&self, program: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(words).current_dir(&self.root).stdin(Stdio::null());
        // What `cargo run` says of xtask is not true of the crates built below: some build
        // scripts (ring's) watch these, and would run again at every change of hands.
        for (name, _) in env::vars_os() {
            let is_of_xtask = ["CARGO_PKG_", "CARGO_MANIFEST_"]
                .iter()
                .any(|prefix| name.to_string_lossy().starts_with(prefix));
            if is_of_xtask {
                command.env_remove(name);
            }
        }
        command.env("PATH", self.path_with_tools());
        for (name, file) in [("KENG_BIN", self.keng()), ("KENG_NATS_SERVER", self.nats_server())] {
            if file.exists() && env::var_os(name).is_none() {
                command.env(name, file);
            }
        }
        command
    }

    fn nats_server(&self) -> PathBuf {
        self.tools_bin().join("nats-server")
    }

    fn path_with_tools(&self) -> OsString {
        let mut folders = vec![self.tools_bin()];
        folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        // Only a folder with a colon in its name cannot stand in PATH.
        env::join_paths(folders).unwrap_or_else(|_| env::var_os("PATH").unwrap_or_default())
    }
}

/// Runs a command to its end; what it prints goes where this program prints.
pub fn run(mut command: Command) -> Result<()> {
    let said = words_of(&command);
    let status = command.status().with_context(|| format!("`{said}` could not be started"))?;
    if !status.success() {
        bail!("`{said}` ended with {status}");
    }
    Ok(())
}

/// The command as a person would type it.
pub fn words_of(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
