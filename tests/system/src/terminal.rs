//! A client command that goes on until it is ended, as `keng watch`.

use std::{process::Stdio, sync::Arc};

use anyhow::{Context, Result};
use support::{child, seen::Seen};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// The command, running. Dropping it ends it.
pub struct Terminal {
    /// What it has printed, line by line.
    pub lines: Arc<Seen<String>>,
    _child: Child,
}

impl Terminal {
    /// Starts `keng ARGUMENTS…`.
    ///
    /// # Errors
    /// It could not be started.
    pub fn open(arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(child::binary()?);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("keng {arguments:?}"))?;
        let stdout = child.stdout.take().context("no standard output")?;
        let lines = Arc::new(Seen::default());
        let reading = Arc::clone(&lines);
        tokio::spawn(async move {
            let mut stdout = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = stdout.next_line().await {
                reading.push(line);
            }
        });
        Ok(Self { lines, _child: child })
    }
}
