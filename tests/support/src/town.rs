//! Đạ Tẻh and the communes that border on it, with groups whose webhooks end at one sink.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::{Call, Group, Keng, Sink, eventually, group, groups};

/// Đạ Tẻh.
pub const HOME: &str = "25126";
/// A commune that borders on it.
pub const NEIGHBOUR: &str = "25135";
/// A commune far away: Ba Đình, in another province.
pub const FAR: &str = "00004";
/// Đạ Tẻh and all that border on it, by the built-in map.
pub const RING: [&str; 7] = [HOME, "25057", NEIGHBOUR, "25138", "25159", "25162", "26119"];

/// A temporary folder, groups, and the sink that their webhooks end at.
pub struct Town {
    /// Where the webhooks end.
    pub sink: Sink,
    /// The groups; see [`Town::write`].
    pub groups: Vec<Group>,
    /// The folder of every data directory of this test.
    pub folder: Arc<TempDir>,
}

impl Town {
    /// So many groups in each of these communes.
    ///
    /// # Errors
    /// There is no port, or no folder.
    pub async fn with(communes: &[&str], per_commune: usize) -> Result<Self> {
        let sink = Sink::start().await?;
        let folder = tempfile::Builder::new().prefix("keng-system-").tempdir()?;
        let groups = groups(&sink, communes, per_commune);
        let town = Self { sink, groups, folder: Arc::new(folder) };
        town.write()?;
        Ok(town)
    }

    /// Writes the groups' file anew, after a test has changed them.
    ///
    /// # Errors
    /// It could not be written.
    pub fn write(&self) -> Result<()> {
        group::write(&self.groups, &self.groups_file())
    }

    /// The file for `--groups`.
    #[must_use]
    pub fn groups_file(&self) -> PathBuf {
        self.folder.path().join("groups.jsonl")
    }

    /// `keng up` with these groups on the directory `data`.
    ///
    /// # Errors
    /// It was not ready in time.
    pub async fn up(&self, more: &[&str]) -> Result<Keng> {
        self.server("data", "up", more).await
    }

    /// A server command on its own directory.
    ///
    /// # Errors
    /// It was not ready in time.
    pub async fn server(&self, data: &str, command: &str, more: &[&str]) -> Result<Keng> {
        let file = self.groups_file();
        let file = file.to_str().context("the folder's name is no text")?;
        // A developer's disk may be nearly full; one test alone is about that.
        let mut options = vec!["--groups", file, "--allow-private-targets"];
        if !more.contains(&"--disk-reserve") {
            options.extend(["--disk-reserve", "1048576"]);
        }
        options.extend(more);
        Keng::start_in(Arc::clone(&self.folder), data, command, &options).await
    }

    /// Waits until every group was called with this news of this alert.
    ///
    /// # Errors
    /// Some were not, within the time; the error names them.
    pub async fn told(&self, alert: &str, news: &str, within: Duration) -> Result<()> {
        self.told_all(&BTreeSet::from([alert.to_owned()]), news, within).await
    }

    /// The same for several alerts.
    ///
    /// # Errors
    /// Some were not, within the time; the error names a few.
    pub async fn told_all(
        &self,
        alerts: &BTreeSet<String>,
        news: &str,
        within: Duration,
    ) -> Result<()> {
        eventually(within, async || {
            let seen: BTreeSet<(String, String)> = self
                .calls()?
                .into_iter()
                .filter(|call| call.news == news)
                .map(|call| (call.alert, call.path))
                .collect();
            let pairs = alerts.iter().flat_map(|alert| {
                self.groups.iter().map(move |group| (alert.clone(), group.path.clone()))
            });
            let missing: Vec<_> = pairs.filter(|pair| !seen.contains(pair)).collect();
            let few: Vec<_> = missing.iter().take(5).collect();
            ensure!(missing.is_empty(), "{} of `{news}` are missing: {few:?}", missing.len());
            Ok(())
        })
        .await
    }

    /// Every call so far, with its signature checked.
    ///
    /// # Errors
    /// One is not what the interface says.
    pub fn calls(&self) -> Result<Vec<Told>> {
        let secrets: BTreeMap<&str, &str> =
            self.groups.iter().map(|group| (group.path.as_str(), group.secret.as_str())).collect();
        self.sink.calls().iter().map(|call| Told::of(call, &secrets)).collect()
    }

    /// Checks all calls so far: each is signed with the secret of its group, and alert, revision
    /// and group make one delivery id, which is no other's.
    ///
    /// # Errors
    /// It is not so.
    pub fn check_calls(&self) -> Result<()> {
        let mut ids: BTreeMap<(String, u64, String), String> = BTreeMap::new();
        for call in self.calls()? {
            let key = (call.alert, call.revision, call.path);
            let known = ids.entry(key.clone()).or_insert_with(|| call.id.clone());
            ensure!(*known == call.id, "{key:?} came as {known} and as {}", call.id);
        }
        let distinct: BTreeSet<&String> = ids.values().collect();
        ensure!(distinct.len() == ids.len(), "an id serves two deliveries: {ids:#?}");
        Ok(())
    }
}

/// One call as its group understands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The path of the group.
    pub path: String,
    /// The delivery's id.
    pub id: String,
    /// The type, as `alert.issued`.
    pub news: String,
    /// The alert's id.
    pub alert: String,
    /// The alert's revision.
    pub revision: u64,
}

impl Told {
    fn of(call: &Call, secrets: &BTreeMap<&str, &str>) -> Result<Self> {
        let secret = secrets.get(call.path.as_str()).context("a call to nobody's path")?;
        call.verify(secret)?;
        let body = call.json();
        let text = |pointer: &str| {
            body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        ensure!(text("/data/delivery/id") == call.id(), "body and header name two deliveries");
        Ok(Self {
            path: call.path.clone(),
            id: call.id().to_owned(),
            news: text("/type"),
            alert: text("/data/alert/id"),
            revision: body.pointer("/data/alert/revision").and_then(Value::as_u64).unwrap_or(0),
        })
    }
}
