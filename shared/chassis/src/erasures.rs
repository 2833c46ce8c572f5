//! What was erased, kept outside of the data directory: an older copy of the directory knows
//! nothing of it, and would bring the words back. A line for each alert, on disk before anything of
//! it is destroyed; written anew from the log where the file is lost.
//!
//! No personal data: ids and hashes of records. Over a broker the log itself knows.

use std::{
    collections::BTreeSet,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use domain::{
    alert::Alert,
    erasure::{Erasure, ErasureAsk, ErasureCommand, ErasureKnown},
    hex::{hex, unhex},
    ids::{AlertId, EntityName, Home, Millis, RecordId},
};
use event_log::{
    Class, Durable, EventLog, Key,
    command::Draft,
    shell::{Answers, Ask, ExecuteError, Shell},
};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use wire::{
    actor,
    spoken::id_bytes,
    v1::{self, command::Body},
};

use crate::{ConfigError, durable_file::sync_dir, erasing::DURABLE_MAX};

/// The option, as people know it.
const OPTION: &str = "--erasures";

/// One alert that was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noted {
    /// The alert.
    pub alert: AlertId,
    /// Where it was raised.
    pub home: Home,
    /// The record that ordered it: its id, and SHA-256 of its open part.
    pub order: (RecordId, [u8; 32]),
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    alert: String,
    province: String,
    commune: String,
    order: String,
    sha256: String,
}

/// The file, open.
#[derive(Debug)]
pub struct Erasures {
    path: PathBuf,
    file: File,
    /// What the file says when it is opened; taken out when that was compared with the log.
    found: Vec<Noted>,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    alerts: BTreeSet<AlertId>,
    /// The file's length, in bytes, as far as it is whole.
    end: u64,
}

impl Erasures {
    /// Opens the file, or makes it (mode 0600). Half a line at its end was never waited for, and
    /// is written over.
    ///
    /// # Errors
    /// [`ConfigError`]: it cannot be used, or a line of it cannot be read.
    pub fn open(path: &Path) -> Result<Self, ConfigError> {
        let wrong = |why: String| ConfigError::Wrong { name: OPTION, why };
        let io = |why: io::Error| wrong(format!("{}: {why}", path.display()));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(path).map_err(io)?;
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        sync_dir(dir.unwrap_or(Path::new("."))).map_err(io)?;
        let text = std::fs::read_to_string(path).map_err(io)?;
        let whole = text.rfind('\n').map_or("", |last| text.get(..=last).unwrap_or_default());
        let lines = whole.lines().enumerate();
        let found = lines.map(|(before, line)| {
            let (name, line_number) = (path.display(), before + 1);
            noted(line).ok_or_else(|| {
                wrong(format!(
                    "{name}: dòng {line_number} không đọc được / line {line_number} is no erasure"
                ))
            })
        });
        let found = found.collect::<Result<Vec<_>, _>>()?;
        let alerts = found.iter().map(|noted| noted.alert).collect();
        let kept = Mutex::new(Kept { alerts, end: whole.len() as u64 });
        Ok(Self { path: path.to_owned(), file, found, kept })
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Notes an erasure; it is on disk when this returns. Again changes nothing.
    ///
    /// # Errors
    /// The system's; it is not known to be there.
    pub async fn note(self: Arc<Self>, noted: Noted) -> io::Result<()> {
        spawn_blocking(move || self.write(&noted)).await?
    }

    fn write(&self, noted: &Noted) -> io::Result<()> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.alerts.contains(&noted.alert) {
            return Ok(());
        }
        let line = line(noted)?;
        self.file.write_all_at(line.as_bytes(), kept.end)?;
        let end = kept.end + line.len() as u64;
        // What was left of a longer half line.
        self.file.set_len(end)?;
        self.file.sync_data()?;
        kept.end = end;
        kept.alerts.insert(noted.alert);
        Ok(())
    }

    /// Orders anew what the file says and the log, restored from an older copy, does not: everybody
    /// who reads the log destroys it before he serves. Which alerts.
    ///
    /// # Errors
    /// The log cannot be written or read: nothing may be served then.
    pub async fn restore(
        &self,
        log: &Arc<dyn EventLog>,
        now: Millis,
    ) -> Result<Vec<AlertId>, ExecuteError> {
        let (alerts, erasures) = (Shell::new(Arc::clone(log)), Shell::new(Arc::clone(log)));
        let mut restored = Vec::new();
        for noted in &self.found {
            if order_anew(log, (&alerts, &erasures), noted, now).await? {
                restored.push(noted.alert);
            }
        }
        Ok(restored)
    }
}

/// Whether it had to be ordered: the alert is there, and nothing says that it was erased.
async fn order_anew(
    log: &Arc<dyn EventLog>,
    (alerts, erasures): (&Shell<Alert>, &Shell<Erasure>),
    noted: &Noted,
    now: Millis,
) -> Result<bool, ExecuteError> {
    let Noted { alert, home, order } = *noted;
    let key = |entity| Key { class: Class::Alert, home, entity };
    let erasure = erasures.state(&key(EntityName::erasure(alert))).await?;
    let is_there = alerts.state(&key(EntityName::alert(alert))).await?.version > 0;
    if erasure.state.order().is_some() || !is_there {
        return Ok(false);
    }
    let unavailable = |why: &str| ExecuteError::Unavailable(why.to_owned());
    let id = RecordId::of_purpose(&format!("restore-erasure/{alert}/{}", order.0));
    let actor = actor::service("keng");
    let body = Body::RestoreErasure(v1::RestoreErasure {
        alert: id_bytes(alert.0),
        order: id_bytes(order.0.0),
        order_sha256: Bytes::copy_from_slice(&order.1),
    });
    let draft = Draft {
        id,
        entity: EntityName::erasure(alert),
        home,
        actor: actor.clone(),
        at: now,
        correlation: id_bytes(alert.0),
        causation: Bytes::new(),
        valid_until: None,
        sealing: None,
        sealed_fields: vec![],
        body,
    };
    let appended = log.append(vec![draft.record()]).await;
    appended.map_err(|why| unavailable(&why.to_string()))?;
    let ask = Ask {
        key: key(EntityName::erasure(alert)),
        cause: id,
        correlation: id_bytes(alert.0),
        command: ErasureCommand { by: actor.officer.clone(), role: None, ask: ErasureAsk::Restore },
        actor,
        now,
        map: Bytes::new(),
        sealing: None,
        answers: Answers::Command,
        fresh: false,
    };
    let known = ErasureKnown { now, over: true };
    let decided = erasures.execute(ask, |_, _| known).await?;
    match decided.at {
        Some(at) if log.durable(at, DURABLE_MAX).await == Durable::Stored => Ok(true),
        _ => Err(unavailable("what was erased is not ordered anew on disk")),
    }
}

fn line(noted: &Noted) -> io::Result<String> {
    let line = Line {
        alert: noted.alert.to_string(),
        province: noted.home.province.to_string(),
        commune: noted.home.commune.to_string(),
        order: noted.order.0.to_string(),
        sha256: hex(&noted.order.1),
    };
    Ok(serde_json::to_string(&line)? + "\n")
}

fn noted(line: &str) -> Option<Noted> {
    let line: Line = serde_json::from_str(line).ok()?;
    let home = Home { province: line.province.parse().ok()?, commune: line.commune.parse().ok()? };
    let order = RecordId(line.order.parse().ok()?);
    let sha256 = unhex(&line.sha256)?.try_into().ok()?;
    Some(Noted { alert: line.alert.parse().ok()?, home, order: (order, sha256) })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn erased(name: &str) -> Noted {
        let home = Home { province: "68".parse().unwrap(), commune: "25126".parse().unwrap() };
        let alert = AlertId::raised_by(RecordId::of_purpose(name));
        Noted { alert, home, order: (RecordId::of_purpose("order"), [7; 32]) }
    }

    #[tokio::test]
    async fn what_is_noted_is_there_once_whatever_was_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data.erasures");
        let open = || Erasures::open(&file).map(Arc::new).unwrap();
        let first = open();
        for _again in 0..2 {
            Arc::clone(&first).note(erased("a")).await.unwrap();
        }
        let whole = fs::read_to_string(&file).unwrap();
        fs::write(
            &file,
            format!("{whole}{{\"alert\":\"0123456789 and so on, and so on, and so on"),
        )
        .unwrap();
        let again = open();
        assert_eq!(again.found, [erased("a")]);
        Arc::clone(&again).note(erased("b")).await.unwrap();
        assert_eq!(open().found, [erased("a"), erased("b")]);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named_and_nothing_begins() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("erasures");
        let good = line(&erased("a")).unwrap();
        for bad in ["\n", "{}\n", &good.replace("07", "7")] {
            fs::write(&file, format!("{good}{bad}")).unwrap();
            let why = Erasures::open(&file).unwrap_err().to_string();
            assert!(why.contains("--erasures") && why.contains("line 2"), "{why}");
        }
        assert!(Erasures::open(&folder.path().join("nowhere/erasures")).is_err());
    }
}
