//! Looks: that somebody reads personal data is on disk before the data leave, in the log or, while
//! the broker is away, in the outbox; whoever has looked at the same within the hour waits for
//! nothing. Below the disk's reserve it is written like a correction; where nothing can be written
//! at all, nothing may be shown.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use domain::{
    hex::hex,
    ids::{AlertId, EntityName, Home, Millis, RecordId},
    looks::{Duty, What, hour_of},
};
use event_log::{At, Durable, EventLog, Outgoing, command::Draft};
use tokio::time::timeout;
use wire::{
    looks::{duty_said, looked_said},
    seal::{salt, seal},
    spoken::id_bytes,
    v1::{self, command::Body, sealed_content::Content},
};

use crate::{Clock, Host};

/// How long the log may take to store a look.
const STORE_PATIENCE: Duration = Duration::from_millis(4_500);
/// Looks of one append.
const APPENDED_MAX: usize = 100;
/// Looks of this hour that are known to be on disk; of more, the log is asked again.
const KNOWN_MAX: usize = 65_536;
/// So many commands wait in the outbox at most for looks to be added: the rest of its room is for
/// what alerts and corrects, however long the broker is away.
const HELD_MAX: usize = 5_000;

/// Nothing may be shown: a look could not be written down. It was traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a look could not be stored")]
pub struct NotRecorded;

/// Writes down who looks. One a process, so that it knows what it wrote.
pub struct Looking {
    log: Arc<dyn EventLog>,
    outgoing: Outgoing,
    clock: Arc<dyn Clock>,
    looked: Looked,
}

/// The looks that are on disk, of the hour that it is.
#[derive(Default)]
struct Looked(Mutex<(i64, HashSet<RecordId>)>);

impl Looked {
    fn has(&self, hour: i64, look: RecordId) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.0 == hour && known.1.contains(&look)
    }

    fn add(&self, hour: i64, looks: impl Iterator<Item = RecordId>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != hour || known.1.len() >= KNOWN_MAX {
            *known = (hour, HashSet::new());
        }
        known.1.extend(looks);
    }
}

/// A look that is to be on disk.
pub struct NewLook<'a> {
    /// Who looks.
    pub actor: v1::Actor,
    /// At which alert, and where that is at home.
    pub of: (AlertId, Home),
    /// At what of it.
    pub what: What,
    /// By which right.
    pub duty: Duty,
    /// Why, in the reader's words.
    pub reason: Option<&'a str>,
}

impl NewLook<'_> {
    /// The same for the same reader, alert, kind and reason within an hour, at whatever process.
    fn same(&self, hour: i64) -> RecordId {
        let v1::Actor { officer, role, commune, province, .. } = &self.actor;
        let (alert, what) = (self.of.0, self.what.as_str());
        let reason = self.reason.unwrap_or_default();
        let of = format!("{officer}/{role}/{province}/{commune}/{alert}/{what}");
        RecordId::of_purpose(&format!("look/{of}/{hour}/{reason}"))
    }

    /// A reason in words stands in no id either: it could be guessed from it.
    fn draft(self, same: RecordId, now: Millis) -> Result<Draft, NotRecorded> {
        let (alert, home) = self.of;
        let (id, sealing) = match self.reason {
            None => (same, None),
            Some(reason) => {
                let salt = salt().map_err(|_| NotRecorded)?;
                let note = v1::NoteText { note: reason.to_owned() };
                let content = v1::SealedContent {
                    request_sha256: Bytes::new(),
                    content: Some(Content::Note(note)),
                };
                let id = RecordId::of_purpose(&format!("look/{same}/{}", hex(&salt)));
                (id, Some(seal(&content, salt)))
            }
        };
        Ok(Draft {
            id,
            entity: EntityName::looks(alert),
            home,
            actor: self.actor,
            at: now,
            correlation: id_bytes(alert.0),
            causation: Bytes::new(),
            valid_until: None,
            sealed_fields: sealing.iter().map(|_| "note".to_owned()).collect(),
            sealing,
            body: Body::RecordLook(v1::RecordLook {
                alert: id_bytes(alert.0),
                looked: looked_said(self.what),
                duty: duty_said(self.duty),
            }),
        })
    }
}

impl Looking {
    /// Over a host's log.
    #[must_use]
    pub fn new(host: &Host) -> Self {
        Self {
            log: Arc::clone(&host.log),
            outgoing: host.outgoing.clone(),
            clock: Arc::clone(&host.clock),
            looked: Looked::default(),
        }
    }

    /// These looks are on disk when this returns.
    ///
    /// # Errors
    /// They are not known to be.
    pub async fn record(&self, looks: Vec<NewLook<'_>>) -> Result<(), NotRecorded> {
        let now = self.clock.now();
        let hour = hour_of(now);
        let mut fresh = vec![];
        for look in looks {
            let same = look.same(hour);
            if !self.looked.has(hour, same) && !fresh.iter().any(|(known, _)| *known == same) {
                fresh.push((same, look.draft(same, now)?));
            }
        }
        if !fresh.is_empty() && self.outgoing.now().len() >= HELD_MAX {
            tracing::warn!("the outbox has no room for looks: who has not looked yet sees nothing");
            return Err(NotRecorded);
        }
        while !fresh.is_empty() {
            let some: Vec<_> = fresh.drain(..fresh.len().min(APPENDED_MAX)).collect();
            let same: Vec<RecordId> = some.iter().map(|(same, _)| *same).collect();
            let records = some.into_iter().map(|(_, draft)| draft.record()).collect();
            let appended = match timeout(STORE_PATIENCE, self.log.append(records)).await {
                Ok(Ok(appended)) => appended,
                Ok(Err(why)) => {
                    tracing::warn!(%why, "a look could not be stored: nothing is shown");
                    return Err(NotRecorded);
                }
                Err(_) => return Err(NotRecorded),
            };
            // What has no place yet lies in the outbox: nobody who reads waits for the broker.
            let patience = match appended.at.position {
                At::UNPLACED => Duration::ZERO,
                _ => STORE_PATIENCE,
            };
            match self.log.durable(appended.at, patience).await {
                Durable::Stored | Durable::HeldHere => {}
                Durable::Unknown => return Err(NotRecorded),
            }
            self.looked.add(hour, same.into_iter());
        }
        Ok(())
    }
}
