//! History as `keng replay --format json` tells it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use support::{Keng, eventually};

use crate::people::text;

/// The lines of a replay.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// In their order.
    pub lines: Vec<Value>,
}

impl History {
    /// Replays at this server's machine, with these filters.
    ///
    /// # Errors
    /// The command failed.
    pub async fn at(keng: &Keng, filters: &[&str]) -> Result<Self> {
        let output = keng.run(&[&["replay", "--format", "json"], filters].concat()).await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "keng replay: {}\n{said}", output.status);
        let lines = String::from_utf8(output.stdout)?;
        let lines = lines.lines().map(|line| serde_json::from_str(line).context(line.to_owned()));
        Ok(Self { lines: lines.collect::<Result<_>>()? })
    }

    /// Replays until these alerts were issued and every command has its commit, checks the whole,
    /// and returns it.
    ///
    /// # Errors
    /// It was not so within the time.
    pub async fn with(keng: &Keng, alerts: &BTreeSet<String>, within: Duration) -> Result<Self> {
        eventually(within, async || {
            let history = Self::at(keng, &[]).await?;
            history.check_order()?;
            history.check_answers()?;
            alerts.iter().try_for_each(|alert| history.check_once(alert))?;
            Ok(history)
        })
        .await
    }

    /// Each record once, no commit before its command, each entity's versions one after another.
    ///
    /// # Errors
    /// It is not so.
    pub fn check_order(&self) -> Result<()> {
        let mut last = 0;
        let mut positions: BTreeMap<&str, u64> = BTreeMap::new();
        let mut versions: BTreeMap<&str, u64> = BTreeMap::new();
        let commands: BTreeSet<&str> = self.commands().map(|line| text(line, "/id")).collect();
        for line in &self.lines {
            let position = number(line, "position");
            ensure!(position >= last, "{position} after {last}: {line}");
            let id = text(line, "/id");
            let placed = *positions.entry(id).or_insert(position);
            ensure!(placed == position, "twice in the log: {line}");
            let (entity, version) = (text(line, "/entity"), number(line, "version"));
            if version > 0 && position > last {
                let before = versions.insert(entity, version).unwrap_or(0);
                ensure!(version == before + 1, "version {version} after {before}: {line}");
                let cause = text(line, "/causation");
                let early = commands.contains(cause) && !positions.contains_key(cause);
                ensure!(!early, "before its command: {line}");
            }
            ensure!(text(line, "/type") != "Unreadable", "unreadable: {line}");
            last = position;
        }
        Ok(())
    }

    /// Every command has exactly one commit.
    ///
    /// # Errors
    /// It is not so.
    pub fn check_answers(&self) -> Result<()> {
        let mut answers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for line in self.lines.iter().filter(|line| number(line, "version") > 0) {
            answers.entry(text(line, "/causation")).or_default().insert(text(line, "/id"));
        }
        for command in self.commands() {
            let count = answers.get(text(command, "/id")).map_or(0, BTreeSet::len);
            ensure!(count == 1, "{count} commits for {command}");
        }
        Ok(())
    }

    /// The alert was asked for once, and issued once.
    ///
    /// # Errors
    /// It is not so.
    pub fn check_once(&self, alert: &str) -> Result<()> {
        for kind in ["RaiseAlert", "AlertIssued"] {
            let count = self.of_alert(alert, kind).count();
            ensure!(count == 1, "{count} of {kind} for {alert}");
        }
        Ok(())
    }

    /// The lines of this type on the alert's own entity.
    pub fn of_alert<'a>(
        &'a self,
        alert: &str,
        kind: &'a str,
    ) -> impl Iterator<Item = &'a Value> + 'a {
        let entity = format!("alert-{alert}");
        self.of(kind).filter(move |line| text(line, "/entity") == entity)
    }

    /// The lines of this type.
    pub fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> + 'a {
        self.lines.iter().filter(move |line| text(line, "/type") == kind)
    }

    fn commands(&self) -> impl Iterator<Item = &Value> {
        self.lines.iter().filter(|line| number(line, "version") == 0)
    }
}

fn number(line: &Value, field: &str) -> u64 {
    line.get(field).and_then(Value::as_u64).unwrap_or_default()
}
