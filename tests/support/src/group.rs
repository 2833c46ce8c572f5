//! Groups for a test: so many in each commune, all of them at the sink, each with its own secret.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::sink::Sink;

/// One group with one webhook. The fields are public, so that a test may change what it needs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// `g-<n>`.
    pub id: String,
    /// The commune's code.
    pub commune: String,
    /// `hamlet`, unless a test says otherwise.
    pub kind: String,
    /// Whether it takes part in drills.
    pub exercises: bool,
    /// Its path at the sink, `/g/<n>`.
    pub path: String,
    /// The webhook's URL.
    pub url: String,
    /// The secret that signs; another one for each group, the same in every run.
    pub secret: String,
}

/// `per_commune` groups in each of `communes`, numbered through: `/g/0`, `/g/1`, ….
#[must_use]
pub fn groups(sink: &Sink, communes: &[&str], per_commune: usize) -> Vec<Group> {
    let each = communes.iter().flat_map(|commune| vec![*commune; per_commune]);
    let group = |(n, commune): (usize, &str)| {
        let path = format!("/g/{n}");
        Group {
            id: format!("g-{n}"),
            commune: commune.to_owned(),
            kind: "hamlet".to_owned(),
            exercises: false,
            url: sink.url(&path),
            secret: secret_of(n),
            path,
        }
    };
    each.enumerate().map(group).collect()
}

/// A secret that is one by its form, and none by anybody's not knowing it.
fn secret_of(n: usize) -> String {
    let bytes = Sha256::digest(format!("the secret of test group {n}"));
    format!("whsec_{}", BASE64_STANDARD.encode(bytes))
}

impl Group {
    /// The group as a line of the groups' file.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "commune": self.commune,
            "name": format!("Tổ dân phố {}", self.id),
            "kind": self.kind,
            "members": 120,
            "exercises": self.exercises,
            "channels": [{"type": "webhook", "url": self.url, "secret": self.secret}],
        })
    }
}

/// Writes the groups as JSON Lines, for `--groups FILE`.
///
/// # Errors
/// The file could not be written.
pub fn write(groups: &[Group], file: &Path) -> Result<()> {
    let lines: String = groups.iter().map(|group| format!("{}\n", group.to_json())).collect();
    fs::write(file, lines).with_context(|| format!("writing {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn groups_are_numbered_through_and_have_secrets_of_their_own() {
        let sink = Sink::start().await.unwrap();
        let groups = groups(&sink, &["25126", "25135"], 2);
        let told: Vec<_> = groups.iter().map(|g| (g.id.as_str(), g.commune.as_str())).collect();
        assert_eq!(told, [("g-0", "25126"), ("g-1", "25126"), ("g-2", "25135"), ("g-3", "25135")]);
        assert_eq!(groups[3].url, sink.url("/g/3"));
        assert_ne!(groups[0].secret, groups[1].secret);

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("groups.jsonl");
        write(&groups, &file).unwrap();
        let lines = fs::read_to_string(file).unwrap();
        let lines: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[2]["channels"][0]["url"], sink.url("/g/2"));
    }
}
