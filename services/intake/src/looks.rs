//! Looks: that somebody reads personal data is on disk before the data leave, in the log or, while
//! the broker is away, in the outbox; whoever has looked at the same within the hour waits for
//! nothing. Below the disk's reserve it is written like a correction; where nothing can be written
//! at all, nothing is shown.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use chassis::{Problem, auth::forbidden};
use domain::{
    hex::hex,
    ids::{AlertId, EntityName, Home, Millis, RecordId},
    looks::{Duty, Look, Looks, What, hour_of},
    rights::Asker,
};
use event_log::{At, Class, Durable, Key, Recorded, command::Draft};
use prost::Message;
use tokio::time::timeout;
use wire::{
    Spoken,
    actor::{link, person},
    commit::events_of,
    looks::{duty_said, looked_said},
    seal::{salt, seal},
    spoken::id_bytes,
    v1::{self, command::Body, sealed_content::Content},
};

use crate::{
    Intake,
    application::{READ, STORE_PATIENCE, unread, unsealed},
    refused::{not_found, not_stored, starting},
    row::Row,
};

/// Looks of one append.
const APPENDED_MAX: usize = 100;
/// Looks of this hour that are known to be on disk; of more, the log is asked again.
const KNOWN_MAX: usize = 65_536;
/// So many commands wait in the outbox at most for looks to be added: the rest of its room is for
/// what alerts and corrects, however long the broker is away.
const HELD_MAX: usize = 5_000;
/// Looks that are shown, the newest.
const SHOWN_MAX: usize = 1_000;

/// Somebody who reads, and why, where that was said.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) asker: &'a Asker,
    pub(crate) reason: Option<&'a str>,
}

impl<'a> From<&'a Asker> for Reader<'a> {
    fn from(asker: &'a Asker) -> Self {
        Self { asker, reason: None }
    }
}

/// The looks that are on disk, of the hour that it is.
#[derive(Default)]
pub(crate) struct Looked(Mutex<(i64, HashSet<RecordId>)>);

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
struct New<'a> {
    actor: v1::Actor,
    of: (AlertId, Home),
    what: What,
    duty: Duty,
    reason: Option<&'a str>,
}

impl New<'_> {
    /// The same for the same reader, alert, kind and reason within an hour, at whatever process.
    fn same(&self, hour: i64) -> RecordId {
        let v1::Actor { officer, role, commune, province, .. } = &self.actor;
        let (alert, what) = (self.of.0, self.what.as_str());
        let reason = self.reason.unwrap_or_default();
        let of = format!("{officer}/{role}/{province}/{commune}/{alert}/{what}");
        RecordId::of_purpose(&format!("look/{of}/{hour}/{reason}"))
    }

    /// A reason in words stands in no id either: it could be guessed from it.
    fn draft(self, same: RecordId, now: Millis) -> Result<Draft, Problem> {
        let (alert, home) = self.of;
        let (id, sealing) = match self.reason {
            None => (same, None),
            Some(reason) => {
                let salt = salt().map_err(|_| not_stored())?;
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

/// The newest looks of a history, the newest first.
fn newest_of(history: &[Arc<Recorded>]) -> Vec<Look> {
    let commits = history.iter().rev().filter_map(|found| {
        let commit = v1::Commit::decode(found.open.clone()).ok()?;
        events_of(commit).ok()
    });
    let looks = commits.flatten().filter_map(|event| Looks::recall(&event).ok());
    looks.take(SHOWN_MAX).collect()
}

/// A look as it is shown.
pub(crate) struct Seen {
    pub(crate) look: Look,
    /// Why, in the reader's words; `None` where nobody said so, or it was erased.
    pub(crate) reason: Option<String>,
}

impl Intake {
    /// It is on disk when this returns that a person reads these.
    pub(crate) async fn look(
        &self,
        reader: Reader<'_>,
        looks: &[(&Row, What)],
    ) -> Result<(), Problem> {
        let Reader { asker, reason } = reader;
        let new = looks.iter().map(|(row, what)| New {
            actor: person(asker),
            of: (row.id, row.home),
            what: *what,
            duty: Duty::of(asker.standing, row.home, row.communes()),
            reason,
        });
        self.record_looks(new.collect()).await
    }

    /// The same of whoever has a link.
    pub(crate) async fn look_by_link(
        &self,
        link_hash: &str,
        of: (AlertId, Home),
        what: What,
    ) -> Result<(), Problem> {
        let actor = link(link_hash, of.1);
        self.record_looks(vec![New { actor, of, what, duty: Duty::Link, reason: None }]).await
    }

    async fn record_looks(&self, looks: Vec<New<'_>>) -> Result<(), Problem> {
        let now = self.host.clock.now();
        let hour = hour_of(now);
        let mut fresh = vec![];
        for look in looks {
            let same = look.same(hour);
            if !self.looked.has(hour, same) && !fresh.iter().any(|(known, _)| *known == same) {
                fresh.push((same, look.draft(same, now)?));
            }
        }
        if !fresh.is_empty() && self.host.outgoing.now().len() >= HELD_MAX {
            tracing::warn!("the outbox has no room for looks: who has not looked yet sees nothing");
            return Err(not_stored());
        }
        while !fresh.is_empty() {
            let some: Vec<_> = fresh.drain(..fresh.len().min(APPENDED_MAX)).collect();
            let same: Vec<RecordId> = some.iter().map(|(same, _)| *same).collect();
            let records = some.into_iter().map(|(_, draft)| draft.record()).collect();
            let appended = match timeout(STORE_PATIENCE, self.host.log.append(records)).await {
                Ok(Ok(appended)) => appended,
                Ok(Err(why)) => {
                    tracing::warn!(%why, "a look could not be stored: nothing is shown");
                    return Err(not_stored());
                }
                Err(_) => return Err(not_stored()),
            };
            // What has no place yet lies in the outbox: nobody who reads waits for the broker.
            let patience = match appended.at.position {
                At::UNPLACED => Duration::ZERO,
                _ => STORE_PATIENCE,
            };
            match self.host.log.durable(appended.at, patience).await {
                Durable::Stored | Durable::HeldHere => {}
                Durable::Unknown => return Err(not_stored()),
            }
            self.looked.add(hour, same.into_iter());
        }
        Ok(())
    }

    /// Who has looked at an alert, the newest first: for auditors, and for those who approve for
    /// the commune that issued it.
    pub(crate) async fn looks(
        &self,
        reader: Reader<'_>,
        alert: AlertId,
    ) -> Result<Vec<Seen>, Problem> {
        let standing = reader.asker.standing;
        let row = match standing.reads_audit() {
            false => self.readable(reader.asker, alert)?,
            true => self.board.row(alert).ok_or_else(|| match self.host.is_caught_up(&READ) {
                true => not_found(),
                false => starting(),
            })?,
        };
        if !standing.reads_audit() && !standing.approves_for(row.home) {
            return Err(forbidden());
        }
        let entity = EntityName::looks(alert);
        let key = Key { class: Class::Alert, home: row.home, entity };
        let history = self.host.log.load(&key, None).await.map_err(unread)?;
        let ats: Vec<At> = history
            .iter()
            .map(|found| At { class: found.key.class, position: found.position, id: found.id })
            .collect();
        self.stored(ats.iter()).await?;
        let mut seen = vec![];
        for look in newest_of(&history) {
            let reason = self.reason_of(&row, &look).await;
            seen.push(Seen { look, reason });
        }
        if seen.iter().any(|seen| seen.reason.is_some()) {
            self.look(reader, &[(&row, What::Notes)]).await?;
        }
        Ok(seen)
    }

    async fn reason_of(&self, row: &Row, look: &Look) -> Option<String> {
        let entity = EntityName::looks(row.id);
        let key = Key { class: Class::Command, home: row.home, entity };
        let found = self.host.log.load(&key, Some(look.reason?)).await.ok()?;
        match unsealed(found.first()?)?.content {
            Some(Content::Note(note)) => Some(note.note),
            _ => None,
        }
    }
}
